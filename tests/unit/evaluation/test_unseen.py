"""Textures that the checkpoint was not trained on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from evaluation_help import RealPipe, simple_features

from fgsd.calibration import Calibration
from fgsd.centroids import Centroid
from fgsd.evaluation import evaluate, report_text
from fgsd.evaluation.classifier import Judge
from fgsd.evaluation.unseen import fine_chroma, nearest_images, tally
from fgsd.pipeline import Pipeline


def test_the_nearest_image_is_the_one_of_the_nearest_mean():
    training = np.zeros((3, 2, 2))
    training[1] = [[9, -1], [11, 1]]
    training[2] = [[0, 39], [0, 41]]
    judge = Judge(["a", "b", "c"], training)
    features = np.array([[[1.0, 2.0], [8.0, 0.0]], [[0.0, 25.0], [0.0, 15.0]]])
    assert nearest_images(judge, training, features).tolist() == [["a", "b"], ["c", "a"]]


def test_specks_of_colour_raise_the_fine_chroma_and_brightness_and_large_areas_do_not():
    grey = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(0)) - 0.5
    plain = grey.expand(2, 3, 32, 32)
    assert fine_chroma(plain) == pytest.approx(0, abs=1e-6)
    tinted = plain + torch.tensor([0.3, 0.0, -0.2]).view(3, 1, 1)
    assert fine_chroma(tinted) == pytest.approx(0, abs=1e-6)
    specks = plain.clone()
    specks[:, 0, ::8, ::8] += 1.0  # a red pixel of 64: R - G = 1 and (R + G) / 2 - B = 0.5
    assert fine_chroma(specks) == pytest.approx(2 * (1 + 0.25) ** 0.5 / 64, rel=0.1)


def test_a_tie_is_not_won():
    nearest = np.array([["x", "x", "a", "a"], ["y", "y", "a", "b"], ["a", "a", "a", "a"], ["z"] * 4])
    found = tally(["x", "y", "w", "z"], nearest)
    assert {name: one["won"] for name, one in found.items()} == {"x": False, "y": True, "w": False, "z": True}
    assert found["w"] == {"own": 0, "other": "a", "other_most": 4, "won": False}
    assert found["z"]["other"] is None


@pytest.mark.parametrize(("shift", "accuracy"), [(0, 1.0), (1, 0.0)])
def test_a_classifier_of_the_unseen_textures_alone_judges_too(untrained, data, shift, accuracy):
    unseen = ["moss", "slate"]
    table = untrained.table
    known = [table.classes.index("brick")]
    rows = (table.values[known], table.scales, table.colours[known])
    one = type(table)(["brick"], table.sigmas, *rows)
    drawn = 16 * [unseen[shift]] + 16 * [unseen[1 - shift]]  # for moss, then for slate
    order = iter(drawn + drawn[::-1])  # with calibration, then without
    pipe = RealPipe(
        Pipeline(untrained.network, one, untrained.info, "cpu"),
        data,
        "test",
        drawn=lambda target: next(order) if isinstance(target, Centroid) else target,
    )
    levels = table.scales.shape
    nothing = {"inputs": torch.zeros(1, *levels), "outputs": torch.zeros(1, *levels)}
    pipe.calibration = Calibration(
        centre=torch.zeros(levels), shift=torch.zeros(levels), bounds=torch.zeros(2, 1), **nothing
    )
    found = evaluate(pipe, data, per_class=4, parts=["unseen"], features=simple_features)
    figures = found["parts"]["unseen"]
    assert figures["uncalibrated"] == 1 - accuracy
    assert f"without calibration for {100 * (1 - accuracy):.0f} %" in report_text(found)
    assert (figures["accuracy"], figures["ceiling"]) == (accuracy, 1.0)
    assert figures["checks"][2]["value"] == accuracy
    assert figures["fine_chroma"] == pytest.approx(1, rel=0.3)
    assert "a classifier of these textures alone" in report_text(found)


@pytest.mark.parametrize(("drawn", "won"), [("slate", 1.0), ("moss", 0.0)])
def test_an_unseen_texture_wins_if_its_samples_look_like_it(untrained, data, drawn, won):
    table = untrained.table
    known = [k for k, name in enumerate(table.classes) if name != "slate"]
    rows = (table.values[known], table.scales, table.colours[known])
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
