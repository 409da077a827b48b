"""Do samples of a class differ from each other as much as its real crops do?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fgsd.evaluation.checks import bootstrap_interval, check

TARGET = 0.8  # share of the distance between real crops


def pairwise_distance(features: np.ndarray) -> np.ndarray:
    """Mean Euclidean distance (C,) over all pairs of images of each class.

    Parameters
    ----------
    features : array of shape (C, n, F), n at least 2
        Normalised features.

    Raises
    ------
    ValueError
        If n is below 2.
    """
    from scipy.spatial.distance import pdist

    if features.shape[1] < 2:
        raise ValueError(f"{features.shape[1]} image per class: diversity needs at least 2")
    return np.array([pdist(rows).mean() for rows in features])


def measure_diversity(
    classes: Sequence[str],
    samples: np.ndarray,
    training: np.ndarray,
    held_out: np.ndarray,
    *,
    seed: int = 0,
) -> dict:
    """Compare the mean pairwise distance within a class between samples and real crops.

    The check uses training crops, because the model was trained on them. Held-out crops come from a narrower
    strip of the image, so they overlap more and differ less; their ratio is only reported.

    Parameters
    ----------
    samples, training, held_out : arrays of shape (C, n, F)
        Normalised features, with the same n.
    seed : int
        Seed of the bootstrap.

    Raises
    ------
    ValueError
        If the numbers of images differ.
    """
    if not samples.shape[1] == training.shape[1] == held_out.shape[1]:
        counts = [a.shape[1] for a in (samples, training, held_out)]
        raise ValueError(f"{counts} samples, training and held-out crops per class: the numbers must agree")
    distances, real = pairwise_distance(samples), pairwise_distance(training)
    ratios = distances / np.maximum(real, 1e-9)
    against_held_out = distances / np.maximum(pairwise_distance(held_out), 1e-9)
    return {
        "distance": float(distances.mean()),
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
