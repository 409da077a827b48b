"""Are a few steps of the default sampler as good as the reference ascent's thousands of evaluations?"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from fgsd.data import to_tensor
from fgsd.evaluation.checks import check
from fgsd.evaluation.classifier import class_accuracies
from fgsd.evaluation.diversity import pairwise_distance
from fgsd.evaluation.material import Material, silent
from fgsd.evaluation.memorisation import copying
from fgsd.guidance import PASS_PIXELS
from fgsd.pipeline import Pipeline

DEFAULT, COMPARED, REFERENCE = "dpm2m", "ancestral", "ascent"
# with the authors' beta of 0.01 a sample takes ten times as many evaluations, hours for a few on a CPU
REFERENCE_OPTIONS = {"h": 0.02, "beta": 0.1}


def timed_samples(
    pipe: Pipeline,
    classes: Sequence[str],
    each: int,
    *,
    sampler: str,
    steps: int,
    size: int,
    seed: int,
    progress=silent,
) -> tuple[Tensor, int, float]:
    """Samples (C, each, 3, size, size), network evaluations an image, and seconds an image.

    The evaluations of the ascent, whose images stop one by one, are those of the last of a batch to stop.
    """
    flat = [name for name in classes for _ in range(each)]
    batch = max(1, PASS_PIXELS // size**2)
    images, evaluations, began = [], 0, time.perf_counter()
    for start in range(0, len(flat), batch):
        part = flat[start : start + batch]
        seeds = [seed + k for k in range(start, start + len(part))]
        options = REFERENCE_OPTIONS if sampler == REFERENCE else None
        stream = pipe.stream(
            part,
            n=len(part),
            steps=steps,
            size=size,
            seed=seeds,
            sampler=sampler,
            sampler_options=options,
        )
        for step in progress(stream, desc=f"{sampler}, {len(part)} samples"):
            last = step
        images += last.images
        evaluations = max(evaluations, last.step.evaluations)
    seconds = (time.perf_counter() - began) / len(flat)
    x = torch.stack([to_tensor(image) for image in images])
    return x.unflatten(0, (len(classes), each)), evaluations, seconds


def few_steps(material: Material) -> dict:
    """The default sampler and the ancestral one against the reference, on the same few classes.

    The figures are those of the parts on class, diversity and copies. The reference needs thousands of
    evaluations an image, so it gets few; the default sampler must not be below its accuracy, nor below its
    diversity or its distance from the training crops as far as these go beyond the real crops' own.

    How many classes and samples is `material.reference`; a reference sample takes minutes on a CPU.
    """
    classes, each = material.reference
    names, judge, pipe = material.spread_out(classes), material.judge, material.pipe
    rows = [material.data.classes.index(name) for name in names]
    real = pairwise_distance(judge.scaled(material.training_features[rows]))
    held_out = material.held_out[[material.classes.index(name) for name in names]]
    found: dict[str, dict] = {}
    note = None
    for sampler in (DEFAULT, COMPARED, REFERENCE):
        try:
            x, evaluations, seconds = timed_samples(
                pipe,
                names,
                each,
                sampler=sampler,
                steps=material.steps,
                size=material.size,
                seed=material.seed,
                progress=material.progress,
            )
        except RuntimeError as error:  # the ascent raises it when it does not arrive
            if sampler != REFERENCE:
                raise
            note = str(error)
            continue
        features = material.measured(x, f"features of {sampler} samples")
        of_class = judge.probabilities(features)[np.arange(len(names)), :, rows]
        copies = copying(material.data, names, x, held_out, seed=material.seed)
        found[sampler] = {
            "accuracy": float(class_accuracies(judge, names, features).mean()),
            "probability": float(of_class.mean()),  # of the class asked for: finer than the accuracy
            "diversity": float(np.median(pairwise_distance(judge.scaled(features)) / real)),
            "distance": copies["checks"][0]["value"],
            "evaluations": evaluations,
            "seconds": seconds,
        }
    return {
        "classes": names,
        "each": each,
        "samplers": found,
        **({"note": note} if note else {}),
        "checks": _compare(found[DEFAULT], found.get(REFERENCE)),
    }


def _compare(mine: dict, reference: dict | None) -> list[dict]:
    checks = []
    for figure in ("accuracy", "diversity", "distance"):
        name = f"{figure}, {mine['evaluations']} evaluations, to the reference"
        if reference is None:
            checks.append(check(f"{name} (did not arrive)", None, at_least=0.0))
        else:
            checks.append(check(name, mine[figure], at_least=min(reference[figure], 1.0)))
    return checks
