"""The comparison with exact denoisers, tried on denoisers that are exact, and on ones that are not."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from fgsd.centroids import CentroidTable
from fgsd.evaluation.gaussian_truth import SIGMAS, denoising_excess, gaussian_truth, sample_divergence
from fgsd.gaussians import GaussianClasses, some_gaussians


class ExactNetwork(torch.nn.Module):
    """Answers with the exact denoiser of the class whose row the centroid names, plus an error."""

    def __init__(self, gaussians: GaussianClasses, error: float = 0.0) -> None:
        super().__init__()
        self.anchor = torch.nn.Parameter(torch.zeros(1))
        self.gaussians, self.error = gaussians, error
        self.config = SimpleNamespace(dimension=1)

    def denoise(self, x, sigma, matching=None, *, tileable=False):
        assert tileable  # images of Gaussian classes wrap round
        if matching is None:
            denoised = self.gaussians.mixture_denoise(x, sigma)
        else:
            row = round(matching.centroid.item())
            denoised = self.gaussians.denoise(x, sigma, self.gaussians.classes[row])
        return (denoised + self.error).float(), torch.zeros(len(x), 1)


@pytest.fixture(scope="module")
def gaussians() -> GaussianClasses:
    return some_gaussians(3, size=8)


@pytest.fixture(scope="module")
def table(gaussians) -> CentroidTable:
    rows = torch.arange(3.0)[:, None, None].expand(3, 2, 1)
    colours = gaussians.means.float()
    return CentroidTable(gaussians.classes, torch.tensor([0.02, 20.0]), rows, torch.ones(3, 2, 1), colours)


def test_exact_denoisers_lack_nothing(gaussians, table):
    excess = denoising_excess(ExactNetwork(gaussians), table, gaussians, n=8)
    assert max(excess["guided"]) < 1e-6 and max(excess["unguided"]) < 1e-6
    assert max(excess["unguided_as_guided"]) > 0.01  # noise hides the class: guidance counts


def test_an_error_is_given_as_a_share_of_the_exact_one(gaussians, table):
    excess = denoising_excess(ExactNetwork(gaussians, error=0.1), table, gaussians, n=8)
    for k, sigma in enumerate(SIGMAS):
        exact = [gaussians.expected_error(name, sigma) for name in gaussians.classes]
        assert excess["guided"][k] == pytest.approx(sum(0.01 / e for e in exact) / 3, rel=1e-3)


def test_exact_samples_diverge_from_their_class_by_sampling_error_alone(gaussians, table):
    network = ExactNetwork(gaussians)
    own = sample_divergence(network, table.of("gaussian-00"), gaussians, "gaussian-00", n=512, steps=24)
    other = sample_divergence(network, table.of("gaussian-02"), gaussians, "gaussian-00", n=64, steps=8)
    assert own < 3 and other > 10 * own


def test_the_report_holds_its_check(gaussians, table):
    figures = gaussian_truth(ExactNetwork(gaussians, error=0.5), table, gaussians, n=4, samples=8)
    (one,) = figures["checks"]
    assert not one["passed"] and one["target"] == 0.05
    assert set(figures["divergences"]) == set(gaussians.classes)
    assert gaussian_truth(ExactNetwork(gaussians), table, gaussians, n=4, samples=8)["checks"][0]["passed"]
