"""Textures that the checkpoint was not trained on."""

from __future__ import annotations

import numpy as np
import pytest
from evaluation_help import RealPipe, simple_features

from fgsd.centroids import Centroid
from fgsd.evaluation import evaluate, report_text
from fgsd.evaluation.classifier import Judge
from fgsd.evaluation.unseen import nearest_images, tally
from fgsd.pipeline import Pipeline


def test_the_nearest_image_is_the_one_of_the_nearest_mean():
    training = np.zeros((3, 2, 2))
    training[1] = [[9, -1], [11, 1]]
    training[2] = [[0, 39], [0, 41]]
    judge = Judge(["a", "b", "c"], training)
    features = np.array([[[1.0, 2.0], [8.0, 0.0]], [[0.0, 25.0], [0.0, 15.0]]])
    assert nearest_images(judge, training, features).tolist() == [["a", "b"], ["c", "a"]]


def test_a_tie_is_not_won():
    nearest = np.array([["x", "x", "a", "a"], ["y", "y", "a", "b"], ["a", "a", "a", "a"], ["z"] * 4])
    found = tally(["x", "y", "w", "z"], nearest)
    assert {name: one["won"] for name, one in found.items()} == {"x": False, "y": True, "w": False, "z": True}
    assert found["w"] == {"own": 0, "other": "a", "other_most": 4, "won": False}
    assert found["z"]["other"] is None


@pytest.mark.parametrize(("drawn", "won"), [("slate", 1.0), ("moss", 0.0)])
def test_an_unseen_texture_wins_if_its_samples_look_like_it(untrained, data, drawn, won):
    table = untrained.table
    known = [k for k, name in enumerate(table.classes) if name != "slate"]
    rows = (table.values[known], table.spreads[known], table.colours[known])
    two = type(table)([table.classes[k] for k in known], table.sigmas, *rows)
    knows_two = RealPipe(
        Pipeline(untrained.network, two, untrained.info, "cpu"),
        data,
        "test",
        drawn=lambda target: drawn if isinstance(target, Centroid) else target,
    )
    found = evaluate(knows_two, data, per_class=4, parts=["classifier", "unseen"], features=simple_features)
    assert found["classes"] == 2 and list(found["parts"]["classifier"]["per_class"]) == ["brick", "moss"]
    unseen = found["parts"]["unseen"]
    assert list(unseen["textures"]) == ["slate"] and unseen["checks"][0]["value"] == won
    assert unseen["textures"]["slate"]["own"] == 16 * won
    assert "slate" in report_text(found)
