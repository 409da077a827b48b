"""The feature map in the compact form that a page takes, and the functions that the page calls about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image

from fgsd.app.limits import (
    MAX_CACHED_CROPS,
    MAX_CACHED_FEATURES,
    MAX_CACHED_LEVELS,
    MAX_CACHED_POINTS,
    MAX_CROP_SIDE,
)
from fgsd.app.render.encode import base64_of, data_uri, packed
from fgsd.app.render.label_layout import layout_labels
from fgsd.app.render.space_data import SpaceData
from fgsd.app.render.user_textures import UserTextureStore, centroids
from fgsd.app.requests.errors import errors_as_sentences
from fgsd.app.requests.request import RequestError, parse_request
from fgsd.app.requests.target import nearest_class
from fgsd.data import TextureFolder, to_images
from fgsd.pipeline import Pipeline

ASPECT = 1.2  # width of the map over its height
RISE = 0.7  # of a thumbnail above its position, in sides of a thumbnail
SPACING = 1.25  # from one thumbnail to the next, in sides of a thumbnail
# classes up to which all thumbnails are shown, moved apart; of more, the page shows those that have room
MAX_MOVED_APART = 100
NEAREST = 3  # classes that are named beside a crop


class MapData:
    """The feature map of a checkpoint for a page; safe to call from several threads.

    Parameters
    ----------
    pipe : Pipeline
    data : TextureFolder or None
        The images that the map was fitted on; without them crops have no pictures.
    store : UserTextureStore, optional
        The textures of the visitors.
    """

    def __init__(
        self, pipe: Pipeline, data: TextureFolder | None, store: UserTextureStore | None = None
    ) -> None:
        self.pipe, self.map, self.data = pipe, pipe.map, data
        self.store = UserTextureStore() if store is None else store
        self.classes, self.projections = list(pipe.classes), tuple(pipe.map.projections)
        self.families = {name: pipe.families[name] for name in self.classes if name in pipe.families}
        self.sigmas, self.start_level = pipe.map.sigmas.tolist(), int(pipe.map.start_level)
        self.count, self.dimension = len(pipe.map.labels), pipe.table.dimension
        self.side = float(np.clip(0.42 / np.sqrt(len(self.classes)), 0.048, 0.12))  # of a thumbnail
        self._space = SpaceData(pipe.map)
        self._cached_points = lru_cache(MAX_CACHED_POINTS)(self._points)
        self._cached_feature = lru_cache(MAX_CACHED_FEATURES)(self._feature)
        self._cached_crop = lru_cache(MAX_CACHED_CROPS)(self._crop)
        self._nearest = lru_cache(MAX_CACHED_LEVELS)(lambda level: self.map.nearest(level, NEAREST))

    def thumbnails(self, projection: str) -> str:
        """Return thumbnail and class positions at every noise level: packed (S, C, 4) of x, y, x, y."""
        levels = []
        for level in range(len(self.sigmas)):
            positions = np.asarray(self.map.classes(projection, level), dtype=np.float64)
            # above the crops of the class and apart from each other, so that crops stay visible
            above = (positions - [0, RISE * self.side * ASPECT]).clip(0, 1)
            centres = above
            if len(above) <= MAX_MOVED_APART:
                centres = layout_labels(above, SPACING * self.side, ASPECT)
            levels.append(np.concatenate([centres, positions], axis=1))
        return packed(np.stack(levels))

    def colours(self) -> str:
        """Return the mean colour of each class: base64 of (C, 3) bytes."""
        colours = ((self.pipe.table.colours.clamp(-1, 1) + 1) * 127.5).round().byte().numpy()
        return base64_of(colours)

    def labels(self, query: Any = None) -> dict[str, Any]:
        """Return the class of each crop: base64 of little-endian 16-bit rows of the table."""
        return {"labels": base64_of(np.asarray(self.map.labels).astype("<u2"))}

    def points(self, query: Any) -> dict[str, Any]:
        """Return the positions of all crops for {"projection", "level"}: packed (N, 2)."""
        return {"points": self._cached_points(self._projection(query), self._level(query))}

    def feature(self, query: Any) -> dict[str, Any]:
        """Return one feature of every crop for {"index", "level"}: bytes from `low` to `high`, clipped."""
        index = self._whole(query, "index", self.dimension)
        return self._cached_feature(index, self._level(query))

    def space(self, query: Any) -> dict[str, Any]:
        """Return positions in 3D for {"projection", "axis", "level"}; with the axis "noise" at all levels."""
        projection = self._projection(query)
        axis = query.get("axis")
        if axis == "noise":
            return self._space.noise(projection)
        if axis != "depth":
            raise RequestError("The axis must be depth or noise.")
        return self._space.depth(projection, self._level(query))

    def crop(self, query: Any) -> dict[str, Any]:
        """Return the picture, the class and the nearest classes of a crop for {"crop", "level"}."""
        index = self._whole(query, "crop", self.count)
        return self._cached_crop(index, self._level(query))

    def true_distance(self, query: Any) -> dict[str, Any]:
        """Return the class nearest to a target in feature space, and its distance; see `nearest_class`."""
        query = query if isinstance(query, Mapping) else {}
        user_centroids = centroids(self.store.of(query.get("visitor")))
        request = parse_request(query.get("target"), classes=[*self.classes, *user_centroids], multiple=1)
        return nearest_class(self.pipe, request, user_centroids)

    def server_functions(self) -> list[Callable[[Any], dict[str, Any]]]:
        """Return the functions that the page may call, by the names it uses; errors are sentences."""

        def named(function: Callable[[Any], dict[str, Any]], name: str) -> Callable[[Any], dict[str, Any]]:
            def call(query: Any = None) -> dict[str, Any]:
                return function(query)

            call.__name__ = name
            return errors_as_sentences()(call)

        names = ("labels", "points", "feature", "crop", "space", "true_distance")
        return [named(getattr(self, name), f"map_{name}") for name in names]

    def _points(self, projection: str, level: int) -> str:
        return packed(self.map.crops(projection, level))

    def _feature(self, index: int, level: int) -> dict[str, Any]:
        values = np.asarray(self.map.feature(index, level), dtype=np.float64)
        low, high = np.quantile(values, (0.01, 0.99)).tolist() if len(values) else (0.0, 0.0)
        shares = (values - low) / max(high - low, 1e-12)
        levels = np.rint(255 * shares.clip(0, 1)).astype(np.uint8)
        return {"values": base64_of(levels), "low": round(low, 3), "high": round(high, 3)}

    def _crop(self, index: int, level: int) -> dict[str, Any]:
        rows, distances = (values[index] for values in self._nearest(level))
        near = [[self.classes[r], round(float(d), 2)] for r, d in zip(rows, distances, strict=True)]
        name = self.classes[int(self.map.labels[index])]
        picture = self.crop_picture(index)
        return {"src": picture and data_uri(picture, quality=85), "name": name, "near": near}

    def crop_picture(self, index: int) -> Image.Image | None:
        """Return the picture of a crop; None if the map's images are not there."""
        name = self.classes[int(self.map.labels[index])]
        if self.data is None or name not in self.data.classes:
            return None
        regions, image = self.data.regions(name), int(self.map.images[index])
        left, top = (int(v) for v in self.map.corners[index])
        side = self.pipe.info.patch_size
        if image >= len(regions):  # the folder holds other images than those of the map
            return None
        crop = regions[image][None, :, top : top + side, left : left + side]
        if tuple(crop.shape[2:]) != (side, side):
            return None
        [picture] = to_images(crop)
        picture.thumbnail((MAX_CROP_SIDE, MAX_CROP_SIDE))
        return picture

    def _projection(self, query: Any) -> str:
        value = query.get("projection") if isinstance(query, Mapping) else None
        if not isinstance(value, str) or value not in self.projections:
            raise RequestError(f"The projection must be {' or '.join(self.projections)}.")
        return value

    def _level(self, query: Any) -> int:
        return self._whole(query, "level", len(self.sigmas))

    def _whole(self, query: Any, key: str, count: int) -> int:
        value = query.get(key) if isinstance(query, Mapping) else None
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < count:
            raise RequestError(f"The {key} must be a whole number from 0 to {count - 1}.")
        return value
