"""A figure with its target, and the sampling error of a figure."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np


@dataclass(frozen=True)
class Check:
    """A figure that must reach a target."""

    name: str
    value: float | None  # None: it could not be measured, which fails
    target: float
    relation: str  # "at least" or "at most"
    passed: bool
    interval: tuple[float, float] | None = None  # 95 % of the values that other samples would give
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
    """A `Check` as a dict for JSON; give one of `at_least` and `at_most`.

    A value of None or not a number means that nothing could be measured: it becomes None, and fails.
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
    statistic: Callable[[np.ndarray], float], units: int, *, seed: int = 0, draws: int = 2000
) -> tuple[float, float]:
    """The 95 % interval of a statistic under resampling (Efron 1979, the percentile method).

    Parameters
    ----------
    statistic : callable
        Of an array of row numbers, drawn with replacement from `range(units)`.
    units : int
        What varies independently. Samples of one class are alike, so for a figure over many classes the
        units are the classes.
    """
    if units < 1:
        raise ValueError(f"units={units} must be at least 1")
    random = np.random.default_rng(seed)
    values = [statistic(random.integers(0, units, units)) for _ in range(draws)]
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)
