"""Does one distance between classes follow another?"""

from __future__ import annotations

import numpy as np

from fgsd.evaluation.checks import bootstrap_interval

MIN_TEXTURES = 16  # classes that an interval is given for


def follows(distances: np.ndarray, divergences: np.ndarray) -> dict[str, float]:
    """How well squared distances tell divergences, over pairs of classes.

    Parameters
    ----------
    distances, divergences : arrays of shape (P,), positive, P at least 3

    Returns
    -------
    dict
        `pearson`: correlation of logarithms; `spearman`: of ranks; `slope`: of the least-squares line in
        logarithms, 1 for proportional ones; `low`, `high`: the best constants c and C in
        c d^2 <= divergence <= C d^2; `ratio`: C / c; `ratio_95`: the same without the 2.5 % of pairs at
        either end.
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


def intervals(distances: np.ndarray, divergences: np.ndarray, *, seed: int = 0) -> dict:
    """95 % intervals of `pearson` and `spearman` of `follows`, when classes are drawn anew.

    Pairs that share a class are alike, so classes are what varies; a class drawn twice makes no pair with
    itself.

    Parameters
    ----------
    distances, divergences : symmetric arrays of shape (C, C)

    Returns
    -------
    dict of (low, high); empty if there are fewer than 16 classes
    """
    if len(distances) < MIN_TEXTURES:
        return {}
    upper = np.triu_indices(len(distances), 1)

    def drawn(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        one, other = rows[upper[0]], rows[upper[1]]
        differ = one != other
        return distances[one, other][differ], divergences[one, other][differ]

    def of_logs(rows: np.ndarray) -> float:
        return correlation(*(np.log(values) for values in drawn(rows)))

    def of_ranks(rows: np.ndarray) -> float:
        return correlation(*(ranks(values) for values in drawn(rows)))

    options = {"seed": seed, "draws": 500}
    return {
        "pearson": bootstrap_interval(of_logs, len(distances), **options),
        "spearman": bootstrap_interval(of_ranks, len(distances), **options),
    }


def nearest_agree(distances: np.ndarray, divergences: np.ndarray, *, among: int = 3) -> float:
    """Share of classes whose nearest other class by distance is among the nearest few by divergence.

    Parameters
    ----------
    distances, divergences : symmetric arrays of shape (C, C)
    """
    away = np.diag(np.full(len(distances), np.inf))
    nearest = (distances + away).argmin(axis=1)
    few = (divergences + away).argsort(axis=1)[:, :among]
    return float((few == nearest[:, None]).any(axis=1).mean())


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks of values (N,), from 1; equal values share their mean rank."""
    from scipy.stats import rankdata

    return rankdata(values)


def correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Pearson's; 0 if one of the two does not vary."""
    if x.std() < 1e-12 or y.std() < 1e-12:
        return 0.0
    return float(np.corrcoef(x, y)[0, 1])
