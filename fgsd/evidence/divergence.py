"""Divergences between class densities, estimated from denoisers.

Adding white noise of variance sigma^2 to images of density p gives the density p_sigma, with
d p_sigma / d sigma = sigma Laplace(p_sigma) (the heat equation). Insert this into KL(p_sigma || q_sigma) and
integrate by parts; with s the score,

    d KL(p_sigma || q_sigma) / d sigma = -sigma E_{x ~ p_sigma} |s_p(x) - s_q(x)|^2

(de Bruijn's identity for two densities; Verdu 2010, Kong et al. 2023). By Tweedie s = (D - x) / sigma^2, and
x cancels, so that

    KL(p_sigma || q_sigma) = integral from sigma of E_{x ~ p_t} |D_p(x, t) - D_q(x, t)|^2 / t^3 dt.

In log(t) the integrand is E |D_p - D_q|^2 / t^2, here called the *rate*. Beyond the highest noise level T
both denoisers tend to the mean images. The tail is at most W^2 / (2 T^2), where W^2 is the mean squared
distance of optimally paired images, since KL(p_T || q_T) is convex in the pair. The estimate assumes that the
denoisers differ beyond T as much as at T, so the tail is half of the last rate. This is exact for densities
that differ in their mean only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from fgsd.sampling import DenoiserFunction


@torch.no_grad()
def divergence_rates(
    denoise: DenoiserFunction, row: int, images: Tensor, sigmas: Sequence[float], *, classes: int, seed: int
) -> Tensor:
    """E |D_a - D_b|^2 / sigma^2 over noisy images of class a = `row`, for every class b.

    Parameters
    ----------
    denoise : callable
        `denoised, phi = denoise(x, sigma)` for x of shape (C n, 3, H, W): n images for each class in turn.
    images : Tensor of shape (L, n, 3, H, W)
        Clean images of class a; different ones at each noise level, to average over more of them.
    sigmas : L noise levels
    classes : int
        Number of classes C.
    seed : int
        Of the noise.

    Returns
    -------
    Tensor of shape (L, C), float64, in nats an image for each unit of log(sigma)
    """
    generator = torch.Generator().manual_seed(seed)
    rates = []
    for x0, sigma in zip(images, sigmas, strict=True):
        x = x0 + (sigma * torch.randn(x0.shape, generator=generator)).to(x0.device)
        denoised = denoise(x.repeat(classes, 1, 1, 1), sigma)[0].double().unflatten(0, (classes, len(x)))
        squared = (denoised - denoised[row]).square().sum(dim=(2, 3, 4)).mean(dim=1)  # (C,)
        rates.append(squared.cpu() / sigma**2)
    return torch.stack(rates)


def integrate_rates(rates: Tensor, sigmas: Sequence[float]) -> Tensor:
    """KL divergences at the lowest noise level: trapezoid rule in log(sigma), plus the tail.

    Parameters
    ----------
    rates : Tensor of shape (..., L, C)
        See `divergence_rates`.
    sigmas : L noise levels, at least 2, increasing

    Returns
    -------
    Tensor of shape (..., C), in nats an image
    """
    if len(sigmas) < 2 or rates.shape[-2] != len(sigmas):
        raise ValueError(
            f"{len(sigmas)} noise levels for rates of shape {tuple(rates.shape)}: the numbers must agree and "
            "be at least 2"
        )
    logs = torch.tensor([math.log(sigma) for sigma in sigmas], dtype=torch.float64)
    return torch.trapezoid(rates.double(), logs, dim=-2) + rates[..., -1, :].double() / 2


def symmetrise(divergences: Tensor) -> Tensor:
    """Jeffreys' divergence KL(a || b) + KL(b || a), (C, C), from KL(a || b) in row a and column b."""
    return divergences + divergences.T


def pair_values(square: Tensor) -> Tensor:
    """The entries (P,) above the diagonal of a symmetric (C, C), one for each pair, row by row."""
    rows, columns = torch.triu_indices(len(square), len(square), offset=1)
    return square[rows, columns]
