"""Squared error on held-out crops by noise level: guided, unguided, and with a wrong centroid.

The gap between the first and the last shows how far guidance has been learned.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch

from fgsd.data import TextureFolder
from fgsd.gaussians import GaussianSource
from fgsd.model.conditioning import Labels
from fgsd.model.matching import CentroidMatching, PeerMatching
from fgsd.model.network import Denoiser
from fgsd.training.running_centroids import RunningCentroids

SIGMAS = (0.1, 0.3, 1.0, 2.0)


@dataclass(frozen=True)
class Validation:
    """Mean squared errors per pixel and channel, in [-1, 1] units, one for each noise level."""

    sigmas: tuple[float, ...]
    guided: tuple[float, ...]  # matched to training crops of the same class, or told its label
    unguided: tuple[float, ...]
    wrong: tuple[float, ...]  # matched to training crops of another class, or told its label


@torch.no_grad()
def validate(
    denoiser: Denoiser,
    data: TextureFolder | GaussianSource,
    *,
    running: RunningCentroids | None = None,
    peers: int = 3,
    most_classes: int = 64,
    seed: int = 0,
    tileable: bool = False,
) -> Validation:
    """One held-out crop of each class, matched to `peers` training crops of its own or of another class; or,
    for a network with foresight, which has to know its target in advance, to the `running` centroids.

    With `tileable` the crops wrap round at their edges.
    """
    device = next(denoiser.parameters()).device
    generator = torch.Generator().manual_seed(seed)
    split = "test" if data.config.test_share > 0 else "train"
    order = torch.randperm(len(data.classes), generator=generator)[:most_classes]
    classes = [data.classes[int(k)] for k in order]
    x0 = torch.cat(
        [
            torch.cat([data.crops(c, 1, generator, split=split), data.crops(c, peers, generator)])
            for c in classes
        ]
    )
    noise = torch.randn(x0.shape, generator=generator)
    x0, noise = x0.to(device), noise.to(device)
    size, most = 1 + peers, 8
    parts = math.ceil(len(classes) / most)
    bounds = [k * len(classes) // parts for k in range(parts + 1)]  # no class is alone: it needs a wrong one
    errors: dict[str, list[float]] = {"guided": [], "unguided": [], "wrong": []}
    for sigma in SIGMAS:
        sums = dict.fromkeys(errors, 0.0)
        for first, last in pairwise(bounds):
            rows = slice(first * size, last * size)
            clean, x = x0[rows], x0[rows] + sigma * noise[rows]
            groups = len(clean) // size
            for name in errors:
                shift = int(name == "wrong")
                condition: PeerMatching | CentroidMatching | Labels | None
                told = order[first:last].roll(-shift).repeat_interleave(size).to(device)
                if name == "unguided":
                    condition = None
                elif denoiser.config.labels:
                    condition = Labels.of(told, denoiser.config.labels)
                elif running is not None:
                    levels = torch.full(told.shape, sigma, device=device)
                    condition = running.matching(told, levels, torch.ones_like(told, dtype=torch.bool))
                else:
                    condition = PeerMatching(_weights(groups, peers, shift=shift).to(device))
                denoised = denoiser(x, sigma, condition, tileable=tileable)
                sums[name] += (denoised - clean)[::size].square().mean(dim=(1, 2, 3)).sum().item()
        for name in errors:
            errors[name].append(sums[name] / len(classes))
    return Validation(SIGMAS, *(tuple(errors[name]) for name in ("guided", "unguided", "wrong")))


def _weights(groups: int, peers: int, shift: int) -> torch.Tensor:
    """The first of each group to the peers of the group `shift` further on, each peer to the other peers."""
    size = 1 + peers
    weights = torch.zeros(groups * size, groups * size)
    for g in range(groups):
        other = (g + shift) % groups * size
        weights[g * size, other + 1 : other + size] = 1 / peers
        own = slice(g * size + 1, (g + 1) * size)
        weights[own, own] = (1 - torch.eye(peers)) / (peers - 1) if peers > 1 else 1.0
    return weights
