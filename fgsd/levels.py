"""Noise levels, and tables over them."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def interpolate(sigmas: Tensor, values: Tensor, sigma: float | Tensor) -> Tensor:
    """Interpolate a table at given noise levels: linear in log(sigma), constant beyond its ends.

    Parameters
    ----------
    sigmas : Tensor of shape (S,), increasing
        Noise levels of the table, in [-1, 1] units.
    values : Tensor of shape (..., S, F)
    sigma : float or Tensor of shape (B,)
        Noise levels at which the table is evaluated.

    Returns
    -------
    Tensor of shape (..., F), or (..., B, F) for a tensor of noise levels.

    Raises
    ------
    ValueError
        If a noise level is not positive and finite.
    """
    # positions are computed on the CPU, because some accelerators have no float64
    levels, sigmas = torch.as_tensor(sigma, dtype=torch.float64, device="cpu"), sigmas.cpu()
    if not bool(((levels > 0) & levels.isfinite()).all()):
        raise ValueError(f"sigma={sigma} must be positive and finite")
    if len(sigmas) == 1:
        return values[..., torch.zeros_like(levels, dtype=torch.long), :]
    log_sigmas, log_levels = sigmas.double().log(), levels.log()
    upper = torch.searchsorted(log_sigmas, log_levels).clamp(1, len(log_sigmas) - 1)
    lower = upper - 1
    fraction = (log_levels - log_sigmas[lower]) / (log_sigmas[upper] - log_sigmas[lower])
    fraction = fraction.clamp(0, 1).to(values)[..., None]
    return torch.lerp(values[..., lower, :], values[..., upper, :], fraction)


def noise_levels(sigma_min: float, sigma_max: float, n: int) -> Tensor:
    """Return `n` noise levels (n,) from `sigma_min` to `sigma_max`, evenly spaced in log(sigma)."""
    return torch.exp(torch.linspace(math.log(sigma_min), math.log(sigma_max), n))


def log_normal_levels(n: int, log_mean: float, log_std: float, generator: torch.Generator) -> Tensor:
    """Draw `n` log-normal noise levels (n,), in random order.

    One is drawn from each of n parts of equal probability, so that batches differ less.

    Parameters
    ----------
    log_mean, log_std : float
        Mean and standard deviation of log(sigma).
    """
    quantiles = (torch.randperm(n, generator=generator) + torch.rand(n, generator=generator)) / n
    normal = torch.special.ndtri(quantiles.double().clamp(1e-6, 1 - 1e-6))
    return (log_mean + log_std * normal).exp().float()
