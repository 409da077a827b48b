"""Are samples of a class as different from each other as its real crops are?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fgsd.evaluation.checks import bootstrap_interval, check

TARGET = 0.8  # of the real crops'


def pairwise_distance(features: np.ndarray) -> np.ndarray:
    """Mean Euclidean distance (C,) between the images of each class, over all pairs.

    Parameters
    ----------
    features : array of shape (C, n, F), n at least 2, standardised
    """
    from scipy.spatial.distance import pdist

    if features.shape[1] < 2:
        raise ValueError(f"{features.shape[1]} image of a class: diversity needs at least 2")
    return np.array([pdist(rows).mean() for rows in features])


def variety(
    classes: Sequence[str],
    samples: np.ndarray,
    training: np.ndarray,
    held_out: np.ndarray,
    *,
    seed: int = 0,
) -> dict:
    """Mean pairwise distance within a class, of samples against that of as many real crops.

    The real crops that count are those of the training parts, since these are what the model saw; held-out
    crops come from a narrower strip, so that they overlap more and differ less.

    Parameters
    ----------
    samples, training, held_out : arrays of shape (C, n, F)
        Standardised features, the same number n of each.
    """
    if not samples.shape[1] == training.shape[1] == held_out.shape[1]:
        counts = [a.shape[1] for a in (samples, training, held_out)]
        raise ValueError(f"{counts} samples, training and held-out crops of a class: the numbers must agree")
    mine, real = pairwise_distance(samples), pairwise_distance(training)
    ratios = mine / np.maximum(real, 1e-9)
    against_held_out = mine / np.maximum(pairwise_distance(held_out), 1e-9)
    return {
        "distance": float(mine.mean()),
        "distance_real": float(real.mean()),
        "per_class": {c: float(r) for c, r in zip(classes, ratios, strict=True)},
        "ratio_to_held_out": float(np.median(against_held_out)),
        "classes_below_target": [c for c, r in zip(classes, ratios, strict=True) if r < TARGET],
        "checks": [
            check(
                "distance within a class / of real crops",
                float(np.median(ratios)),
                at_least=TARGET,
                interval=bootstrap_interval(lambda rows: np.median(ratios[rows]), len(ratios), seed=seed),
            )
        ],
    }
