"""Noise levels of tables, and what lies between them."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def interpolate(sigmas: Tensor, values: Tensor, sigma: float | Tensor) -> Tensor:
    """Entries of a table at given noise levels: linear in log(sigma), constant beyond its ends.

    Parameters
    ----------
    sigmas : Tensor of shape (S,), increasing
    values : Tensor of shape (..., S, F)
    sigma : float or Tensor of shape (B,)

    Returns
    -------
    Tensor of shape (..., F), or (..., B, F) for a tensor of noise levels.
    """
    # where to look is found on the CPU: some accelerators have no float64
    place, sigmas = torch.as_tensor(sigma, dtype=torch.float64, device="cpu"), sigmas.cpu()
    if not bool(((place > 0) & place.isfinite()).all()):
        raise ValueError(f"sigma={sigma} must be positive and finite")
    if len(sigmas) == 1:
        return values[..., torch.zeros_like(place, dtype=torch.long), :]
    logs, place = sigmas.double().log(), place.log()
    upper = torch.searchsorted(logs, place).clamp(1, len(logs) - 1)
    share = ((place - logs[upper - 1]) / (logs[upper] - logs[upper - 1])).clamp(0, 1)
    share = share.to(values)[..., None]
    return torch.lerp(values[..., upper - 1, :], values[..., upper, :], share)


def noise_levels(sigma_min: float, sigma_max: float, n: int) -> Tensor:
    """`n` noise levels from `sigma_min` to `sigma_max`, evenly spaced in log(sigma)."""
    return torch.exp(torch.linspace(math.log(sigma_min), math.log(sigma_max), n))
