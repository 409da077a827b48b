"""Does the centroid of a texture that was not in the training data give samples of that texture?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from fgsd.evaluation.checks import check
from fgsd.evaluation.classifier import Judge
from fgsd.evaluation.context import EvaluationContext, draw_samples

TARGET = 1.0  # share of the unseen textures


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


def measure_unseen(context: EvaluationContext, *, each: int = 16) -> dict:
    """Sample from the centroids of those classes of the data that the checkpoint was not trained on.

    The centroid of each texture comes from its whole image. Its samples are compared with all real images,
    unseen ones included: by the nearest mean of features, which the check uses, and by the classifier.

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
    centroids = [
        pipe.centroid_of(data.image(name), seed=context.seed)
        for name in progress(unseen, desc="centroids of unseen textures")
    ]
    x = draw_samples(
        pipe,
        centroids,
        each,
        size=context.size,
        seed=context.seed,
        steps=context.steps,
        progress=progress,
        desc="sampling unseen textures",
    )
    features = context.features_of(x, "features of unseen textures")
    by_distance = tally(unseen, nearest_images(context.judge, context.training_features, features))
    by_classifier = tally(unseen, context.judge.names(features))
    return {
        "each": each,
        "textures": by_distance,
        "by_classifier": by_classifier,
        "share_own": float(np.mean([f["own"] for f in by_distance.values()]) / each),
        "won_by_classifier": float(np.mean([f["won"] for f in by_classifier.values()])),
        "checks": [
            check(
                f"unseen textures ({len(unseen)}) nearest to themselves",
                float(np.mean([f["won"] for f in by_distance.values()])),
                at_least=TARGET,
            )
        ],
    }
