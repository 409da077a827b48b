"""The map in 3D as the page takes it: positions of the crops that it draws and of the classes."""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import Any

import numpy as np

from fgsd.app.limits import MAX_CACHED_LEVELS, MAX_SPACE_POINTS
from fgsd.app.render.encode import packed
from fgsd.feature_map import FeatureMap


class SpaceData:
    """Positions in `FeatureMap.space`; safe to call from several threads.

    UMAP in 3D is fitted when a visitor first asks for it, and from then on at the other noise levels too, in
    a thread of its own: the path of a sample passes all of them.
    """

    def __init__(self, feature_map: FeatureMap) -> None:
        self.map, self.space = feature_map, feature_map.space
        self._lock, self._fits = threading.Lock(), False
        self.depth = lru_cache(MAX_CACHED_LEVELS)(self._depth)
        self.noise = lru_cache(len(feature_map.projections))(self._noise)

    def crops_to_draw(self, levels: int = 1) -> list[int]:
        """Return the crops that are drawn at each of some noise levels, evenly spaced over all."""
        count = len(self.map.labels)
        most = min(count, MAX_SPACE_POINTS // levels)
        return np.unique(np.linspace(0, count - 1, most).round().astype(int)).tolist() if most else []

    def _depth(self, projection: str, level: int) -> dict[str, Any]:
        """Positions at one noise level: "classes" (C, 3) and "crops" (len(shown), 3), packed."""
        shown = self.crops_to_draw()
        crops, classes = self.space.crops(projection, level), self.space.classes(projection, level)
        if projection == "umap":
            self._fit_others()
        return {"shown": shown, "classes": packed(classes), "crops": packed(crops[shown])}

    def _noise(self, projection: str) -> dict[str, Any]:
        """Positions in the stack of all S noise levels, and what places other points there.

        "classes" is (S, C, 3) and "crops" (S, len(shown), 3), packed; "centres" (S, 2), "scales" (S,) and
        "heights" (S,) are those of `MapSpace.stacked`.
        """
        levels = list(enumerate(self.map.sigmas.tolist()))
        shown = self.crops_to_draw(len(levels))
        stacked, space = self.space.stacked, self.space
        crops = [stacked(projection, self.map.crops(projection, k)[shown], sigma) for k, sigma in levels]
        classes = [stacked(projection, self.map.classes(projection, k), sigma) for k, sigma in levels]
        return {
            "shown": shown,
            "classes": packed(np.stack(classes)),
            "crops": packed(np.stack(crops)),
            "centres": space.level_centres(projection).astype(float).round(4).tolist(),
            "scales": space.level_scales(projection).astype(float).round(5).tolist(),
            "heights": space.heights(self.map.sigmas).astype(float).round(4).tolist(),
        }

    def _fit_others(self) -> None:
        with self._lock:
            if self._fits:
                return
            self._fits = True

        def fit() -> None:
            for level in range(len(self.map.sigmas)):
                self.space.crops("umap", level)

        threading.Thread(target=fit, name="umap-3d", daemon=True).start()
