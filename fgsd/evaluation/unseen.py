"""Does the centroid of a texture that was not in the training data give samples of that texture?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from fgsd.evaluation.checks import check
from fgsd.evaluation.classifier import Judge, class_accuracies, measure_accuracy
from fgsd.evaluation.context import EvaluationContext, real_crops

TARGET = 1.0  # share of the unseen textures
ACCURACY_TARGET = 0.6  # accuracy of samples, relative to that of held-out crops
CHROMA_TARGET = 1.1  # fine chroma of samples, relative to that of real crops
BLUR = 7  # side in pixels of the box whose mean is a pixel's coarse colour


def nearest_images(judge: Judge, training: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Names (...) of the real images whose mean features are nearest to features (..., F).

    Distances are Euclidean, with each feature divided by its standard deviation within an image.

    Parameters
    ----------
    judge : Judge
        Gives the class names.
    training : array of shape (C, n, F)
        Features of crops of each class of `judge`.
    """
    within = np.sqrt(training.var(axis=1).mean(axis=0)) + 1e-6  # (F,)
    means = training.mean(axis=1) / within  # (C, F)
    flat = features.reshape(-1, features.shape[-1]) / within
    distances = ((flat[:, None] - means[None]) ** 2).sum(axis=-1)
    return np.array(judge.classes)[distances.argmin(axis=1)].reshape(features.shape[:-1])


def tally(unseen: Sequence[str], nearest: np.ndarray) -> dict[str, dict]:
    """Count how often the nearest image is the texture itself, and how often the most frequent other.

    Parameters
    ----------
    unseen : U names
    nearest : array of names, shape (U, n)

    Returns
    -------
    dict
        For each name: `own`, the count of the texture itself; `other`, the most frequent other name or None,
        and `other_most`, its count; `won`, whether `own` is larger than `other_most`.
    """
    result = {}
    for name, row in zip(unseen, nearest.tolist(), strict=True):
        others = Counter(guess for guess in row if guess != name).most_common(1)
        other, most = others[0] if others else (None, 0)
        hits = row.count(name)
        result[name] = {"own": hits, "other": other, "other_most": most, "won": hits > most}
    return result


def fine_chroma(images: Tensor) -> float:
    """Return the mean chroma of what is left of images after their blurred version is subtracted.

    Specks of wrong colours raise it, and changes of brightness do not.

    Parameters
    ----------
    images : Tensor of shape (..., 3, H, W), in [-1, 1]

    Returns
    -------
    float
        Mean length of the vector of opponent colours (R - G, (R + G) / 2 - B).
    """
    x = images.flatten(0, -4)
    coarse = avg_pool2d(x, BLUR, stride=1, padding=BLUR // 2, count_include_pad=False)
    red, green, blue = (x - coarse).unbind(1)
    return torch.hypot(red - green, (red + green) / 2 - blue).mean().item()


def measure_unseen(context: EvaluationContext, *, each: int = 16) -> dict:
    """Sample from the centroids of those classes of the data that the checkpoint was not trained on.

    The centroid of each texture comes from its whole image. With several unseen textures, a classifier of
    these alone judges the samples; its accuracy on held-out crops is the ceiling. The samples are also
    compared with all real images, unseen ones included: by the nearest mean of features, and by a classifier
    of all classes. Where the checkpoint has a calibration, the centroids are calibrated, and samples of the
    mean features alone are judged by the first classifier too.

    Parameters
    ----------
    each : int
        Samples per texture.
    """
    pipe, data = context.pipe, context.data
    unseen = [name for name in data.classes if name not in pipe.classes]
    if not unseen:
        return {
            "note": "the checkpoint was trained on every class of the data; train one on a part of them",
            "checks": [],
        }
    progress = context.progress
    averaged = [
        pipe.centroid_of(data.image(name), scale=1.0, seed=context.seed, calibrated=False)
        for name in progress(unseen, desc="centroids of unseen textures")
    ]
    calibration, scales = pipe.calibration, pipe.table.scales
    centroids = averaged if calibration is None else [calibration(one, scales) for one in averaged]
    x = context.sample(centroids, each, "sampling unseen textures")
    features = context.features_of(x, "features of unseen textures")
    by_distance = tally(unseen, nearest_images(context.judge, context.training_features, features))
    by_classifier = tally(unseen, context.judge.names(features))
    rows = [data.classes.index(name) for name in unseen]
    chroma = fine_chroma(x) / max(fine_chroma(context.training[rows]), 1e-9)
    result: dict[str, Any] = {
        "each": each,
        "textures": by_distance,
        "by_classifier": by_classifier,
        "share_own": float(np.mean([f["own"] for f in by_distance.values()]) / each),
        "won_by_classifier": float(np.mean([f["won"] for f in by_classifier.values()])),
        "fine_chroma": chroma,
        "checks": [
            check(
                f"unseen textures ({len(unseen)}) nearest to themselves",
                float(np.mean([f["won"] for f in by_distance.values()])),
                at_least=TARGET,
            ),
            check("fine chroma of unseen textures / of their crops", chroma, at_most=CHROMA_TARGET),
        ],
    }
    if len(unseen) > 1:
        judge = Judge(unseen, context.training_features[rows])
        crops = real_crops(data, unseen, context.per_class, split="test", seed=context.seed)
        figures = measure_accuracy(
            judge,
            unseen,
            features,
            context.features_of(crops, "features of held-out crops"),
            kind="unseen textures",
            target=ACCURACY_TARGET,
            seed=context.seed,
        )
        result["checks"] += figures.pop("checks")
        result |= {name: figures[name] for name in ("accuracy", "ceiling", "per_class")}
        if calibration is not None:
            uncalibrated = context.sample(averaged, each, "sampling their mean features")
            found = context.features_of(uncalibrated, "features of these")
            result["uncalibrated"] = float(class_accuracies(judge, unseen, found).mean())
    return result
