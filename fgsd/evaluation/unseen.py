"""A texture never seen in training: does its own centroid bring samples of it?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from fgsd.evaluation.checks import check
from fgsd.evaluation.classifier import Judge
from fgsd.evaluation.material import Material, draw_samples

TARGET = 1.0  # of the unseen textures


def nearest_images(judge: Judge, training: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Name (...) of the real image whose mean features are nearest to features (..., F).

    Distances are Euclidean, each feature in units of its standard deviation within an image.

    Parameters
    ----------
    training : array of shape (C, n, F)
        Features of crops of each of the judge's images.
    """
    within = np.sqrt(training.var(axis=1).mean(axis=0)) + 1e-6  # (F,)
    means = training.mean(axis=1) / within  # (C, F)
    flat = features.reshape(-1, features.shape[-1]) / within
    distances = ((flat[:, None] - means[None]) ** 2).sum(axis=-1)
    return np.array(judge.classes)[distances.argmin(axis=1)].reshape(features.shape[:-1])


def tally(unseen: Sequence[str], nearest: np.ndarray) -> dict[str, dict]:
    """How often the nearest real image is the texture itself, and which other comes next.

    Parameters
    ----------
    unseen : U names
    nearest : array of names, shape (U, n)

    Returns
    -------
    For each name: `own` and `other_most`, counts; `other`, the name of the latter or None; `won`, whether
    the texture itself is nearest more often than any other.
    """
    result = {}
    for name, row in zip(unseen, nearest.tolist(), strict=True):
        others = Counter(said for said in row if said != name).most_common(1)
        other, most = others[0] if others else (None, 0)
        own = row.count(name)
        result[name] = {"own": own, "other": other, "other_most": most, "won": own > most}
    return result


def never_seen(material: Material, *, each: int = 16) -> dict:
    """Samples from the centroids of the classes of the data that the pipe was not trained on.

    Each texture's centroid comes from its whole image. Its samples are compared with all real images, the
    unseen ones among them: by the mean of their features, which is checked, and by the classifier.

    Parameters
    ----------
    each : int
        Samples of each texture.
    """
    pipe, data = material.pipe, material.data
    unseen = [name for name in data.classes if name not in pipe.classes]
    if not unseen:
        return {
            "note": "the checkpoint was trained on every class of the data; train one on a part of them",
            "checks": [],
        }
    progress = material.progress
    centroids = [
        pipe.centroid_of(data.image(name), seed=material.seed)
        for name in progress(unseen, desc="centroids of unseen textures")
    ]
    x = draw_samples(
        pipe,
        centroids,
        each,
        size=material.size,
        seed=material.seed,
        steps=material.steps,
        progress=progress,
        desc="sampling unseen textures",
    )
    features = material.measured(x, "features of unseen textures")
    found = tally(unseen, nearest_images(material.judge, material.training_features, features))
    judged = tally(unseen, material.judge.names(features))
    return {
        "each": each,
        "textures": found,
        "by_classifier": judged,
        "share_own": float(np.mean([f["own"] for f in found.values()]) / each),
        "won_by_classifier": float(np.mean([f["won"] for f in judged.values()])),
        "checks": [
            check(
                f"unseen textures ({len(unseen)}) nearest to themselves",
                float(np.mean([f["won"] for f in found.values()])),
                at_least=TARGET,
            )
        ],
    }
