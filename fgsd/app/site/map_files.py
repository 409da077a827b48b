"""What the map of a site asks for: the answers of `MapData`, computed beforehand."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from fgsd.app.limits import MAX_CROP_SIDE
from fgsd.app.render.encode import webp_bytes
from fgsd.app.render.map_data import NEAREST, MapData
from fgsd.sheets import grid_columns, image_grid

QUALITY = 80  # of the pictures of crops, as WebP
Add = Callable[[str, str, bytes], str]  # adds a file of this name, suffix and content; returns its whole name


def add_map_files(data: MapData, add: Add) -> dict[str, Any]:
    """Add the files of the map, and return their names as `web/site/map_server.js` takes them.

    Parameters
    ----------
    data : MapData
    add : callable
        Adds a file to the site.
    """
    levels, labels = range(len(data.sigmas)), np.asarray(data.map.labels)

    def add_json(name: str, value: Any) -> str:
        return add(name, ".json", json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())

    def points(projection: str) -> list[str]:
        return [data.points({"projection": projection, "level": k})["points"] for k in levels]

    def near(level: int) -> list[list[tuple[int, float]]]:
        rows, distances = data.map.nearest(level, NEAREST)
        return [
            [(int(row), round(float(distance), 2)) for row, distance in zip(*one, strict=True)]
            for one in zip(rows, distances, strict=True)
        ]

    def space(projection: str) -> dict[str, str]:
        """UMAP would have to be fitted anew in 3D, for minutes: it has no depth."""
        stack = data.space({"projection": projection, "axis": "noise"})
        names = {"noise": add_json(f"map-noise-{projection}", stack)}
        if projection == "pca":
            each = [data.space({"projection": projection, "axis": "depth", "level": k}) for k in levels]
            names["depth"] = add_json(f"map-depth-{projection}", each)
        return names

    crops, sheet = _add_crops(data, add)
    return {
        "labels": add_json("map-labels", data.labels()),
        "points": {name: add_json(f"map-points-{name}", points(name)) for name in data.projections},
        "space": {name: space(name) for name in data.projections},
        "near": [
            add_json(f"map-near-{k}", {"rows": labels.tolist(), "near": near(k)})
            for k in levels
            if data.count
        ],
        "crops": crops,
        "sheet": sheet,
    }


def _add_crops(data: MapData, add: Add) -> tuple[list[str | None], dict[str, Any]]:
    """Add a sheet of the pictures of the crops of each class."""
    labels, names, side, columns = np.asarray(data.map.labels), list[str | None](), 1, 1
    places = np.zeros(len(labels), dtype=int)  # of each crop in the sheet of its class
    for row in range(len(data.classes)):
        indices = np.flatnonzero(labels == row)
        places[indices] = np.arange(len(indices))
        pictures = [data.crop_picture(int(index)) for index in indices]
        known = [picture for picture in pictures if picture is not None]
        if not known:
            names.append(None)
            continue
        side, columns = min(MAX_CROP_SIDE, known[0].width), grid_columns(len(pictures))
        missing = Image.new("RGB", (side, side), "grey")
        sheet = image_grid([picture or missing for picture in pictures], columns=columns, gap=0)
        names.append(add(f"crops-{row}", ".webp", webp_bytes(sheet, quality=QUALITY)))
    return names, {"side": side, "columns": columns, "rows": places.tolist()}
