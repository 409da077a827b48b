"""Foresight: the network reads the whole of its target before the first block.

Matching tells each layer of the target when the image gets there. The means of the first layers tell classes
apart in few directions only, and what the deep ones tell comes too late for the layers before; a network that
is told labels has them from the start. But the target, too, is known from the start. So the network reads all
of it up front, by its coordinates among the centroids of the training classes: the weights of the mixture of
centroids that comes nearest to it (ridge regression). They are linear in the target. For a class they are
near its row of the identity, as free as a label, so far as its centroid differs from all others; for a
mixture they are near its weights, and any other feature vector has its place among the classes. And they stay
as they are while the features turn in training, which the features themselves do not.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fgsd.model.matching import FARTHEST, Standards

RIDGE = 1e-4  # as a share of the centroids' mean square: classes that differ by less are read as the same


def coordinates(centroids: Tensor) -> Tensor:
    """Of centroids (S, C, F), centred and in units of their spread, among themselves: (S, C, C), rows near
    those of the identity less 1 / C."""
    return centroids @ _weights(centroids).transpose(1, 2)


def _weights(z: Tensor) -> Tensor:
    """(Z Z^T + ridge)^-1 Z, of shape (S, C, F); on the CPU, as some accelerators have no float64."""
    z64 = z.cpu().double()
    gram = z64 @ z64.transpose(1, 2)
    ridge = (RIDGE * gram.diagonal(dim1=1, dim2=2).mean(dim=1)).clamp(min=1e-6)
    eye = torch.eye(len(gram[0]), dtype=gram.dtype)
    return torch.linalg.solve(gram + ridge[:, None, None] * eye, z64).to(z)


class Foresight(nn.Module):
    """Coordinates of targets among the centroids of the training classes, by noise level.

    The buffer is no parameter: it is measured when a run becomes a checkpoint. Until then a network is told
    the coordinates of its run's own centroids (see `fgsd.training.running_centroids`).

    Parameters
    ----------
    classes : int
    features : int
        Length F of the feature vector.
    levels : int
        Noise levels, those of the `Standards`.
    """

    weights: Tensor

    def __init__(self, classes: int, features: int, levels: int) -> None:
        super().__init__()
        self.register_buffer("weights", torch.zeros(levels, classes, features))

    @torch.no_grad()
    def follow(self, standards: Standards, centroids: Tensor) -> None:
        """Measure from now on against centroids (C, S, F) at the standards' levels."""
        # times F: numbers of a size that float16, in which they are stored, can hold
        self.weights.copy_(_weights(standards.units(centroids).transpose(0, 1)) * self.weights.shape[2])

    def forward(self, standards: Standards, targets: Tensor) -> Tensor:
        """Coordinates (B, S, C) of feature vectors (B, S, F) at the standards' levels, limited to `FARTHEST`
        either way: an image that is no class can be far from all of them."""
        z = standards.units(targets)
        found = torch.einsum("bsf,scf->bsc", z, self.weights) / self.weights.shape[2]
        return found.clamp(-FARTHEST, FARTHEST)
