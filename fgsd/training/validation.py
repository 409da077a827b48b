"""Validation: squared error on held-out crops by noise level; guided, unguided, and with a wrong class.

The gap between the guided and the wrong error shows how much of guidance has been learned.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from fgsd.data import TextureFolder
from fgsd.gaussians import GaussianSource
from fgsd.model.conditioning import Condition, Labels
from fgsd.model.matching import PeerMatching
from fgsd.model.network import Denoiser
from fgsd.training.given_centroids import GivenCentroids
from fgsd.training.running_centroids import RunningCentroids

SIGMAS = (0.1, 0.3, 1.0, 2.0)
MAX_CLASSES_AT_ONCE = 8  # in one pass of the network


@dataclass(frozen=True)
class Validation:
    """Mean squared errors per pixel and channel, in [-1, 1] units, one for each noise level."""

    sigmas: tuple[float, ...]
    guided: tuple[float, ...]  # guided to the class of the crop
    unguided: tuple[float, ...]
    wrong: tuple[float, ...]  # guided to another class


@torch.no_grad()
def validate(
    denoiser: Denoiser,
    data: TextureFolder | GaussianSource,
    *,
    centroids: RunningCentroids | GivenCentroids | None = None,
    peers: int = 3,
    max_classes: int = 64,
    seed: int = 0,
    tileable: bool = False,
) -> Validation:
    """Denoise a held-out crop of each class, guided to its own class, to none, and to another class.

    Guidance is by label for a network with labels, to the `centroids` if they are given, and
    otherwise to `peers` training crops of the class.

    Parameters
    ----------
    denoiser : Denoiser
    data : TextureFolder or GaussianSource
        Without held-out parts, training crops take their place.
    centroids : RunningCentroids or GivenCentroids, optional
        Required for a network with target embedding, which needs the whole target in advance.
    peers : int
        Training crops of each class.
    max_classes : int
        Number of classes, drawn at random if there are more.
    seed : int
        Of classes, crops and noise.
    tileable : bool
        Whether crops wrap round at their edges.
    """
    device = next(denoiser.parameters()).device
    generator = torch.Generator().manual_seed(seed)
    split = "test" if data.config.test_share > 0 else "train"
    order = torch.randperm(len(data.classes), generator=generator)[:max_classes]
    crops = []
    for name in (data.classes[int(k)] for k in order):
        crops += [data.crops(name, 1, generator, split=split), data.crops(name, peers, generator)]
    x0 = torch.cat(crops)  # groups of a held-out crop and its peers
    noise = torch.randn(x0.shape, generator=generator).to(device)
    x0, order, size = x0.to(device), order.to(device), 1 + peers
    parts = math.ceil(len(order) / MAX_CLASSES_AT_ONCE)
    # parts of equal size, so that none has a single class: each needs a wrong one
    bounds = [k * len(order) // parts for k in range(parts + 1)]
    errors: dict[str, list[float]] = {"guided": [], "unguided": [], "wrong": []}
    for sigma in SIGMAS:
        sums = dict.fromkeys(errors, 0.0)
        for first, last in pairwise(bounds):
            part = slice(first * size, last * size)
            clean, noisy, classes = x0[part], x0[part] + sigma * noise[part], order[first:last]
            for name in errors:
                condition: Condition = None
                if name != "unguided":
                    condition = _condition(denoiser, centroids, classes, sigma, peers, int(name == "wrong"))
                denoised = denoiser(noisy, sigma, condition, tileable=tileable)
                sums[name] += (denoised - clean)[::size].square().mean(dim=(1, 2, 3)).sum().item()
        for name in errors:
            errors[name].append(sums[name] / len(order))
    return Validation(SIGMAS, *(tuple(errors[name]) for name in ("guided", "unguided", "wrong")))


def _condition(
    denoiser: Denoiser,
    centroids: RunningCentroids | GivenCentroids | None,
    classes: Tensor,
    sigma: float,
    peers: int,
    shift: int,
) -> Condition:
    """Guide each group to the class `shift` places further on in `classes` (G,); 0 is its own."""
    rows = classes.roll(-shift).repeat_interleave(1 + peers)
    if denoiser.config.labels:
        return Labels.of(rows, denoiser.config.labels)
    if centroids is not None:
        levels = torch.full(rows.shape, sigma, device=rows.device)
        return centroids.matching(rows, levels, torch.ones_like(rows, dtype=torch.bool))
    return PeerMatching(_peer_weights(len(classes), peers, shift=shift).to(classes.device))


def _peer_weights(groups: int, peers: int, shift: int) -> Tensor:
    """Match the first of each group to the peers of the group `shift` further on, each peer to the others."""
    size = 1 + peers
    weights = torch.zeros(groups * size, groups * size)
    for g in range(groups):
        target = (g + shift) % groups * size
        weights[g * size, target + 1 : target + size] = 1 / peers
        block = slice(g * size + 1, (g + 1) * size)
        weights[block, block] = (1 - torch.eye(peers)) / (peers - 1) if peers > 1 else 1.0
    return weights
