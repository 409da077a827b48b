"""Closed forms of Gaussian classes against dense linear algebra, and against each other."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence

from fgsd.gaussians import (
    GaussianClasses,
    GaussianSource,
    fitted,
    gaussian_divergence,
    some_gaussians,
)

SIZE = 4
PIXELS = SIZE * SIZE


@pytest.fixture(scope="module")
def gaussians() -> GaussianClasses:
    return some_gaussians(4, size=SIZE, seed=1)


def dense(gaussians: GaussianClasses, row: int, sigma: float = 0.0) -> list[MultivariateNormal]:
    """The density of each channel as that of a vector of pixels, its covariance made from shifts."""
    eye = torch.eye(PIXELS, dtype=torch.float64).reshape(PIXELS, SIZE, SIZE)
    waves = torch.fft.fft2(eye, norm="ortho").reshape(PIXELS, PIXELS)
    found = []
    for c in range(3):
        variance = (gaussians.power[row, c] + sigma**2).flatten().to(waves.dtype)
        covariance = (waves.conj().T @ torch.diag(variance) @ waves).real
        mean = gaussians.means[row, c].expand(PIXELS)
        found.append(MultivariateNormal(mean, 0.5 * (covariance + covariance.T)))
    return found


def noisy(gaussians: GaussianClasses, name: str, sigma: float, n: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    x0 = gaussians.sample(name, n, generator).double()
    return x0 + sigma * torch.randn(x0.shape, generator=generator, dtype=torch.float64)


class TestClosedForms:
    def test_the_log_density_is_that_of_the_dense_covariance(self, gaussians):
        x = noisy(gaussians, "gaussian-01", 0.3)
        logs = gaussians.log_density(x, 0.3)
        for row in range(4):
            expected = sum(d.log_prob(x[:, c].flatten(1)) for c, d in enumerate(dense(gaussians, row, 0.3)))
            assert torch.allclose(logs[:, row], expected)

    @pytest.mark.parametrize("sigma", [0.05, 0.5, 4.0])
    def test_denoising_is_regression_on_the_dense_covariance(self, gaussians, sigma):
        x = noisy(gaussians, "gaussian-02", sigma)
        denoised = gaussians.denoise(x, sigma, "gaussian-02")
        for c, density in enumerate(dense(gaussians, 2)):
            clean = density.covariance_matrix
            gain = clean @ torch.linalg.inv(clean + sigma**2 * torch.eye(PIXELS, dtype=torch.float64))
            expected = density.mean + (x[:, c].flatten(1) - density.mean) @ gain.T
            assert torch.allclose(denoised[:, c].flatten(1), expected)

    def test_the_mixture_denoiser_follows_the_score_of_the_mixture(self, gaussians):
        """Tweedie: E[x0 | x] = x + sigma^2 times the gradient of the log density."""
        x = noisy(gaussians, "gaussian-00", 0.4).requires_grad_(True)
        gaussians.log_density(x, 0.4).logsumexp(dim=1).sum().backward()
        assert torch.allclose(gaussians.mixture_denoise(x.detach(), 0.4), x.detach() + 0.16 * x.grad)

    def test_the_divergence_is_that_of_the_dense_densities(self, gaussians):
        for one, other in (("gaussian-00", "gaussian-01"), ("gaussian-01", "gaussian-02")):
            rows = gaussians.index(one), gaussians.index(other)
            pairs = zip(dense(gaussians, rows[0]), dense(gaussians, rows[1]), strict=True)
            expected = sum(kl_divergence(p, q).item() for p, q in pairs)
            assert gaussians.divergence(one, other) == pytest.approx(expected)
            assert gaussians.divergence(one, one) == 0

    def test_the_expected_error_is_met_by_samples(self):
        gaussians, sigma = some_gaussians(2, size=16), 0.3
        generator = torch.Generator().manual_seed(0)
        x0 = gaussians.sample("gaussian-00", 400, generator).double()
        x = x0 + sigma * torch.randn(x0.shape, generator=generator, dtype=torch.float64)
        error = (gaussians.denoise(x, sigma, "gaussian-00") - x0).square().mean().item()
        assert error == pytest.approx(gaussians.expected_error("gaussian-00", sigma), rel=0.01)
        assert (gaussians.mixture_denoise(x, sigma) - x0).square().mean().item() >= error * 0.999


class TestSamples:
    def test_their_mean_and_spectrum_are_those_of_the_class(self):
        gaussians = some_gaussians(2, size=8)
        images = gaussians.sample("gaussian-01", 4000, torch.Generator().manual_seed(0))
        assert images.dtype == torch.float32
        mean, power = fitted(images)
        assert torch.allclose(mean, gaussians.means[1], atol=0.02)
        assert ((power / gaussians.power[1]).log().abs() < 0.2).all()
        rest = gaussian_divergence(mean, power, gaussians.means[1], gaussians.power[1])
        assert 0 <= rest < 0.1  # what the sampling error of 4,000 images leaves

    def test_the_same_generator_gives_the_same_images(self, gaussians):
        one, other = (gaussians.sample("gaussian-03", 2, torch.Generator().manual_seed(3)) for _ in range(2))
        assert torch.equal(one, other)

    def test_pairs_share_their_colour_overlap_strongly_and_are_mostly_distinguishable(self):
        gaussians, n = some_gaussians(6), 64
        assert torch.equal(gaussians.means[0], gaussians.means[1])
        assert not torch.equal(gaussians.means[1], gaussians.means[2])
        for row, one in enumerate(gaussians.classes):
            posterior = gaussians.posterior(noisy(gaussians, one, 0.1, n=n), 0.1)
            assert torch.allclose(posterior.sum(dim=1), torch.ones(n, dtype=torch.float64))
            guesses = posterior.argmax(dim=1)
            assert (guesses // 2 == row // 2).all()  # pairs never run into each other
            assert (guesses == row).double().mean() > 0.8


class TestSource:
    def test_pixels_are_crops_in_other_units(self, gaussians):
        source = GaussianSource(gaussians)
        crops = source.crops("gaussian-00", 2, torch.Generator().manual_seed(0))
        pixels = source.pixels("gaussian-00", 2, torch.Generator().manual_seed(0))
        assert crops.shape == (2, 3, SIZE, SIZE)
        assert torch.allclose(pixels / 127.5 - 1, crops, atol=1e-5)


class TestErrors:
    def test_unknown_classes_and_impossible_spectra_are_refused(self, gaussians):
        with pytest.raises(KeyError, match="'gold' is unknown"):
            gaussians.sample("gold", 1, torch.Generator())
        power = gaussians.power.clone()
        power[0, 0, 0, 1] *= 2
        with pytest.raises(ValueError, match="same at k and at -k"):
            GaussianClasses(gaussians.classes, gaussians.means, power)
        with pytest.raises(ValueError, match="must agree"):
            GaussianClasses(gaussians.classes, gaussians.means[:2], gaussians.power)
        with pytest.raises(ValueError, match="count=17"):
            some_gaussians(17)
