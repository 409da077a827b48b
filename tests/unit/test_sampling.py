"""Samplers against exact solutions: the denoiser and the flow of a Gaussian have closed forms."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from fgsd.sampling import (
    SAMPLERS,
    ImageNoise,
    ancestral,
    centre_corner,
    dpm_solver_2m,
    heun,
    karras_schedule,
    stochastic_ascent,
)

SHAPE = (3, 2, 2)  # 12 numbers per image
NO_FEATURES = torch.zeros(1, 0)


class Gaussian:
    """The exact denoiser and flow of Gaussian images with a mean and a covariance between all pixels.

    D(x) = mu + C (C + sigma^2)^-1 (x - mu); along the flow dx/dsigma = (x - D) / sigma, the component of
    x - mu along an eigenvector of C with eigenvalue c is proportional to sqrt(c + sigma^2).
    """

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        factor = torch.randn(12, 12, generator=generator, dtype=torch.float64) / 4
        self.mean = torch.randn(12, generator=generator, dtype=torch.float64) / 4
        self.eigenvalues, self.vectors = torch.linalg.eigh(factor @ factor.T)

    def _scaled(self, x: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
        components = (x.flatten(1) - self.mean) @ self.vectors
        return (self.mean + (components * factors) @ self.vectors.T).view_as(x)

    def __call__(self, x, sigma):
        return self._scaled(x, self.eigenvalues / (self.eigenvalues + sigma**2)), NO_FEATURES

    def flow(self, x, sigma, sigma_next):
        return self._scaled(x, ((self.eigenvalues + sigma_next**2) / (self.eigenvalues + sigma**2)).sqrt())


def two_modes(x, sigma):
    """The denoiser of pixels from a mixture of N(0.5, 0.1^2) and N(-0.5, 0.1^2); it is not linear."""
    total = 0.1**2 + sigma**2
    modes = torch.tanh(0.5 * x / total) * 0.5  # posterior mean of the mode
    return modes + 0.1**2 / total * (x - modes), NO_FEATURES


def start(batch: int = 4, sigma: float = 4.0) -> torch.Tensor:
    return sigma * torch.randn(batch, *SHAPE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def last_of(steps):
    *_, last = steps
    return last


class TestSchedule:
    @pytest.mark.parametrize("steps, rho", [(2, 7.0), (5, 7.0), (16, 3.0)])
    def test_the_schedule_follows_its_formula_and_ends_at_zero(self, steps, rho):
        sigmas = karras_schedule(steps, sigma_min=0.03, sigma_max=3.0, rho=rho)
        i = np.arange(steps)
        expected = (3.0 ** (1 / rho) + i / (steps - 1) * (0.03 ** (1 / rho) - 3.0 ** (1 / rho))) ** rho
        assert sigmas.dtype == torch.float64
        assert np.allclose(sigmas[:-1], expected, rtol=1e-12)
        assert sigmas[-1] == 0

    def test_one_step(self):
        assert karras_schedule(1, sigma_max=4.0).tolist() == pytest.approx([4.0, 0.0])

    @pytest.mark.parametrize(
        "steps, options, named",
        [
            (0, {}, "steps=0"),
            (-3, {}, "steps=-3"),
            (5, {"sigma_min": 0.0}, "sigma_min=0.0"),
            (5, {"sigma_min": 21.0}, "sigma_max=20.0"),
            (5, {"sigma_max": math.nan}, "sigma_max=nan"),
            (5, {"sigma_max": math.inf}, "sigma_max=inf"),
        ],
    )
    def test_invalid_arguments(self, steps, options, named):
        with pytest.raises(ValueError, match=named):
            karras_schedule(steps, **options)


class TestImageNoise:
    def test_the_stream_of_an_image_depends_on_its_seed_and_not_on_the_batch(self):
        many, one = ImageNoise([3, 8, 5], SHAPE), ImageNoise([8], SHAPE)
        for _ in range(3):
            assert torch.equal(many()[1], one()[0])

    def test_streams_advance_and_differ(self):
        noise = ImageNoise([3, 8], SHAPE)
        first, second = noise(), noise()
        assert not torch.equal(first, second)
        assert not torch.equal(first[0], first[1])

    def test_a_part_is_cut_from_the_noise_of_the_whole(self):
        whole = ImageNoise([3, 8], (3, 24, 40))
        corner = centre_corner((24, 40), (8, 16), multiple=8)
        assert corner == (8, 8)  # the centre, (8, 12), on the grid
        part = ImageNoise([3, 8], (3, 8, 16), drawn=(24, 40), corner=corner)
        for _ in range(2):
            assert torch.equal(part(), whole()[:, :, 8:16, 8:24])
        with pytest.raises(ValueError, match=r"noise_size=\(8, 8\) must be at least size=\(8, 16\)"):
            centre_corner((8, 8), (8, 16))

    def test_noise_is_standard_normal(self):
        draws = ImageNoise(range(8), (3, 64, 64))()
        assert draws.mean().abs() < 5 / math.sqrt(draws.numel())
        assert abs(draws.var() - 1) < 5 * math.sqrt(2 / draws.numel())

    def test_the_global_generator_is_not_used(self):
        torch.manual_seed(0)
        expected = torch.rand(1)
        torch.manual_seed(0)
        ImageNoise([1], SHAPE)()
        assert torch.equal(torch.rand(1), expected)


class TestSteps:
    @pytest.mark.parametrize(
        "name, evaluations", [("dpm2m", [1, 2, 3, 4]), ("heun", [2, 4, 6, 7]), ("ancestral", [1, 2, 3, 4])]
    )
    def test_steps_record_noise_levels_images_and_evaluations(self, name, evaluations):
        denoiser, sigmas, x = Gaussian(), karras_schedule(4), start()
        calls = []

        def counted(x, sigma):
            calls.append(sigma)
            return denoiser(x, sigma)

        noise = ImageNoise(range(4), SHAPE)
        steps = list(SAMPLERS[name](counted, x, sigmas, noise=noise))
        assert [s.index for s in steps] == [1, 2, 3, 4]
        assert {s.steps for s in steps} == {4}
        assert [s.sigma for s in steps] == sigmas[:-1].tolist()
        assert [s.evaluations for s in steps] == evaluations
        assert len(calls) == evaluations[-1]
        assert torch.equal(steps[0].noisy, x)
        for before, after in pairwise(steps):
            assert torch.equal(after.noisy, before.x)
        for step in steps:
            assert torch.equal(step.denoised, denoiser(step.noisy, step.sigma)[0])
        assert torch.allclose(steps[-1].x, steps[-1].denoised, atol=1e-12)  # the schedule ends at 0

    @pytest.mark.parametrize("sampler", [ancestral, stochastic_ascent])
    def test_stochastic_samplers_need_noise(self, sampler):
        with pytest.raises(ValueError, match="noise=None"):
            next(sampler(Gaussian(), start(), karras_schedule(4)))


class TestDeterministic:
    @pytest.mark.parametrize("sampler", [dpm_solver_2m, heun])
    def test_second_order_on_a_gaussian(self, sampler):
        denoiser, x = Gaussian(), start()
        exact, errors = denoiser.flow(x, 4.0, 0.02), []
        for steps in (20, 40, 80, 160):
            x_min = last_of(sampler(denoiser, x, karras_schedule(steps, sigma_max=4.0))).noisy  # at 0.02
            errors.append((x_min - exact).square().mean().sqrt().item())
        orders = np.log2(np.divide(errors[:-1], errors[1:]))
        assert orders[-1] == pytest.approx(2, abs=0.15)
        assert (orders > 1.6).all()
        assert errors[-1] < 2e-4

    @pytest.mark.parametrize("sampler", [dpm_solver_2m, heun])
    def test_second_order_on_a_mixture(self, sampler):
        x = start(2, sigma=2.0)

        def slope(s, y):
            y = torch.from_numpy(y).view_as(x)
            return ((y - two_modes(y, s)[0]) / s).flatten().numpy()

        solved = solve_ivp(slope, (2.0, 0.05), x.flatten().numpy(), rtol=1e-10, atol=1e-12, method="DOP853")
        exact, errors = torch.from_numpy(solved.y[:, -1]).view_as(x), []
        for steps in (80, 160, 320):
            sigmas = karras_schedule(steps, sigma_min=0.05, sigma_max=2.0)
            errors.append(
                (last_of(sampler(two_modes, x, sigmas)).noisy - exact).square().mean().sqrt().item()
            )
        assert np.log2(np.divide(errors[:-1], errors[1:])).min() > 1.7
        assert errors[-1] < 1e-3

    @pytest.mark.parametrize("steps", [1, 2, 3, 10])
    def test_dpm_solver_agrees_with_the_paper_in_the_variables_of_the_paper(self, steps):
        """Algorithm 2 of Lu et al. 2022, variance preserving: alpha = 1 / sqrt(1 + sigma^2), lambda =
        log(alpha / sigma_t), on the scaled image alpha x. The iterates are those of alpha = 1, as in fgsd."""
        sigmas = karras_schedule(steps)
        levels = sigmas[:-1].numpy()
        alpha = 1 / np.sqrt(1 + levels**2)
        sigma_t = levels * alpha
        lam = np.log(alpha / sigma_t)
        scaled = alpha[0] * start()
        buffer = [two_modes(scaled / alpha[0], levels[0])[0]]
        for i in range(1, steps):
            h = lam[i] - lam[i - 1]
            estimate = buffer[-1]
            if i > 1:
                r = (lam[i - 1] - lam[i - 2]) / h
                estimate = (1 + 1 / (2 * r)) * buffer[-1] - 1 / (2 * r) * buffer[-2]
            scaled = sigma_t[i] / sigma_t[i - 1] * scaled - alpha[i] * (np.exp(-h) - 1) * estimate
            buffer.append(two_modes(scaled / alpha[i], levels[i])[0])
        ours = last_of(dpm_solver_2m(two_modes, start(), sigmas))
        assert torch.allclose(ours.noisy, scaled / alpha[-1], atol=1e-10)
        assert torch.allclose(ours.x, buffer[-1], atol=1e-10)

    def test_a_heun_step(self):
        x, sigmas = start(1), torch.tensor([4.0, 1.0, 0.0], dtype=torch.float64)
        slope = (x - two_modes(x, 4.0)[0]) / 4
        euler = x - 3 * slope
        second = (euler - two_modes(euler, 1.0)[0]) / 1
        first = next(heun(two_modes, x, sigmas))
        assert torch.allclose(first.x, x - 3 * (slope + second) / 2, atol=1e-12)

    def test_deterministic_samplers_ignore_noise(self):
        for sampler in (dpm_solver_2m, heun):
            finals = [
                last_of(sampler(Gaussian(), start(), karras_schedule(4), noise=noise)).x
                for noise in (None, ImageNoise([1] * 4, SHAPE))
            ]
            assert torch.equal(*finals)


def as_images(values: torch.Tensor) -> torch.Tensor:
    """(B,) as (B, 1, 1, 1)."""
    return values.view(-1, 1, 1, 1)


def white(variance: float):
    """The denoiser of independent Gaussian pixels of one variance."""

    def denoiser(x, sigma):
        level = as_images(torch.as_tensor(sigma, dtype=x.dtype))
        return variance / (variance + level**2) * x, NO_FEATURES

    return denoiser


class TestAncestral:
    VARIANCE = 0.3

    @pytest.mark.parametrize("steps", [3, 12])
    def test_variance_follows_the_exact_recursion(self, steps):
        seeds, shape = range(8), (3, 64, 64)
        noise, sigmas = ImageNoise(seeds, shape), karras_schedule(steps).tolist()
        expected = sigmas[0] ** 2
        run = ancestral(white(self.VARIANCE), sigmas[0] * noise(), karras_schedule(steps), noise=noise)
        for sigma, sigma_next, step in zip(sigmas[:-1], sigmas[1:], run, strict=True):
            shrink, ratio = self.VARIANCE / (self.VARIANCE + sigma**2), (sigma_next / sigma) ** 2
            # the image is scaled, then noise with the variance of the Gaussian posterior is added
            expected *= (shrink * (1 - ratio) + ratio) ** 2
            expected += (sigma**2 - sigma_next**2) * sigma_next**2 / sigma**2
            assert step.x.var().item() == pytest.approx(expected, rel=5 * math.sqrt(2 / step.x.numel()))

    def test_many_steps_give_samples_with_the_variance_of_the_data(self):
        noise, sigmas = ImageNoise(range(8), (3, 32, 32)), karras_schedule(400)
        x = sigmas[0].item() * noise()
        sample = last_of(ancestral(white(self.VARIANCE), x, sigmas, noise=noise)).x
        assert sample.var().item() == pytest.approx(self.VARIANCE, rel=0.05)
        assert abs(sample.mean().item()) < 5 * math.sqrt(self.VARIANCE / sample.numel())


class TestAscent:
    def test_the_noise_level_falls_by_beta_h_per_step(self):
        """For D = 0, a step (1 - h) x + gamma z multiplies the noise level by 1 - beta h."""
        noise = ImageNoise(range(4), (3, 64, 64))
        h, beta, sigmas = 0.2, 0.5, torch.tensor([2.0, 0.5, 0.0], dtype=torch.float64)
        run = stochastic_ascent(white(0.0), 2.0 * noise(), sigmas, noise=noise, h=h, beta=beta)
        for k, step in zip(range(1, 6), run, strict=False):
            expected = 2.0 * (1 - beta * h) ** k
            assert step.x.std().item() == pytest.approx(expected, rel=5 / math.sqrt(2 * step.x.numel()))
            assert step.index == step.evaluations == k

    def test_samples_have_the_variance_of_the_data(self):
        """Uniformly grey images have 1 dimension and noise has 48, so the estimated level is accurate."""
        variance, batch, sigmas = 0.25, 2000, torch.tensor([3.0, 0.05, 0.0], dtype=torch.float64)
        generator = torch.Generator().manual_seed(0)

        def grey(x, sigma):
            mean = x.mean(dim=(1, 2, 3))
            return as_images(variance / (variance + sigma**2 / 48) * mean).expand_as(x), NO_FEATURES

        def noise():
            return torch.randn(batch, 3, 4, 4, generator=generator)

        x = as_images(math.sqrt(variance) * torch.randn(batch, generator=generator)) + 3.0 * noise()
        final = last_of(stochastic_ascent(grey, x, sigmas, noise=noise, h=0.1, beta=0.3)).x
        greys = final.mean(dim=(1, 2, 3))
        assert torch.allclose(final, as_images(greys).expand_as(final), atol=1e-6)
        assert greys.var().item() == pytest.approx(variance, rel=0.1)
        assert abs(greys.mean().item()) < 5 * math.sqrt(variance / batch)

    def test_each_image_stops_separately(self):
        """The second image has four times the noise of the first, which stops earlier."""
        noise = ImageNoise([0, 1], SHAPE)
        x = noise() * as_images(torch.tensor([0.5, 2.0]))
        sigmas = torch.tensor([0.5, 0.1, 0.0], dtype=torch.float64)
        steps = list(stochastic_ascent(white(0.01), x, sigmas, noise=noise, h=0.3, beta=0.5))
        stopped = [k for k in range(1, len(steps)) if torch.equal(steps[k].noisy[0], steps[k - 1].noisy[0])]
        assert stopped and torch.equal(steps[-1].noisy[0], steps[stopped[0]].noisy[0])
        assert not torch.equal(steps[-1].noisy[1], steps[-2].noisy[1])
        assert torch.equal(steps[-1].x[0], steps[stopped[0]].denoised[0])
        assert steps[-1].steps == steps[-1].index == len(steps)

    def test_an_image_does_not_depend_on_the_batch(self):
        sigmas = torch.tensor([1.0, 0.2, 0.0], dtype=torch.float64)
        finals = []
        for seeds in ([4, 7, 9], [7]):
            noise = ImageNoise(seeds, SHAPE)
            finals.append(
                last_of(stochastic_ascent(white(0.01), noise(), sigmas, noise=noise, h=0.2, beta=0.3)).x
            )
        assert torch.allclose(finals[0][1], finals[1][0], atol=1e-6)

    def test_the_default_max_steps_reaches_the_end_of_the_default_schedule(self):
        """Each step multiplies the noise level by 1 - beta h; `max_steps` allows 1.2 times as many steps."""
        options = stochastic_ascent.__kwdefaults__
        sigmas = karras_schedule(16)
        needed = math.log(sigmas[0] / sigmas[-2]) / -math.log(1 - options["beta"] * options["h"])
        assert options["max_steps"] > 1.2 * needed

    def test_an_ascent_that_exceeds_max_steps_raises(self):
        noise = ImageNoise([0], SHAPE)
        with pytest.raises(RuntimeError, match="max_steps=5"):
            list(stochastic_ascent(white(0.0), noise(), karras_schedule(4), noise=noise, max_steps=5))

    @pytest.mark.parametrize("h, beta", [(0.0, 0.1), (1.5, 0.1), (0.1, -0.1), (0.1, 2.0)])
    def test_invalid_step_sizes(self, h, beta):
        noise = ImageNoise([0] * 4, SHAPE)
        with pytest.raises(ValueError, match=f"h={h} .* beta={beta}"):
            next(stochastic_ascent(white(0.0), start(), karras_schedule(4), noise=noise, h=h, beta=beta))
