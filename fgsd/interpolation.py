"""Ways between several targets: weights along a path, round a loop and over a grid; switches; blends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fgsd.centroids import Centroid


def path_weights(targets: int, places: int, *, closed: bool = False) -> Tensor:
    """Weights of evenly spaced places on a path that goes straight from each target to the next.

    Parameters
    ----------
    targets : int
        At least 2; they are passed in their order, an equal share of the path between each two.
    places : int
        At least 2. Each target is itself a place if `places - 1` is a multiple of `targets - 1`
        (closed: if `places` is a multiple of `targets`).
    closed : bool
        Go on from the last target to the first. The first target is then not repeated at the end, so that
        the place after the last one is the first one again.

    Returns
    -------
    Tensor of shape (places, targets), float64
        At most two weights of a row are not zero; rows sum to 1.
    """
    if targets < 2:
        raise ValueError(f"targets={targets} must be at least 2")
    if places < 2:
        raise ValueError(f"places={places} must be at least 2")
    legs, gaps = (targets, places) if closed else (targets - 1, places - 1)
    weights = torch.zeros(places, targets, dtype=torch.float64)
    for k in range(places):
        leg, rest = divmod(k * legs, gaps)  # in whole numbers: a target is met exactly
        weights[k, leg % targets] = (gaps - rest) / gaps  # the same numbers on the way back
        if rest:
            weights[k, (leg + 1) % targets] = rest / gaps
    return weights


def fitting_places(targets: int, low: int, high: int) -> list[int]:
    """The numbers of places from `low` to `high` at which an open path has a place on each target."""
    return [n for n in range(low, high + 1) if n > 1 and (n - 1) % (targets - 1) == 0]


def grid_weights(rows: int, columns: int) -> Tensor:
    """Bilinear weights of a grid between four corners: top left, top right, bottom left, bottom right.

    Returns
    -------
    Tensor of shape (rows, columns, 4), float64, that sums to 1 over the corners.
    """
    if rows < 2 or columns < 2:
        raise ValueError(f"rows={rows} and columns={columns} must be at least 2")
    down = torch.arange(rows, dtype=torch.float64)[:, None] / (rows - 1)
    across = torch.arange(columns, dtype=torch.float64)[None] / (columns - 1)
    corners = ((1 - down) * (1 - across), (1 - down) * across, down * (1 - across), down * across)
    return torch.stack(corners, dim=-1)


def refining_order(places: int, stride: int) -> list[int]:
    """All of 0 ... places - 1, each once: every `stride`-th first, then those halfway between, and so on."""
    if stride < 1:
        raise ValueError(f"stride={stride} must be at least 1")
    order: dict[int, None] = {}
    while True:
        order |= dict.fromkeys(range(0, places, stride))
        if stride == 1:
            return list(order)
        stride //= 2


def switched_centroid(coarse: Centroid, fine: Centroid, switch: float) -> Centroid:
    """Coarse structure from one centroid, fine detail from another; compare `fgsd.centroids.coarse_fine`.

    At the noise levels of the table above `switch` (in [-1, 1] units) the values are those of `coarse`, at
    and below it those of `fine`; the colour is that of the highest level.
    """
    if not (switch > 0 and math.isfinite(switch)):
        raise ValueError(f"switch={switch} must be a positive noise level")
    if not torch.equal(coarse.sigmas, fine.sigmas):
        raise ValueError("coarse and fine must share their noise levels")
    above = coarse.sigmas.double() > switch
    values = torch.where(above[:, None], coarse.values, fine.values)
    return Centroid(coarse.sigmas, values, coarse.colour if above[-1] else fine.colour)


def switch_stops(sigmas: Tensor) -> list[float]:
    """One switch for each result that `switched_centroid` can have, from all coarse to all fine.

    Between two noise levels of the table every switch gives the same; the stop is their geometric mean.

    Returns
    -------
    list of S + 1 noise levels, increasing, to 4 significant digits
    """
    levels = sigmas.double().tolist()
    ratio = (levels[-1] / levels[0]) ** (1 / max(2, 2 * len(levels) - 2))  # half a gap, about
    means = [math.sqrt(a * b) for a, b in pairwise(levels)]
    stops = [levels[0] / max(ratio, 1.1), *means, levels[-1] * max(ratio, 1.1)]
    return [float(f"{stop:.4g}") for stop in stops]


def blend_images(images: Sequence[Image.Image], weights: Sequence[float] | Tensor) -> Image.Image:
    """The weighted mean of images of one size, pixel by pixel in the values that are stored (sRGB)."""
    shares = [float(w) for w in weights]
    if len(images) != len(shares) or not images:
        raise ValueError(f"weights has {len(shares)} entries for {len(images)} images")
    if abs(sum(shares) - 1) > 1e-6:
        raise ValueError(f"weights sum to {sum(shares):.6g}; they must sum to 1")
    arrays = [np.asarray(image.convert("RGB"), dtype=np.float64) for image in images]
    weighted = (w * values for w, values in zip(shares, arrays, strict=True))
    mean = sum(weighted, start=np.zeros(()))
    return Image.fromarray(mean.round().clip(0, 255).astype(np.uint8))
