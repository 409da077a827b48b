"""The evaluation as a whole, on pipelines whose samples are known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from evaluation_help import RealPipe, simple_features

from fgsd.centroids import CentroidTable
from fgsd.checkpoint import CheckpointInfo
from fgsd.data import DataConfig, TextureFolder
from fgsd.evaluation import PARTS, combine, evaluate, report_text
from fgsd.pipeline import Pipeline

TEXTURES = Path(__file__).resolve().parents[3] / "assets" / "textures"
QUICK = ("classifier", "memorisation", "diversity", "seams", "paths", "unseen", "learned")


def test_held_out_crops_pass_as_samples(untrained, data):
    found = evaluate(
        RealPipe(untrained, data, "test"), data, per_class=24, parts=QUICK[:2], features=simple_features
    )
    belongs, distance = (found["parts"][part]["checks"][0] for part in QUICK[:2])
    assert found["parts"]["classifier"]["ceiling"] == 1.0
    assert belongs["value"] == 1.0 and belongs["passed"]
    assert distance["value"] == pytest.approx(1, abs=0.05) and distance["passed"]
    assert found["passed"] is True


def test_training_crops_as_samples_belong_and_vary_but_are_copies(untrained, data):
    found = evaluate(
        RealPipe(untrained, data, "train"), data, per_class=40, parts=QUICK[:3], features=simple_features
    )
    belongs, distance, variety = (found["parts"][part]["checks"][0] for part in QUICK[:3])
    assert belongs["passed"] and variety["value"] == pytest.approx(1, abs=0.15)
    assert distance["value"] == pytest.approx(0, abs=1e-5) and not distance["passed"]
    assert found["passed"] is False


def test_samples_of_the_wrong_class_fall_short(untrained, data):
    after = dict(zip(data.classes, data.classes[1:] + data.classes[:1], strict=True))
    wrong = RealPipe(untrained, data, "test", drawn=after.__getitem__)
    found = evaluate(wrong, data, per_class=4, parts=["classifier"], features=simple_features)
    assert found["parts"]["classifier"]["accuracy"] == 0
    taken = {name: one["taken_for"] for name, one in found["parts"]["classifier"]["confused"].items()}
    assert taken == after


def test_an_untrained_pipeline_is_measured_and_the_same_seed_gives_the_same_figures(untrained, data):
    labels = []

    def progress(items, desc=""):
        labels.append(desc)
        return items

    options = dict(per_class=2, steps=2, seed=3, parts=QUICK, features=simple_features)
    found = evaluate(untrained, data, progress=progress, **options)
    again = evaluate(untrained, data, **options)
    for results in (found, again):
        for figures in results["parts"].values():
            assert figures.pop("seconds") >= 0
            figures.pop("load", None)  # of the machine
    assert found["parts"] == again["parts"]
    assert list(found["parts"]) == list(QUICK)
    assert labels.count("sampling") == 1 and labels.count("features of samples") == 1  # made once, shared
    assert json.loads(json.dumps(found, allow_nan=False))["parts"].keys() == found["parts"].keys()
    assert found["seed"] == 3 and found["classes"] == 3 and found["data"]["patch_size"] == 16
    assert found["machine"]["cores"] >= 1 and found["machine"]["torch"] == torch.__version__
    assert found["machine"]["cpu"] and found["checkpoint"]["dimension"] == untrained.table.dimension
    assert "every class" in found["parts"]["unseen"]["note"]
    assert "fewer than two classes" in found["parts"]["learned"]["note"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"parts": ["classifier", "beauty"]}, r"parts=\['beauty'\].*memorisation"),
        ({"parts": []}, "parts is empty"),
        ({"per_class": 1}, "per_class=1 must be between 2 and 48"),
        ({"per_class": 49}, "per_class=49"),
        ({"steps": 0}, "steps=0"),
        ({"seed": -1}, "seed=-1"),
        ({"reference": (4, 1)}, r"reference=\(4, 1\)"),
    ],
)
def test_arguments_out_of_range_are_refused(untrained, data, options, message):
    with pytest.raises(ValueError, match=message):
        evaluate(untrained, data, features=simple_features, **options)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            DataConfig(image_size=None, patch_size=12),
            "patch_size=12, the checkpoint was trained with patch_size=16",
        ),
        (DataConfig(image_size=48, patch_size=16), "image_size=48"),
        (DataConfig(image_size=None, patch_size=16, test_share=0), "test_share=0"),
    ],
)
def test_data_that_does_not_fit_the_checkpoint_is_refused(untrained, texture_folder, config, message):
    with pytest.raises(ValueError, match=message):
        evaluate(untrained, TextureFolder(texture_folder, config), features=simple_features)


@pytest.mark.slow
def test_the_measures_are_at_their_ideal_for_real_crops_of_the_shipped_textures(lively):
    data = TextureFolder(TEXTURES, DataConfig())
    nothing = torch.zeros(len(data.classes), 1, 40)
    table = CentroidTable(
        list(data.classes), torch.ones(1), nothing, nothing[0], torch.zeros(len(data.classes), 3)
    )
    untrained = Pipeline(lively(), table, CheckpointInfo(patch_size=64, image_size=192), device="cpu")
    found = evaluate(RealPipe(untrained, data, "test"), data, per_class=8, parts=QUICK[:3], seed=1)
    belongs, distance, variety = (found["parts"][part]["checks"][0] for part in QUICK[:3])
    assert found["parts"]["classifier"]["ceiling"] > 0.97
    assert belongs["value"] == pytest.approx(1, abs=0.02)
    assert distance["value"] == pytest.approx(1, abs=0.03)
    assert 0.8 < variety["value"] < 1.1, report_text(found)


def test_every_part_is_named_and_runs_once():
    assert set(PARTS) == {*QUICK, "speed", "schedules", "distilled", "painting", "few_steps"}
    assert list(PARTS)[-1] == "few_steps"  # by far the slowest


def test_parts_measured_again_replace_the_old_ones_and_the_rest_stays():
    def results(seed, **parts):
        made = {name: {"checks": [{"passed": passed}]} for name, passed in parts.items()}
        return {"seed": seed, "parts": made, "passed": all(parts.values())}

    before, after = results(0, classifier=False, seams=True), results(0, speed=True, classifier=True)
    combined = combine(before, after)
    assert list(combined["parts"]) == ["speed", "classifier", "seams"]
    assert combined["passed"] is True
    assert combine(before, results(0, speed=True))["passed"] is False
    assert combine(before, results(1, speed=True)) == results(1, speed=True)
