"""Does the student sample in two evaluations what its teacher samples in many?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fgsd.data import to_tensor
from fgsd.evaluation.checks import check
from fgsd.evaluation.classifier import class_accuracies
from fgsd.evaluation.context import EvaluationContext
from fgsd.evaluation.diversity import pairwise_distance
from fgsd.evaluation.paths import random_pairs
from fgsd.evaluation.schedules import structure_and_contrast
from fgsd.model.network import PASS_PIXELS
from fgsd.pipeline import Target
from fgsd.student import SAMPLER

TARGET = 0.9  # accuracy and diversity of two evaluations, relative to those of many
PREVIEW_STEPS, PREVIEW_SIGMA = 5, 10.0  # of the teacher: what previews are without a student
PAINTING_STEPS = 4  # those of paintings
TWO, ONE = "2 evaluations", "1 evaluation"


def measure_distilled(context: EvaluationContext, *, each: int = 8, pairs: int = 64) -> dict:
    """Compare samples of the student, and of few steps of its teacher, with those of `context.steps`.

    All begin with the same noise. The classifier judges samples of classes; structure and contrast (see
    `structure_and_contrast`) are also those of mixtures, of larger and of seamless pictures, of paintings.

    Parameters
    ----------
    each : int
        Samples per class.
    pairs : int
        Mixtures of two random classes in equal parts, and paintings of two half planes.
    """
    pipe, classes, judge = context.pipe, context.classes, context.judge
    if pipe.student is None:
        return {"note": "the checkpoint has no student", "checks": []}
    preview = f"{PREVIEW_STEPS} steps from {PREVIEW_SIGMA:g}"
    ways: dict[str, dict[str, Any]] = {
        f"{context.steps} steps": {"steps": context.steps},
        preview: {"steps": PREVIEW_STEPS, "sigma_max": min(PREVIEW_SIGMA, pipe.info.sigma_max)},
        TWO: {"sampler": SAMPLER},
        ONE: {"sampler": SAMPLER},
    }

    def sampled(targets: Sequence[Target], name: str, **options: Any) -> Tensor:
        """Sample each target: (N, 3, H, W), rounded to 8 bits; of `ONE` the first estimate."""
        size = options.get("size", context.size)
        batch = max(1, PASS_PIXELS // size**2)
        images = []
        for k in context.progress(range(0, len(targets), batch), desc=f"distilled: {name}"):
            part = list(targets[k : k + batch])
            seeds = [context.seed + i for i in range(k, k + len(part))]
            options = {**ways[name], "size": size, **options}
            steps = pipe.stream(part, n=len(part), seed=seeds, **options)
            images += (next(steps) if name == ONE else list(steps)[-1]).denoised
        return torch.stack([to_tensor(image) for image in images])

    flat = [name for name in classes for _ in range(each)]
    samples = {name: sampled(flat, name) for name in ways}
    reference = next(iter(ways))
    accuracies: dict[str, float] = {}
    distances: dict[str, np.ndarray] = {}
    for name, x in samples.items():
        features = context.features_of(x.unflatten(0, (len(classes), each)), f"features: {name}")
        accuracies[name] = float(np.mean(class_accuracies(judge, classes, features)))
        distances[name] = pairwise_distance(judge.scaled(features))
    found = {
        name: {
            "accuracy": accuracies[name],
            "diversity": float(np.median(distances[name] / distances[reference])),
        }
        for name in ways
    }
    chosen = random_pairs(classes, pairs, seed=context.seed)
    halves: list[Target] = [{a: 0.5, b: 0.5} for a, b in chosen]
    paintings = {
        reference: ways[reference],
        f"{PAINTING_STEPS} steps from {PREVIEW_SIGMA:g}": ways[preview] | {"steps": PAINTING_STEPS},
        TWO: ways[TWO],
    }
    pictures = {
        "classes": _agreement(lambda name: samples[name], list(ways)),
        "mixtures": _agreement(lambda name: sampled(halves, name), list(ways)),
        "twice the size": _agreement(lambda name: sampled(classes, name, size=2 * context.size), list(ways)),
        "seamless": _agreement(lambda name: sampled(classes, name, tileable=True), list(ways)),
        "paintings": _agreement(lambda name: painted(context, chosen, **paintings[name]), list(paintings)),
    }
    two, many = found[TWO], found[reference]
    ratio = two["accuracy"] / max(many["accuracy"], 1e-6)
    return {
        "each": each,
        "steps": context.steps,
        "classes": found,
        "pictures": pictures,
        "checks": [
            check(f"class accuracy, {TWO} / {reference}", ratio, at_least=TARGET),
            check(f"diversity, {TWO} / {reference}", two["diversity"], at_least=TARGET),
        ],
    }


def painted(context: EvaluationContext, chosen: Sequence[tuple[str, str]], **options: Any) -> Tensor:
    """Paint two half planes of each pair of classes: (N, 3, 2 size, 2 size), rounded to 8 bits."""
    left = np.zeros((2 * context.size, 2 * context.size), dtype=bool)
    left[:, : context.size] = True
    images = []
    for k, (a, b) in enumerate(context.progress(chosen, desc="distilled: paintings")):
        images += context.pipe.paint([(a, left), (b, None)], seed=context.seed + k, **options)
    return torch.stack([to_tensor(image) for image in images])


def _agreement(sampled: Callable[[str], Tensor], names: list[str]) -> dict[str, dict[str, float]]:
    """Return median structure and contrast of each way of sampling against the first one."""
    reference, *others = names
    many = sampled(reference)
    result = {}
    for name in others:
        structure, contrast = structure_and_contrast(sampled(name), many)
        result[name] = {"structure": float(np.median(structure)), "contrast": float(np.median(contrast))}
    return result
