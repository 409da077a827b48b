"""The feature map in three dimensions: a third axis of PCA or UMAP, or the noise level."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from fgsd.levels import interpolate
from fgsd.projection import MARGIN, LevelPlanes, umap_in_space

if TYPE_CHECKING:
    from fgsd.feature_map import FeatureMap


class MapSpace:
    """3D positions of the classes, crops and feature vectors of a `FeatureMap`, in a unit box.

    "pca": x and y are those of the map; z is the third component of the joint PCA, the coefficient that
    least squares give it beside the first two. "umap": an embedding in 3D at each noise level, which starts
    from the map's x and y and is laid onto them, so that seen from the front it resembles the map. It is
    fitted when a noise level is first asked for, some seconds each; nothing of it is stored in a checkpoint.
    The same map gives the same positions. Safe to use from several threads.
    """

    def __init__(self, feature_map: FeatureMap) -> None:
        self.map = feature_map
        self._lock = threading.Lock()
        self._embeddings: dict[int, np.ndarray] = {}

    def crops(self, projection: str, level: int) -> np.ndarray:
        """Return the positions of the training crops at a noise level: (N, 3), float32."""
        flat = self.map.crops(projection, level)
        if projection == "umap":
            return self._embedding(level)
        return np.column_stack([flat, self._depths[0][level]])

    def classes(self, projection: str, level: int) -> np.ndarray:
        """Return the positions of the classes at a noise level: (C, 3), float32; see `FeatureMap.classes`."""
        flat = self.map.classes(projection, level)
        if projection == "umap":
            crops, labels = self._embedding(level), self.map.labels
            return np.stack([np.median(crops[labels == row], axis=0) for row in range(len(flat))])
        return np.column_stack([flat, self._depths[1][level]])

    def project(self, projection: str, phi: Tensor, sigma: float | Tensor) -> np.ndarray:
        """Return the positions of feature vectors, each at its own noise level: (B, 3), float32.

        Parameters and errors are those of `FeatureMap.project`. "umap" fits the noise levels on both sides
        of each sigma if they are not fitted yet: see `is_fitted`.
        """
        if projection == "pca":
            flat = self.map.project(projection, phi, sigma)
            return np.column_stack([flat, self.axes.project(phi, sigma)[..., 2].float().numpy()])
        self.map._check_projection(projection)
        return self.map._interpolated(phi, sigma, self._landmarks)

    def is_fitted(self, projection: str, sigma: float) -> bool:
        """Return whether positions at a noise level can be computed at once."""
        if projection != "umap":
            return True
        weights = interpolate(self.map.sigmas, torch.eye(len(self.map.sigmas)), sigma)
        return all(level in self._embeddings for level in weights.flatten().nonzero()[:, 0].tolist())

    def heights(self, sigma: float | Tensor) -> np.ndarray:
        """Return the coordinate of noise levels on an axis of log sigma, the lowest noise on top: float32.

        The levels of the map fill the unit interval up to a margin; sigmas beyond them lie beyond, in the
        same proportion.
        """
        logs = self.map.sigmas.double().log()
        span = max(float(logs[-1] - logs[0]), 1e-9)
        share = (logs[-1] - torch.as_tensor(sigma, dtype=torch.float64).log()) / span
        return (MARGIN + (1 - 2 * MARGIN) * share).float().numpy()

    def stacked(self, projection: str, positions: np.ndarray, sigma: float | Tensor) -> np.ndarray:
        """Move positions (B, 2) of the map into the stack of the maps of all noise levels: (B, 3), float32.

        x and y are scaled about the middle of the classes, so that at every level the crops lie equally close
        to their class (see `level_scales`): classes come apart as noise falls. z is that of `heights`.
        """
        centres, scales = self.level_centres(projection), self.level_scales(projection)
        table = torch.from_numpy(np.column_stack([centres, scales])).double()
        at_sigma = interpolate(self.map.sigmas, table, sigma).expand(len(positions), 3).numpy()
        centre, scale = at_sigma[:, :2], at_sigma[:, 2:]
        height = np.broadcast_to(self.heights(sigma), len(positions))
        return np.column_stack([centre + scale * (positions - centre), height]).astype(np.float32)

    def level_centres(self, projection: str) -> np.ndarray:
        """Return the mean position of the classes at each noise level: (S, 2)."""
        return np.stack([self.map.classes(projection, k).mean(axis=0) for k in range(len(self.map.sigmas))])

    def level_scales(self, projection: str) -> np.ndarray:
        """Return a scale for each noise level, at most 1, that makes the spread within classes equal: (S,).

        The spread is the root mean square distance of the crops from the median of their class, in the plane.
        A map without crops takes the inverse of the distances between classes, in units of the spread within
        a class, in feature space.
        """
        whole, spreads = self.map, []
        if not len(whole.labels):
            z = (whole.table.values - whole._mean) / whole._scale
            separation = z.square().mean(dim=(0, 2)).sqrt().numpy()
            return separation / max(float(separation.max()), 1e-12)
        for level in range(len(whole.sigmas)):
            crops = whole.crops(projection, level)
            rows = range(len(whole.table.classes))
            medians = np.stack([np.median(crops[whole.labels == row], axis=0) for row in rows])
            spreads.append(np.sqrt(np.square(crops - medians[whole.labels]).sum(axis=1).mean()))
        return min(spreads) / np.maximum(spreads, 1e-12) if min(spreads) > 1e-12 else np.ones(len(spreads))

    @cached_property
    def axes(self) -> LevelPlanes:
        """The three axes of "pca" at each noise level, of whose coordinates the third is used."""
        return LevelPlanes.of(self.map.table, components=3)

    @cached_property
    def _depths(self) -> tuple[np.ndarray, np.ndarray]:
        """The third component of crops (S, N) and of classes (S, C), float32."""
        whole = self.map
        crops = []
        for level, sigma in enumerate(whole.sigmas.tolist()):
            phi = whole._mean[level] + whole._scale[level] * (whole._scores[level] @ whole._bases[level].T)
            crops.append(self.axes.project(phi, sigma)[:, 2])
        classes = self.axes.project(whole.table.values, whole.sigmas)[..., 2].T
        return torch.stack(crops).float().numpy(), classes.float().numpy()

    def _embedding(self, level: int) -> np.ndarray:
        """The crops in 3D by UMAP at a noise level: (N, 3)."""
        if level in self._embeddings:  # do not wait for another level that is being fitted
            return self._embeddings[level]
        with self._lock:
            if level not in self._embeddings:
                flat, depth = self.map.crops("umap", level), self._depths[0][level].astype(np.float64)
                spread = depth.std()
                if spread < 1e-6:  # no third component: any direction out of the plane will do
                    depth = np.random.default_rng(0).normal(size=len(depth))
                    spread = depth.std()
                # as deep as the map is wide and high, on average
                depth = 0.5 + (depth - depth.mean()) * (flat.std(axis=0).mean() / spread)
                start = np.column_stack([flat, depth]).astype(np.float32)
                self._embeddings[level] = umap_in_space(self.map._scores[level].numpy(), start)
            return self._embeddings[level]

    def _landmarks(self, level: int) -> tuple[Tensor, Tensor]:
        """Scores and positions of crops and class centroids, as `FeatureMap` has them in the plane."""
        positions = np.concatenate([self._embedding(level), self.classes("umap", level)])
        return self.map._landmarks[level][0], torch.from_numpy(positions)
