"""Thumbnails that do not hide each other."""

from __future__ import annotations

import numpy as np


def layout_labels(points: np.ndarray, side: float, aspect: float) -> np.ndarray:
    """Move squares apart so that none overlap, each staying as near to its point as the others let it.

    The squares are assigned to the cells of a grid at the least sum of squared moves (Jonker-Volgenant);
    then each goes back towards its point for as far as it hides nothing.

    Parameters
    ----------
    points : array of shape (C, 2)
        In shares of the map's width and height.
    side : float
        Of a square, in shares of the width.

    Returns
    -------
    array of shape (C, 2), inside the map; `points` itself if there are more squares than the map holds.
    """
    from scipy.optimize import linear_sum_assignment

    size = np.array([1.0, 1 / aspect])  # of the map, in units of its width
    reach, margin = 1.06 * side, 0.12 * side
    counts = ((size - 2 * margin + 0.06 * side) / reach).astype(int)
    if counts.prod() < len(points):
        return points
    first = (size - (counts - 1) * reach) / 2
    columns, rows = (first[k] + reach * np.arange(counts[k]) for k in (0, 1))
    cells = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    home = np.clip(points * size, margin + side / 2, size - margin - side / 2)
    chosen = linear_sum_assignment(np.square(home[:, None] - cells[None]).sum(axis=-1))[1]
    place = cells[chosen]
    for k in np.argsort(np.square(home - place).sum(axis=1)):
        others = np.delete(place, k, axis=0)
        for share in (1.0, 0.75, 0.5, 0.25):
            there = place[k] + share * (home[k] - place[k])
            if not (np.abs(others - there).max(axis=1) < reach * 0.999).any():
                place[k] = there
                break
    return place / size
