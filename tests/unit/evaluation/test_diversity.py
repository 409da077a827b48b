"""Distances within a class, of points whose distances are known."""

from __future__ import annotations

import numpy as np
import pytest
from evaluation_help import NAMES, blobs

from fgsd.evaluation.diversity import measure_diversity, pairwise_distance


def test_pairwise_distance_of_known_points():
    points = np.array([[[0.0, 0], [3, 4], [3, 4]], [[0, 0], [0, 0], [0, 0]]])
    np.testing.assert_allclose(pairwise_distance(points), [10 / 3, 0])
    with pytest.raises(ValueError, match="at least 2"):
        pairwise_distance(points[:, :1])


def test_one_repeated_sample_has_no_diversity():
    real, other = blobs(12, 0), blobs(12, 1)
    repeated = np.repeat(real[:, :1], 12, axis=1)
    figures = measure_diversity(NAMES, repeated, real, other)
    assert figures["checks"][0]["value"] == 0 and not figures["checks"][0]["passed"]
    assert figures["classes_below_target"] == NAMES


def test_diversity_is_relative_to_the_real_crops():
    real = blobs(12, 0)
    centres = real.mean(axis=1, keepdims=True)
    assert measure_diversity(NAMES, real, real, real)["checks"][0]["value"] == 1
    half = measure_diversity(NAMES, centres + (real - centres) / 2, real, real)["checks"][0]
    assert half["value"] == pytest.approx(0.5) and not half["passed"]
    with pytest.raises(ValueError, match="numbers must agree"):
        measure_diversity(NAMES, real[:, :5], real, real)
