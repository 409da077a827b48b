"""Figures of a path of images from one class to another: W weights of the second class, n images at each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from fgsd.data import to_images, to_tensor
from fgsd.evidence.agreement import correlation, ranks

BACK = 0.02  # of probability: less is no step back


def following(along: np.ndarray, weights: np.ndarray) -> dict:
    """How places on a line follow the weight.

    Parameters
    ----------
    along : array of shape (W, n)
        0 at the first class, 1 at the second.
    weights : array of shape (W,)

    Returns
    -------
    dict
        `correlation` of place and weight, 0 for images that are all in one place; `places`: mean at each
        weight; `uneven`: their mean distance from the weight, about 1 / 4 for a leap or if nothing changes;
        `largest_step` between neighbours: 1 for a leap, 1 / (W - 1) for even steps.
    """
    places = along.mean(axis=1)
    return {
        "correlation": correlation(along.ravel(), np.repeat(weights, along.shape[1])),
        "places": places.tolist(),
        "uneven": float(abs(places - weights).mean()),
        "largest_step": float(np.diff(places).max()),
    }


def place_between(features: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Where features (..., F) lie along the line between two points (F,): 0 at the first, 1 at the second."""
    line = second - first
    return (features - first) @ line / max(line @ line, 1e-12)


def going_on(shares: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    """Does a classifier see images go from one class to the other, and never back?

    Parameters
    ----------
    shares : array of shape (W, n)
        Probability of the second class over that of both; column k are the images of one seed.
    weights : array of shape (W,)

    Returns
    -------
    dict
        `onward`: share of the steps of a seed that do not go back, by more than 0.02; `spearman`: rank
        correlation of share and weight.
    """
    onward = np.diff(shares, axis=0) >= -BACK
    repeated = np.repeat(weights, shares.shape[1])
    return {
        "onward": float(onward.mean()),
        "spearman": correlation(ranks(shares.ravel()), ranks(repeated)),
    }


def contrasts(images: Tensor, weights: np.ndarray) -> np.ndarray:
    """Contrast (W,) of images (W, n, 3, H, W'), in units of what lies between that of the ends.

    Contrast is the standard deviation of an image's pixels about its mean colour. The pixels of two images
    that have nothing to do with each other, blended half and half, keep sqrt(1/2) of it.
    """
    apart = images.double() - images.double().mean(dim=(-2, -1), keepdim=True)
    contrast = apart.square().mean(dim=(2, 3, 4)).sqrt().mean(dim=1).numpy()  # (W,)
    expected = (1 - weights) * contrast[0] + weights * contrast[-1]
    return contrast / np.maximum(expected, 1e-9)


def nearest(features: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Euclidean distance (N,) of features (N, F) to the nearest of (M, F)."""
    from scipy.spatial.distance import cdist

    return cdist(features, real).min(axis=1)


def blends(first: Tensor, second: Tensor, weights: np.ndarray) -> Tensor:
    """Weighted means of the pixels of two batches (n, 3, H, W'), as images are stored: (W, n, 3, H, W')."""
    mixed = [to_images(torch.lerp(first, second, float(w))) for w in weights]
    return torch.stack([torch.stack([to_tensor(image) for image in images]) for images in mixed])


def better(mine: Sequence[float], other: Sequence[float], *, high: bool, seed: int) -> int:
    """1 if `mine` is better than `other` on average over pairs, -1 if worse, 0 if that may be chance.

    By whether the 95 % interval of the mean difference, when pairs are drawn anew, has one sign.
    """
    from fgsd.evaluation.checks import bootstrap_interval

    gain = (np.asarray(mine) - np.asarray(other)) * (1 if high else -1)
    low, top = bootstrap_interval(lambda rows: gain[rows].mean(), len(gain), seed=seed)
    return int(low > 0) - int(top < 0)
