"""Running centroids: means of the features of each class, which crops are matched to during training.

They are kept for each class at a few noise levels, as batch normalisation keeps its statistics. They cost no
further evaluations, and every crop of a batch can have its own class and noise level. The alternative target,
another noisy crop of the class, says far less about the class, and a network that is trained with it learns
to make little use of guidance.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fgsd.levels import noise_levels
from fgsd.model.conditioning import coordinates_of
from fgsd.model.matching import MIN_SPREAD, CentroidMatching

LEVELS = 12  # noise levels, unless `NetworkConfig.normalization_levels` sets their number
# A centroid is an exponential moving average over a window of about this many crops of its class and level;
# for a network with target embedding, over this fraction of all crops so far if that is more: less noise is
# left in it.
WINDOW_CROPS = 10
WINDOW_SHARE = 0.2


class RunningCentroids:
    """One centroid for each class and noise level, updated with the features of each training batch.

    Parameters
    ----------
    classes, features : int
        Number C of classes, and length F of the feature vector.
    sigma_min, sigma_max : float
        Range of the noise levels in training, in [-1, 1] units.
    levels : int
        Number S of noise levels, at least 2, evenly spaced in log(sigma).
    target_embedding : bool
        Whether the network has a `TargetEmbedding`: then the coordinates of the centroids are kept too, and
        centroids are means of more crops.
    device : torch.device or str
    """

    def __init__(
        self,
        classes: int,
        features: int,
        *,
        sigma_min: float,
        sigma_max: float,
        levels: int = LEVELS,
        target_embedding: bool = False,
        device: torch.device | str = "cpu",
    ) -> None:
        self.sigmas = noise_levels(sigma_min, sigma_max, levels)
        self.window_share = WINDOW_SHARE if target_embedding else 0.0
        self.values = torch.zeros(classes, levels, features, device=device)
        self.counts = torch.zeros(classes, levels, device=device)  # crops so far; 0: no centroid yet
        self.coordinates = torch.zeros(classes, levels, classes, device=device) if target_embedding else None
        self._first = self.sigmas[0].log().item()
        self._step = (self.sigmas[1] / self.sigmas[0]).log().item()

    def matching(self, rows: Tensor, sigma: Tensor, guided: Tensor) -> CentroidMatching:
        """Match crops to the centroids of their classes `rows` (B,) at noise levels (B,).

        Crops stay unguided where `guided` (B,) is False, or if their class has no centroid near their level.
        """
        weights = self._weights(rows, sigma) * (self.counts > 0).flatten()  # (B, C S)
        total = weights.sum(dim=1, keepdim=True)
        centroids = weights @ self.values.flatten(0, 1) / total.clamp(min=1e-6)
        coordinates = None
        if self.coordinates is not None:
            coordinates = weights @ self.coordinates.flatten(0, 1) / total.clamp(min=1e-6)
        return CentroidMatching(centroids, coordinates=coordinates, guided=guided & (total[:, 0] > 0))

    @torch.no_grad()
    def refresh_coordinates(self) -> None:
        """Compute the `coordinates` (C, S, C) of the current centroids among themselves."""
        mean, spread, known = self.statistics()
        z = (self.values - mean) / spread.clamp(min=MIN_SPREAD) * (self.counts > 0)[..., None]
        self.coordinates = (coordinates_of(z.transpose(0, 1)) * known[:, None, None]).transpose(0, 1)

    def batch_sums(self, rows: Tensor, sigma: Tensor, guided: Tensor, phi: Tensor) -> tuple[Tensor, Tensor]:
        """Return the sums (C, S, F) of the features (B, F) of a batch, and numbers of crops (C, S).

        Sums of several processes can be added. Unguided crops are left out: after the first matched layer,
        their features differ from those of guided samples.
        """
        weights = self._weights(rows, sigma) * guided[:, None]
        sums = weights.T @ phi.detach().to(weights)
        return sums.view_as(self.values), weights.sum(dim=0).view_as(self.counts)

    def update(self, sums: Tensor, counts: Tensor) -> None:
        """Move the centroids towards `batch_sums`; until the window is full, they are plain means."""
        self.counts += counts
        window = (self.window_share * self.counts).clamp(min=WINDOW_CROPS)
        rate = torch.maximum(1 - (1 - 1 / window) ** counts, counts / self.counts.clamp(min=1e-6))
        means = sums / counts.clamp(min=1e-6)[..., None]
        self.values.lerp_(means, (rate * (counts > 0))[..., None])

    def statistics(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return mean and standard deviation (S, F) over classes, and which levels (S,) are known.

        A level is known once at least half of the classes, and at least two, have a centroid there.
        """
        seen = (self.counts > 0).to(self.values)[..., None]
        number = seen.sum(dim=0)
        mean = (self.values * seen).sum(dim=0) / number.clamp(min=1)
        variance = ((self.values - mean).square() * seen).sum(dim=0) / number.clamp(min=1)
        known = number[:, 0] >= max(2, len(self.values) / 2)
        return mean, variance.sqrt(), known

    def known(self) -> Tensor:
        """Return the centroids (C, S, F); a level without crops of the class takes that of its nearest level.

        Raises
        ------
        ValueError
            If the run has seen no crop of a class.
        """
        values, counts = self.values.clone(), self.counts
        if missing := (counts.sum(dim=1) == 0).nonzero().flatten().tolist():
            raise ValueError(f"the run has not seen the classes of rows {missing} yet; train for longer")
        for row, seen in enumerate(counts > 0):
            levels = seen.nonzero().flatten()
            for level in (~seen).nonzero().flatten().tolist():
                values[row, level] = values[row, levels[(levels - level).abs().argmin()]]
        return values

    def _weights(self, rows: Tensor, sigma: Tensor) -> Tensor:
        """Return the weight (B, C S) of each crop in each class and level: linear in log(sigma)."""
        position = ((sigma.to(self.values).log() - self._first) / self._step).clamp(0, len(self.sigmas) - 1)
        levels = torch.arange(len(self.sigmas), device=position.device)
        by_level = (1 - (position[:, None] - levels).abs()).clamp(min=0)  # (B, S)
        by_class = torch.nn.functional.one_hot(rows, len(self.values)).to(by_level)  # (B, C)
        return (by_class[:, :, None] * by_level[:, None, :]).flatten(1)

    def state(self) -> dict[str, Tensor]:
        """Return the tensors that a run saves in order to resume exactly; see `restore`."""
        state = {"values": self.values, "counts": self.counts}
        return state if self.coordinates is None else state | {"coordinates": self.coordinates}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Continue from a `state()`; an empty one changes nothing."""
        if state:
            self.values.copy_(state["values"])
            self.counts.copy_(state["counts"])
            if self.coordinates is not None:
                self.coordinates.copy_(state["coordinates"])
