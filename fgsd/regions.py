"""Regions of an image, each with a target of its own: masks from arrays, images, plans and gradients."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fgsd.centroids import Centroid
from fgsd.images import load_image
from fgsd.masks import Mask, read_mask
from fgsd.soft_edges import softened

MAX_SIDE = 2048  # of an image, in pixels; larger ones are refused because they exhaust the memory
MAX_REGIONS = 32
FEATHER, MAX_FEATHER = 6.0, 256.0  # pixels: by default, and at most
MAX_COLOURS_NAMED = 5  # in an error message
COVERED = 1e-3  # sum of the masks at a pixel that belongs to a region


@dataclass(frozen=True)
class Regions:
    """Regions of an image and their centroids: a target for `GuidedDenoiser`.

    Parameters
    ----------
    masks : Tensor of shape (R, H, W), float32
        Not negative; their sum over the regions is 1 at each pixel.
    centroids : tuple of R Centroids
    """

    masks: Tensor
    centroids: tuple[Centroid, ...]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.masks.shape[-2:]
        return height, width

    def blended(self, colours: Sequence[Tensor]) -> Tensor:
        """Return one colour (3,) for each region, blended by the masks: (1, 3, H, W)."""
        return torch.einsum("rhw,rc->chw", self.masks, torch.stack(list(colours)))[None]


def region_masks(
    masks: Sequence[Mask | None],
    *,
    size: tuple[int, int] | None = None,
    feather: float = FEATHER,
    tileable: bool = False,
) -> Tensor:
    """Turn masks into weights that sum to 1 at each pixel.

    Parameters
    ----------
    masks : sequence of arrays or Tensors of shape (H, W), images or paths, at most one of them None
        A mask is above zero where its region is; see `read_mask` for its values. Where masks overlap, regions
        share a pixel. None takes the pixels that no other mask covers.
    size : (height, width), optional
        Of the picture, in pixels; by default that of the masks.
    feather : float
        Standard deviation of the Gaussian by which the edges are softened, in pixels; 0 leaves them hard.
        Small spots, which would vanish, have less; see `fgsd.soft_edges`.
    tileable : bool
        Whether edges are softened across the edge of the picture.

    Returns
    -------
    Tensor of shape (R, H, W), float32

    Raises
    ------
    ValueError
        If sizes differ, a mask is empty or holds other values, pixels belong to no mask, there are no masks
        or more than `MAX_REGIONS`, or `feather` is out of range.
    ImageError
        If an image cannot be loaded.
    """
    if not 1 <= len(masks) <= MAX_REGIONS:
        raise ValueError(f"masks: {len(masks)} regions; give 1 to {MAX_REGIONS}")
    if not 0 <= feather <= MAX_FEATHER:
        raise ValueError(f"feather={feather} must be from 0 to {MAX_FEATHER:g} pixels")
    if sum(mask is None for mask in masks) > 1:
        raise ValueError("masks: only one may be None, for the pixels that no other covers")
    weights = [None if mask is None else read_mask(mask, f"mask {k + 1}") for k, mask in enumerate(masks)]
    sizes = {(w.shape[0], w.shape[1]) for w in weights if w is not None} | ({size} if size else set())
    if len(sizes) != 1:
        named = ", ".join(f"{height} x {width}" for height, width in sorted(sizes)) or "no size is given"
        raise ValueError(f"masks must have the size of the picture, and so of each other: {named}")
    height, width = check_side(sizes.pop())
    known = [w for w in weights if w is not None]
    total = torch.stack(known).sum(dim=0) if known else torch.zeros(height, width)
    rest = (total < COVERED).float()
    stacked = torch.stack([rest if w is None else w for w in weights])
    for k, mask in enumerate(stacked):
        if not bool((mask > 0).any()):
            raise ValueError(f"mask {k + 1} is empty, so that its region has no pixels")
    if all(w is not None for w in weights) and bool(rest.any()):
        share = 100 * rest.mean().item()
        raise ValueError(f"masks: {share:.2g} % of the pixels belong to no region; None takes what is left")
    stacked = stacked / stacked.sum(dim=0)
    if feather > 0:
        stacked = softened(stacked, feather, wraps=tileable)
        stacked = stacked / stacked.sum(dim=0)
    return stacked


def plan_masks(plan: Image.Image | str | Path, legend: Mapping[str, str]) -> list[tuple[str, np.ndarray]]:
    """Read a plan, an image in which each colour stands for a target.

    Parameters
    ----------
    plan : image or path
        In colours of the legend only: a PNG without smoothed edges.
    legend : mapping of colour to target
        Colours as "#rrggbb".

    Returns
    -------
    list of (target, mask)
        For each colour of the legend that occurs, in its order; masks are boolean arrays (H, W).

    Raises
    ------
    ValueError
        If a colour of the legend is none, or the plan has colours that the legend lacks, or none of them.
    """
    image = load_image(plan)
    check_side((image.height, image.width))
    pixels = np.asarray(image).astype(np.int64)
    codes = (pixels[..., 0] << 16) | (pixels[..., 1] << 8) | pixels[..., 2]
    named = {_colour_code(colour): target for colour, target in legend.items()}
    found, counts = np.unique(codes, return_counts=True)
    unknown = [
        (count, code)
        for code, count in zip(found.tolist(), counts.tolist(), strict=True)
        if code not in named
    ]
    if unknown:
        first = sorted(unknown, reverse=True)[:MAX_COLOURS_NAMED]
        text = ", ".join(f"#{code:06x} ({count:,} pixels)" for count, code in first)
        more = f" and {len(unknown) - len(first)} more" if len(unknown) > len(first) else ""
        raise ValueError(f"the plan has colours that the legend lacks: {text}{more}")
    return [(target, codes == code) for code, target in named.items() if code in found]


def linear_gradient(count: int, size: tuple[int, int], *, angle: float = 0.0) -> list[np.ndarray]:
    """Return masks (H, W) of `count` targets along a line, each fading into the next.

    Parameters
    ----------
    count : int
        At least 2.
    size : (height, width)
    angle : float
        Direction of the line in degrees: 0 from left to right, 90 from top to bottom.
    """
    height, width = size
    y, x = np.mgrid[:height, :width]
    radians = math.radians(angle)
    along = (x - (width - 1) / 2) * math.cos(radians) + (y - (height - 1) / 2) * math.sin(radians)
    return _faded(along, count)


def radial_gradient(count: int, size: tuple[int, int]) -> list[np.ndarray]:
    """Return masks (H, W) of `count` targets from the middle to the edges, each fading into the next."""
    height, width = size
    y, x = np.mgrid[:height, :width]
    distance = np.hypot((x - (width - 1) / 2) / width, (y - (height - 1) / 2) / height)
    return _faded(np.minimum(distance, 0.5), count)


def check_side(size: tuple[int, int], given: object = None) -> tuple[int, int]:
    """Return a (height, width) in pixels; raise `ValueError` if one is above `MAX_SIDE`.

    The error names `given`, by default the size.
    """
    if max(size) > MAX_SIDE:
        raise ValueError(f"size={given or size} is above the limit of {MAX_SIDE} pixels per side")
    return size


def _faded(position: np.ndarray, count: int) -> list[np.ndarray]:
    """Return triangular weights of `count` knots, spread evenly over the range of positions (H, W)."""
    if count < 2:
        raise ValueError(f"count={count}: a gradient needs at least 2 targets")
    low, high = position.min(), position.max()
    knots = (position - low) / max(high - low, 1e-9) * (count - 1)
    return [np.clip(1 - np.abs(knots - k), 0, 1) for k in range(count)]


def _colour_code(colour: str) -> int:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
        raise ValueError(f"colour={colour!r} must be # and six hexadecimal digits, such as #0000ff")
    return int(colour[1:], 16)
