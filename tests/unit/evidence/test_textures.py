"""Parts `textures` and `dimension`: on methods with known figures, and as a whole on tiny networks."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from evidence_help import colours_and_grain
from PIL import Image

from fgsd.centroids import compute_table
from fgsd.checkpoint import Checkpoint, CheckpointError, CheckpointInfo, save_checkpoint
from fgsd.evidence.comparison import (
    HELD_OUT,
    SEEDS,
    TRAINING,
    Contender,
    Contenders,
    best_on_curve,
    check_over_seeds,
    ratios,
    real_runs,
    relative_to_ceiling,
    sample_runs,
    seconds_per_image,
)
from fgsd.evidence.comparison_sheet import comparison_sheet
from fgsd.evidence.dimension import dimension, recommend, trained_networks
from fgsd.evidence.reference_metrics import ReferenceMetrics
from fgsd.evidence.report_context import PICTURES, ReportContext
from fgsd.evidence.result_cache import ResultCache
from fgsd.evidence.textures import at_equal_accuracy, textures
from fgsd.levels import noise_levels

NETWORKS = {
    "features": {},
    "labels": {"labels": 3},
    "unconditional": {},
    "dimension-1-layer": {"features": ("down1",)},
    "dimension-2-layers": {"features": ("down0", "down1")},
    "dimension-eighth-of-the-channels": {"feature_share": 1 / 8},
}


@pytest.fixture(scope="module")
def networks(tmp_path_factory, tiny, lively, data) -> Path:
    """A folder of untrained but lively networks with names of the study."""
    folder = tmp_path_factory.mktemp("study")
    for name, changes in NETWORKS.items():
        network = lively(replace(tiny, **changes), size=0.08)
        table = compute_table(network, data, noise_levels(0.02, 4.0, 4), crops=6)
        info = CheckpointInfo(patch_size=16, image_size=48)
        save_checkpoint(Checkpoint(network, table, info), folder / name)
    return folder


def context_of(networks: Path, textures: Path, shipped: Path, out: Path, cache: Path) -> ReportContext:
    return ReportContext(
        networks=networks,
        textures=textures,
        out=out,
        features=colours_and_grain,
        cache=ResultCache(cache),
        size=0.5,
        shipped=shipped,
    )


@pytest.fixture
def context(networks, texture_folder, checkpoint_folder, tmp_path) -> ReportContext:
    return context_of(networks, texture_folder, checkpoint_folder, tmp_path, tmp_path / "cache.json")


def test_the_report_logs_what_it_skips(networks, texture_folder, checkpoint_folder, tmp_path, caplog):
    images = shutil.copytree(texture_folder, tmp_path / "images")
    (images / "empty").mkdir()
    context = context_of(networks, images, checkpoint_folder, tmp_path, tmp_path / "cache.json")
    assert "empty" not in context.data.classes
    assert f"skipped {images / 'empty'}: no usable image" in caplog.text


@pytest.fixture(scope="module")
def whole(networks, texture_folder, checkpoint_folder, tmp_path_factory) -> tuple[dict, ReportContext]:
    """The figures of the part `textures`, and their context."""
    out = tmp_path_factory.mktemp("report")
    context = context_of(networks, texture_folder, checkpoint_folder, out, out / "cache.json")
    return textures(context), context


@dataclass
class Draws:
    """A method that samples by drawing real crops, of the requested classes or of other ones."""

    reference: ReferenceMetrics
    name: str = "draws"
    split: str = "train"
    shift: int = 0
    evaluations: int = 1
    weight: float = 1.0

    def sample(self, mixtures, each, *, size, steps, seed):
        assert torch.equal(mixtures, torch.eye(len(self.reference.classes)))
        crops = self.reference.real_crops(each, split=self.split, seed=1000 + seed)
        return crops.roll(self.shift, dims=0)


# ---- methods with known figures ----


def test_a_method_that_draws_real_crops_is_as_good_as_real_crops(context):
    context.size = 3.0
    runs = sample_runs(context, Contender("draws", Draws(context.reference)), part="t")
    real = real_runs(context, split="train", part="t")
    assert len(runs) == len(real) == SEEDS
    mine, theirs = ({key: np.mean([one[key] for one in many]) for key in many[0]} for many in (runs, real))
    for key in ("accuracy", "statistics", "precision", "recall", "coverage", "diversity"):
        assert mine[key] == pytest.approx(theirs[key], rel=0.15, abs=0.1), key
    grey = context.reference.figures(torch.zeros(3, 8, 3, 16, 16))
    assert max(mine["frechet"], theirs["frechet"]) < 0.05 * grey["frechet"]
    assert all(one["copies"] == 1 for one in runs)  # and they are copies


def test_a_method_that_confuses_classes_is_detected(context):
    (first, *_) = sample_runs(context, Contender("wrong", Draws(context.reference, shift=1)), part="t")
    assert first["accuracy"] == 0 and first["coverage"] == 0


def test_runs_have_different_seeds_and_are_measured_once(context):
    seen = []

    class Recorded(Draws):
        def sample(self, mixtures, each, *, size, steps, seed):
            seen.append((seed, each, size, steps))
            return super().sample(mixtures, each, size=size, steps=steps, seed=seed)

    contender = Contender("recorded", Recorded(context.reference), steps=5)
    runs = [sample_runs(context, contender, part="t") for _ in range(2)]
    assert seen == [(seed, 2, 16, 5) for seed in (0, 6, 12)]  # 3 classes of 2 samples
    assert runs[0] == runs[1]


def test_best_on_curve():
    curve = [(0.5, 0.9), (0.7, 0.6), (0.9, 0.2)]
    assert best_on_curve(curve, 0.6) == pytest.approx(0.75)  # half way between the first two
    assert best_on_curve(curve, 0.7) == 0.6
    assert best_on_curve(curve, 0.4) == 0.9  # all points are more accurate
    assert best_on_curve(curve, 0.95) == 0.2  # never reached: the most accurate
    assert best_on_curve([(0.5, 0.3), (0.9, 0.2), (0.7, 0.8)], 0.75) == pytest.approx(0.65)  # not monotonic


def test_cfg_is_compared_at_our_accuracy_seed_by_seed():
    one = {name: Contender(name, SimpleNamespace(evaluations=1)) for name in ("ours", "1", "2")}
    contenders = Contenders([one["ours"]], [one["1"], one["2"]], [], one["ours"], [])
    runs = {
        "ours": [{"accuracy": 0.8}, {"accuracy": 0.4}],
        "1": [{"accuracy": 0.7, "coverage": 0.5}, {"accuracy": 0.5, "coverage": 0.6}],
        "2": [{"accuracy": 0.9, "coverage": 0.1}, {"accuracy": 0.9, "coverage": 0.1}],
    }
    assert at_equal_accuracy(runs, contenders, "coverage") == [pytest.approx(0.3), 0.6]


def test_ratios_and_their_check():
    found = ratios([{"a": 1.0}, {"a": 3.0}], [{"a": 2.0}, {"a": 2.0}], "a")
    assert found == [0.5, 1.5]
    one = check_over_seeds("a", found, at_least=1)
    assert one["passed"] and one["value"] == 1 and one["interval"][0] < 1 < one["interval"][1]
    assert not check_over_seeds("a", found, at_most=0.9)["passed"]
    assert check_over_seeds("a", [2.0], at_least=1)["interval"] is None


def test_accuracy_is_relative_to_that_of_held_out_crops():
    runs = {"a": [{"accuracy": 0.4}, {"accuracy": 0.6}]}
    found = relative_to_ceiling(runs, [{"accuracy": 0.7}, {"accuracy": 0.9}])
    assert [one["of_ceiling"] for one in found["a"]] == pytest.approx([0.5, 0.75])
    assert runs == {"a": [{"accuracy": 0.4}, {"accuracy": 0.6}]}  # unchanged


def test_timings_take_turns(monkeypatch):
    clock, order = [0.0], []

    class Timed:
        checkpoint = SimpleNamespace(table=SimpleNamespace(classes=["a", "b"]))

        def __init__(self, name, seconds):
            self.name, self.seconds = name, seconds

        def sample(self, mixtures, each, **options):
            assert mixtures.tolist() == [[1, 0], [0, 1], [1, 0], [0, 1]] and each == 1
            order.append(self.name)
            clock[0] += self.seconds * (
                10 if len(order) <= 2 else 1
            )  # the first round is slow, as a warm-up is

    monkeypatch.setattr("fgsd.evidence.comparison.time.perf_counter", lambda: clock[0])
    contenders = [Contender("x", Timed("x", 4.0)), Contender("y", Timed("y", 8.0))]
    assert seconds_per_image(contenders, size=16, images=4, seed=0, rounds=3) == {"x": 1.0, "y": 2.0}
    assert order == ["x", "y"] * 4


# ---- the part as a whole ----


def test_textures_compares_all_methods(whole):
    found, _ = whole
    likeness, within = found["tables"]
    rows = {row[0]: row for row in likeness["rows"]}
    assert list(rows) == [
        "features (ours)",
        "features, strength 1.25",
        "features, strength 1.5",
        "label",
        *(f"label, CFG {w}" for w in ("1.5", "2", "3")),
        *(f"label, CFG {w}, 8 steps" for w in ("1.5", "2", "3")),
        "unguided",
        HELD_OUT,
        TRAINING,
        "shipped network, 16 px",
        f"{HELD_OUT}, 16 px",
    ]
    evaluations = {name: row[1] for name, row in rows.items()}
    assert evaluations["features, strength 1.5"] == evaluations["label, CFG 2, 8 steps"] == 16
    assert evaluations["label, CFG 2"] == 32 and evaluations[HELD_OUT] is None
    assert likeness["compared"] == list(range(10))  # real crops and the shipped network do not compete
    assert [row[0] for row in within["rows"]] == [name for name in rows if name != "unguided"]
    assert rows[HELD_OUT][2] == [1, 1, 1] and rows["features (ours)"][2][0] < 1
    assert len(rows["shipped network, 16 px"][2]) == 1  # one seed has no interval
    assert rows["label"][-1] > 0 and rows[HELD_OUT][-1] is None


def test_the_summary_of_textures_comes_from_its_figures(whole):
    found, _ = whole
    runs, seconds = found["figures"]["runs"], found["figures"]["seconds"]
    accuracy = np.mean([one["accuracy"] for one in runs["features (ours)"]])
    assert f"{100 * accuracy:.0f} % of the samples guided by features" in found["answer"]
    assert f"{seconds['label, CFG 1.5'] / seconds['features (ours)']:.1f} times as long" in found["answer"]
    by_name = {one["name"]: one for one in found["checks"]}
    expected = np.mean(ratios(runs["features (ours)"], runs["label"], "frechet"))
    assert by_name["Fréchet distance by features / by a label"]["value"] == pytest.approx(expected)
    rival = found["figures"]["cfg_at_equal_accuracy"]
    gap = by_name["coverage by features less that of CFG at no less accuracy"]
    ours = [one["coverage"] for one in runs["features (ours)"]]
    assert gap["value"] == pytest.approx(np.mean(ours) - np.mean(rival["coverage"]))
    assert all(one["interval"] for one in found["checks"])


def test_every_method_has_samples_of_its_own(whole):
    """No method is measured under the name of another."""
    runs = whole[0]["figures"]["runs"]
    assert len({json.dumps(many) for many in runs.values()}) == len(runs)


def test_textures_plots_curves_by_strength_and_weight(whole):
    plots = whole[0]["plots"]
    names = ["textures-coverage", "textures-diversity", "textures-frechet"]
    assert [one["name"] for one in plots] == names
    coverage = plots[0]
    lengths = [len(one["x"]) for one in coverage["series"]]
    assert lengths == [3, 4, 3, 1, 1]
    labels = [text for *_, text in coverage["labels"]]
    assert labels == ["1", "1.25", "1.5", "1", "1.5", "2", "3", "1.5", "2", "3"]
    runs = whole[0]["figures"]["runs"]["label, CFG 3"]
    means = [np.mean([one[key] for one in runs]) for key in ("accuracy", "coverage")]
    assert [coverage["series"][1][axis][-1] for axis in "xy"] == pytest.approx(means)


def test_textures_resumes_without_measuring_again(whole, monkeypatch):
    found, context = whole
    again = context_of(
        context.networks, context.textures, context.shipped, context.out, context.out / "cache.json"
    )
    monkeypatch.setattr(ReferenceMetrics, "figures", lambda *_: pytest.fail("measured again"))
    assert textures(again) == found


def test_textures_without_the_shipped_network(context, whole, tmp_path):
    """Or with one of other textures."""
    cache = whole[1].out / "cache.json"
    for shipped in (tmp_path / "none", context.shipped):
        other = context_of(context.networks, context.textures, shipped, tmp_path, cache)
        if shipped.exists():
            checkpoint = other.checkpoint("features")
            table = replace(checkpoint.table, classes=["brick", "moss", "glass"])
            other._loaded[other.shipped] = replace(checkpoint, table=table)
        found = textures(other)
        assert found["figures"]["shipped"] == {}
        assert "was not there" in found["tables"][0]["note"]


def test_textures_names_a_missing_network(context, tmp_path):
    context.networks = tmp_path / "empty"
    with pytest.raises(CheckpointError, match="features"):
        textures(context)


def test_variants_are_networks_of_the_study(context, networks, tmp_path):
    """A network that an earlier version of the study had is ignored."""
    for name in ("layerwise", "plain"):
        (tmp_path / name).symlink_to(networks / "features")
    context.networks = tmp_path
    assert [method.name for method in context.variants()] == ["features, layer by layer"]


def test_there_is_a_picture_of_samples_side_by_side(whole):
    found, context = whole
    (picture,) = found["pictures"]
    assert picture["file"] == "textures-samples.webp"
    with Image.open(context.out / PICTURES / picture["file"]) as image:
        width, height = image.size
    assert width > 8 * 3 * 32 and height > 3 * 32  # 8 columns of 3 images of 16 px, doubled


def test_the_sheet_puts_images_under_the_names_of_their_methods():
    red, blue = (Image.new("RGB", (8, 8), colour) for colour in ("red", "blue"))
    sheet = comparison_sheet(["a", "b"], {"one": [[red, red]] * 2, "two": [[red, red], [blue, blue]]})
    pixels = np.asarray(sheet)
    reds, blues = ((pixels == colour).all(axis=2) for colour in ([255, 0, 0], [0, 0, 255]))
    assert reds.sum() == 6 * 16**2 and blues.sum() == 2 * 16**2
    rows, columns = np.nonzero(blues)
    assert rows.min() > np.nonzero(reds)[0].min() and columns.min() > np.nonzero(reds)[1].min()
    with pytest.raises(ValueError, match="at least one of each"):
        comparison_sheet([], {})


# ---- dimension ----


def test_dimension_compares_the_trained_networks(context):
    found = dimension(context)
    assert found["figures"]["dimensions"] == {
        "eighth of the channels": 4,
        "1 layer": 16,
        "2 layers": 24,
    }
    (table,) = found["tables"]
    assert [row[:2] for row in table["rows"]][:2] == [["eighth of the channels", 4], ["1 layer", 16]]
    assert table["rows"][-1][0] == HELD_OUT and table["compared"] == [0, 1, 2]
    assert [plot["name"] for plot in found["plots"]] == [
        "dimension-accuracy",
        "dimension-frechet",
        "dimension-coverage",
    ]
    assert all(plot["log_x"] for plot in found["plots"])
    assert [len(one["x"]) for one in found["plots"][0]["series"]] == [2, 1]
    assert found["plots"][0]["note"] == f"Held-out crops: {table['rows'][-1][2][0]:.3g}."
    assert found["figures"]["recommended"] in found["figures"]["dimensions"]
    assert "Of 3 networks from 4 to 24 features" in found["answer"]
    assert found["checks"] == []  # the network with the features of the study is not trained


def test_the_features_of_the_study_are_checked_against_the_best(context):
    context._loaded[context.networks / "features"] = context.checkpoint("dimension-2-layers")
    found = dimension(context)
    (one,) = found["checks"]
    best = max(
        found["figures"]["dimensions"],
        key=lambda name: np.mean([run["accuracy"] for run in found["figures"]["runs"][name]]),
    )
    assert one["name"] == f"accuracy with the features of the study (2 layers) / with the best ({best})"
    runs = found["figures"]["runs"]
    assert one["value"] == pytest.approx(np.mean(ratios(runs["2 layers"], runs[best], "accuracy")))


def test_the_smallest_dimension_within_the_interval_of_the_best_is_recommended():
    def runs(*accuracies):
        return [{"accuracy": a} for a in accuracies]

    lengths = {"few": 4, "some": 40, "many": 400}
    found = {"few": runs(0.5, 0.5, 0.5), "some": runs(0.78, 0.79, 0.8), "many": runs(0.78, 0.8, 0.82)}
    assert recommend(lengths, found) == ("many", "some")
    found["some"] = runs(0.6, 0.6, 0.6)
    assert recommend(lengths, found) == ("many", "many")


def test_dimension_needs_three_networks_and_names_those_to_train(context, tmp_path, networks):
    context.networks = tmp_path
    for name in ("dimension-1-layer", "dimension-2-layers"):
        (tmp_path / name).symlink_to(networks / name)
    with pytest.raises(CheckpointError, match=r"2 networks dimension-\* .*`fgsd study dimension-4-layers"):
        trained_networks(context)
