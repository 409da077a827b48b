"""Interpolation between targets: mixture weights of paths and grids, coarse/fine switches, pixel blends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def path_weights(targets: int, points: int, *, closed: bool = False) -> Tensor:
    """Return the mixture weights of evenly spaced points on a path that connects targets by straight lines.

    Every stretch between two targets has the same share of the path. With `closed`, the path returns from the
    last target to the first, and the first target is not repeated at its end: point 0 follows the last point.

    Parameters
    ----------
    targets, points : int
        At least 2 each. Every target is a point of the path if `points - 1` is a multiple of `targets - 1`
        (closed: if `points` is a multiple of `targets`).

    Returns
    -------
    Tensor of shape (points, targets), float64
        Rows sum to 1; at most two entries of a row are not zero.

    Raises
    ------
    ValueError
        If there are fewer than 2 targets or points.

    Examples
    --------
    >>> path_weights(2, 3).tolist()
    [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]
    """
    if targets < 2:
        raise ValueError(f"targets={targets} must be at least 2")
    if points < 2:
        raise ValueError(f"points={points} must be at least 2")
    legs, gaps = (targets, points) if closed else (targets - 1, points - 1)
    weights = torch.zeros(points, targets, dtype=torch.float64)
    for k in range(points):
        leg, rest = divmod(k * legs, gaps)  # integers, so that weights on a target are exactly 0 and 1
        weights[k, leg % targets] = (gaps - rest) / gaps  # a path and its reverse have the same weights
        if rest:
            weights[k, (leg + 1) % targets] = rest / gaps
    return weights


def valid_point_counts(targets: int, low: int, high: int) -> list[int]:
    """Return the point counts from `low` to `high` with which an open path has a point on every target."""
    return [n for n in range(low, high + 1) if n > 1 and (n - 1) % (targets - 1) == 0]


def grid_weights(rows: int, columns: int) -> Tensor:
    """Return the bilinear mixture weights of a grid between four corner targets.

    Parameters
    ----------
    rows, columns : int
        At least 2 each.

    Returns
    -------
    Tensor of shape (rows, columns, 4), float64
        Weights of the top left, top right, bottom left and bottom right corner; they sum to 1.

    Raises
    ------
    ValueError
        If there are fewer than 2 rows or columns.
    """
    if rows < 2 or columns < 2:
        raise ValueError(f"rows={rows} and columns={columns} must be at least 2")
    down = torch.arange(rows, dtype=torch.float64)[:, None] / (rows - 1)
    across = torch.arange(columns, dtype=torch.float64)[None] / (columns - 1)
    corners = ((1 - down) * (1 - across), (1 - down) * across, down * (1 - across), down * across)
    return torch.stack(corners, dim=-1)


def refining_order(points: int, stride: int) -> list[int]:
    """Return 0 ... points - 1 in coarse-to-fine order: every `stride`-th, those halfway between, and so on.

    Examples
    --------
    >>> refining_order(9, 4)
    [0, 4, 8, 2, 6, 1, 3, 5, 7]
    """
    if stride < 1:
        raise ValueError(f"stride={stride} must be at least 1")
    order: dict[int, None] = {}
    while True:
        order |= dict.fromkeys(range(0, points, stride))
        if stride == 1:
            return list(order)
        stride //= 2


def switch_stops(sigmas: Tensor) -> list[float]:
    """Return one `switch` for each possible result of `fgsd.coarse_fine`, from all coarse to all fine.

    All switches between two neighbouring noise levels give the same result; the stop is their geometric mean.

    Parameters
    ----------
    sigmas : Tensor of shape (S,)
        Noise levels of the centroid table, increasing.

    Returns
    -------
    list of S + 1 noise levels
        Increasing, rounded to 4 significant digits.
    """
    levels = sigmas.double().tolist()
    ratio = (levels[-1] / levels[0]) ** (
        1 / max(2, 2 * len(levels) - 2)
    )  # about half the distance between two levels, in log(sigma)
    means = [math.sqrt(a * b) for a, b in pairwise(levels)]
    stops = [levels[0] / max(ratio, 1.1), *means, levels[-1] * max(ratio, 1.1)]
    return [float(f"{stop:.4g}") for stop in stops]


def blend_images(images: Sequence[Image.Image], weights: Sequence[float] | Tensor) -> Image.Image:
    """Return the weighted mean of images of one size, computed on the stored sRGB values of each pixel.

    Raises
    ------
    ValueError
        If there are no images, not one weight per image, or the weights do not sum to 1 (to 1e-6).
    """
    factors = [float(w) for w in weights]
    if len(images) != len(factors) or not images:
        raise ValueError(f"weights has {len(factors)} entries for {len(images)} images")
    if abs(sum(factors) - 1) > 1e-6:
        raise ValueError(f"weights sum to {sum(factors):.6g}; they must sum to 1")
    arrays = [np.asarray(image.convert("RGB"), dtype=np.float64) for image in images]
    weighted = (w * values for w, values in zip(factors, arrays, strict=True))
    mean = sum(weighted, start=np.zeros(()))
    return Image.fromarray(mean.round().clip(0, 255).astype(np.uint8))
