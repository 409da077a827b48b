"""Samplers: generators that turn noise into images and yield each step.

Each sampler takes `(denoiser, x, sigmas)`, where `denoised, phi = denoiser(x, sigma)`. Guidance is part of
the denoiser (see `fgsd.guidance`), not of the sampler.
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
    """Record that a sampler yields after each step; `x` of the last step is the sample."""

    index: int  # 1 for the first step
    steps: int  # number of steps; the stochastic ascent gives an upper bound until its last step
    sigma: float  # noise level of the denoiser's input; for the stochastic ascent, the mean over the batch
    x: Tensor  # (B, 3, H, W): images after the step, at the next noise level
    denoised: Tensor  # (B, 3, H, W): estimate of x0 at `sigma`
    phi: Tensor  # (B, F): feature vectors at `sigma`
    evaluations: int  # network evaluations per image so far
    noisy: Tensor  # (B, 3, H, W): images before the step, at `sigma`


def karras_schedule(
    steps: int, *, sigma_min: float = 0.02, sigma_max: float = 20.0, rho: float = 7.0
) -> Tensor:
    """Return noise levels from `sigma_max` down to `sigma_min`, then 0 (Karras et al. 2022, equation 5).

    Returns
    -------
    Tensor of shape (steps + 1,), float64
        In the units of images in [-1, 1].

    Raises
    ------
    ValueError
        If `steps` is below 1, or not 0 < sigma_min < sigma_max < infinity.
    """
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise ValueError(f"steps={steps!r} must be a whole number, at least 1")
    if not 0 < sigma_min < sigma_max < math.inf:
        raise ValueError(f"sigma_min={sigma_min} must be positive and below a finite sigma_max={sigma_max}")
    ramp = torch.linspace(0, 1, steps, dtype=torch.float64)
    high, low = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    return torch.cat([(high + ramp * (low - high)) ** rho, torch.zeros(1, dtype=torch.float64)])


class ImageNoise:
    """Standard normal noise for a batch, from one random stream per image.

    The noise of an image depends on its seed alone: not on the rest of the batch, nor on the device, since
    it is drawn on the CPU.

    Parameters
    ----------
    seeds : sequence of int
        One seed per image.
    shape : (channels, height, width)
    device : device that the noise is moved to
    drawn : (height, width), optional
        Of the noise that is drawn, of which only a part is returned; by default those of `shape`.
    corner : (top, left)
        Of that part, in pixels.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        shape: tuple[int, int, int],
        device: torch.device | str = "cpu",
        *,
        drawn: tuple[int, int] | None = None,
        corner: tuple[int, int] = (0, 0),
    ) -> None:
        self._generators = [torch.Generator().manual_seed(int(seed)) for seed in seeds]
        (channels, height, width), (top, left) = shape, corner
        self._drawn, self._device = (channels, *(drawn or (height, width))), device
        self._part = (slice(None), slice(top, top + height), slice(left, left + width))

    def __call__(self) -> Tensor:
        """Draw the next noise of each stream: (B, *shape), float32."""
        draws = [torch.randn(self._drawn, generator=g)[self._part] for g in self._generators]
        return torch.stack(draws).to(self._device)


def dpm_solver_2m(
    denoiser: DenoiserFunction, x: Tensor, sigmas: Tensor, *, noise: ImageNoise | None = None
) -> Iterator[SamplingStep]:
    """DPM-Solver++ (2M): deterministic, second order, one network evaluation per step (Lu et al. 2022,
    algorithm 2, with alpha = 1 and lambda = -log sigma). Ignores `noise`."""
    levels, previous, previous_h = sigmas.tolist(), None, 0.0
    for i, (sigma, sigma_next) in enumerate(pairwise(levels)):
        denoised, phi = denoiser(x, sigma)
        noisy = x
        if sigma_next == 0:
            x, estimate = denoised, denoised
        else:
            h = math.log(sigma / sigma_next)
            if previous is None:
                estimate = denoised
            else:
                weight = h / (2 * previous_h)  # 1 / (2 r), r = previous_h / h
                estimate = (1 + weight) * denoised - weight * previous
            x = (sigma_next / sigma) * x - math.expm1(-h) * estimate
            previous_h = h
        previous = denoised
        yield SamplingStep(i + 1, len(levels) - 1, sigma, x, denoised, phi, i + 1, noisy)


def heun(
    denoiser: DenoiserFunction, x: Tensor, sigmas: Tensor, *, noise: ImageNoise | None = None
) -> Iterator[SamplingStep]:
    """Heun's method: deterministic, second order, two network evaluations per step, one in the last step
    (Karras et al. 2022, algorithm 1). Ignores `noise`."""
    levels, evaluations = sigmas.tolist(), 0
    for i, (sigma, sigma_next) in enumerate(pairwise(levels)):
        denoised, phi = denoiser(x, sigma)
        noisy, slope = x, (x - denoised) / sigma
        evaluations += 1
        if sigma_next == 0:
            x = denoised
        else:
            euler = x + (sigma_next - sigma) * slope
            second = (euler - denoiser(euler, sigma_next)[0]) / sigma_next
            evaluations += 1
            x = x + (sigma_next - sigma) * (slope + second) / 2
        yield SamplingStep(i + 1, len(levels) - 1, sigma, x, denoised, phi, evaluations, noisy)


