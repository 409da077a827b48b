"""Figures with targets, and bootstrap intervals of figures."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np


@dataclass(frozen=True)
class Check:
    """A figure that must reach a target."""

    name: str
    value: float | None  # None: the measurement failed, and so does the check
    target: float
    relation: str  # "at least" or "at most"
    passed: bool
    interval: tuple[float, float] | None = None  # 95 % bootstrap interval
    unit: str = ""


def check(
    name: str,
    value: float | None,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    interval: tuple[float, float] | None = None,
    unit: str = "",
) -> dict:
    """Compare a figure with its target; returns a `Check` as a dict for JSON.

    Parameters
    ----------
    value : float or None
        None and NaN mean that the measurement failed: the check then has the value None and fails.
    at_least, at_most : float
        The target; give exactly one of the two.
    interval : (low, high), optional
        95 % interval of the value.
    unit : str
        Shown after the value and the target.

    Raises
    ------
    ValueError
        If both or none of `at_least` and `at_most` are given.
    """
    if at_least is not None and at_most is None:
        relation, target = "at least", at_least
    elif at_most is not None and at_least is None:
        relation, target = "at most", at_most
    else:
        raise ValueError(f"at_least={at_least} and at_most={at_most}: give exactly one of the two")
    if value is None or math.isnan(value):
        return asdict(Check(name, None, float(target), relation, False, None, unit))
    passed = value >= target if relation == "at least" else value <= target
    return asdict(Check(name, float(value), float(target), relation, bool(passed), interval, unit))


def bootstrap_interval(
    statistic: Callable[[np.ndarray], float], count: int, *, seed: int = 0, draws: int = 2000
) -> tuple[float, float]:
    """The 95 % interval of a statistic under resampling (Efron 1979, the percentile method).

    Parameters
    ----------
    statistic : callable
        A function of an array of row numbers, which are drawn with replacement from `range(count)`.
    count : int
        Number of independent observations. Samples of one class are alike, so a figure over many classes
        resamples the classes, not the samples.

    Raises
    ------
    ValueError
        If `count` is below 1.
    """
    if count < 1:
        raise ValueError(f"count={count} must be at least 1")
    random = np.random.default_rng(seed)
    values = [statistic(random.integers(0, count, count)) for _ in range(draws)]
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)
