"""The evaluation as a whole, on pipelines whose samples are known, and its report."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fgsd.centroids import Centroid, CentroidTable, compute_table
from fgsd.checkpoint import CheckpointInfo
from fgsd.data import DataConfig, TextureFolder, to_images
from fgsd.evaluation import PARTS, combine, evaluate, report_text
from fgsd.evaluation import material as material_module
from fgsd.evaluation.classifier import Judge
from fgsd.evaluation.few_steps import few_steps
from fgsd.evaluation.material import Material, draw_samples, real_crops
from fgsd.evaluation.unseen import nearest_images, tally
from fgsd.levels import noise_levels
from fgsd.pipeline import Pipeline

TEXTURES = Path(__file__).resolve().parents[3] / "assets" / "textures"
QUICK = ("classifier", "memorisation", "diversity", "seams", "paths", "unseen")


def simple_features(x: torch.Tensor) -> np.ndarray:
    """Channel means, deviations and the sizes of jumps: enough to tell synthetic textures apart."""
    jumps = [x.diff(dim=d).abs().mean(dim=(2, 3)) for d in (2, 3)]
    return torch.cat([x.mean(dim=(2, 3)), x.std(dim=(2, 3)), *jumps], dim=1).numpy()


@pytest.fixture(scope="module")
def pipe(lively, data) -> Pipeline:
    """An untrained but lively pipeline on the synthetic textures."""
    network = lively(size=0.08)
    table = compute_table(network, data, noise_levels(0.02, 4.0, 4), crops=6)
    return Pipeline(network, table, CheckpointInfo(patch_size=16), device="cpu")


class RealPipe(Pipeline):
    """A pipeline whose "samples" are real crops of `split`, of the class that `drawn` makes of the target."""

    def __init__(self, pipe: Pipeline, data: TextureFolder, split: str, drawn=lambda target: target) -> None:
        super().__init__(pipe.network, pipe.table, pipe.info, "cpu")
        self.data, self.split, self.drawn, self.evaluations = data, split, drawn, {}

    def sample(self, target, *, n=1, seed=0, **options):
        crops = [
            self.data.crops(self.drawn(t), 1, torch.Generator().manual_seed(s), split=self.split)
            for t, s in zip(target, seed, strict=True)
        ]
        return to_images(torch.cat(crops))

    def stream(self, target, *, n, seed, sampler, **options):
        if sampler == "ascent" and self.evaluations.get("ascent") is None:
            raise RuntimeError("the ascent did not reach sigma=0.02")
        images = self.sample(target, n=n, seed=seed)
        for k in range(2):
            step = SimpleNamespace(evaluations=(k + 1) * self.evaluations.get(sampler, 8))
            yield SimpleNamespace(step=step, images=images)


# --- material -----------------------------------------------------------------------------------------


def test_a_sample_is_the_picture_of_its_target_and_seed(pipe, monkeypatch):
    monkeypatch.setattr(material_module, "PASS_PIXELS", 4 * 16 * 16)  # passes of 4: classes share them
    drawn = draw_samples(pipe, pipe.classes, 3, size=16, seed=5, steps=2)
    assert drawn.shape == (3, 3, 3, 16, 16)
    [alone] = pipe.sample(pipe.classes[2], n=1, size=16, seed=5 + 2 * 3 + 1, steps=2)
    pixels = torch.from_numpy(np.array(alone)).permute(2, 0, 1) / 127.5 - 1
    assert (drawn[2, 1] - pixels).abs().max() <= 1.01 / 127.5  # rounded to 8 bits


def test_real_crops_depend_on_seed_class_and_split_only(data):
    all_classes = real_crops(data, data.classes, 4, split="train")
    assert torch.equal(all_classes[1:], real_crops(data, data.classes[1:], 4, split="train"))
    assert not torch.equal(all_classes, real_crops(data, data.classes, 4, split="train", seed=1))
    assert not torch.equal(all_classes, real_crops(data, data.classes, 4, split="test"))


def test_classes_are_spread_over_the_alphabet(pipe, data):
    material = Material(pipe, data, simple_features)
    assert material.spread_out(1) == [data.classes[1]]
    assert material.spread_out(99) == data.classes


# --- evaluate -----------------------------------------------------------------------------------------


def test_held_out_crops_pass_as_samples(pipe, data):
    found = evaluate(
        RealPipe(pipe, data, "test"), data, per_class=24, parts=QUICK[:2], features=simple_features
    )
    belongs, distance = (found["parts"][part]["checks"][0] for part in QUICK[:2])
    assert found["parts"]["classifier"]["ceiling"] == 1.0
    assert belongs["value"] == 1.0 and belongs["passed"]
    assert distance["value"] == pytest.approx(1, abs=0.05) and distance["passed"]
    assert found["passed"] is True


def test_training_crops_as_samples_belong_and_vary_but_are_copies(pipe, data):
    found = evaluate(
        RealPipe(pipe, data, "train"), data, per_class=40, parts=QUICK[:3], features=simple_features
    )
    belongs, distance, variety = (found["parts"][part]["checks"][0] for part in QUICK[:3])
    assert belongs["passed"] and variety["value"] == pytest.approx(1, abs=0.15)
    assert distance["value"] == pytest.approx(0, abs=1e-5) and not distance["passed"]
    assert found["passed"] is False


def test_samples_of_the_wrong_class_fall_short(pipe, data):
    after = dict(zip(data.classes, data.classes[1:] + data.classes[:1], strict=True))
    wrong = RealPipe(pipe, data, "test", drawn=after.__getitem__)
    found = evaluate(wrong, data, per_class=4, parts=["classifier"], features=simple_features)
    assert found["parts"]["classifier"]["accuracy"] == 0
    taken = {name: one["taken_for"] for name, one in found["parts"]["classifier"]["confused"].items()}
    assert taken == after


def test_an_untrained_pipeline_is_measured_and_the_same_seed_gives_the_same_figures(pipe, data):
    shown = []

    def progress(items, desc=""):
        shown.append(desc)
        return items

    options = dict(per_class=2, steps=2, seed=3, parts=QUICK, features=simple_features)
    found = evaluate(pipe, data, progress=progress, **options)
    again = evaluate(pipe, data, **options)
    for results in (found, again):
        for figures in results["parts"].values():
            assert figures.pop("seconds") >= 0
            figures.pop("load", None)  # of the machine
    assert found["parts"] == again["parts"]
    assert list(found["parts"]) == list(QUICK)
    assert shown.count("sampling") == 1 and shown.count("features of samples") == 1  # made once, shared
    assert json.loads(json.dumps(found, allow_nan=False))["parts"].keys() == found["parts"].keys()
    assert found["seed"] == 3 and found["classes"] == 3 and found["data"]["patch_size"] == 16
    assert found["machine"]["cores"] >= 1 and found["machine"]["torch"] == torch.__version__
    assert found["machine"]["cpu"] and found["checkpoint"]["dimension"] == pipe.table.dimension
    assert "every class" in found["parts"]["unseen"]["note"]


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
def test_arguments_out_of_range_are_refused(pipe, data, options, message):
    with pytest.raises(ValueError, match=message):
        evaluate(pipe, data, features=simple_features, **options)


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
def test_data_that_does_not_fit_the_checkpoint_is_refused(pipe, texture_folder, config, message):
    with pytest.raises(ValueError, match=message):
        evaluate(pipe, TextureFolder(texture_folder, config), features=simple_features)


@pytest.mark.slow
def test_the_measures_are_at_their_ideal_for_real_crops_of_the_shipped_textures(lively):
    data = TextureFolder(TEXTURES, DataConfig())
    nothing = torch.zeros(len(data.classes), 1, 40)
    table = CentroidTable(
        list(data.classes), torch.ones(1), nothing, nothing, torch.zeros(len(data.classes), 3)
    )
    pipe = Pipeline(lively(), table, CheckpointInfo(patch_size=64, image_size=192), device="cpu")
    found = evaluate(RealPipe(pipe, data, "test"), data, per_class=8, parts=QUICK[:3], seed=1)
    belongs, distance, variety = (found["parts"][part]["checks"][0] for part in QUICK[:3])
    assert found["parts"]["classifier"]["ceiling"] > 0.97
    assert belongs["value"] == pytest.approx(1, abs=0.02)
    assert distance["value"] == pytest.approx(1, abs=0.03)
    assert 0.8 < variety["value"] < 1.1, report_text(found)


# --- few steps ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("worse", "passed"), [("ascent", True), ("ancestral", True), ("dpm2m", False)])
def test_the_default_sampler_is_held_to_the_reference(pipe, data, worse, passed):
    class OneWorse(RealPipe):
        """One of the samplers brings another class than it was asked for."""

        def stream(self, target, *, sampler, **options):
            other = [data.classes[0] if t != data.classes[0] else data.classes[1] for t in target]
            yield from super().stream(other if sampler == worse else target, sampler=sampler, **options)

    real = OneWorse(pipe, data, "test")
    real.evaluations = {"dpm2m": 8, "ancestral": 9, "ascent": 4000}
    found = few_steps(Material(real, data, simple_features, reference=(3, 4)))
    accuracy = found["checks"][0]
    assert accuracy["passed"] is passed
    assert found["samplers"][worse]["accuracy"] == 0
    assert {s: one["evaluations"] for s, one in found["samplers"].items()} == {
        "dpm2m": 16,
        "ancestral": 18,
        "ascent": 8000,
    }
    assert found["samplers"]["ancestral"]["seconds"] > 0


def test_a_reference_that_does_not_arrive_is_reported_and_fails(pipe, data):
    real = RealPipe(pipe, data, "test")
    found = few_steps(Material(real, data, simple_features, reference=(2, 2)))
    assert "did not reach" in found["note"] and list(found["samplers"]) == ["dpm2m", "ancestral"]
    assert [one["passed"] for one in found["checks"]] == [False] * 3


def test_all_samplers_but_the_reference_run_on_a_real_pipeline(pipe, data, monkeypatch):
    stream = pipe.stream

    def shortened(*args, sampler, sampler_options, **options):
        assert (sampler_options is None) == (sampler != "ascent")
        return stream(*args, sampler="heun" if sampler == "ascent" else sampler, **options)

    monkeypatch.setattr(pipe, "stream", shortened)
    found = few_steps(Material(pipe, data, simple_features, steps=3, reference=(2, 2)))
    assert [one["evaluations"] for one in found["samplers"].values()] == [3, 3, 5]


# --- never seen ---------------------------------------------------------------------------------------


def test_the_nearest_image_is_the_one_of_the_nearest_mean():
    training = np.zeros((3, 2, 2))
    training[1] = [[9, -1], [11, 1]]
    training[2] = [[0, 39], [0, 41]]
    judge = Judge(["a", "b", "c"], training)
    features = np.array([[[1.0, 2.0], [8.0, 0.0]], [[0.0, 25.0], [0.0, 15.0]]])
    assert nearest_images(judge, training, features).tolist() == [["a", "b"], ["c", "a"]]


def test_a_tie_is_not_won():
    said = np.array([["x", "x", "a", "a"], ["y", "y", "a", "b"], ["a", "a", "a", "a"], ["z"] * 4])
    found = tally(["x", "y", "w", "z"], said)
    assert {name: one["won"] for name, one in found.items()} == {"x": False, "y": True, "w": False, "z": True}
    assert found["w"] == {"own": 0, "other": "a", "other_most": 4, "won": False}
    assert found["z"]["other"] is None


@pytest.mark.parametrize(("drawn", "won"), [("slate", 1.0), ("moss", 0.0)])
def test_an_unseen_texture_wins_if_its_samples_look_like_it(pipe, data, drawn, won):
    table = pipe.table
    known = [k for k, name in enumerate(table.classes) if name != "slate"]
    rows = (table.values[known], table.spreads[known], table.colours[known])
    two = type(table)([table.classes[k] for k in known], table.sigmas, *rows)
    knows_two = RealPipe(
        Pipeline(pipe.network, two, pipe.info, "cpu"),
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


# --- report -------------------------------------------------------------------------------------------


def test_the_report_has_every_figure_with_its_target_and_verdict(pipe, data):
    real = RealPipe(pipe, data, "train")
    parts = ["classifier", "memorisation", "diversity", "few_steps"]
    found = evaluate(real, data, per_class=6, parts=parts, features=simple_features)
    text = report_text(json.loads(json.dumps(found)))
    for part in parts:
        for one in found["parts"][part]["checks"]:
            [line] = [x for x in text.splitlines() if x.startswith(f"{part}: {one['name']}  ")]
            assert line.endswith("pass" if one["passed"] else "short")
            assert f"{one['relation']} {one['target']:.3f}" in line
            assert ("–" if one["value"] is None else f"{one['value']:.3f}") in line
    assert "did not reach" in text
    assert max(len(line) for line in text.splitlines()) < 200


def test_every_part_is_named_and_runs_once():
    assert set(PARTS) == {*QUICK, "speed", "few_steps"}
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
