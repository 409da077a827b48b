"""The centroids that crops are matched to while a network learns: running means of features already seen.

They are kept for each class at a few noise levels, as batch normalization keeps its statistics: a step
costs no more, and every crop of a batch can have a class and a noise level of its own. A peer, another noisy
crop, says far less of its class than such a mean, and a network that only meets peers learns to expect
little of guidance.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fgsd.levels import noise_levels
from fgsd.model.matching import MIN_SPREAD, CentroidMatching
from fgsd.model.target_embedding import coordinates

LEVELS = 12  # noise levels, unless the network has standards at others
MEMORY = 10  # crops of a class at a noise level, about, that its centroid is a mean of
SHARE = 0.2  # or, for a network with foresight, this share of all that were seen: less noise is left in it


class RunningCentroids:
    """One centroid a class and noise level, which follows the features of the network.

    Parameters
    ----------
    classes, features : int
        How many there are.
    sigma_min, sigma_max : float
        Noise levels of training, in [-1, 1] units.
    levels : int
        At how many of them, evenly spaced in log(sigma), at least 2.
    foresight : bool
        The network reads its target up front: what it is told of each class is kept too, and centroids are
        means of more crops.
    """

    def __init__(
        self,
        classes: int,
        features: int,
        *,
        sigma_min: float,
        sigma_max: float,
        levels: int = LEVELS,
        foresight: bool = False,
        device: torch.device | str = "cpu",
    ) -> None:
        self.sigmas = noise_levels(sigma_min, sigma_max, levels)
        self.share = SHARE if foresight else 0.0
        self.values = torch.zeros(classes, levels, features, device=device)
        self.counts = torch.zeros(classes, levels, device=device)  # crops seen; 0: there is no centroid yet
        self.read = torch.zeros(classes, levels, classes, device=device) if foresight else None
        self._first = self.sigmas[0].log().item()
        self._step = (self.sigmas[1] / self.sigmas[0]).log().item()

    def matching(self, rows: Tensor, sigma: Tensor, told: Tensor) -> CentroidMatching:
        """For crops of the classes `rows` (B,) at noise levels (B,).

        Those where `told` (B,) is false go unguided, and those whose class was never seen near their level.
        """
        shares = self._shares(rows, sigma) * (self.counts > 0).flatten()  # (B, C S)
        total = shares.sum(dim=1, keepdim=True)
        centroids = shares @ self.values.flatten(0, 1) / total.clamp(min=1e-6)
        strength = (told[:, None] & (total > 0)).to(centroids)
        if self.read is None:
            return CentroidMatching(centroids, strength)
        return CentroidMatching(centroids, strength, shares @ self.read.flatten(0, 1) / total.clamp(min=1e-6))

    @torch.no_grad()
    def look_ahead(self) -> None:
        """Measure anew what a network with foresight is told of each class up front, for the steps to come:
        the coordinates `read` (C, S, C) of the centroids, as they are now, among themselves."""
        mean, spread, enough = self.standards()
        z = (self.values - mean) / spread.clamp(min=MIN_SPREAD) * (self.counts > 0)[..., None]
        self.read = (coordinates(z.transpose(0, 1)) * enough[:, None, None]).transpose(0, 1)

    def news(self, rows: Tensor, sigma: Tensor, told: Tensor, phi: Tensor) -> tuple[Tensor, Tensor]:
        """What a batch adds: sums (C, S, F) of features (B, F), and for how many crops they stand (C, S).

        Both add up over processes. Crops that went unguided count for nothing: their later layers have not
        seen what those of a sample will have.
        """
        shares = self._shares(rows, sigma) * told[:, None]
        sums = shares.T @ phi.detach().to(shares)
        return sums.view_as(self.values), shares.sum(dim=0).view_as(self.counts)

    def add(self, sums: Tensor, counts: Tensor) -> None:
        """Move the centroids towards the `news`; at first they are plain means of all there was."""
        self.counts += counts
        memory = (self.share * self.counts).clamp(min=MEMORY)
        rate = torch.maximum(1 - (1 - 1 / memory) ** counts, counts / self.counts.clamp(min=1e-6))
        means = sums / counts.clamp(min=1e-6)[..., None]
        self.values.lerp_(means, (rate * (counts > 0))[..., None])

    def standards(self) -> tuple[Tensor, Tensor, Tensor]:
        """Mean (S, F) and spread (S, F) over the classes, and whether a level (S,) has been seen by enough
        of them to tell."""
        seen = (self.counts > 0).to(self.values)[..., None]
        number = seen.sum(dim=0)
        mean = (self.values * seen).sum(dim=0) / number.clamp(min=1)
        spread = ((self.values - mean).square() * seen).sum(dim=0) / number.clamp(min=1)
        enough = number[:, 0] >= max(2, len(self.values) / 2)
        return mean, spread.sqrt(), enough

    def known(self) -> Tensor:
        """The centroids (C, S, F); where a class was never seen, those of its nearest level.

        Raises
        ------
        ValueError
            If a class was never seen at all.
        """
        values, counts = self.values.clone(), self.counts
        if missing := (counts.sum(dim=1) == 0).nonzero().flatten().tolist():
            raise ValueError(f"the run has not seen the classes of rows {missing} yet; train for longer")
        for row, seen in enumerate(counts > 0):
            levels = seen.nonzero().flatten()
            for level in (~seen).nonzero().flatten().tolist():
                values[row, level] = values[row, levels[(levels - level).abs().argmin()]]
        return values

    def _shares(self, rows: Tensor, sigma: Tensor) -> Tensor:
        """By how much each crop belongs to each class and level (B, C S): linear in log(sigma)."""
        place = ((sigma.to(self.values).log() - self._first) / self._step).clamp(0, len(self.sigmas) - 1)
        levels = torch.arange(len(self.sigmas), device=place.device)
        near = (1 - (place[:, None] - levels).abs()).clamp(min=0)  # (B, S)
        mine = torch.nn.functional.one_hot(rows, len(self.values)).to(near)
        return (mine[:, :, None] * near[:, None, :]).flatten(1)

    def state(self) -> dict[str, Tensor]:
        """What a run has to keep to go on exactly; see `restore`."""
        known = {"values": self.values, "counts": self.counts}
        return known if self.read is None else known | {"read": self.read}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from a `state()`, if there is one."""
        if state:
            self.values.copy_(state["values"])
            self.counts.copy_(state["counts"])
            if self.read is not None:
                self.read.copy_(state["read"])
