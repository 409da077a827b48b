"""Samples of a student against those of its teacher."""

from __future__ import annotations

from dataclasses import replace

import pytest
from evaluation_help import simple_features

from fgsd.checkpoint import CheckpointInfo
from fgsd.evaluation import evaluate, report_text
from fgsd.pipeline import Pipeline
from fgsd.sampling import karras_schedule
from fgsd.student import Student


@pytest.fixture
def pipe(pipe) -> Pipeline:
    """The tiny checkpoint as its own student, at the noise levels of two steps."""
    info = CheckpointInfo(patch_size=16)
    first, second, _ = karras_schedule(2, sigma_min=0.02, sigma_max=20.0).tolist()
    return Pipeline(pipe.network, pipe.table, info, "cpu", student=Student(pipe.network, (first, second)))


def test_a_student_that_is_its_teacher_makes_the_same_pictures(pipe, data):
    results = evaluate(pipe, data, per_class=2, steps=2, parts=["distilled"], features=simple_features)
    part = results["parts"]["distilled"]
    assert [one["value"] for one in part["checks"]] == [pytest.approx(1), pytest.approx(1)]
    assert set(part["pictures"]) == {"classes", "mixtures", "twice the size", "seamless", "paintings"}
    for ways in part["pictures"].values():
        assert ways["2 evaluations"] == {
            "structure": pytest.approx(0, abs=1e-6),
            "contrast": pytest.approx(1),
        }
        others = [way for name, way in ways.items() if name != "2 evaluations"]
        assert others and all(way["structure"] > 0.01 for way in others)
    text = report_text(results)
    assert "  2 evaluations: top-1" in text and "seamless, 1 evaluation: structure" in text


def test_without_a_student_there_is_a_note(pipe, data):
    pipe = Pipeline(pipe.network, pipe.table, replace(pipe.info), "cpu")
    part = evaluate(pipe, data, per_class=2, parts=["distilled"], features=simple_features)["parts"]
    assert part["distilled"]["note"] == "the checkpoint has no student"
