"""Samplers: from white noise to an image, one yielded step at a time.

Each sampler is a generator over `(denoiser, x, sigmas)` with `denoised, phi = denoiser(x, sigma)`.
Guidance lives in the denoiser (`fgsd.guidance`); no sampler knows of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

DenoiserFunction = Callable[[Tensor, float | Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class SamplingStep:
    """What a sampler yields after each step; the last one's `x` is the sample."""

    index: int  # 1 for the first step
    steps: int  # how many there will be; for the stochastic ascent, at most
    sigma: float  # noise level at which the network was asked; for the ascent, the mean over the batch
    x: Tensor  # (B, 3, H, W): the image after the step, at the next noise level
    denoised: Tensor  # (B, 3, H, W): the estimate of x0 that the step followed
    phi: Tensor  # (B, F): the feature vector at `sigma`
    evaluations: int  # of the network, per image, so far
    noisy: Tensor  # (B, 3, H, W): the image before the step, at `sigma`


def karras_schedule(
    steps: int, *, sigma_min: float = 0.02, sigma_max: float = 20.0, rho: float = 7.0
) -> Tensor:
    """Noise levels from `sigma_max` down to `sigma_min`, then 0 (Karras et al. 2022, equation 5).

    Returns
    -------
    Tensor of shape (steps + 1,), float64, in [-1, 1] units.
    """
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise ValueError(f"steps={steps!r} must be a whole number, at least 1")
    if not 0 < sigma_min < sigma_max < math.inf:
        raise ValueError(f"sigma_min={sigma_min} must be positive and below a finite sigma_max={sigma_max}")
    ramp = torch.linspace(0, 1, steps, dtype=torch.float64)
    high, low = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    return torch.cat([(high + ramp * (low - high)) ** rho, torch.zeros(1, dtype=torch.float64)])


class ImageNoise:
    """Standard normal noise for a batch in which every image has its own stream.

    Drawn on the CPU, so image k is the same picture whatever the batch or device.

    Parameters
    ----------
    seeds : sequence of int
        One seed an image.
    shape : (channels, height, width)
    """

    def __init__(
        self, seeds: Sequence[int], shape: tuple[int, int, int], device: torch.device | str = "cpu"
    ) -> None:
        self._generators = [torch.Generator().manual_seed(int(seed)) for seed in seeds]
        self._shape, self._device = shape, device

    def __call__(self) -> Tensor:
        """The next noise: (B, *shape), float32."""
        draws = [torch.randn(self._shape, generator=g) for g in self._generators]
        return torch.stack(draws).to(self._device)


def dpm_solver_2m(
    denoiser: DenoiserFunction, x: Tensor, sigmas: Tensor, *, noise: ImageNoise | None = None
) -> Iterator[SamplingStep]:
    """DPM-Solver++ (2M): deterministic, second order, one network evaluation a step (Lu et al. 2022,
    algorithm 2, with alpha = 1 and lambda = -log sigma). `noise` is not used."""
    levels, previous, previous_h = sigmas.tolist(), None, 0.0
    for i, (sigma, following) in enumerate(pairwise(levels)):
        denoised, phi = denoiser(x, sigma)
        noisy = x
        if following == 0:
            x, estimate = denoised, denoised
        else:
            h = math.log(sigma / following)
            if previous is None:
                estimate = denoised
            else:
                weight = h / (2 * previous_h)  # 1 / (2 r), r = previous_h / h
                estimate = (1 + weight) * denoised - weight * previous
            x = (following / sigma) * x - math.expm1(-h) * estimate
            previous_h = h
        previous = denoised
        yield SamplingStep(i + 1, len(levels) - 1, sigma, x, denoised, phi, i + 1, noisy)


