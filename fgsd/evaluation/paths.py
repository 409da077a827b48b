"""Do samples of mixtures follow the straight line between two centroids in feature space?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from fgsd.centroids import Centroid
from fgsd.data import to_tensor
from fgsd.evaluation.checks import bootstrap_interval, check
from fgsd.evaluation.context import EvaluationContext
from fgsd.model.network import PASS_PIXELS, Denoiser
from fgsd.pipeline import Target

TARGET = 0.9  # correlation of the position on the line with the weight
MAX_NOISE = 2.0  # in [-1, 1] units: at higher noise levels, features of a crop hardly depend on its class


def random_pairs(classes: list[str], n: int, *, seed: int = 0) -> list[tuple[str, str]]:
    """`n` different pairs of classes (or all, if there are fewer), in random order and direction."""
    random, pairs = np.random.default_rng(seed), list(combinations(classes, 2))
    chosen = random.permutation(len(pairs))[:n]
    flips = random.random(len(chosen)) < 0.5
    return [pairs[k][:: -1 if flip else 1] for k, flip in zip(chosen, flips, strict=True)]


@torch.no_grad()
def unguided_features(network: Denoiser, x0: Tensor, sigmas: Tensor, *, seed: int = 0) -> Tensor:
    """Features (N, S, F) of each image with fresh noise and without guidance.

    They equal `features_by_level` of each image alone, where the matching to the mean of a class has no
    effect. Features from guided sampling would prove nothing, since guidance itself moves them to the
    centroid.

    Parameters
    ----------
    x0 : Tensor of shape (N, 3, H, W)
    sigmas : Tensor of shape (S,)
    seed : int
        Seed of the noise, which is the same for all images and noise levels.
    """
    device = next(network.parameters()).device
    eps = torch.randn(x0[:1].shape, generator=torch.Generator().manual_seed(seed)).to(device)
    x0 = x0.to(device)
    return torch.stack([network.denoise(x0 + s * eps, s)[1].cpu() for s in sigmas.tolist()], dim=1)


def positions_on_line(
    ends: tuple[Tensor, Tensor], scale: Tensor, phi: Tensor
) -> tuple[np.ndarray, np.ndarray]:
    """Project feature vectors onto the line between two others.

    Parameters
    ----------
    ends : two Tensors of shape (L, F)
        Ends of the line. The features at all L noise levels form one vector.
    scale : Tensor of shape (L, F)
        Spread of each feature within a class; features are divided by it.
    phi : Tensor of shape (N, L, F)

    Returns
    -------
    positions : array of shape (N,)
        Positions along the line: 0 at the first end, 1 at the second.
    offsets : array of shape (N,)
        Distances from the line in units of its length.
    """
    first, second = (end / scale for end in ends)
    line = (second - first).double().flatten()
    difference = (phi / scale - first).double().flatten(1)
    length = line.norm().clamp(min=1e-12)
    positions = difference @ line / length**2
    offsets = (difference - positions[:, None] * line).norm(dim=1) / length
    return positions.numpy(), offsets.numpy()


def measure_paths(context: EvaluationContext, *, pairs: int = 20, points: int = 9, each: int = 2) -> dict:
    """Sample mixtures of two classes at evenly spaced weights, with the same seeds at each weight.

    The correlation hardly separates a gradual path from a leap: samples that switch from one class to the
    other at the middle reach 0.87. The largest step between neighbouring weights is therefore reported too: 1
    for the leap, 1 / (points - 1) for even steps.

    Parameters
    ----------
    pairs : int
        Number of random pairs of classes.
    points : int
        Number of weights of the second class, from 0 to 1.
    each : int
        Samples per weight.
    """
    table = context.pipe.table
    chosen = random_pairs(context.classes, pairs, seed=context.seed)
    if not chosen:
        return {"note": "there is only one class, so no path between two", "checks": []}
    lines = {f"{a} to {b}": Line(table.of(a), table.of(b), partial(_mixture, a, b)) for a, b in chosen}
    return measure_lines(context, lines, points=points, each=each)


@dataclass(frozen=True)
class Line:
    """A line between two centroids, and the target at a weight of the second one, from 0 to 1."""

    first: Centroid
    second: Centroid
    target: Callable[[float], Target]


def _mixture(a: str, b: str, weight: float) -> dict[str, float]:
    return {a: 1 - weight, b: weight}


def measure_lines(
    context: EvaluationContext,
    lines: Mapping[str, Line],
    *,
    points: int = 9,
    each: int = 2,
    kind: str = "pairs",
) -> dict:
    """Sample along lines; `measure_paths` documents the other parameters.

    Parameters
    ----------
    lines : mapping of name to Line
    kind : str
        What the check calls the lines.
    """
    pipe, table = context.pipe, context.pipe.table
    low = (table.sigmas <= MAX_NOISE).nonzero()[:, 0]
    levels = low[::2] if len(low) else torch.zeros(1, dtype=torch.long)
    weights = np.linspace(0, 1, points)
    repeated = np.repeat(weights, each)
    found: dict[str, dict] = {}
    for k, (name, line) in enumerate(context.progress(lines.items(), desc="sampling paths")):
        images = pipe.sample(
            [line.target(w) for w in repeated],
            n=len(repeated),
            size=context.size,
            seed=[context.seed + k * each + j for _ in weights for j in range(each)],
            steps=context.steps,
        )
        x0 = torch.stack([to_tensor(image) for image in images])
        batches = x0.split(max(1, PASS_PIXELS // context.size**2))
        phi = [unguided_features(pipe.network, x, table.sigmas[levels], seed=context.seed) for x in batches]
        ends = (line.first.values[levels], line.second.values[levels])
        positions, offsets = positions_on_line(ends, table.scales[levels], torch.cat(phi))
        found[name] = {
            # samples with equal positions do not follow the weight
            "correlation": float(np.corrcoef(positions, repeated)[0, 1]) if positions.std() > 1e-12 else 0.0,
            "places": (means := positions.reshape(points, each).mean(axis=1)).tolist(),
            "largest_step": float(np.diff(means).max()),
            "beside": float(offsets.mean()),
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
                f"correlation of place on the line with weight, {len(found)} {kind}",
                float(correlation.mean()),
                at_least=TARGET,
                interval=bootstrap_interval(
                    lambda rows: correlation[rows].mean(), len(correlation), seed=context.seed
                ),
            )
        ],
    }
