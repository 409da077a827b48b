"""Metrics of a path of images from one class to another: W weights of the second class, n images at each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from fgsd.evaluation.checks import bootstrap_interval
from fgsd.evidence.agreement import correlation, ranks
from fgsd.evidence.methods import to_8_bits

MAX_BACKWARD_STEP = 0.02  # of probability; a smaller one does not count as a step back


def position_tracking(positions: np.ndarray, weights: np.ndarray) -> dict:
    """How well positions on a line follow the weight.

    Parameters
    ----------
    positions : array of shape (W, n)
        0 at the first class, 1 at the second.
    weights : array of shape (W,)

    Returns
    -------
    dict
        `correlation` of position and weight, 0 if all positions are equal; `places`: mean position at each
        weight; `uneven`: mean distance of these from the weight, about 1 / 4 for one leap or for no change;
        `largest_step` between neighbours: 1 for one leap, 1 / (W - 1) for even steps.
    """
    means = positions.mean(axis=1)
    return {
        "correlation": correlation(positions.ravel(), np.repeat(weights, positions.shape[1])),
        "places": means.tolist(),
        "uneven": float(abs(means - weights).mean()),
        "largest_step": float(np.diff(means).max()),
    }


def positions_between(features: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Positions of features (..., F) on the line through two points (F,): 0 at the first, 1 at the second."""
    line = second - first
    return (features - first) @ line / max(line @ line, 1e-12)


def monotonicity(shares: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    """Does a classifier see images move from one class to the other without stepping back?

    Parameters
    ----------
    shares : array of shape (W, n)
        Probability of the second class over that of both; column k holds the images of one seed.
    weights : array of shape (W,)

    Returns
    -------
    dict
        `onward`: share of the steps of a seed that do not go back by more than `MAX_BACKWARD_STEP`;
        `spearman`: rank correlation of share and weight.
    """
    onward = np.diff(shares, axis=0) >= -MAX_BACKWARD_STEP
    repeated = np.repeat(weights, shares.shape[1])
    return {
        "onward": float(onward.mean()),
        "spearman": correlation(ranks(shares.ravel()), ranks(repeated)),
    }


def relative_contrast(images: Tensor, weights: np.ndarray) -> np.ndarray:
    """Contrast (W,) of images (W, n, 3, H, W'), over the interpolated contrast of the two ends.

    Contrast is the standard deviation of an image's pixels about its mean colour. Half-and-half blends of two
    unrelated images keep sqrt(1/2) of it.
    """
    centred = images.double() - images.double().mean(dim=(-2, -1), keepdim=True)
    contrast = centred.square().mean(dim=(2, 3, 4)).sqrt().mean(dim=1).numpy()  # (W,)
    expected = (1 - weights) * contrast[0] + weights * contrast[-1]
    return contrast / np.maximum(expected, 1e-9)


def distance_to_nearest(features: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Euclidean distance (N,) of features (N, F) to the nearest of (M, F)."""
    from scipy.spatial.distance import cdist

    return cdist(features, real).min(axis=1)


def pixel_blends(first: Tensor, second: Tensor, weights: np.ndarray) -> Tensor:
    """Weighted means (W, n, 3, H, W') of the pixels of two batches (n, 3, H, W'), rounded to 8 bits."""
    return torch.stack([to_8_bits(torch.lerp(first, second, float(w))) for w in weights])


def paired_verdict(ours: Sequence[float], theirs: Sequence[float], *, high: bool, seed: int) -> int:
    """1 if `ours` is significantly better than `theirs` over the same pairs, -1 if worse, 0 otherwise.

    A difference is significant if the 95 % bootstrap interval of its mean over pairs excludes 0.

    Parameters
    ----------
    high : bool
        Whether high values are better.
    """
    gain = (np.asarray(ours) - np.asarray(theirs)) * (1 if high else -1)
    low, top = bootstrap_interval(lambda rows: gain[rows].mean(), len(gain), seed=seed)
    return int(low > 0) - int(top < 0)
