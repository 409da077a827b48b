"""Layout of thumbnails on the map so that none hides another."""

from __future__ import annotations

import numpy as np


def layout_labels(points: np.ndarray, side: float, aspect: float) -> np.ndarray:
    """Move squares apart so that none overlap, each as near to its point as the others allow.

    The squares are assigned to the cells of a grid with the least sum of squared moves (Jonker-Volgenant).
    Then each square moves back towards its point for as far as it overlaps no other.

    Parameters
    ----------
    points : array of shape (C, 2)
        As shares of the map's width and height.
    side : float
        Side of a square, as a share of the map's width.
    aspect : float
        Width of the map over its height.

    Returns
    -------
    array of shape (C, 2)
        Centres of the squares, inside the map; `points` itself if the map has too few cells.
    """
    from scipy.optimize import linear_sum_assignment

    size = np.array([1.0, 1 / aspect])  # of the map, in units of its width
    spacing, margin = 1.06 * side, 0.12 * side
    counts = ((size - 2 * margin + 0.06 * side) / spacing).astype(int)
    if counts.prod() < len(points):
        return points
    first = (size - (counts - 1) * spacing) / 2
    columns, rows = (first[k] + spacing * np.arange(counts[k]) for k in (0, 1))
    cells = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    desired = np.clip(points * size, margin + side / 2, size - margin - side / 2)
    assigned = linear_sum_assignment(np.square(desired[:, None] - cells[None]).sum(axis=-1))[1]
    centres = cells[assigned]
    for k in np.argsort(np.square(desired - centres).sum(axis=1)):
        others = np.delete(centres, k, axis=0)
        for share in (1.0, 0.75, 0.5, 0.25):
            candidate = centres[k] + share * (desired[k] - centres[k])
            if not (np.abs(others - candidate).max(axis=1) < spacing * 0.999).any():
                centres[k] = candidate
                break
    return centres / size