def ancestral(
    denoiser: DenoiserFunction, x: Tensor, sigmas: Tensor, *, noise: ImageNoise | None = None
) -> Iterator[SamplingStep]:
    """Ancestral sampling: each step draws from the Gaussian posterior of the next noise level given the
    denoised image (Ho et al. 2020, equation 7; in terms of sigma: Song et al. 2021, appendix F).

    Raises
    ------
    ValueError
        If `noise` is None.
    """
    if noise is None:
        raise ValueError("noise=None: the ancestral sampler adds noise at each step; pass an ImageNoise")
    levels = sigmas.tolist()
    for i, (sigma, sigma_next) in enumerate(pairwise(levels)):
        denoised, phi = denoiser(x, sigma)
        noisy, ratio = x, (sigma_next / sigma) ** 2
        x = denoised + ratio * (x - denoised)
        if sigma_next > 0:
            x = x + sigma_next * math.sqrt(1 - ratio) * noise()
        yield SamplingStep(i + 1, len(levels) - 1, sigma, x, denoised, phi, i + 1, noisy)


def stochastic_ascent(
    denoiser: DenoiserFunction,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: ImageNoise | None = None,
    h: float = 0.01,
    beta: float = 0.01,
    max_steps: int = 100_000,
) -> Iterator[SamplingStep]:
    """Stochastic gradient ascent on the log density, the sampler of the method's authors (Kadkhodaie and
    Simoncelli 2021, algorithm 1).

    A step is `x <- x - h f + gamma z` with white noise `z`, residual `f = x - D(x)`, estimated noise level
    `sigma = |f| / sqrt(N)` and `gamma^2 = ((1 - beta h)^2 - (1 - h)^2) sigma^2`. An image takes thousands of
    network evaluations at the default step size.

    Each image stops separately, once its estimated noise level falls below the last positive entry of
    `sigmas`; its sample is then its last denoised image. Of the other entries only the first is used: the
    noise level of `x`.

    Parameters
    ----------
    h : float
        Step size, in (0, 1].
    beta : float
        From 0 to 1: 1 adds no noise; lower values add more noise and take more steps.
    max_steps : int
        Upper bound of the number of steps.

    Raises
    ------
    ValueError
        If `noise` is None, or `h` or `beta` is out of range.
    RuntimeError
        If an image is still above the last noise level after `max_steps`.
    """
    if noise is None:
        raise ValueError("noise=None: the stochastic ascent adds noise at each step; pass an ImageNoise")
    if not (0 < h <= 1 and 0 <= beta <= 1):
        raise ValueError(f"h={h} must be in (0, 1] and beta={beta} in [0, 1]")
    sigma_min = sigmas[sigmas > 0].min().item()
    sigma = torch.full((x.shape[0],), sigmas[0].item(), dtype=x.dtype, device=x.device)
    active = torch.ones(x.shape[0], dtype=torch.bool, device=x.device)
    final, gamma = x, math.sqrt((1 - beta * h) ** 2 - (1 - h) ** 2)
    for i in range(max_steps):
        denoised, phi = denoiser(x, sigma)
        noisy, f = x, x - denoised
        estimated = f.square().mean(dim=(1, 2, 3)).sqrt()
        # stopped images keep their values; noise is drawn for them too, so that streams stay in step
        moved = x - h * f + gamma * estimated[:, None, None, None] * noise()
        moving = active[:, None, None, None]
        x, final = torch.where(moving, moved, x), torch.where(moving, denoised, final)
        sigma = torch.where(active, estimated.clamp(min=1e-4), sigma)
        active = active & (estimated > sigma_min)
        finished = not bool(active.any())
        step = SamplingStep(i + 1, max_steps, sigma.mean().item(), x, final, phi, i + 1, noisy)
        if finished:
            yield replace(step, steps=i + 1, x=final)
            return
        yield step
    raise RuntimeError(f"the stochastic ascent did not reach sigma={sigma_min} in max_steps={max_steps}")


SAMPLERS: dict[str, Callable[..., Iterator[SamplingStep]]] = {
    "dpm2m": dpm_solver_2m,
    "heun": heun,
    "ancestral": ancestral,
    "ascent": stochastic_ascent,
}


def height_width(size: int | tuple[int, int]) -> tuple[int, int]:
    """Return height and width in pixels; check their types."""
    pair = (size, size) if isinstance(size, int) else tuple(size) if isinstance(size, (tuple, list)) else ()
    if len(pair) != 2 or not all(isinstance(k, int) and not isinstance(k, bool) for k in pair):
        raise ValueError(f"size={size!r} must be a whole number of pixels or a pair (height, width)")
    return pair


def centre_corner(whole: tuple[int, int], part: tuple[int, int], *, multiple: int = 1) -> tuple[int, int]:
    """Return the corner (top, left) of the central part of an image, in pixels; multiples of `multiple`.

    Where the network halves its resolution, the part then meets the same grid as the whole image.

    Raises
    ------
    ValueError
        If the part is higher or wider than the whole.
    """
    if part[0] > whole[0] or part[1] > whole[1]:
        raise ValueError(f"noise_size={whole} must be at least size={part}")
    top, left = ((w - p) // 2 // multiple * multiple for w, p in zip(whole, part, strict=True))
    return top, left


def check_seeds(seed: int | Sequence[int], n: int) -> list[int]:
    """Return the seed of each of `n` images; check both arguments."""
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ValueError(f"n={n!r} must be a whole number, at least 1")
    if not isinstance(seed, (int, Sequence)):
        raise ValueError(f"seed={seed!r} must be a whole number or a list of them")
    seeds = [seed + k for k in range(n)] if isinstance(seed, int) else list(seed)
    if len(seeds) != n:
        raise ValueError(f"seed has {len(seeds)} entries for n={n} images")
    for one in seeds:
        if isinstance(one, bool) or not isinstance(one, int) or not 0 <= one < 2**63:
            raise ValueError(f"seed={one!r} must be a whole number from 0 to 2^63 - 1")
    return seeds
