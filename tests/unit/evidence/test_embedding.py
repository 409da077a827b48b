"""The estimator of divergences against closed forms, figures with known values, and the part."""

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from fgsd.centroids import CentroidTable, compute_table, features_by_level
from fgsd.checkpoint import Checkpoint, CheckpointInfo, save_checkpoint
from fgsd.evidence.agreement import agreement, correlation, correlation_intervals, nearest_agreement
from fgsd.evidence.clusters import class_clusters, separation, spanned_dimensions, untrained_network
from fgsd.evidence.divergence import divergence_rates, integrate_rates, pair_values, symmetrise
from fgsd.evidence.embedding import (
    all_rates,
    correlation_by_level,
    embedding,
    noisy_divergences,
    squared_distances,
)
from fgsd.evidence.embedding_figures import CENTROIDS, GAUSSIAN_CENTROIDS, summary
from fgsd.evidence.figures import PartFigures
from fgsd.evidence.methods import Exact
from fgsd.evidence.report_context import ReportContext
from fgsd.evidence.result_cache import ResultCache
from fgsd.evidence.study import GAUSSIAN_SOURCE
from fgsd.gaussians import GaussianClasses, some_gaussians
from fgsd.levels import noise_levels

SIGMAS = noise_levels(0.02, 20.0, 10)


def _measure_now(name, measure):
    return measure()


def _estimate(gaussians: GaussianClasses, *, each: int = 8) -> torch.Tensor:
    def images_of(row):
        generator = torch.Generator().manual_seed(row)
        return gaussians.sample(gaussians.classes[row], len(SIGMAS) * each, generator)

    rates = all_rates(
        Exact("exact", gaussians),
        gaussians.classes,
        images_of,
        SIGMAS,
        each=each,
        cached=_measure_now,
        seed=0,
    )
    return integrate_rates(rates, SIGMAS.tolist())


def test_exact_denoisers_give_the_exact_divergences():
    gaussians = some_gaussians(4, size=16)
    exact, found = noisy_divergences(gaussians, SIGMAS[0].item()), _estimate(gaussians)
    assert found.diagonal().abs().max() == 0
    assert not torch.allclose(exact, exact.T, rtol=0.02)  # the two directions differ
    torch.testing.assert_close(found, exact, rtol=0.06, atol=1e-9)
    torch.testing.assert_close(
        pair_values(symmetrise(found)), pair_values(symmetrise(exact)), rtol=0.03, atol=0
    )


def test_noise_lowers_the_exact_divergence_to_that_of_the_noisy_densities():
    gaussians = some_gaussians(3, size=8)
    names = gaussians.classes
    clean = torch.tensor([[gaussians.divergence(a, b) for b in names] for a in names], dtype=torch.float64)
    torch.testing.assert_close(noisy_divergences(gaussians, 0.0), clean)
    apart = ~torch.eye(3, dtype=torch.bool)
    assert (noisy_divergences(gaussians, 0.1)[apart] < clean[apart]).all()


def test_the_divergence_of_mean_colours_is_the_whole_if_nothing_else_differs():
    gaussians = some_gaussians(4, size=8)
    of_colours = noisy_divergences(gaussians, 0.02, colour=True)
    assert of_colours[0, 1] < 0.01 and of_colours[0, 2] > 0.1  # 0 and 1 share their mean colour
    alike = replace(gaussians, power=gaussians.power[:1].repeat(4, 1, 1, 1))
    colours = noisy_divergences(alike, 0.02, colour=True)
    torch.testing.assert_close(colours, noisy_divergences(alike, 0.02))
    assert (noisy_divergences(gaussians, 0.02) >= of_colours).all()


