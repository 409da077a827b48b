"""What the map of features sends to the page, in a compact form, and its answers to what the page asks."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from fgsd.app.render.label_layout import layout_labels
from fgsd.app.render.pictures import data_uri
from fgsd.app.render.user_textures import UserTextureStore, centroids
from fgsd.app.requests.request import RequestError, parse_request
from fgsd.app.requests.target import target_centroid
from fgsd.data import TextureFolder, to_images
from fgsd.pipeline import Pipeline

ASPECT = 1.2  # width of the map over its height
LOW, HIGH = -0.25, 1.25  # places are sent as 16-bit shares of this range of the unit box
RISE, GAP = 0.7, 1.25  # of thumbnails above their places, and from one to the next, in their sides
NEAREST = 3  # classes that are named beside a crop
CROP_SIDE = 96  # pixels: crops are shown at most as large


class MapData:
    """The feature map of a checkpoint as a page takes it; several threads may ask at once.

    Parameters
    ----------
    pipe : Pipeline
    data : TextureFolder or None
        The images that the map was made of; without them no crop is shown.
    store : UserTextureStore, optional
        The visitors' own textures.
    """

    def __init__(
        self, pipe: Pipeline, data: TextureFolder | None, store: UserTextureStore | None = None
    ) -> None:
        self.pipe, self.map, self.data = pipe, pipe.map, data
        self.store = UserTextureStore() if store is None else store
        self.classes, self.projections = list(pipe.classes), tuple(pipe.map.projections)
        self.sigmas, self.start_level = pipe.map.sigmas.tolist(), int(pipe.map.start_level)
        self.count, self.dimension = len(pipe.map.labels), pipe.table.dimension
        self.side = float(np.clip(0.42 / np.sqrt(len(self.classes)), 0.012, 0.12))
        self._points = lru_cache(64)(self._points)
        self._feature = lru_cache(32)(self._feature)
        self._crop = lru_cache(2048)(self._crop)
        self._nearest = lru_cache(4)(lambda level: self.map.nearest(level, NEAREST))

    def thumbnails(self, projection: str) -> str:
        """Where classes are shown and where they lie, at every level: packed (S, C, 4) of x, y, x, y."""
        levels = []
        for level in range(len(self.sigmas)):
            places = np.asarray(self.map.classes(projection, level), dtype=np.float64)
            # above their crops, which they would hide, and with gaps between them for the same reason
            above = (places - [0, RISE * self.side * ASPECT]).clip(0, 1)
            shown = layout_labels(above, GAP * self.side, ASPECT)
            levels.append(np.concatenate([shown, places], axis=1))
        return packed(np.stack(levels))

    def colours(self) -> str:
        """Mean colour of each class: base64 of (C, 3) bytes."""
        colours = ((self.pipe.table.colours.clamp(-1, 1) + 1) * 127.5).round().byte().numpy()
        return _base64(colours)

    def labels(self, asked: Any = None) -> dict:
        """The class of each crop, once: base64 of little-endian 16-bit rows."""
        return {"labels": _base64(np.asarray(self.map.labels).astype("<u2"))}

    def points(self, asked: Any) -> dict:
        """Where the crops lie, for {"projection", "level"}: packed (N, 2)."""
        return {"points": self._points(self._projection(asked), self._level(asked))}

    def feature(self, asked: Any) -> dict:
        """One feature of every crop, for {"index", "level"}: bytes from `low` to `high`, ends clipped."""
        index = self._whole(asked, "index", self.dimension)
        return self._feature(index, self._level(asked))

    def crop(self, asked: Any) -> dict:
        """A crop, for {"crop", "level"}: its picture, its class and the classes nearest to it."""
        index = self._whole(asked, "crop", self.count)
        return self._crop(index, self._level(asked))

    def true_distance(self, asked: Any) -> dict:
        """The class that is really nearest to a target, and how far away, in spreads within a class."""
        asked = asked if isinstance(asked, Mapping) else {}
        own = centroids(self.store.of(asked.get("visitor")))
        request = parse_request(asked.get("target"), classes=[*self.classes, *own], multiple=1)
        [(name, distance)] = self.pipe.table.nearest(target_centroid(self.pipe, request, own), 1)
        return {"name": name, "distance": round(distance, 3)}

    def server_functions(self) -> list[Callable[[Any], dict]]:
        """What the page may ask, by the names it has there; what is wrong is answered as {"error"}."""

        def answered(function: Callable[[Any], dict], name: str) -> Callable[[Any], dict]:
            def answer(asked: Any = None) -> dict:
                try:
                    return function(asked)
                except RequestError as error:
                    return {"error": str(error)}

            answer.__name__ = name
            return answer

        asked = ("labels", "points", "feature", "crop", "true_distance")
        return [answered(getattr(self, name), f"map_{name}") for name in asked]

    def _points(self, projection: str, level: int) -> str:
        return packed(self.map.crops(projection, level))

    def _feature(self, index: int, level: int) -> dict:
        values = np.asarray(self.map.feature(index, level), dtype=np.float64)
        low, high = np.quantile(values, (0.01, 0.99)).tolist() if len(values) else (0.0, 0.0)
        shares = (values - low) / max(high - low, 1e-12)
        levels = np.rint(255 * shares.clip(0, 1)).astype(np.uint8)
        return {"values": _base64(levels), "low": round(low, 3), "high": round(high, 3)}

    def _crop(self, index: int, level: int) -> dict:
        rows, distances = (part[index] for part in self._nearest(level))
        near = [[self.classes[r], round(float(d), 2)] for r, d in zip(rows, distances, strict=True)]
        name = self.classes[int(self.map.labels[index])]
        return {"src": self._picture(name, index), "name": name, "near": near}

    def _picture(self, name: str, index: int) -> str | None:
        if self.data is None or name not in self.data.classes:
            return None
        regions, image = self.data.regions(name), int(self.map.images[index])
        left, top = (int(v) for v in self.map.corners[index])
        side = self.pipe.info.patch_size
        if image >= len(regions):  # other images than the map was made of
            return None
        crop = regions[image][None, :, top : top + side, left : left + side]
        if tuple(crop.shape[2:]) != (side, side):
            return None
        [picture] = to_images(crop)
        picture.thumbnail((CROP_SIDE, CROP_SIDE))
        return data_uri(picture, quality=85)

    def _projection(self, asked: Any) -> str:
        value = asked.get("projection") if isinstance(asked, Mapping) else None
        if not isinstance(value, str) or value not in self.projections:
            raise RequestError(f"The projection must be {' or '.join(self.projections)}.")
        return value

    def _level(self, asked: Any) -> int:
        return self._whole(asked, "level", len(self.sigmas))

    def _whole(self, asked: Any, key: str, count: int) -> int:
        value = asked.get(key) if isinstance(asked, Mapping) else None
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < count:
            raise RequestError(f"The {key} must be a whole number from 0 to {count - 1}.")
        return value


def packed(places: np.ndarray) -> str:
    """Places of the unit box as base64 of little-endian 16-bit shares of `LOW` to `HIGH`."""
    shares = (np.asarray(places, dtype=np.float64) - LOW) / (HIGH - LOW)
    return _base64(np.rint(65535 * shares.clip(0, 1)).astype("<u2"))


def _base64(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()
