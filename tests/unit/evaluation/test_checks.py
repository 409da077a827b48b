"""Figures with targets, and the interval of a mean."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fgsd.evaluation.checks import bootstrap_interval, check


@pytest.mark.parametrize(
    ("value", "target", "passed"),
    [
        (0.95, {"at_least": 0.95}, True),
        (0.949, {"at_least": 0.95}, False),
        (1.1, {"at_most": 1.1}, True),
        (1.101, {"at_most": 1.1}, False),
        (math.nan, {"at_most": 1.1}, False),
        (None, {"at_least": 0.0}, False),
    ],
)
def test_a_figure_passes_at_its_target_and_not_short_of_it(value, target, passed):
    one = check("figure", value, **target)
    assert one["passed"] is passed
    assert one["target"] == next(iter(target.values()))
    assert one["value"] == (None if value is None or math.isnan(value) else value)


def test_a_check_needs_one_target():
    with pytest.raises(ValueError, match="exactly one"):
        check("figure", 1.0)
    with pytest.raises(ValueError, match="exactly one"):
        check("figure", 1.0, at_least=0.0, at_most=2.0)


def test_bootstrap_interval_of_a_mean_is_that_of_the_central_limit_theorem():
    values = np.random.default_rng(0).normal(3.0, 2.0, 400)
    low, high = bootstrap_interval(lambda rows: values[rows].mean(), 400)
    half = 1.96 * values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.1 * half)
    assert bootstrap_interval(lambda rows: 0.7, 5) == (0.7, 0.7)
    with pytest.raises(ValueError, match="count=0"):
        bootstrap_interval(lambda rows: 0.0, 0)
