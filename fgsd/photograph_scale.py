"""The scale of photographs: crops of a texture should differ no more than those of a class do.

The structure of a photograph is often far larger than a crop. One crop then shows a stone and the next a
joint, their features differ far more than those of the classes that the network was trained on, and no
centroid stands for all of them. Such photographs are scaled down, so that a crop covers more of them.
"""

from __future__ import annotations

import torch

from fgsd.centroids import CentroidTable, features_by_level
from fgsd.data import DataConfig
from fgsd.images import ImageError
from fgsd.model.network import Denoiser
from fgsd.photographs import Images, Masks, Photograph, load_photographs, random_crops

SCALES = (1.0, 0.7, 0.5)  # tried in this order
CROPS = 16
# Root mean square of the ratio of the features' spread between the crops of an image to that within a class.
# Textures like those of training have at most 1.25; cliffs and gravel, enlarged twice, about 1.4; photographs
# of things about 2
MAX_SPREAD = 1.3
SIGMA_RANGE = (0.3, 4.0)  # noise levels at which structure is decided


def load_at_scale(
    network: Denoiser,
    table: CentroidTable,
    images: Images,
    config: DataConfig,
    *,
    scale: float | None = None,
    masks: Masks = None,
    seed: int = 0,
) -> list[Photograph]:
    """Load photographs at a scale, or at the largest of `SCALES` with a spread of at most `MAX_SPREAD`.

    If there is none, the smallest is taken at which crops fit in. See `crop_spread`. `load_photographs`
    documents the other parameters and errors; `seed` is that of crops and noise.
    """
    if scale is not None:
        return load_photographs(images, config, scale=scale, masks=masks)
    photographs = load_photographs(images, config, scale=SCALES[0], masks=masks)
    for smaller in SCALES[1:]:
        if crop_spread(network, table, photographs, seed=seed) <= MAX_SPREAD:
            break
        try:
            photographs = load_photographs(images, config, scale=smaller, masks=masks)
        except ImageError:  # too small for a crop
            break
    return photographs


def crop_spread(
    network: Denoiser, table: CentroidTable, photographs: list[Photograph], *, seed: int = 0
) -> float:
    """Return how much random crops differ, in units of the spread within the classes of a table."""
    x0 = random_crops(photographs, CROPS, torch.Generator().manual_seed(seed))
    low, high = SIGMA_RANGE
    levels = (table.sigmas >= low) & (table.sigmas <= high)
    if not levels.any():
        levels = torch.ones_like(levels)
    _, spreads = features_by_level(network, x0[None], table.sigmas[levels], seed=seed)
    return (spreads[0] / table.scales[levels]).square().mean().sqrt().item()
