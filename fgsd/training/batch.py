"""Training batches and their loss.

Each group of crops has one class and one noise level. A crop that is alone in its group is matched to the
running centroid of its class; crops of a larger group are matched to the mean of the *other* crops of their
group, as the authors of the method do it; and a network with labels gets the label of the class instead. A
fraction of the groups is unguided, so that the network learns the unguided score too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fgsd.data import TextureFolder, scale_pixels
from fgsd.gaussians import GaussianSource
from fgsd.levels import log_normal_levels
from fgsd.model.conditioning import Condition, Labels
from fgsd.model.matching import PeerMatching, leave_one_out
from fgsd.model.network import weighted_error
from fgsd.training.config import TrainingConfig


@dataclass(frozen=True)
class Batch:
    """Clean and noisy crops with their noise levels and conditions."""

    x0: Tensor  # (B, 3, H, W) clean crops in [-1, 1]
    x: Tensor  # (B, 3, H, W) the same with noise
    sigma: Tensor  # (B,) noise levels
    condition: Condition
    rows: Tensor  # (B,) numbers of the classes
    guided: Tensor  # (B,) bool; False: the crop is unguided


def make_batch(
    data: TextureFolder | GaussianSource,
    config: TrainingConfig,
    step: int,
    size: int | None = None,
    *,
    first: int = 0,
    total_groups: int | None = None,
    device: torch.device | str = "cpu",
) -> Batch:
    """Return the batch of a step, or the part of it that one of several processes takes.

    Classes, crops and noise levels are the same on any machine. The noise is drawn on the device, so it is
    the same on devices of one kind.

    Parameters
    ----------
    data : TextureFolder or GaussianSource
    config : TrainingConfig
    step : int
    size : int, optional
        Side of the crops, in pixels; by default `data.config.patch_size`.
    first, total_groups : int
        The batch has the groups `first` to `first + config.groups` of `total_groups`, by default all.
    device : torch.device or str

    Returns
    -------
    Batch
        Without a condition for crops that are alone in their group, unless the network has labels: the
        training loop matches them to its running centroids.
    """
    total, n = total_groups or config.groups, config.group_size
    classes, sigmas, guided = _plan(config, data.classes, step, total)
    side = size or data.config.patch_size
    pixels, noise, transforms = [], [], []
    for g in range(first, first + config.groups):
        name, source_side = data.classes[int(classes[g])], side
        if config.augmentation is not None and isinstance(data, TextureFolder):
            transforms.append(config.augmentation.draw(_generator(config, step, g, 2)))
            source_side = min(transforms[-1].source_size(side), data.largest_crop(name))
        pixels.append(data.pixels(name, n, _generator(config, step, g, 0), size=source_side))
        generator = torch.Generator(device).manual_seed(seed_of(config.seed, step, g, 1))
        noise.append(torch.randn(n, 3, side, side, generator=generator, device=device))
    if transforms:
        pairs = zip(transforms, pixels, strict=True)
        x0 = torch.cat([transform.apply(scale_pixels(crops.to(device)), side) for transform, crops in pairs])
    else:
        x0 = scale_pixels(torch.cat(pixels).to(device))  # 8 bits are moved to the device, in one piece
    groups = slice(first, first + config.groups)
    rows, sigma, mask = (
        values[groups].repeat_interleave(n).to(device) for values in (classes, sigmas, guided)
    )
    x = x0 + sigma[:, None, None, None] * torch.cat(noise)
    condition: Condition = None
    if config.network.labels:
        condition = Labels.of(rows, config.network.labels, mask)
    elif n > 1:
        condition = PeerMatching(leave_one_out(config.groups, n).to(device), guided=mask)
    return Batch(x0, x, sigma, condition, rows, mask)


def _generator(config: TrainingConfig, step: int, group: int, purpose: int) -> torch.Generator:
    """Return a generator on the CPU for one purpose of a group: 0 positions of crops, 2 their transform."""
    return torch.Generator().manual_seed(seed_of(config.seed, step, group, purpose))


def _plan(
    config: TrainingConfig, classes: Sequence[str], step: int, groups: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw the class, the noise level and whether it is guided for each group of a step: (groups,) each."""
    plan = torch.Generator().manual_seed(seed_of(config.seed, step))
    if config.focus:
        inside = torch.tensor([name in config.focus for name in classes])
        ours, others = (_rounds(mask.nonzero()[:, 0], groups, plan) for mask in (inside, ~inside))
        rows = torch.where(torch.rand(groups, generator=plan) < config.focus_share, ours, others)
    else:
        rows = _rounds(torch.arange(len(classes)), groups, plan)
    sigmas = log_normal_levels(groups, config.sigma_log_mean, config.sigma_log_std, plan)
    sigmas = sigmas.clamp(config.sigma_min, config.sigma_max)
    return rows, sigmas, torch.rand(groups, generator=plan) < config.guided_share


def _rounds(rows: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Draw rows without replacement, over and over: (count,)."""
    rounds = [torch.randperm(len(rows), generator=generator) for _ in range(math.ceil(count / len(rows)))]
    return rows[torch.cat(rounds)[:count]]


def denoising_loss(denoiser, batch: Batch, sigma_data: float, *, tileable: bool = False) -> Tensor:
    """Return the `weighted_error` of the denoised crops."""
    return loss_and_features(denoiser, batch, sigma_data, tileable=tileable)[0]


def loss_and_features(
    denoiser, batch: Batch, sigma_data: float, *, tileable: bool = False
) -> tuple[Tensor, Tensor]:
    """Return the `denoising_loss` and the feature vectors (B, F) of the crops."""
    denoised, phi = denoiser(batch.x, batch.sigma, batch.condition, tileable=tileable, features=True)
    return weighted_error(denoised, batch.x0, batch.sigma, sigma_data), phi


def seed_of(*numbers: int) -> int:
    """Return a 63-bit seed from non-negative integers; seeds of different integers are unrelated."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))