def test_the_tail_is_exact_for_densities_that_differ_in_their_mean():
    # both denoisers are constant: two single images, at squared distance 12
    means = torch.tensor([0.0, 2.0])

    def denoise(x, sigma):
        return means.repeat_interleave(len(x) // 2)[:, None, None, None].expand_as(x), None

    sigmas = noise_levels(0.5, 2.0, 200).tolist()
    images = torch.zeros(200, 1, 3, 1, 1)
    rates = divergence_rates(denoise, 0, images, sigmas, classes=2, seed=0)
    assert rates[:, 1].tolist() == pytest.approx([12 / s**2 for s in sigmas])
    # KL(N(0, s^2) || N(m, s^2)) = |m|^2 / (2 s^2)
    assert integrate_rates(rates, sigmas)[1].item() == pytest.approx(12 / (2 * 0.5**2), rel=1e-3)


def test_too_few_noise_levels_are_refused():
    with pytest.raises(ValueError, match="at least 2"):
        integrate_rates(torch.ones(1, 3), [0.1])


def test_proportional_distances_agree_with_one_constant():
    distances = np.array([1.0, 2.0, 5.0, 9.0])
    found = agreement(distances, 3 * distances)
    assert [found[k] for k in ("pearson", "spearman", "slope")] == pytest.approx([1, 1, 1])
    assert [found[k] for k in ("low", "high", "ratio", "ratio_95")] == pytest.approx([3, 3, 1, 1])


def test_a_power_of_the_distance_keeps_ranks_but_no_constant():
    distances = np.array([1.0, 2.0, 4.0])
    found = agreement(distances, 3 * distances**2)
    assert found["spearman"] == pytest.approx(1) and found["slope"] == pytest.approx(2)
    assert (found["low"], found["high"], found["ratio"]) == pytest.approx((3, 12, 4))


def test_the_reverse_order_is_a_correlation_of_minus_one():
    found = agreement(np.array([1.0, 2.0, 4.0]), np.array([4.0, 2.0, 1.0]))
    assert found["spearman"] == pytest.approx(-1) and found["pearson"] == pytest.approx(-1)


def test_constants_have_no_correlation():
    assert correlation(np.ones(4), np.arange(4.0)) == 0.0


def test_intervals_contain_the_figure_and_few_classes_have_none():
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(20, 3, generator=generator)
    distances = squared_distances(points).numpy()
    noise = torch.rand(20, 20, generator=generator).numpy()
    divergences = distances * (1 + noise + noise.T)
    inside = np.triu_indices(20, 1)
    found = agreement(distances[inside], divergences[inside])
    for key, (low, high) in correlation_intervals(distances, divergences).items():
        assert low < found[key] < high < 1
    assert correlation_intervals(distances[:5, :5], divergences[:5, :5]) == {}


def test_nearest_classes_agree_or_not():
    line = squared_distances(torch.tensor([[0.0], [1.0], [3.0], [7.0], [15.0]])).numpy()
    assert nearest_agreement(line, 2 * line, among=1) == 1.0
    far = line.max() + 1 - line  # the nearest become the farthest
    assert nearest_agreement(line, far, among=1) == 0.0


def test_squared_distances_of_points_and_of_points_by_level():
    points = torch.tensor([[[0.0, 0.0], [1.0, 1.0]], [[3.0, 4.0], [1.0, 2.0]]])  # (C, S, F)
    found = squared_distances(points)
    assert found[0, 1].tolist() == [25, 1] and found[0, 0].tolist() == [0, 0]


def test_rates_in_the_order_of_the_centroids_have_a_correlation_of_one_at_each_level():
    points = torch.tensor([[0.0], [1.0], [3.0]])
    sigmas = torch.tensor([0.1, 1.0])
    values = points[:, None].repeat(1, 2, 1)  # (C, S, F)
    table = CentroidTable(["a", "b", "c"], sigmas, values, torch.ones_like(values[0]), torch.zeros(3, 3))
    rates = squared_distances(values).transpose(1, 2)  # (C, L, C)
    assert correlation_by_level(table, rates, sigmas) == pytest.approx([1, 1])


def test_separation_takes_off_what_few_crops_add():
    generator = torch.Generator().manual_seed(0)
    centres, n = 3 * torch.randn(400, 1, 5, generator=generator), 4
    crops = centres[:, None] + torch.randn(400, n, 1, 5, generator=generator)
    found = separation(crops.mean(dim=1), crops.std(dim=1), n)
    assert found["within"][0] == pytest.approx(5, rel=0.1)
    assert found["between"][0] == pytest.approx(centres.var(dim=0).sum().item(), rel=0.05)
    assert found["fisher"][0] == pytest.approx(9, rel=0.2)


def test_dimensions_of_a_line_and_of_a_simplex():
    line = torch.arange(6.0)[:, None, None] * torch.tensor([1.0, 2.0, 0.5])  # (C, 1, F)
    found = spanned_dimensions(line)
    assert found["participation"] == pytest.approx([1]) and found["components"] == [1]
    found = spanned_dimensions(torch.eye(11)[:, None])
    assert found["participation"] == pytest.approx([10]) and found["components"] == [9]


def test_an_untrained_network_is_the_same_each_time_and_leaves_the_global_seed_alone(lively, tiny):
    like, before = lively(), torch.get_rng_state()
    one, again, other = (untrained_network(tiny, like, seed=seed).stem.weight for seed in (3, 3, 4))
    assert torch.equal(one, again) and not torch.equal(one, other)
    assert torch.equal(before, torch.get_rng_state())


def test_clusters_agree_with_the_table_if_guided_and_with_single_crops_if_not(lively, data):
    network, sigmas = lively(), torch.tensor([0.1, 1.0])
    crops = torch.stack([data.crops(name, 5, torch.Generator().manual_seed(0)) for name in data.classes])
    means, stds = class_clusters(network, crops, sigmas, guided=True)
    mean, spread = features_by_level(network, crops[:1], sigmas, antithetic=False)
    torch.testing.assert_close(means[0], mean[0])
    torch.testing.assert_close(stds[0], spread[0])
    means, stds = class_clusters(network, crops, sigmas, guided=False)
    eps = torch.randn(crops[0].shape, generator=torch.Generator().manual_seed(0))
    each = [network.denoise((crops[0] + eps)[k : k + 1], 1.0)[1] for k in range(5)]
    torch.testing.assert_close(means[0, 1], torch.cat(each).mean(dim=0))
    torch.testing.assert_close(stds[0, 1], torch.cat(each).std(dim=0))


@pytest.fixture(scope="module")
def context(tmp_path_factory, lively, tiny, data, texture_folder) -> ReportContext:
    """Tiny random networks instead of those of the study."""
    folder = tmp_path_factory.mktemp("study")
    sigmas = noise_levels(0.02, 20.0, 4)
    info = CheckpointInfo(patch_size=16)
    network = lively(size=0.08)
    table = compute_table(network, data, sigmas, crops=6)
    save_checkpoint(Checkpoint(network, table, info), folder / "features")
    labels = lively(replace(tiny, labels=3), size=0.08)
    save_checkpoint(Checkpoint(labels, table, info), folder / "labels")
    table = compute_table(network, GAUSSIAN_SOURCE, sigmas, crops=6, tileable=True)
    info = CheckpointInfo(patch_size=32)
    save_checkpoint(Checkpoint(network, table, info), folder / "gaussians-features")
    labelled = Checkpoint(lively(replace(tiny, labels=6), size=0.08), table, info)
    save_checkpoint(labelled, folder / "gaussians-labels")
    return ReportContext(
        networks=folder,
        textures=texture_folder,
        out=folder,
        features=lambda x: x.mean(dim=(2, 3)).numpy(),
        cache=ResultCache(folder / "cache.json"),
        size=0.1,
    )


@pytest.fixture(scope="module")
def found(context) -> PartFigures:
    """What the part has measured."""
    return embedding(context)


def test_the_part_measures_every_pair_and_resumes(context, found, monkeypatch):
    pairs = len(context.classes) * (len(context.classes) - 1) // 2
    assert len(found["plots"][0]["series"][0]["x"]) == pairs
    assert {len(v) for v in found["figures"]["nats_per_image"].values()} == {pairs}
    assert min(found["figures"]["nats_per_image"]["features"]) > 0
    estimator = found["checks"][2]
    assert estimator["passed"] and 0 < estimator["value"] < 0.05
    assert "rank correlation" in found["answer"] and "\n" not in found["answer"]
    groups = found["figures"]["clusters"]
    assert all(math.isfinite(v) for group in groups.values() for v in group["fisher"])
    monkeypatch.setattr("fgsd.evidence.embedding.divergence_rates", None)  # everything is in the cache
    monkeypatch.setattr("fgsd.evidence.embedding.class_clusters", None)
    assert embedding(context) == found


def test_the_summary_states_when_distances_do_not_follow(found):
    figures = copy.deepcopy(found["figures"])
    closed = figures["gaussians"]["found"][GAUSSIAN_CENTROIDS]
    for spearman, word in ((0.95, "closely"), (0.6, "loosely"), (-0.2, "hardly")):
        figures["found"][CENTROIDS]["features"]["spearman"] = spearman
        text = summary(figures["found"], closed, figures["clusters"], figures["sigmas"])
        assert f"centroids {word} follow" in text and f"rank correlation {spearman:.2f}" in text
