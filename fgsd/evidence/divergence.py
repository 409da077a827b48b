"""How far apart class densities are, by what their denoisers say.

Adding white noise of variance sigma^2 to images of density p gives the density p_sigma, with
d p_sigma / d sigma = sigma Laplace(p_sigma) (the heat equation). Put into KL(p_sigma || q_sigma) and
integrated by parts, with s the score,

    d KL(p_sigma || q_sigma) / d sigma = -sigma E_{x ~ p_sigma} |s_p(x) - s_q(x)|^2

(de Bruijn's identity for two densities; Verdu 2010, Kong et al. 2023). By Tweedie s = (D - x) / sigma^2, and
x cancels, so that from any sigma on

    KL(p_sigma || q_sigma) = integral from sigma of E_{x ~ p_t} |D_p(x, t) - D_q(x, t)|^2 / t^3 dt.

In log(t) the integrand is E |D_p - D_q|^2 / t^2, here the *rate*. Beyond the highest noise level T both
denoisers tend to the mean images: the tail is at most W^2 / (2 T^2), W^2 being the mean squared distance of
images that are paired as well as can be, since KL(p_T || q_T) is convex in the pair. It is counted as if
the denoisers differed as much beyond T as at T, which is exact for densities that differ in their mean:
half the last rate.
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
        Clean images of class a; others at each noise level, so that more of them are seen.
    sigmas : L noise levels
    classes : int
        Their number C.
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
        told = denoise(x.repeat(classes, 1, 1, 1), sigma)[0].double().unflatten(0, (classes, len(x)))
        apart = (told - told[row]).square().sum(dim=(2, 3, 4)).mean(dim=1)  # (C,)
        rates.append(apart.cpu() / sigma**2)
    return torch.stack(rates)


def integrated(rates: Tensor, sigmas: Sequence[float]) -> Tensor:
    """KL divergences at the lowest noise level, by the trapezoid rule in log(sigma) and with the tail.

    Parameters
    ----------
    rates : Tensor of shape (..., L, C)
        As of `divergence_rates`.
    sigmas : L noise levels, at least 2, increasing

    Returns
    -------
    Tensor of shape (..., C), in nats an image
    """
    if len(sigmas) < 2 or rates.shape[-2] != len(sigmas):
        raise ValueError(f"{len(sigmas)} noise levels for rates of shape {tuple(rates.shape)}: at least 2")
    logs = torch.tensor([math.log(sigma) for sigma in sigmas], dtype=torch.float64)
    return torch.trapezoid(rates.double(), logs, dim=-2) + rates[..., -1, :].double() / 2


def symmetrised(divergences: Tensor) -> Tensor:
    """KL(a || b) + KL(b || a), (C, C), of KL(a || b) in row a and column b: Jeffreys' divergence."""
    return divergences + divergences.T


def of_pairs(square: Tensor) -> Tensor:
    """The entries (P,) above the diagonal of a symmetric (C, C), one for each pair, row by row."""
    return square[tuple(torch.triu_indices(len(square), len(square), offset=1))]
