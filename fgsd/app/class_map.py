"""Where the classes lie on a plane: PCA of their centroids, and thumbnails that do not hide each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fgsd.centroids import CentroidTable
from fgsd.projection import joint_pca

MARGIN = 0.06  # share of the map, on each side, that no class's point enters


@dataclass(frozen=True)
class ClassMap:
    """Places of classes on a map that is `aspect` times as wide as high; x to the right, y downwards.

    A mixture lies at the weighted mean of its classes' points, exactly: the projection is affine.
    """

    classes: list[str]
    points: np.ndarray  # (C, 2) in [0, 1]: shares of the width and of the height
    thumbnails: np.ndarray  # (C, 2): the same, moved apart so that thumbnails do not hide each other
    side: float  # of a thumbnail, as a share of the map's width
    aspect: float


def class_map(table: CentroidTable, *, aspect: float = 1.08) -> ClassMap:
    """The map of a table's classes.

    One PCA is fitted jointly over all noise levels, each level scaled to the same total variance, so that
    no level decides alone. Each axis is stretched to fill the map.

    Parameters
    ----------
    aspect : float
        Width of the map over its height.
    """
    count = len(table.classes)
    plane = joint_pca(table).joint(table.values).numpy()
    low, span = plane.min(axis=0), np.ptp(plane, axis=0)
    unit = np.where(span > 1e-9, (plane - low) / np.where(span > 1e-9, span, 1), 0.5)
    unit[:, 1] = 1 - unit[:, 1]  # on screens, y points down
    points = MARGIN + unit * (1 - 2 * MARGIN)
    side = float(np.clip(0.48 / np.sqrt(count), 0.012, 0.12))
    return ClassMap(list(table.classes), points, spread_out(points, side, aspect), side, aspect)


def spread_out(points: np.ndarray, side: float, aspect: float) -> np.ndarray:
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
