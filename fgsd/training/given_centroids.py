"""Given centroids: crops are matched to those of a table, which stay as they are or are learned further.

Classes are added to a checkpoint with given centroids (`fgsd.cli.extend`), and a checkpoint that reads the
features of many textures comes to know its own (`fgsd train --given-centroids`). Crops of known classes keep
the targets that the network was exported with, so it has nothing to learn anew for them; targets measured
from a few other crops made it forget: the accuracy of the known classes fell by a fifth in 20 minutes.

With `TrainingConfig.centroid_lr` the centroids are learned along with the weights, from the same loss, as the
embeddings of labels are: the gradient of the loss with respect to the target costs nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from fgsd.centroids import CentroidTable
from fgsd.learning import level_mixing
from fgsd.levels import interpolate
from fgsd.model.matching import CentroidMatching


class GivenCentroids:
    """Match crops to the centroids of their classes in a table.

    Parameters
    ----------
    table : CentroidTable
        Its rows are numbered as the classes of the data are.
    device : torch.device or str
    learned : bool
        Whether the centroids are learned further, in the units of `fgsd.learning.learn_centroid`.

    Attributes
    ----------
    moves : Tensor of shape (C, S, F) or None
        What an optimizer changes, 0 at first: moves of the centroids, in spreads within a class, before they
        are mixed over neighbouring noise levels. None for centroids that stay as they are.
    """

    def __init__(
        self, table: CentroidTable, device: torch.device | str = "cpu", *, learned: bool = False
    ) -> None:
        self.table = table
        self.values, self._scales = table.values.to(device), table.scales.to(device)
        self._mixing = level_mixing(len(table.sigmas)).to(device)
        self.moves = torch.zeros_like(self.values).requires_grad_() if learned else None
        self._average = torch.zeros_like(self.values)  # of the moves

    def matching(self, rows: Tensor, sigma: Tensor, guided: Tensor) -> CentroidMatching:
        """Match crops to the centroids of their classes `rows` (B,) at noise levels (B,).

        Crops stay unguided where `guided` (B,) is False.
        """
        values = self.values[rows]
        if self.moves is not None:
            values = self._moved(values, self.moves[rows])
        crops = torch.arange(len(rows), device=rows.device)
        # each crop's class at the levels of all crops, of which it takes its own
        centroids = interpolate(self.table.sigmas, values, sigma)[crops, crops]
        return CentroidMatching(centroids, guided=guided)

    def update_average(self, weight: float) -> None:
        """Move the average of what is learned towards the present state by `weight`, from 0 to 1."""
        if self.moves is not None:
            self._average.lerp_(self.moves.detach(), weight)

    def averaged(self) -> CentroidTable:
        """Return the table with the average of what is learned; if nothing is, the table as it was given."""
        if self.moves is None:
            return self.table
        return replace(self.table, values=self._moved(self.values, self._average).cpu())

    def state(self) -> dict[str, Tensor]:
        """Return the tensors that a run saves in order to resume exactly; see `restore`."""
        return {} if self.moves is None else {"moves": self.moves, "average": self._average}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continue from a `state()`; an empty one changes nothing."""
        if state and self.moves is not None:
            with torch.no_grad():
                self.moves.copy_(state["moves"])
            self._average.copy_(state["average"])

    def _moved(self, values: Tensor, moves: Tensor) -> Tensor:
        """Return centroids (B, S, F) after moves (B, S, F)."""
        return values + self._scales * (self._mixing @ moves)
