"""Are a few steps of the default sampler as good as thousands of evaluations of the reference ascent?"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from fgsd.data import to_tensor
from fgsd.evaluation.checks import check
from fgsd.evaluation.classifier import class_accuracies
from fgsd.evaluation.context import EvaluationContext, silent
from fgsd.evaluation.diversity import pairwise_distance
from fgsd.evaluation.memorisation import measure_memorisation
from fgsd.model.network import PASS_PIXELS
from fgsd.pipeline import Pipeline

DEFAULT, COMPARED, REFERENCE = "dpm2m", "ancestral", "ascent"
# The authors use h = beta = 0.01; a sample then takes ten times as many evaluations, hours for a few on CPU.
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
    """Samples (C, each, 3, size, size), network evaluations per image, and seconds per image.

    Images of the ascent stop one by one; its number of evaluations is that of the last image of a batch.
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


def measure_few_steps(context: EvaluationContext) -> dict:
    """Compare the default and the ancestral sampler with the reference on the same few classes.

    The figures are those of the parts on class, diversity and copies. The default sampler must reach the
    accuracy, the diversity and the distance from training crops of the reference. Targets are capped at 1,
    the value of real crops.

    `context.reference` sets the number of classes and samples: a reference sample takes thousands of
    evaluations, which is minutes on a CPU.
    """
    classes, each = context.reference
    names, judge, pipe = context.spaced_classes(classes), context.judge, context.pipe
    rows = [context.data.classes.index(name) for name in names]
    real = pairwise_distance(judge.scaled(context.training_features[rows]))
    held_out = context.held_out[[context.classes.index(name) for name in names]]
    found: dict[str, dict] = {}
    note = None
    for sampler in (DEFAULT, COMPARED, REFERENCE):
        try:
            x, evaluations, seconds = timed_samples(
                pipe,
                names,
                each,
                sampler=sampler,
                steps=context.steps,
                size=context.size,
                seed=context.seed,
                progress=context.progress,
            )
        except RuntimeError as error:  # the ascent raises it if it does not reach sigma_min
            if sampler != REFERENCE:
                raise
            note = str(error)
            continue
        features = context.features_of(x, f"features of {sampler} samples")
        of_class = judge.probabilities(features)[np.arange(len(names)), :, rows]
        copies = measure_memorisation(context.data, names, x, held_out, seed=context.seed)
        found[sampler] = {
            "accuracy": float(class_accuracies(judge, names, features).mean()),
            "probability": float(of_class.mean()),  # of the target class: finer than the accuracy
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


def _compare(default: dict, reference: dict | None) -> list[dict]:
    checks = []
    for figure in ("accuracy", "diversity", "distance"):
        name = f"{figure}, {default['evaluations']} evaluations, to the reference"
        if reference is None:
            checks.append(check(f"{name} (did not arrive)", None, at_least=0.0))
        else:
            checks.append(check(name, default[figure], at_least=min(reference[figure], 1.0)))
    return checks
