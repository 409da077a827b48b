"""The last part of training: crops are matched to the centroids of their classes, as samples will be.

A noisy crop's peer says little of its class, so a network that only ever meets peers learns to expect
little of guidance. Once the features have formed, their centroids are the better teacher: they are exact,
and with no peers to share a class and a noise level with, every crop of a batch has its own. The network
changes its features as it goes on, so the centroids are computed anew a few times.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from fgsd.centroids import compute_table, interpolate, noise_levels
from fgsd.matching import CentroidMatching
from fgsd.network import Denoiser

REFRESHES = 4  # times that the centroids are computed, evenly over this part of the budget
CROPS, LEVELS = 16, 12  # training crops of each class, noise levels


class Finishing:
    """The centroids that crops are matched to now.

    Parameters
    ----------
    data : TextureFolder or GaussianSource
    begins : float or None
        Share of the budget from which it holds; None is never.
    sigma_min, sigma_max : float
        Noise levels of training, in [-1, 1] units.
    """

    def __init__(
        self, data, *, begins: float | None, sigma_min: float, sigma_max: float, seed: int, tileable: bool
    ) -> None:
        self._data, self._seed, self._tileable = data, seed, tileable
        self._begins = math.inf if begins is None else begins
        self.sigmas = noise_levels(sigma_min, sigma_max, LEVELS)
        self.values: Tensor | None = None  # (C, S, F)
        self.made = -1  # which of the refreshes they come from

    def holds(self, progress: float) -> bool:
        """Whether crops are matched to centroids when a share `progress` of the budget is used up."""
        return progress >= self._begins

    def keep_fresh(self, network: Denoiser, progress: float) -> None:
        """Compute the centroids anew, with this network, if it is time to."""
        now = min(REFRESHES - 1, math.floor((progress - self._begins) / (1 - self._begins) * REFRESHES))
        if now == self.made:
            return
        training = network.training
        table = compute_table(
            network.eval(), self._data, self.sigmas, crops=CROPS, seed=self._seed, tileable=self._tileable
        )
        network.train(training)
        self.values, self.made = table.values.to(next(network.parameters()).device), now

    def matching(self, rows: Tensor, sigma: Tensor, told: Tensor) -> CentroidMatching:
        """For crops of the classes `rows` (B,) at noise levels (B,); those where `told` (B,) is false go
        unguided."""
        assert self.values is not None  # `keep_fresh` comes first
        values = interpolate(self.sigmas, self.values, sigma)  # (C, B, F)
        centroids = values[rows, torch.arange(len(rows), device=rows.device)]
        return CentroidMatching(centroids, told.to(values)[:, None])

    def state(self) -> dict[str, Tensor]:
        """What a run has to keep to go on exactly; see `restore`."""
        if self.values is None:
            return {}
        return {"values": self.values, "made": torch.tensor(self.made)}

    def restore(self, state: dict[str, Tensor], device: torch.device | str) -> None:
        """Go on from a `state()`."""
        if state:
            self.values, self.made = state["values"].to(device), int(state["made"])