def heun(
    denoiser: DenoiserFunction, x: Tensor, sigmas: Tensor, *, noise: ImageNoise | None = None
) -> Iterator[SamplingStep]:
    """Heun's method: deterministic, second order, two evaluations a step but the last (Karras et al. 2022,
    algorithm 1). `noise` is not used."""
    levels, evaluations = sigmas.tolist(), 0
    for i, (sigma, following) in enumerate(pairwise(levels)):
        denoised, phi = denoiser(x, sigma)
        noisy, slope = x, (x - denoised) / sigma
        evaluations += 1
        if following == 0:
            x = denoised
        else:
            euler = x + (following - sigma) * slope
            second = (euler - denoiser(euler, following)[0]) / following
            evaluations += 1
            x = x + (following - sigma) * (slope + second) / 2
        yield SamplingStep(i + 1, len(levels) - 1, sigma, x, denoised, phi, evaluations, noisy)


def ancestral(
    denoiser: DenoiserFunction, x: Tensor, sigmas: Tensor, *, noise: ImageNoise | None = None
) -> Iterator[SamplingStep]:
    """Ancestral sampling: from sigma to the next level by the exact posterior of a Gaussian step, given
    the denoised image (Ho et al. 2020, equation 7; in sigma: Song et al. 2021, appendix F). Needs `noise`."""
    if noise is None:
        raise ValueError(
            "noise=None: the ancestral sampler adds fresh noise at each step, pass an ImageNoise"
        )
    levels = sigmas.tolist()
    for i, (sigma, following) in enumerate(pairwise(levels)):
        denoised, phi = denoiser(x, sigma)
        noisy, ratio = x, (following / sigma) ** 2
        x = denoised + ratio * (x - denoised)
        if following > 0:
            x = x + following * math.sqrt(1 - ratio) * noise()
        yield SamplingStep(i + 1, len(levels) - 1, sigma, x, denoised, phi, i + 1, noisy)


def stochastic_ascent(
    denoiser: DenoiserFunction,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: ImageNoise | None = None,
    h: float = 0.01,
    beta: float = 0.01,
    most_steps: int = 100_000,
) -> Iterator[SamplingStep]:
    """The authors' sampler: small steps up the log density, with a little noise (Kadkhodaie & Simoncelli
    2021, algorithm 1): `x <- x - h f + gamma z`, residual `f = x - D(x)`, estimated noise level
    `sigma = |f| / sqrt(N)`, `gamma^2 = ((1 - beta h)^2 - (1 - h)^2) sigma^2`.

    Each image stops by itself once its estimated noise level falls below the last positive entry of
    `sigmas`, the only use made of that argument but its first entry, the level of `x`. The estimate of a
    stopped image is its last denoised image. `noise` is needed. Thousands of evaluations an image.
    """
    if noise is None:
        raise ValueError(
            "noise=None: the stochastic ascent adds fresh noise at each step, pass an ImageNoise"
        )
    if not (0 < h <= 1 and 0 <= beta <= 1):
        raise ValueError(f"h={h} must be in (0, 1] and beta={beta} in [0, 1]")
    last = sigmas[sigmas > 0].min().item()
    sigma = torch.full((x.shape[0],), sigmas[0].item(), dtype=x.dtype, device=x.device)
    going = torch.ones(x.shape[0], dtype=torch.bool, device=x.device)
    final, gamma = x, math.sqrt((1 - beta * h) ** 2 - (1 - h) ** 2)
    for i in range(most_steps):
        denoised, phi = denoiser(x, sigma)
        noisy, f = x, x - denoised
        estimated = f.square().mean(dim=(1, 2, 3)).sqrt()
        # an image that has stopped keeps what it was; the noise streams of all go on
        moved = x - h * f + gamma * estimated[:, None, None, None] * noise()
        alive = going[:, None, None, None]
        x, final = torch.where(alive, moved, x), torch.where(alive, denoised, final)
        sigma = torch.where(going, estimated.clamp(min=1e-4), sigma)
        going = going & (estimated > last)
        finished = not bool(going.any())
        step = SamplingStep(i + 1, most_steps, sigma.mean().item(), x, final, phi, i + 1, noisy)
        if finished:
            yield replace(step, steps=i + 1, x=final)
            return
        yield step
    raise RuntimeError(f"the ascent did not reach sigma={last} in most_steps={most_steps} steps")


SAMPLERS: dict[str, Callable[..., Iterator[SamplingStep]]] = {
    "dpm2m": dpm_solver_2m,
    "heun": heun,
    "ancestral": ancestral,
    "ascent": stochastic_ascent,
}
