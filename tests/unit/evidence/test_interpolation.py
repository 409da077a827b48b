"""Path metrics with known values, and the part of the report on tiny networks."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from fgsd.centroids import compute_table
from fgsd.checkpoint import Checkpoint, CheckpointInfo, save_checkpoint
from fgsd.evaluation.paths import positions_on_line, unguided_features
from fgsd.evidence.figures import PartFigures
from fgsd.evidence.interpolation import (
    CROPS,
    LABELS,
    METRICS,
    OURS,
    PIXELS,
    class_means,
    interpolation,
    path_images,
    path_samples,
    summary,
)
from fgsd.evidence.methods import Trained
from fgsd.evidence.path_metrics import (
    distance_to_nearest,
    monotonicity,
    paired_verdict,
    pixel_blends,
    position_tracking,
    positions_between,
    relative_contrast,
)
from fgsd.evidence.report_context import PICTURES, ReportContext
from fgsd.evidence.result_cache import ResultCache
from fgsd.levels import noise_levels

WEIGHTS = np.linspace(0, 1, 5)


def test_a_perfect_path_follows_in_even_steps():
    found = position_tracking(np.repeat(WEIGHTS[:, None], 2, axis=1), WEIGHTS)
    assert found["correlation"] == pytest.approx(1)
    assert found["largest_step"] == pytest.approx(0.25) and found["uneven"] == pytest.approx(0)
    assert found["places"] == pytest.approx(WEIGHTS.tolist())


def test_a_leap_is_one_step():
    found = position_tracking(np.array([[0.0], [0], [0], [1], [1]]), WEIGHTS)
    assert found["largest_step"] == 1 and found["correlation"] == pytest.approx(0.866, abs=1e-3)
    assert found["uneven"] == pytest.approx(0.2)


def test_images_at_one_position_do_not_follow():
    found = position_tracking(np.full((5, 2), 0.5), WEIGHTS)
    assert found["correlation"] == 0 and found["uneven"] == pytest.approx(0.3)


def test_the_reverse_path_has_a_correlation_of_minus_one():
    assert position_tracking(1 - WEIGHTS[:, None], WEIGHTS)["correlation"] == pytest.approx(-1)


def test_positions_between_two_points():
    first, second = np.array([1.0, 1.0]), np.array([3.0, 1.0])
    features = np.array([[[1.0, 1.0], [2.0, 9.0]], [[3.0, -4.0], [5.0, 1.0]]])
    assert positions_between(features, first, second).tolist() == [[0, 0.5], [1, 2]]


def test_a_path_without_a_step_back_is_monotonic():
    found = monotonicity(np.array([[0.0], [0.0], [0.2], [0.7], [1.0]]), WEIGHTS)
    assert found["onward"] == 1 and found["spearman"] > 0.97


def test_steps_back_are_counted_for_each_seed_and_tiny_ones_ignored():
    # the second seed goes back once, the third by less than the tolerance
    shares = np.array([[0.0, 0.0, 0.005], [0.5, 0.8, 0.001], [1.0, 0.4, 1.0]])
    assert monotonicity(shares, np.linspace(0, 1, 3))["onward"] == pytest.approx(5 / 6)


def test_the_rank_correlation_of_the_reverse_path_is_minus_one():
    assert monotonicity(1 - WEIGHTS[:, None], WEIGHTS)["spearman"] == pytest.approx(-1)


def test_a_blend_of_independent_pixels_loses_contrast():
    generator = torch.Generator().manual_seed(0)
    one, other = (0.2 * torch.randn(2, 3, 64, 64, generator=generator) for _ in range(2))
    found = relative_contrast(pixel_blends(one, other, WEIGHTS), WEIGHTS)
    assert found == pytest.approx([1, np.sqrt(10) / 4, np.sqrt(0.5), np.sqrt(10) / 4, 1], abs=0.01)


def test_contrast_ignores_the_mean_colour_and_is_relative_to_the_ends():
    grain = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    images = torch.stack([0.1 * grain, 0.2 * grain + 0.3, 0.3 * grain])
    assert relative_contrast(images, np.linspace(0, 1, 3)) == pytest.approx([1, 1, 1])


def test_blends_are_rounded_to_8_bits_and_begin_and_end_at_their_ends():
    black, white = torch.full((1, 3, 4, 4), -1.0), torch.full((1, 3, 4, 4), 1.0)
    found = pixel_blends(black, white, np.array([0, 0.3, 1.0]))
    assert torch.equal(found[0], black) and torch.equal(found[2], white)
    assert ((found[1, 0, 0, 0, 0] + 1) * 127.5).item() == pytest.approx(round(0.3 * 255), abs=1e-4)


def test_the_distance_to_the_nearest_is_the_smallest():
    assert distance_to_nearest(
        np.array([[0.0, 0.0], [5.0, 1.0]]), np.array([[3.0, 4.0], [5.0, 2.0]])
    ).tolist() == [5, 1]


def test_a_verdict_needs_a_significant_difference():
    generator = np.random.default_rng(0)
    noise = generator.normal(0, 0.1, 30)
    assert paired_verdict(1 + noise, noise * 0, high=True, seed=0) == 1
    assert paired_verdict(1 + noise, noise * 0, high=False, seed=0) == -1
    assert paired_verdict(noise, -noise, high=True, seed=0) == 0


@pytest.fixture(scope="module")
def context(tmp_path_factory, lively, tiny, data, texture_folder) -> ReportContext:
    """Tiny random networks instead of those of the study; features are colours and contrast."""
    folder, info = tmp_path_factory.mktemp("study"), CheckpointInfo(patch_size=16)
    network = lively(size=0.08)
    table = compute_table(network, data, noise_levels(0.02, 20.0, 4), crops=6)
    save_checkpoint(Checkpoint(network, table, info), folder / "features")
    labels = lively(replace(tiny, labels=3), seed=1, size=0.08)
    save_checkpoint(Checkpoint(labels, table, info), folder / "labels")

    def features(x):
        return torch.cat([x.mean(dim=(2, 3)), x.std(dim=(2, 3))], dim=1).numpy()

    return ReportContext(
        networks=folder,
        textures=texture_folder,
        out=folder,
        features=features,
        cache=ResultCache(folder / "cache.json"),
        size=0.06,
    )


def test_samples_of_a_path_are_those_of_the_method_and_share_their_seeds(context):
    method, pair = Trained("ours", context.checkpoint("features")), ("moss", "brick")
    found = path_samples(method, pair, np.linspace(0, 1, 3), [4, 5], size=16)
    assert found.shape == (3, 2, 3, 16, 16)
    alone = method.sample(torch.eye(3)[1:2], 2, size=16, steps=16, seed=4)
    torch.testing.assert_close(found[0], alone[0], atol=2 / 255, rtol=0)
    mixed = method.sample(torch.tensor([[0.5, 0.5, 0.0]]), 2, size=16, steps=16, seed=4)
    torch.testing.assert_close(found[1], mixed[0], atol=2 / 255, rtol=0)


def test_the_crops_of_two_classes_lie_around_the_ends_of_their_line(context):
    network, pair, sigmas = (
        context.checkpoint("features").network,
        ("moss", "brick"),
        torch.tensor([0.1, 1.0]),
    )
    ends, std = class_means(context, pair, sigmas)
    n = context.scaled(CROPS, at_least=4)
    for end, crops in enumerate(context.real_crops(n, split="train", classes=pair)):
        phi = unguided_features(network, crops, sigmas, seed=context.seed)
        positions, distances = positions_on_line(ends, std, phi)
        assert positions.mean() == pytest.approx(end, abs=1e-4)
        assert positions.std() > 0 and distances.min() > 0


def test_pixels_are_blended_between_the_ends_of_ours(context):
    images = path_images(context, ("brick", "slate"), 0, np.linspace(0, 1, 3))
    assert torch.equal(images[PIXELS][0], images[OURS][0]) and torch.equal(images[PIXELS][2], images[OURS][2])
    assert not torch.equal(images[LABELS], images[OURS])


@pytest.fixture(scope="module")
def found(context) -> PartFigures:
    """What the part has measured."""
    return interpolation(context)


def test_the_part_measures_all_three_paths_and_resumes(context, found, monkeypatch):
    pairs = found["figures"]["pairs"]
    assert len(pairs) == 3 and {len(many) for many in found["figures"]["ways"].values()} == {3}
    rows = {row[0]: row[1:] for row in found["tables"][0]["rows"]}
    assert list(rows) == [OURS, LABELS, PIXELS]
    for row in rows.values():
        assert all(low <= value <= high for value, low, high in row)
    assert found["checks"][0]["value"] == pytest.approx(rows[OURS][0][0])
    contrast = next(p for p in found["plots"] if p["name"] == "between-contrast")
    assert all(s["y"][0] == s["y"][-1] == 1 for s in contrast["series"])
    with Image.open(context.out / PICTURES / found["pictures"][0]["file"]) as image:
        assert image.width == 7 * 99 - 3 and image.height > 9 * 96
    name = "fgsd.evidence.interpolation.pair_figures"
    monkeypatch.setattr(name, lambda *_: pytest.fail("measured again"))
    assert interpolation(context) == found


def test_the_summary_names_what_labels_do_better(found):
    figures = found["figures"]
    middle = {name: [[1, 1, 1]] * 7 for name in (OURS, LABELS, PIXELS)}
    verdicts = dict.fromkeys(METRICS, 0)
    text = summary(figures["means"], {"contrast": middle}, verdicts, 3)
    assert "embeddings in nothing, and label embeddings are better in nothing." in text
    verdicts |= {"onward": 1, "correlation": -1, "beside": -1}
    text = summary(figures["means"], {"contrast": middle}, verdicts, 3)
    assert "than label embeddings in not stepping back, and" in text
    assert "better in following the weight, staying on the line." in text
