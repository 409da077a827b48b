"""Textures that are learned from images."""

from __future__ import annotations

from itertools import chain, repeat

import pytest
from evaluation_help import RealPipe, simple_features

from fgsd.centroids import CentroidTable
from fgsd.evaluation import report_text
from fgsd.evaluation.context import EvaluationContext
from fgsd.evaluation.learned import measure_learned
from fgsd.pipeline import Pipeline


@pytest.fixture
def knows_brick(untrained) -> Pipeline:
    table, row = untrained.table, [untrained.table.index("brick")]
    one = CentroidTable(["brick"], table.sigmas, table.values[row], table.scales, table.colours[row])
    return Pipeline(untrained.network, one, untrained.info, "cpu")


@pytest.mark.parametrize(("split", "memorisation"), [("test", 1.0), ("train", 0.0)])
def test_real_crops_pass_as_samples_and_copies_are_noticed(knows_brick, data, split, memorisation):
    order = chain(2 * (6 * ["moss"] + 6 * ["slate"]), repeat("moss"))  # then the lines to classes
    pipe = RealPipe(knows_brick, data, split, drawn=lambda target: next(order))
    learned = []
    learn = pipe.learn
    pipe.learn = lambda images, **options: learned.append((images, options)) or learn(images, **options)
    context = EvaluationContext(pipe, data, simple_features, seed=1, learning_steps=(0, 2))
    found = measure_learned(context, each=6)
    assert list(found["steps"]) == ["0", "2"] and "seconds" not in found["steps"]["0"]
    assert [(o["steps"], o["scale"], o["seed"]) for _, o in learned] == 2 * [(2, 1.0, 1)]
    assert list(found["errors"]) == ["0", "2"] and min(found["errors"].values()) > 0
    assert {image.size[1] for images, _ in learned for image in images} == {32}  # not the held-out rows
    accuracy, diversity, distance, seconds, line = found["checks"]
    assert accuracy["value"] == 1.0 and accuracy["passed"]
    assert accuracy["name"] == "accuracy of textures learned in 2 steps / of held-out crops"
    assert diversity["value"] == pytest.approx(1, abs=0.4)
    assert distance["value"] == pytest.approx(memorisation, abs=0.1)
    assert 0 < seconds["value"] < 20
    assert line["name"] == (
        "correlation of place on the line with weight, 2 lines from textures learned in 2 steps to classes"
    )
    assert sorted(found["paths"]["pairs"]) == ["moss to brick", "slate to brick"]


def test_textures_are_learned_and_the_same_seed_gives_the_same_figures(knows_brick, data):
    context = EvaluationContext(knows_brick, data, simple_features, steps=2, seed=3, learning_steps=(0, 1))
    first, again = (measure_learned(context, each=2) for _ in range(2))
    for found in (first, again):
        del found["checks"][-2], found["steps"]["1"]["figures"][-1]  # seconds
        assert found["steps"]["1"].pop("seconds")["mean"] > 0
    assert first == again


def test_the_text_has_a_line_for_each_number_of_steps(untrained, data):
    from fgsd.evaluation import evaluate

    results = evaluate(untrained, data, per_class=2, steps=2, parts=["learned"], features=simple_features)
    assert "learned: the data has fewer than two classes" in report_text(results)
