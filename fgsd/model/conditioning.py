"""Conditioning: everything that tells a network its target.

- Feature matching (`fgsd.model.matching`) moves the channel means of selected layers to the target.
- A target embedding (`TargetEmbedding`) gives the whole target to the network before its first block.
- A label (`Labels`, `LabelEmbedding`) names a class, as class-conditional networks usually have it: the
  baseline that the method is compared with.

None stands for an unguided batch. In a batch that is guided in part, each condition has a mask `guided`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fgsd.model.matching import CentroidMatching, FeatureNormalization, Matching, PeerMatching

RIDGE = 1e-4  # of the regression, relative to the mean square of the normalised centroids
MAX_COORDINATE = 3.0  # limit of coordinates, positive and negative; those of classes are at most 1
EMBEDDING_STD = 0.5  # standard deviation of new embedding weights


@dataclass(frozen=True)
class Labels:
    """Condition of a network that was trained with labels.

    Parameters
    ----------
    weights : Tensor of shape (B, C) or (1, C)
        A row of the identity names a class; other weights mix the embeddings of several.
    guided : Tensor of bool, shape (B,), optional
        Images that the label applies to; the others stay unguided. By default it applies to all.
    """

    weights: Tensor
    guided: Tensor | None = None

    @classmethod
    def of(cls, rows: Tensor, classes: int, guided: Tensor | None = None) -> Labels:
        """Name the class `rows` (B,) of each image, out of `classes`."""
        return cls(nn.functional.one_hot(rows, classes).float(), guided)


Condition = Labels | Matching


class LabelEmbedding(nn.Linear):
    """Embed labels as vectors that are added to the hidden layer of the noise-level embedding.

    Parameters
    ----------
    classes : int
    width : int
        Width E of the noise-level embedding.
    """

    def __init__(self, classes: int, width: int) -> None:
        super().__init__(classes, width, bias=False)
        nn.init.normal_(self.weight, std=EMBEDDING_STD)

    def forward(self, labels: Labels) -> Tensor:  # type: ignore[override]
        """Return the embedding (B, E) or (1, E); zero for images that are not guided."""
        return super().forward(_masked(labels.weights.to(self.weight), labels.guided))


class TargetEmbedding(nn.Module):
    """Embed a whole target, so that the network knows it before its first block.

    Matching tells each layer its part of the target when the image reaches that layer. The means of the first
    layers separate classes in few directions only, and those of the deep layers come too late for the layers
    before them; a network with labels knows the class from the start. A target embedding gives matching the
    same advantage.

    It embeds the coordinates of the target among the centroids of the training classes: the weights of the
    mixture of centroids that is nearest to it (ridge regression). They are linear in the target, and they
    stay the same while features rotate in training. The coordinates of a class are near its row of the
    identity, like a label, as far as its centroid differs from the others; those of a mixture are near its
    weights; and any other feature vector has coordinates too.

    The regression weights are a buffer, not a parameter: they are computed when a run is exported as a
    checkpoint. During training the network gets the coordinates of the running centroids of its run (see
    `fgsd.training.running_centroids`).

    Parameters
    ----------
    classes : int
        Number C of training classes.
    features : int
        Length F of the feature vector.
    levels : int
        Number S of noise levels, those of the `FeatureNormalization`.
    width : int
        Width E of the noise-level embedding, to whose hidden layer the target embedding is added.
    """

    weights: Tensor

    def __init__(self, classes: int, features: int, levels: int, width: int) -> None:
        super().__init__()
        self.register_buffer("weights", torch.zeros(levels, classes, features))
        self.project = nn.Linear(classes, width, bias=False)
        nn.init.normal_(self.project.weight, std=EMBEDDING_STD)

    @torch.no_grad()
    def set_centroids(self, normalization: FeatureNormalization, centroids: Tensor) -> None:
        """Compute the regression weights for centroids (C, S, F) at the levels of the normalisation."""
        weights = _regression_weights(normalization.normalized(centroids).transpose(0, 1))
        # times F, so that entries are of a size that float16 can hold
        self.weights.copy_(weights * self.weights.shape[2])

    def coordinates(self, normalization: FeatureNormalization, targets: Tensor) -> Tensor:
        """Return the coordinates (B, S, C) of feature vectors (B, S, F) at the levels of the normalisation.

        They are clamped to `MAX_COORDINATE`: an image of no class can be far from all centroids.
        """
        z = normalization.normalized(targets)
        found = torch.einsum("bsf,scf->bsc", z, self.weights) / self.weights.shape[2]
        return found.clamp(-MAX_COORDINATE, MAX_COORDINATE)

    def forward(self, matching: PeerMatching | CentroidMatching, batch: int) -> Tensor | float:
        """Return the embedding (B, E) or (1, E); zero for unguided images or without coordinates."""
        if matching.coordinates is None:
            return 0.0
        coordinates = matching.coordinates.to(self.project.weight)
        if isinstance(matching, CentroidMatching):
            strength = torch.as_tensor(matching.strength, dtype=coordinates.dtype, device=coordinates.device)
            coordinates = (strength * coordinates).expand(batch, -1)
        return self.project(_masked(coordinates, matching.guided))


def coordinates_of(centroids: Tensor) -> Tensor:
    """Return the coordinates of centroids among themselves.

    Parameters
    ----------
    centroids : Tensor of shape (S, C, F)
        Normalised: centred, and divided by their spread.

    Returns
    -------
    Tensor of shape (S, C, C), whose rows are near those of the identity less 1 / C.
    """
    return centroids @ _regression_weights(centroids).transpose(1, 2)


def _regression_weights(z: Tensor) -> Tensor:
    """Return (Z Z^T + ridge)^-1 Z, of shape (S, C, F), of normalised centroids Z (S, C, F).

    It is computed on the CPU, because some accelerators have no float64.
    """
    z64 = z.cpu().double()
    gram = z64 @ z64.transpose(1, 2)
    ridge = (RIDGE * gram.diagonal(dim1=1, dim2=2).mean(dim=1)).clamp(min=1e-6)
    eye = torch.eye(len(gram[0]), dtype=gram.dtype)
    return torch.linalg.solve(gram + ridge[:, None, None] * eye, z64).to(z)


def _masked(values: Tensor, guided: Tensor | None) -> Tensor:
    """Set the rows of values (B, C) to zero where `guided` (B,) is False."""
    return values if guided is None else values * guided[:, None]
