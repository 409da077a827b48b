"""A student: a network distilled from that of a checkpoint, to sample with two evaluations.

It has the features, the centroids and the targets of its teacher: classes, mixtures and textures of users
alike. `fgsd.training.distillation` trains it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fgsd.model.network import Denoiser, NetworkConfig

SAMPLER = "distilled"  # the name by which `Pipeline.stream` knows it


@dataclass(frozen=True)
class Student:
    """A distilled network, and the noise levels at which it is evaluated.

    Parameters
    ----------
    network : Denoiser
        With the configuration of its teacher.
    sigmas : tuple of two floats
        Falling, in the units of images in [-1, 1]. Its estimate at the first one leads to the second one by a
        step of Euler's method, and its estimate there is the sample.

    Raises
    ------
    ValueError
        If there are not two positive, finite, falling noise levels.
    """

    network: Denoiser
    sigmas: tuple[float, float]

    def __post_init__(self) -> None:
        if len(self.sigmas) != 2 or not math.inf > self.sigmas[0] > self.sigmas[1] > 0:
            raise ValueError(f"sigmas={self.sigmas} must be two positive noise levels, falling")

    def schedule(self) -> Tensor:
        """Return the noise levels of a sampler: (3,), float64, ending in 0."""
        return torch.tensor([*self.sigmas, 0.0], dtype=torch.float64)

    @classmethod
    def of(cls, config: NetworkConfig, sigmas: Any, weights: Mapping[str, Tensor]) -> Student:
        """Build a student from the content of a checkpoint.

        Raises
        ------
        ValueError
            If `sigmas` is not as above.
        """
        if not isinstance(sigmas, list) or not all(
            isinstance(s, (int, float)) and not isinstance(s, bool) for s in sigmas
        ):
            raise ValueError(f"sigmas={sigmas!r} must be two positive noise levels, falling")
        network = Denoiser(config)
        network.load_state_dict(weights)
        return cls(network.eval().requires_grad_(False), tuple(float(s) for s in sigmas))  # type: ignore[arg-type]
