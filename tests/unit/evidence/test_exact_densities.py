"""The comparison with exact denoisers, on denoisers that are exact and on ones that are not."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fgsd.centroids import CentroidTable
from fgsd.evidence.colour_plane import ColourPlane, panels_plot, sampling_paths
from fgsd.evidence.exact_densities import (
    SIGMAS,
    by_frequency,
    colour_divergence,
    denoiser_excess,
    density_errors,
    sample_figures,
    true_figures,
)
from fgsd.evidence.methods import Exact, Trained
from fgsd.gaussians import GaussianClasses, some_gaussians


class ExactNetwork(torch.nn.Module):
    """The exact denoiser of the class whose row is the value of the centroid, plus an error."""

    def __init__(self, gaussians: GaussianClasses, error: float = 0.0) -> None:
        super().__init__()
        self.anchor = torch.nn.Parameter(torch.zeros(1))
        self.gaussians, self.error = gaussians, error
        self.config = SimpleNamespace(dimension=1, labels=0)

    def target_coordinates(self, sigmas, targets):
        return None  # it has no target embedding

    def denoise(self, x, sigma, matching=None, *, tileable=False):
        assert tileable  # images of Gaussian classes wrap around
        if matching is None:
            denoised = self.gaussians.mixture_denoise(x, sigma)
        else:
            row = round(matching.centroid.flatten()[0].item())
            denoised = self.gaussians.denoise(x, sigma, self.gaussians.classes[row])
        return (denoised + self.error).float(), torch.zeros(len(x), 1)


@pytest.fixture(scope="module")
def gaussians() -> GaussianClasses:
    return some_gaussians(3, size=8)


def trained(gaussians: GaussianClasses, error: float = 0.0) -> Trained:
    """A method whose network is exact, but for `error`."""
    rows = torch.arange(3.0)[:, None, None].expand(3, 2, 1)
    colours = gaussians.means.float()
    table = CentroidTable(gaussians.classes, torch.tensor([0.02, 20.0]), rows, torch.ones(2, 1), colours)
    return Trained("ours", SimpleNamespace(network=ExactNetwork(gaussians, error), table=table))


def test_exact_denoisers_have_no_excess_error(gaussians):
    excess = denoiser_excess(gaussians, [trained(gaussians)], n=8, seed=0)
    assert max(excess["ours"]) < 1e-6 and max(excess["unguided, against the mixture"]) < 1e-6
    assert max(excess["unguided, against the class"]) > 0.01  # noise hides the class, so guidance matters


def test_an_error_is_given_as_a_share_of_the_exact_one(gaussians):
    excess = denoiser_excess(gaussians, [trained(gaussians, error=0.1)], n=8, seed=0)
    for k, sigma in enumerate(SIGMAS):
        exact = [gaussians.expected_error(name, sigma) for name in gaussians.classes]
        assert excess["ours"][k] == pytest.approx(sum(0.01 / e for e in exact) / 3, rel=1e-3)


def test_exact_samples_diverge_by_sampling_error_alone_and_those_of_cfg_by_more(gaussians):
    samples = sample_figures(gaussians, Exact("exact", gaussians), 256, seed=0)
    pushed = sample_figures(gaussians, Exact("CFG", gaussians, 3.0), 256, seed=0)
    true = true_figures(gaussians, 256, seed=0)
    assert samples["divergence"] < 1.5 * true["divergence"] < 0.5 * pushed["divergence"]
    assert samples["colour"] < 0.1 < pushed["colour"]


def test_errors_are_those_that_were_introduced(gaussians):
    generator = torch.Generator().manual_seed(0)
    images = torch.stack([gaussians.sample(name, 2000, generator) for name in gaussians.classes])
    right = density_errors(gaussians, images)
    assert right["contrast"] == pytest.approx(1, abs=0.01) and right["covariance"] < 0.05
    means = gaussians.means.float()[:, None, :, None, None]
    stronger = density_errors(gaussians, means + 1.5 * (images - means))
    assert stronger["contrast"] == pytest.approx(1.5, rel=0.01)
    assert stronger["covariance"] == pytest.approx(1.25, rel=0.05)
    assert stronger["spectrum"] == pytest.approx([2.25] * 5, rel=0.1)
    shifted = density_errors(gaussians, images + 0.1)
    assert shifted["mean"] == pytest.approx(0.1, rel=0.1)
    assert shifted["spectrum"] == pytest.approx(right["spectrum"], rel=1e-4)


def test_the_divergence_of_the_colour_is_that_of_three_numbers(gaussians):
    images = gaussians.sample("gaussian-00", 4000, torch.Generator().manual_seed(0))
    assert 0 <= colour_divergence(gaussians, 0, images) < 0.01
    variance = gaussians.power[0][:, 0, 0] / 64
    expected = 0.5 * (0.3**2 / variance).sum().item()
    assert colour_divergence(gaussians, 0, images + 0.3) == pytest.approx(expected, rel=0.05)


def test_frequencies_are_averaged_over_directions():
    line = torch.fft.fftfreq(8, dtype=torch.float64) * 8
    radius = (line[:, None].square() + line.square()).sqrt().round().clamp(max=4)
    assert by_frequency(radius.expand(3, 8, 8)).tolist() == [0, 1, 2, 3, 4]


def test_samples_of_the_exact_denoiser_fill_the_ellipses_of_the_plane():
    gaussians = some_gaussians(4, size=8)
    plane = ColourPlane(gaussians)
    paths = sampling_paths(plane, Exact("exact", gaussians), n=200)
    assert paths.shape == (4, 200, 33, 2)
    for row, mean in enumerate(plane.class_means()):
        samples = paths[row, :, -1]
        assert torch.allclose(samples.mean(dim=0), mean, atol=0.02)
        assert torch.allclose(samples.T.cov(), plane.covariance(row), rtol=0.25, atol=5e-4)
    drawn = panels_plot(plane, {"exact": paths}, name="plane")["series"]
    assert {one["panel"] for one in drawn} == {"exact"}
    outlines = [np.array([one["x"], one["y"]]) for one in drawn if one["style"] == "outline"]
    for row, name in enumerate(gaussians.classes):
        [points] = [one for one in drawn if one["style"] == "points" and one["name"] == name]
        assert points["points"][1] == f"{name}, sample 2" and len(points["x"]) == 200
        mean, factor = plane.class_means()[row].numpy(), np.linalg.cholesky(plane.covariance(row).numpy())
        samples = np.linalg.solve(factor, np.array([points["x"], points["y"]]) - mean[:, None])
        # of a Gaussian in the plane, 1 - exp(-k^2 / 2) lies within k standard deviations
        for k, ellipse in zip((1, 2), outlines[2 * row : 2 * row + 2], strict=True):
            radius = np.linalg.norm(np.linalg.solve(factor, ellipse - mean[:, None]), axis=0)
            assert np.allclose(radius, k, atol=0.02)
            within = (np.linalg.norm(samples, axis=0) < k).mean()
            assert within == pytest.approx(1 - np.exp(-(k**2) / 2), abs=0.12)
        [ways] = [one for one in drawn if one["style"] == "path" and one["name"] == name]
        assert np.isnan(ways["x"]).sum() == 2  # three paths, with gaps between them


def test_a_mixture_of_labels_has_no_exact_denoiser(gaussians):
    with pytest.raises(ValueError, match="must name one class each"):
        Exact("exact", gaussians).denoiser(torch.tensor([0.5, 0.5, 0.0]))


def test_exact_denoisers_have_no_features(gaussians):
    x = torch.zeros(2, 3, 8, 8)
    denoised, phi = Exact("exact", gaussians).denoiser(torch.eye(3)[0])(x, 1.0)
    assert denoised.shape == x.shape and phi.shape == (2, 0)
