"""How well one distance between classes predicts another."""

from __future__ import annotations

from typing import TypedDict

import numpy as np

from fgsd.evaluation.checks import bootstrap_interval

MIN_CLASSES = 16  # for a bootstrap interval over classes
DRAWS = 500  # of the bootstrap


class Agreement(TypedDict):
    """How well squared distances d^2 predict divergences."""

    pearson: float  # correlation of logarithms
    spearman: float  # rank correlation
    slope: float  # of the least-squares line through the logarithms; 1 if the two are proportional
    low: float  # the best constant c in c d^2 <= divergence
    high: float  # the best constant C in divergence <= C d^2
    ratio: float  # C / c
    ratio_95: float  # C / c without the 2.5 % of pairs at either end


def agreement(distances: np.ndarray, divergences: np.ndarray) -> Agreement:
    """How well squared distances predict divergences, over pairs of classes.

    Parameters
    ----------
    distances, divergences : arrays of shape (P,), positive, P at least 3
    """
    x, y = np.log(distances), np.log(divergences)
    constants = np.sort(divergences / distances)
    inner = np.quantile(constants, (0.025, 0.975))
    return {
        "pearson": correlation(x, y),
        "spearman": correlation(ranks(distances), ranks(divergences)),
        "slope": float(np.cov(x, y)[0, 1] / max(x.var(ddof=1), 1e-30)),
        "low": float(constants[0]),
        "high": float(constants[-1]),
        "ratio": float(constants[-1] / constants[0]),
        "ratio_95": float(inner[1] / inner[0]),
    }


def correlation_intervals(
    distances: np.ndarray, divergences: np.ndarray, *, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """95 % intervals of `pearson` and `spearman` of `agreement`, by resampling classes.

    Pairs that share a class are not independent, so the bootstrap draws classes. A class that is drawn twice
    makes no pair with itself.

    Parameters
    ----------
    distances, divergences : symmetric arrays of shape (C, C)

    Returns
    -------
    dict of (low, high); empty if there are fewer than `MIN_CLASSES` classes
    """
    count = len(distances)
    if count < MIN_CLASSES:
        return {}
    first, second = np.triu_indices(count, 1)

    def resampled(classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        one, other = classes[first], classes[second]
        differ = one != other
        return distances[one, other][differ], divergences[one, other][differ]

    def pearson(classes: np.ndarray) -> float:
        x, y = resampled(classes)
        return correlation(np.log(x), np.log(y))

    def spearman(classes: np.ndarray) -> float:
        x, y = resampled(classes)
        return correlation(ranks(x), ranks(y))

    return {
        "pearson": bootstrap_interval(pearson, count, seed=seed, draws=DRAWS),
        "spearman": bootstrap_interval(spearman, count, seed=seed, draws=DRAWS),
    }


def nearest_agreement(distances: np.ndarray, divergences: np.ndarray, *, among: int = 3) -> float:
    """Share of classes whose nearest class by distance is one of the `among` nearest by divergence.

    Parameters
    ----------
    distances, divergences : symmetric arrays of shape (C, C)
    """
    exclude_self = np.diag(np.full(len(distances), np.inf))
    nearest = (distances + exclude_self).argmin(axis=1)
    candidates = (divergences + exclude_self).argsort(axis=1)[:, :among]
    return float((candidates == nearest[:, None]).any(axis=1).mean())


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks of values (N,), from 1; equal values share their mean rank."""
    from scipy.stats import rankdata

    return rankdata(values)


def correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Pearson's correlation; 0 if one of the two is constant."""
    if x.std() < 1e-12 or y.std() < 1e-12:
        return 0.0
    return float(np.corrcoef(x, y)[0, 1])
