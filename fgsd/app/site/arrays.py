"""The numbers that a browser samples with: centroids, their spread, and the plane of the map."""

from __future__ import annotations

from typing import Any

import numpy as np

from fgsd.pipeline import Pipeline

ALIGNED = 4  # bytes


def pack_arrays(arrays: dict[str, np.ndarray]) -> tuple[bytes, dict[str, dict[str, Any]]]:
    """Write arrays one after the other.

    Returns
    -------
    content : bytes
        Little-endian.
    places : dict
        By name: {"dtype", "shape", "offset"}, where each lies in the content.
    """
    content, places = bytearray(), {}
    for name, array in arrays.items():
        content += bytes(-len(content) % ALIGNED)
        places[name] = {"dtype": str(array.dtype), "shape": list(array.shape), "offset": len(content)}
        content += array.astype(array.dtype.newbyteorder("<")).tobytes()
    return bytes(content), places


def site_arrays(pipe: Pipeline) -> dict[str, np.ndarray]:
    """Return what `web/site/centroids.js` takes, all float32: rounded to float16, pixels would differ.

    Returns
    -------
    dict
        `values` (C, S, F), `scales` (S, F) and `colours` (C, 3) of the table; `means` (S, F), `axes`
        (S, 2, F) and `origin` (2,) of the map's plane, and `colourSlope` (2, 3), see `FeatureMap.moved`;
        `spaceAxes` (S, 3, F) and `spaceOrigin` (3,) of the map in 3D.
    """
    table, planes, space = pipe.table, pipe.map.planes, pipe.map.space.axes
    tensors = {
        "values": table.values,
        "scales": table.scales,
        "colours": table.colours,
        "means": planes.means,
        "axes": planes.axes,
        "origin": planes.origin,
        "colourSlope": pipe.map.colour_slope,
        "spaceAxes": space.axes,
        "spaceOrigin": space.origin,
    }
    return {name: np.ascontiguousarray(value.float().cpu().numpy()) for name, value in tensors.items()}


def umap_arrays(pipe: Pipeline) -> dict[str, np.ndarray]:
    """Return what `web/site/landmarks.js` takes, of a map with UMAP.

    Returns
    -------
    dict
        `bases` (S, F, K), float16, `scores` (S, N, K), int8, and `steps` (S, K) as the map stores them;
        `centres` (S, C, K), the scores of the classes; `positions` (S, N + C, 2) of crops and classes.
    """
    whole, table = pipe.map, pipe.table
    z = (table.values - table.values.mean(dim=0)) / table.scales  # (C, S, F)
    positions = [
        np.concatenate([whole.crops("umap", level), whole.classes("umap", level)])
        for level in range(len(table.sigmas))
    ]
    return {
        "bases": whole.bases.cpu().numpy(),
        "scores": whole.scores.cpu().numpy(),
        "steps": whole.steps.float().cpu().numpy(),
        "centres": (z.transpose(0, 1) @ whole.bases.float()).cpu().numpy(),
        "positions": np.stack(positions).astype(np.float32),
    }
