"""On the straight line between two centroids: do the samples' own features lie along it?"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from fgsd.data import to_tensor
from fgsd.evaluation.checks import bootstrap_interval, check
from fgsd.evaluation.material import Material
from fgsd.guidance import PASS_PIXELS
from fgsd.model.network import Denoiser

TARGET = 0.9  # correlation of the place on the line with the weight
MAX_NOISE = 2.0  # in [-1, 1] units: above it a crop's own features hardly tell its class any more


def random_pairs(classes: list[str], n: int, *, seed: int = 0) -> list[tuple[str, str]]:
    """`n` different pairs of classes, in random order and direction; all of them if there are no more."""
    random, pairs = np.random.default_rng(seed), list(combinations(classes, 2))
    chosen = random.permutation(len(pairs))[:n]
    turned = random.random(len(chosen)) < 0.5
    return [pairs[k][:: -1 if turn else 1] for k, turn in zip(chosen, turned, strict=True)]


@torch.no_grad()
def own_features(network: Denoiser, x0: Tensor, sigmas: Tensor, *, seed: int = 0) -> Tensor:
    """Features (N, S, F) that each image has by itself: given noise anew, and not guided to anything.

    Those of `features_by_level` for each image alone: there the crops of a class are matched to their
    mean, which for a single one is its own. Features seen on the way through guided sampling would be no
    evidence: there the layers before are pushed to the centroid.

    Parameters
    ----------
    x0 : Tensor of shape (N, 3, H, W)
    sigmas : Tensor of shape (S,)
    seed : int
        Of the noise, the same for all images and noise levels.
    """
    device = next(network.parameters()).device
    eps = torch.randn(x0[:1].shape, generator=torch.Generator().manual_seed(seed)).to(device)
    x0 = x0.to(device)
    return torch.stack([network.denoise(x0 + s * eps, s)[1].cpu() for s in sigmas.tolist()], dim=1)


def places_on_line(ends: tuple[Tensor, Tensor], scale: Tensor, phi: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Where feature vectors lie along the line between two others, and how far beside it.

    Parameters
    ----------
    ends : two Tensors of shape (L, F)
        At L noise levels, all side by side.
    scale : Tensor of shape (L, F)
        Units of each feature: its spread within a class.
    phi : Tensor of shape (N, L, F)

    Returns
    -------
    along, beside : arrays of shape (N,)
        0 at the first end, 1 at the second; and the distance from the line in units of its length.
    """
    first, second = (end / scale for end in ends)
    line = (second - first).double().flatten()
    away = (phi / scale - first).double().flatten(1)
    length = line.norm().clamp(min=1e-12)
    along = away @ line / length**2
    beside = (away - along[:, None] * line).norm(dim=1) / length
    return along.numpy(), beside.numpy()


def paths(material: Material, *, pairs: int = 20, points: int = 9, each: int = 2) -> dict:
    """Samples of mixtures of two classes at evenly spaced weights, with the same seeds at each weight.

    The correlation tells a path from a leap only just: samples that are all of one class up to the middle and
    all of the other beyond it would reach 0.87. So the largest step between neighbouring weights is told
    too: 1 for the leap, 1 / (points - 1) for even steps.

    Parameters
    ----------
    pairs : int
        Random pairs of classes.
    points : int
        Weights from 0 to 1 of the second class of a pair.
    each : int
        Samples at each of them.
    """
    pipe, table = material.pipe, material.pipe.table
    chosen = random_pairs(material.classes, pairs, seed=material.seed)
    if not chosen:
        return {"note": "there is only one class, so no path between two", "checks": []}
    low = (table.sigmas <= MAX_NOISE).nonzero()[:, 0]
    levels = low[::2] if len(low) else torch.zeros(1, dtype=torch.long)
    weights = np.linspace(0, 1, points)
    repeated = np.repeat(weights, each)
    found: dict[str, dict] = {}
    for k, (a, b) in enumerate(material.progress(chosen, desc="sampling paths")):
        images = pipe.sample(
            [{a: 1 - w, b: w} for w in repeated],
            n=len(repeated),
            size=material.size,
            seed=[material.seed + k * each + j for _ in weights for j in range(each)],
            steps=material.steps,
        )
        x0 = torch.stack([to_tensor(image) for image in images])
        batches = x0.split(max(1, PASS_PIXELS // material.size**2))
        phi = [own_features(pipe.network, x, table.sigmas[levels], seed=material.seed) for x in batches]
        ends = (table.of(a).values[levels], table.of(b).values[levels])
        along, beside = places_on_line(ends, table.scales[levels], torch.cat(phi))
        found[f"{a} to {b}"] = {
            # samples that are all in one place do not follow the weight
            "correlation": float(np.corrcoef(along, repeated)[0, 1]) if along.std() > 1e-12 else 0.0,
            "places": (means := along.reshape(points, each).mean(axis=1)).tolist(),
            "largest_step": float(np.diff(means).max()),
            "beside": float(beside.mean()),
        }
    correlation = np.array([one["correlation"] for one in found.values()])
    worst = min(found, key=lambda name: found[name]["correlation"])
    return {
        "weights": weights.tolist(),
        "each": each,
        "sigmas": table.sigmas[levels].tolist(),
        "pairs": found,
        "places": np.mean([one["places"] for one in found.values()], axis=0).tolist(),
        "largest_step": float(np.mean([one["largest_step"] for one in found.values()])),
        "beside": float(np.mean([one["beside"] for one in found.values()])),
        "worst": {"pair": worst, "correlation": found[worst]["correlation"]},
        "checks": [
            check(
                f"correlation of place on the line with weight, {len(found)} pairs",
                float(correlation.mean()),
                at_least=TARGET,
                interval=bootstrap_interval(
                    lambda rows: correlation[rows].mean(), len(correlation), seed=material.seed
                ),
            )
        ],
    }
