"""Metrics with known values: Gaussians, equal sets, copies, a single image, a blurred texture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from evidence_help import colours_and_grain

from fgsd.evaluation import diversity, memorisation
from fgsd.evaluation.frechet import frechet_distance
from fgsd.evaluation.memorisation import nearest_distances
from fgsd.evidence.quality import (
    TextureStatistics,
    copy_ratios,
    kernel_distance,
    neighbourhoods,
    statistics_distance,
    within_class_std,
)
from fgsd.evidence.reference_metrics import ReferenceMetrics


@pytest.fixture(scope="module")
def reference(data) -> ReferenceMetrics:
    return ReferenceMetrics(data, data.classes, colours_and_grain, crops_per_class=24)


def clouds(n: int, *, seed: int = 0, classes: int = 4) -> np.ndarray:
    """Features (C, n, 5): a Gaussian cloud for each class, far from the others."""
    random = np.random.default_rng(seed)
    return random.normal(size=(classes, n, 5)) + 20 * np.arange(classes)[:, None, None]


def test_frechet_distance_of_gaussians_that_fit_exactly():
    """Sets with exact means and covariances: |m|^2 + tr(A + B - 2 (A B)^(1/2))."""
    random = np.random.default_rng(0)
    white = random.normal(size=(400, 3))
    white -= white.mean(axis=0)
    white = white @ np.linalg.inv(np.linalg.cholesky(np.cov(white.T))).T  # covariance: the identity
    shift, wide = np.array([1.0, -2.0, 0.5]), np.array([1.0, 2.0, 3.0])
    expected = (shift**2).sum() + ((wide - 1) ** 2).sum()
    assert frechet_distance(white, white * wide + shift) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(white, white) == pytest.approx(0, abs=1e-6)


def test_frechet_distance_is_biased_by_few_images_and_kernel_distance_is_not():
    real, few = clouds(200), clouds(10, seed=1)
    flat = [x.reshape(-1, 5) for x in (real, few, clouds(100, seed=2))]
    assert frechet_distance(flat[0], flat[1]) > 2 * frechet_distance(flat[0], flat[2]) > 0
    real = clouds(200) / 20
    found = [kernel_distance(real, clouds(10, seed=k) / 20) for k in range(1, 30)]
    moved = kernel_distance(real, few / 20 + 0.1)
    assert min(found) < 0 < max(found) < moved
    assert abs(np.mean(found)) < 0.05 * moved


def test_kernel_distance_of_constant_sets_is_that_of_the_kernel():
    """(a.b / F + 1)^3 with a = 0 and b = (2, 0): k(a, a) = 1, k(b, b) = 27, k(a, b) = 1."""
    a, b = np.zeros((2, 4, 2)), np.tile([2.0, 0.0], (2, 3, 1))
    assert kernel_distance(a, b) == pytest.approx(1 + 27 - 2)
    assert kernel_distance(a, a) == pytest.approx(0)


def test_kernel_distance_needs_as_many_real_crops_as_samples():
    with pytest.raises(ValueError, match=r"6 samples of a class.* at most as many as the 5 real"):
        kernel_distance(clouds(5), clouds(6))


def test_equal_sets_cover_each_other():
    real = clouds(12)
    found = neighbourhoods(real, real)
    assert found["precision"] == found["recall"] == found["coverage"] == 1
    assert found["density"] > 1  # each sample lies in its own ball, and in those of its neighbours


def test_sets_far_from_each_other_do_not_overlap():
    found = neighbourhoods(clouds(12), clouds(12, seed=1) + 1000)
    assert set(found.values()) == {0.0}


def test_density_of_the_same_distribution_is_1_on_average():
    found = [neighbourhoods(clouds(48, seed=k), clouds(8, seed=100 + k))["density"] for k in range(20)]
    assert np.mean(found) == pytest.approx(1, abs=0.1)


def test_coverage_and_recall_fall_where_one_sample_is_repeated_and_precision_does_not():
    real = clouds(12)
    again = neighbourhoods(real, clouds(12, seed=1))
    one = neighbourhoods(real, np.repeat(real[:, :1], 12, axis=1))
    assert one["precision"] == 1
    assert one["recall"] == pytest.approx(1 / 12)  # its ball is a point: the copied crop
    assert one["coverage"] < 0.6 * again["coverage"]


def test_neighbourhoods_are_within_a_class():
    """Samples of another class would be precise among all classes together."""
    real = clouds(12)
    assert neighbourhoods(real, np.roll(real, 1, axis=0))["precision"] == 0


def test_neighbourhoods_by_hand():
    """On a line, with 1 neighbour: balls round 0, 1, 3 of radius 1, 1, 2; round samples 1.5, 9 of 7.5."""
    real, samples = np.array([[[0.0], [1.0], [3.0]]]), np.array([[[1.5], [9.0]]])
    found = neighbourhoods(real, samples)
    assert found == {"precision": 0.5, "recall": 1.0, "density": 1.0, "coverage": pytest.approx(2 / 3)}


def test_a_ball_reaches_to_the_nearest_quarter():
    """Real crops 0 to 7: the second neighbour of 0 is 2 away, of 3 it is 1 away."""
    real = np.arange(8.0)[None, :, None]
    assert neighbourhoods(real, np.full((1, 2, 1), -1.9))["coverage"] == 1 / 8
    assert neighbourhoods(real, np.full((1, 2, 1), 3.0))["coverage"] == 3 / 8
    assert neighbourhoods(real, np.full((1, 2, 1), 3.0), nearest=1 / 2)["coverage"] > 3 / 8


def test_too_few_images_for_neighbours_are_refused():
    with pytest.raises(ValueError, match=r"12 real crops and 1 samples of a class: at least 2"):
        neighbourhoods(clouds(12), clouds(1))


@pytest.mark.parametrize("size", [16, 32, 64])
def test_the_distance_of_statistics_is_0_from_the_set_itself_and_grows_with_blur(size):
    generator = torch.Generator().manual_seed(0)
    x = F.avg_pool2d(torch.randn(24, 3, size + 2, size + 2, generator=generator), 3, stride=1)
    once, twice = (_blurred(x, n) for n in (1, 4))
    statistics = TextureStatistics(size)
    real, *others = (statistics(y).reshape(2, 12, -1) for y in (x, once, twice))
    assert np.isfinite(real).all()
    assert statistics_distance(real, real).tolist() == [0, 0]
    near, far = (statistics_distance(real, y) for y in others)
    assert (near > 0.3).all() and (far > near).all()


def _blurred(x: torch.Tensor, times: int) -> torch.Tensor:
    for _ in range(times):
        x = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="circular"), 3, stride=1)
    return x


def test_statistics_of_a_constant_image_are_finite():
    assert np.isfinite(TextureStatistics(16)(torch.zeros(2, 3, 16, 16))).all()


def test_statistics_separate_hue_from_structure():
    """A change of hue leaves all statistics of lightness unchanged."""
    x = 0.3 * torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    shifted = x + torch.tensor([0.2, -0.2, 0.0])[:, None, None]
    mine, theirs = (TextureStatistics(16)(y).reshape(4, 3, -1) for y in (x, shifted))
    assert np.allclose(mine[:, 0], theirs[:, 0], atol=1e-3)
    assert np.abs(mine[:, 1] - theirs[:, 1]).max() > 0.2


def test_images_too_small_for_texture_statistics_are_refused():
    with pytest.raises(ValueError, match=r"size=8 pixels is too small.*at least 16"):
        TextureStatistics(8)


def test_statistics_are_in_units_of_their_standard_deviation():
    real = np.random.default_rng(0).normal(size=(3, 500, 2)) * [1.0, 50.0]
    std = within_class_std(real)
    assert std == pytest.approx([1, 50], rel=0.1)
    assert statistics_distance(real, real + 2 * std) == pytest.approx(np.full(3, 2.0))


def test_copy_ratios_by_hand():
    found = copy_ratios(np.array([[1.0, 3.0], [0.1, 6.0]]), np.array([2.0, 1.0]))
    assert found == {"nearest": pytest.approx(1.0), "copies": 0.25}  # ratios 0.5, 1.5, 0.1 and 6


def test_copied_training_crops_are_detected(reference):
    copies = reference.figures(reference.real_crops(8, split="train", seed=5))
    honest = reference.figures(reference.real_crops(8, split="test", seed=5))
    assert copies["copies"] == 1 and copies["nearest"] < 0.01 < memorisation.TARGET
    assert honest["copies"] == 0 and honest["nearest"] > memorisation.TARGET
    distances = nearest_distances(reference.training[0], reference.data.regions("brick", "train"))
    assert distances.max() < 1e-6


def test_one_repeated_sample_is_detected(reference):
    crops = reference.real_crops(8, split="train", seed=5)
    varied, one = reference.figures(crops), reference.figures(crops[:, :1].expand(-1, 8, -1, -1, -1))
    assert one["diversity"] == pytest.approx(0, abs=1e-6) and one["diversity"] < diversity.TARGET
    assert varied["diversity"] > diversity.TARGET
    assert one["recall"] < 0.3 * varied["recall"] and one["coverage"] < 0.6 * varied["coverage"]
    assert one["accuracy"] == varied["accuracy"] == 1  # accuracy alone would not show it


def test_samples_of_other_classes_are_detected(reference):
    crops = reference.real_crops(8, split="train", seed=5)
    right, wrong = reference.figures(crops), reference.figures(crops.roll(1, dims=0))
    assert wrong["accuracy"] == wrong["precision"] == 0
    assert wrong["statistics"] > 2 * right["statistics"]
    assert wrong["frechet"] == pytest.approx(right["frechet"])  # it is over all classes together


def test_figures_repeat(reference, data):
    again = ReferenceMetrics(data, data.classes, colours_and_grain, crops_per_class=24)
    crops = reference.real_crops(4, split="test", seed=1)
    assert again.figures(crops) == reference.figures(crops)
