"""Does a learned centroid give samples of a texture that was not in the training data?"""

from __future__ import annotations

from functools import partial

import numpy as np

from fgsd.centroids import Centroid, mean_centroid
from fgsd.data import to_images
from fgsd.evaluation import diversity, memorisation
from fgsd.evaluation.checks import check
from fgsd.evaluation.classifier import Judge, measure_accuracy
from fgsd.evaluation.context import EvaluationContext, real_crops
from fgsd.evaluation.frechet import frechet_distance
from fgsd.evaluation.paths import Line, measure_lines
from fgsd.pipeline import Pipeline

ACCURACY_TARGET = 0.85  # accuracy of samples, relative to that of held-out crops
SECONDS_TARGET = 20.0  # of learning a texture
LINES = 20  # from learned textures to classes
CHECKED_STEPS = 60  # of learning, which the checks are for, unless only others are measured


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
    for count in steps:
        centroids, seconds = [], []
        for name in progress(unseen, desc=f"learning in {count} steps"):
            images = [to_images(rows[None])[0] for rows in data.regions(name)]
            if count == 0:
                centroids.append(pipe.centroid_of(images, seed=context.seed))
                continue
            *_, step = pipe.learn(images, steps=count, seed=context.seed)
            centroids.append(step.texture.centroid)
            seconds.append(step.seconds)
        if count == checked:
            learned = dict(zip(unseen, centroids, strict=True))
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
    lines = _lines_to_classes(pipe, learned, seed=context.seed)
    paths = measure_lines(context, lines, kind=f"lines from textures learned in {checked} steps to classes")
    return {"each": each, "steps": result, "paths": paths, "checks": [*checks, *paths["checks"]]}


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
