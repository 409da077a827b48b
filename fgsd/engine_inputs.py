"""What an engine gives the network, as tensors: an evaluation as a function of them alone.

A graph, by whatever evaluates it, has inputs of fixed kinds, where `Denoiser.denoise` takes an object and
numbers. Unguided images have a strength of 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from fgsd.model.conditioning import Condition
from fgsd.model.matching import CentroidMatching, RegionMatching
from fgsd.model.network import Denoiser


def has_inputs(condition: Condition) -> bool:
    """Return whether `engine_inputs` takes a condition."""
    if isinstance(condition, CentroidMatching):
        return condition.coordinates is None
    return condition is None or isinstance(condition, RegionMatching)


def engine_inputs(network: Denoiser, x: Tensor, sigma: float | Tensor, condition: Condition) -> list[Tensor]:
    """Return the inputs of one evaluation, on the device of the images; in the order of `network_graph`.

    Parameters
    ----------
    network, x, sigma, condition :
        See `Denoiser.denoise`.

    Returns
    -------
    list of Tensor
        x (B, 3, H, W), sigma (B,), centroids (B, F) and strength (B, 1), and of images with regions centroids
        (B, R, F), strength (B, 1) and masks (1 or B, R, H, W).

    Raises
    ------
    TypeError
        If the condition is of another kind, see `has_inputs`.
    """
    batch, device = len(x), x.device
    if condition is None:
        condition = CentroidMatching(torch.zeros(network.config.dimension, device=device), 0.0)
    if not isinstance(condition, CentroidMatching | RegionMatching):
        raise TypeError(
            f"condition={condition!r}: an engine takes a CentroidMatching, a RegionMatching or None"
        )
    strength = torch.as_tensor(condition.strength, dtype=x.dtype, device=device)
    strength = strength.reshape(-1, 1).expand(batch, 1)
    inputs = [x, torch.as_tensor(sigma, dtype=x.dtype, device=device).expand(batch)]
    if isinstance(condition, RegionMatching):
        centroids = condition.centroids.expand(batch, *condition.centroids.shape[-2:])
        inputs += [centroids, strength, condition.masks]
    else:
        if condition.guided is not None:
            strength = strength * condition.guided[:, None]
        inputs += [condition.centroid.expand(batch, -1), strength]
    return [value.detach().to(device) for value in inputs]


def condition_of(
    inputs: Sequence[Tensor], pooled: dict[tuple[int, torch.dtype], Tensor] | None = None
) -> CentroidMatching | RegionMatching:
    """Return the condition that inputs stand for, for `denoise(inputs[0], inputs[1], condition)`.

    Parameters
    ----------
    inputs : sequence of Tensor
        See `engine_inputs`.
    pooled : dict, optional
        Of images with regions: the masks at the resolutions of the layers, see `RegionMatching`.
    """
    if len(inputs) == 4:
        return CentroidMatching(inputs[2], inputs[3])
    return RegionMatching(inputs[4], inputs[2], inputs[3], {} if pooled is None else pooled)
