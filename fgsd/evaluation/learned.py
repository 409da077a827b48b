"""Does a learned centroid give samples of a texture that was not in the training data?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from fgsd.centroids import Centroid, mean_centroid
from fgsd.data import TextureFolder, to_images
from fgsd.evaluation import diversity, memorisation
from fgsd.evaluation.checks import check
from fgsd.evaluation.classifier import Judge, measure_accuracy
from fgsd.evaluation.context import EvaluationContext, real_crops
from fgsd.evaluation.frechet import frechet_distance
from fgsd.evaluation.paths import Line, measure_lines
from fgsd.learning import SIGMA_LOG_MEAN, SIGMA_LOG_STD
from fgsd.levels import log_normal_levels
from fgsd.model.matching import CentroidMatching
from fgsd.model.network import weighted_error
from fgsd.pipeline import Pipeline

ACCURACY_TARGET = 0.85  # accuracy of samples, relative to that of held-out crops
SECONDS_TARGET = 20.0  # of learning a texture
LINES = 20  # from learned textures to classes
CHECKED_STEPS = 60  # of learning, which the checks are for, unless only others are measured
CURVE_STEPS = (5, 10, 20, 30, 40, 50)  # of these, after which the error on held-out crops is measured
FIRST_SHOWN = 10  # steps after which the page has shown what is learned for the first time
BETTER_TARGET = 0.9  # share of the textures that are better then than at the start


def measure_learned(context: EvaluationContext, *, each: int = 16) -> dict:
    """Learn each class of the data that the checkpoint was not trained on, and sample it.

    Textures are learned from the training rows of their images. A classifier of these textures alone judges
    the samples; its accuracy on held-out crops is the ceiling.

    Parameters
    ----------
    each : int
        Samples per texture, at most the number of training crops of the classifier.
    """
    pipe, data, progress = context.pipe, context.data, context.progress
    steps = context.learning_steps
    checked = CHECKED_STEPS if CHECKED_STEPS in steps else steps[-1]
    unseen = [name for name in data.classes if name not in pipe.classes]
    if len(unseen) < 2:
        return {
            "note": "the data has fewer than two classes that the checkpoint was not trained on",
            "checks": [],
        }
    indices = [data.classes.index(name) for name in unseen]
    judge = Judge(unseen, context.training_features[indices])
    crops = real_crops(data, unseen, each, split="test", seed=context.seed)
    crop_features = context.features_of(crops, "features of held-out crops")
    flat = (-1, crop_features.shape[-1])
    training = judge.scaled(context.training_features[indices, :each]).reshape(*flat)
    result: dict[str, dict] = {}
    learned: dict[str, Centroid] = {}  # in `checked` steps
    curve: dict[int, list[float]] = {}  # see `_errors_by_step`
    for count in steps:
        names = progress(unseen, desc=f"learning in {count} steps")
        courses = [_learn(pipe, data, name, count, seed=context.seed) for name in names]
        centroids = [course.centroids[count] for course in courses]
        seconds = [course.seconds for course in courses]
        if count == checked:
            learned = dict(zip(unseen, centroids, strict=True))
            curve = _errors_by_step(pipe, courses, crops, seed=context.seed)
        x = context.sample(centroids, each)
        features = context.features_of(x, "features of samples")
        parts = {
            "accuracy": measure_accuracy(
                judge,
                unseen,
                features,
                crop_features,
                kind=f"textures learned in {count} steps",
                target=ACCURACY_TARGET,
                seed=context.seed,
            ),
            "diversity": diversity.measure_diversity(
                unseen,
                judge.scaled(features),
                judge.scaled(context.training_features[indices, :each]),
                judge.scaled(crop_features),
                seed=context.seed,
            ),
            "memorisation": memorisation.measure_memorisation(data, unseen, x, crops, seed=context.seed),
        }
        checks: list[dict] = [one for part in parts.values() for one in part.pop("checks")]
        for one in checks[1:]:
            one["name"] = f"learned in {count} steps: {one['name']}"
        if count:
            parts["seconds"] = {"mean": float(np.mean(seconds)), "longest": float(np.max(seconds))}
            name = f"seconds to learn a texture in {count} steps"
            checks.append(check(name, float(np.mean(seconds)), at_most=SECONDS_TARGET, unit="s"))
        parts["frechet"] = {
            "samples": frechet_distance(training, judge.scaled(features).reshape(*flat)),
            "held_out": frechet_distance(training, judge.scaled(crop_features).reshape(*flat)),
        }
        result[str(count)] = parts | {"figures": checks}
    checks = result[str(checked)]["figures"]
    if FIRST_SHOWN in curve:
        better = np.array(curve[FIRST_SHOWN]) < np.array(curve[0])
        name = (
            f"share of textures with a lower error on held-out crops after {FIRST_SHOWN} of {checked} steps"
        )
        checks.append(check(name, float(better.mean()), at_least=BETTER_TARGET))
    lines = _lines_to_classes(pipe, learned, seed=context.seed)
    paths = measure_lines(context, lines, kind=f"lines from textures learned in {checked} steps to classes")
    errors = {str(step): float(np.mean(values)) for step, values in curve.items()}
    checks = [*checks, *paths["checks"]]
    return {"each": each, "steps": result, "errors": errors, "paths": paths, "checks": checks}


@dataclass(frozen=True)
class _Course:
    """What learning a texture came to."""

    centroids: dict[int, Centroid]  # after `CURVE_STEPS` and all steps; 0: calibrated mean features
    seconds: float


def _learn(pipe: Pipeline, data: TextureFolder, name: str, steps: int, *, seed: int) -> _Course:
    """Learn a class from the training rows of its images."""
    images = [to_images(rows[None])[0] for rows in data.regions(name)]
    start = pipe.centroid_of(images, scale=1.0, seed=seed)
    centroids, seconds = {0: start}, 0.0
    if steps:
        for step in pipe.learn(images, steps=steps, scale=1.0, start=start, seed=seed):
            if step.index in (*CURVE_STEPS, steps):
                centroids[step.index] = step.texture.centroid
            seconds = step.seconds
    return _Course(centroids, seconds)


def _errors_by_step(
    pipe: Pipeline, courses: list[_Course], crops: Tensor, *, seed: int
) -> dict[int, list[float]]:
    """Return the denoising error of held-out crops (C, N, 3, H, W) of each texture, by steps of learning.

    Noise and noise levels, which are those of learning, are the same for all textures and steps.
    """
    generator = torch.Generator().manual_seed(seed)
    sigma = log_normal_levels(crops.shape[1], SIGMA_LOG_MEAN, SIGMA_LOG_STD, generator)
    sigma = sigma.clamp(pipe.info.sigma_min, pipe.info.sigma_max).to(pipe.device)
    noise = sigma[:, None, None, None] * torch.randn(crops.shape[1:], generator=generator).to(pipe.device)

    def error(centroid: Centroid, x0: Tensor) -> float:
        matching = CentroidMatching(centroid.at(sigma).to(x0.device))
        with torch.no_grad():
            denoised, _ = pipe.network.denoise(x0 + noise, sigma, matching)
        return weighted_error(denoised, x0, sigma, pipe.network.config.sigma_data).item()

    clean = crops.to(pipe.device)
    return {
        step: [error(course.centroids[step], x0) for course, x0 in zip(courses, clean, strict=True)]
        for step in courses[0].centroids
    }


def _lines_to_classes(pipe: Pipeline, learned: dict[str, Centroid], *, seed: int) -> dict[str, Line]:
    """Return lines from random textures to random classes, at most `LINES`."""
    random = np.random.default_rng(seed)
    lines = {}
    for name in random.permutation(sorted(learned))[:LINES].tolist():
        known = pipe.classes[random.integers(len(pipe.classes))]
        first, second = learned[name], pipe.table.of(known)
        lines[f"{name} to {known}"] = Line(first, second, partial(_mixed, first, second))
    return lines


def _mixed(first: Centroid, second: Centroid, weight: float) -> Centroid:
    return mean_centroid([(first, 1 - weight), (second, weight)])
