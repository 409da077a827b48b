"""How far classes lie apart at each noise level: the unit in which a distance to a target falls."""

from __future__ import annotations

import torch
from torch import Tensor

from fgsd.centroids import CentroidTable


def class_spacing(table: CentroidTable) -> Tensor:
    """Return the root mean square distance between two classes at each noise level.

    It is in spreads within a class. A distance in spreads does not fall with noise: features tell classes
    apart the better, the less noise there is, so both the distance between classes and that of a sample to
    its target grow.

    Returns
    -------
    Tensor of shape (S, 1)
        0 if there is one class only.
    """
    n = len(table.classes)
    if n < 2:
        return torch.zeros(len(table.sigmas), 1)
    # the mean over pairs of the squared distance is twice the variance over classes
    deviations = (table.values - table.values.mean(dim=0)) / table.scales
    return (2 / (n - 1) * deviations.square().mean(dim=2, keepdim=True).sum(dim=0)).sqrt()
