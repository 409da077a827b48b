"""Figures of paths on cases with known answers, and the part of the report once, on tiny networks."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from fgsd.centroids import compute_table
from fgsd.checkpoint import Checkpoint, CheckpointInfo, save_checkpoint
from fgsd.evaluation.context import real_crops
from fgsd.evaluation.paths import positions_on_line, unguided_features
from fgsd.evidence.interpolation import (
    CROPS,
    FIGURES,
    LABELS,
    OURS,
    PIXELS,
    all_ways,
    answer,
    between,
    class_means,
    path_samples,
)
from fgsd.evidence.methods import Trained
from fgsd.evidence.path_metrics import (
    better,
    blends,
    contrasts,
    following,
    going_on,
    nearest,
    place_between,
)
from fgsd.evidence.report_context import Workbench
from fgsd.evidence.result_cache import Units
from fgsd.levels import noise_levels

WEIGHTS = np.linspace(0, 1, 5)


def test_a_perfect_path_follows_in_even_steps():
    found = following(np.repeat(WEIGHTS[:, None], 2, axis=1), WEIGHTS)
    assert found["correlation"] == pytest.approx(1)
    assert found["largest_step"] == pytest.approx(0.25) and found["uneven"] == pytest.approx(0)
    assert found["places"] == pytest.approx(WEIGHTS.tolist())


def test_a_leap_is_one_step():
    found = following(np.array([[0.0], [0], [0], [1], [1]]), WEIGHTS)
    assert found["largest_step"] == 1 and found["correlation"] == pytest.approx(0.866, abs=1e-3)
    assert found["uneven"] == pytest.approx(0.2)


def test_images_that_are_all_in_one_place_do_not_follow():
    found = following(np.full((5, 2), 0.5), WEIGHTS)
    assert found["correlation"] == 0 and found["uneven"] == pytest.approx(0.3)


def test_a_way_back_has_a_correlation_of_minus_one():
    assert following(1 - WEIGHTS[:, None], WEIGHTS)["correlation"] == pytest.approx(-1)


def test_places_between_two_points():
    first, second = np.array([1.0, 1.0]), np.array([3.0, 1.0])
    features = np.array([[[1.0, 1.0], [2.0, 9.0]], [[3.0, -4.0], [5.0, 1.0]]])
    assert place_between(features, first, second).tolist() == [[0, 0.5], [1, 2]]


def test_a_classifier_that_never_sees_a_step_back():
    found = going_on(np.array([[0.0], [0.0], [0.2], [0.7], [1.0]]), WEIGHTS)
    assert found["onward"] == 1 and found["spearman"] > 0.97


def test_steps_back_are_counted_by_seed_and_tiny_ones_forgiven():
    # the second seed goes back once, the third by less than counts
    shares = np.array([[0.0, 0.0, 0.005], [0.5, 0.8, 0.001], [1.0, 0.4, 1.0]])
    assert going_on(shares, np.linspace(0, 1, 3))["onward"] == pytest.approx(5 / 6)


def test_the_rank_correlation_of_the_way_back_is_minus_one():
    assert going_on(1 - WEIGHTS[:, None], WEIGHTS)["spearman"] == pytest.approx(-1)


def test_a_blend_of_independent_pixels_loses_contrast():
    generator = torch.Generator().manual_seed(0)
    one, other = (0.2 * torch.randn(2, 3, 64, 64, generator=generator) for _ in range(2))
    found = contrasts(blends(one, other, WEIGHTS), WEIGHTS)
    assert found == pytest.approx([1, np.sqrt(10) / 4, np.sqrt(0.5), np.sqrt(10) / 4, 1], abs=0.01)


def test_contrast_is_that_about_the_mean_colour_and_between_that_of_the_ends():
    grain = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    images = torch.stack([0.1 * grain, 0.2 * grain + 0.3, 0.3 * grain])
    assert contrasts(images, np.linspace(0, 1, 3)) == pytest.approx([1, 1, 1])


def test_blends_are_rounded_as_images_are_and_begin_and_end_at_their_ends():
    black, white = torch.full((1, 3, 4, 4), -1.0), torch.full((1, 3, 4, 4), 1.0)
    found = blends(black, white, np.array([0, 0.3, 1.0]))
    assert torch.equal(found[0], black) and torch.equal(found[2], white)
    assert ((found[1, 0, 0, 0, 0] + 1) * 127.5).item() == pytest.approx(round(0.3 * 255), abs=1e-4)


def test_the_nearest_is_the_least_of_all_distances():
    assert nearest(np.array([[0.0, 0.0], [5.0, 1.0]]), np.array([[3.0, 4.0], [5.0, 2.0]])).tolist() == [5, 1]


def test_better_is_what_chance_does_not_explain():
    generator = np.random.default_rng(0)
    noise = generator.normal(0, 0.1, 30)
    assert better(1 + noise, noise * 0, high=True, seed=0) == 1
    assert better(1 + noise, noise * 0, high=False, seed=0) == -1
    assert better(noise, -noise, high=True, seed=0) == 0


@pytest.fixture(scope="module")
def bench(tmp_path_factory, lively, tiny, data, texture_folder) -> Workbench:
    """Tiny random networks in the place of those of the study; features are colours and grain."""
    folder, info = tmp_path_factory.mktemp("study"), CheckpointInfo(patch_size=16)
    network = lively(size=0.08)
    table = compute_table(network, data, noise_levels(0.02, 20.0, 4), crops=6)
    save_checkpoint(Checkpoint(network, table, info), folder / "features")
    labels = lively(replace(tiny, labels=3), seed=1, size=0.08)
    save_checkpoint(Checkpoint(labels, table, info), folder / "labels")

    def features(x):
        return torch.cat([x.mean(dim=(2, 3)), x.std(dim=(2, 3))], dim=1).numpy()

    return Workbench(folder, texture_folder, folder, Units(folder / "units.json", {}), features, size=0.06)


def test_samples_of_a_path_are_those_of_the_method_and_share_their_seeds(bench):
    method, pair = Trained("ours", bench.checkpoint("features")), ("moss", "brick")
    found = path_samples(method, pair, np.linspace(0, 1, 3), [4, 5], size=16)
    assert found.shape == (3, 2, 3, 16, 16)
    alone = method.sample(torch.eye(3)[1:2], 2, size=16, steps=16, seed=4)
    torch.testing.assert_close(found[0], alone[0], atol=2 / 255, rtol=0)
    mixed = method.sample(torch.tensor([[0.5, 0.5, 0.0]]), 2, size=16, steps=16, seed=4)
    torch.testing.assert_close(found[1], mixed[0], atol=2 / 255, rtol=0)


def test_the_crops_of_two_classes_lie_about_the_ends_of_their_line(bench):
    network, pair, sigmas = bench.checkpoint("features").network, ("moss", "brick"), torch.tensor([0.1, 1.0])
    ends, spread = class_means(bench, pair, sigmas)
    n = bench.some(CROPS, 4)
    for end, crops in enumerate(real_crops(bench.data, pair, n, split="train", seed=bench.seed)):
        phi = unguided_features(network, crops, sigmas, seed=bench.seed)
        along, beside = positions_on_line(ends, spread, phi)
        assert along.mean() == pytest.approx(end, abs=1e-4) and along.std() > 0 and beside.min() > 0


def test_pixels_are_blended_between_the_ends_of_ours(bench):
    ways = all_ways(bench, ("brick", "slate"), 0, np.linspace(0, 1, 3))
    assert torch.equal(ways[PIXELS][0], ways[OURS][0]) and torch.equal(ways[PIXELS][2], ways[OURS][2])
    assert not torch.equal(ways[LABELS], ways[OURS])


def test_the_part_measures_all_three_ways_and_resumes(bench, monkeypatch):
    found = between(bench)
    pairs = found["figures"]["pairs"]
    assert len(pairs) == 3 and {len(ways) for ways in found["figures"]["ways"].values()} == {3}
    rows = {row[0]: row[1:] for row in found["tables"][0]["rows"]}
    assert list(rows) == [OURS, LABELS, PIXELS]
    for row in rows.values():
        assert all(low <= value <= high for value, low, high in row)
    assert found["checks"][0]["value"] == pytest.approx(rows[OURS][0][0])
    contrast = next(p for p in found["plots"] if p["name"] == "between-contrast")
    assert all(s["y"][0] == s["y"][-1] == 1 for s in contrast["series"])
    with Image.open(bench.out / found["pictures"][0]["file"]) as image:
        assert image.width == 7 * 99 - 3 and image.height > 9 * 96
    monkeypatch.setattr("fgsd.evidence.interpolation.measure", None)  # all of it is kept
    assert between(bench) == found


def test_the_answer_names_what_labels_do_better(bench):
    figures = between(bench)["figures"]
    middle = {name: [[1, 1, 1]] * 7 for name in (OURS, LABELS, PIXELS)}
    verdicts = dict.fromkeys(FIGURES, 0)
    said = answer(figures["means"], {"contrast": middle}, verdicts, 3)
    assert "embeddings in nothing, and label embeddings are better in nothing." in said
    verdicts |= {"onward": 1, "correlation": -1, "beside": -1}
    said = answer(figures["means"], {"contrast": middle}, verdicts, 3)
    assert "than label embeddings in not going back, and" in said
    assert "better in following the weight, keeping to the line." in said
