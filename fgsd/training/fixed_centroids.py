"""Fixed centroids: crops are matched to the centroids of a table, which training does not change.

Classes are added to a checkpoint in this way (`fgsd.cli.extend`), and a checkpoint that reads the features of
many textures comes to know its own (`fgsd train --fixed-centroids`). Crops of known classes keep the targets
that the network was exported with, so it has nothing to learn anew for them; targets measured from a few
other crops made it forget: the accuracy of the known classes fell by a fifth in 20 minutes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fgsd.centroids import CentroidTable
from fgsd.levels import interpolate
from fgsd.model.matching import CentroidMatching


class FixedCentroids:
    """Match crops to the centroids of their classes in a table.

    Parameters
    ----------
    table : CentroidTable
        Its rows are numbered as the classes of the data are.
    device : torch.device or str
    """

    def __init__(self, table: CentroidTable, device: torch.device | str = "cpu") -> None:
        self.sigmas, self.values = table.sigmas, table.values.to(device)

    def matching(self, rows: Tensor, sigma: Tensor, guided: Tensor) -> CentroidMatching:
        """Match crops to the centroids of their classes `rows` (B,) at noise levels (B,).

        Crops stay unguided where `guided` (B,) is False.
        """
        crops = torch.arange(len(rows), device=rows.device)
        # each crop's class at the levels of all crops, of which it takes its own
        centroids = interpolate(self.sigmas, self.values[rows], sigma)[crops, crops]
        return CentroidMatching(centroids, guided=guided)
