"""The classifier, on Gaussian classes."""

from __future__ import annotations

import numpy as np
import pytest
from evaluation_help import NAMES, blobs

from fgsd.evaluation.classifier import Judge, class_accuracies, measure_accuracy


def test_samples_of_the_right_class_reach_the_ceiling():
    figures = measure_accuracy(Judge(NAMES, blobs(20, 0)), NAMES, blobs(10, 1), blobs(10, 2))
    assert figures["accuracy"] == figures["ceiling"] == 1.0
    assert figures["checks"][0]["value"] == 1.0 and figures["checks"][0]["passed"]
    assert figures["checks"][0]["interval"] == (1.0, 1.0)
    assert figures["confused"] == {}


def test_samples_of_another_class_are_found_out_and_named():
    samples = blobs(10, 1)
    samples[0] = samples[3]
    samples[1, :4] = samples[2, :4]
    figures = measure_accuracy(Judge(NAMES, blobs(20, 0)), NAMES, samples, blobs(10, 2))
    assert figures["per_class"] == {"a": 0.0, "b": 0.6, "c": 1.0, "d": 1.0}
    assert figures["checks"][0]["value"] == pytest.approx(0.65) and not figures["checks"][0]["passed"]
    assert list(figures["confused"]) == ["a", "b"]
    assert figures["confused"]["a"]["taken_for"] == "d" and figures["confused"]["b"]["taken_for"] == "c"
    low, high = figures["checks"][0]["interval"]
    assert low < 0.65 < high


def test_features_without_a_class_are_judged_at_chance():
    judge = Judge(NAMES, blobs(50, 0, distance=0.0))
    assert class_accuracies(judge, NAMES, blobs(500, 1, distance=0.0)).mean() == pytest.approx(0.25, abs=0.05)


def test_the_judge_knows_classes_that_are_not_sampled():
    judge = Judge(NAMES, blobs(20, 0))
    some = measure_accuracy(judge, ["b", "d"], blobs(10, 1)[[1, 3]], blobs(10, 2)[[1, 3]])
    assert some["per_class"] == {"b": 1.0, "d": 1.0}


def test_probabilities_sum_to_one_over_the_classes():
    judge = Judge(NAMES, blobs(20, 0))
    p = judge.probabilities(blobs(5, 1))
    assert p.shape == (4, 5, 4)
    np.testing.assert_allclose(p.sum(axis=-1), 1.0, rtol=1e-6)


def test_a_judge_of_one_class_is_refused():
    with pytest.raises(ValueError, match="at least 2"):
        Judge(["a"], blobs(5, 0)[:1])
