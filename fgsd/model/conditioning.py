"""Classes told by a label, and classifier-free guidance: the usual way, which the method is held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from fgsd.model.network import Denoiser


@dataclass(frozen=True)
class Labels:
    """What a network that was trained with labels is told.

    Parameters
    ----------
    weights : Tensor of shape (B, C) or (1, C)
        A row of the identity names a class, a row of zeros none; what lies between mixes the embeddings.
    """

    weights: Tensor

    @classmethod
    def of(cls, rows: Tensor, classes: int, told: Tensor | None = None) -> Labels:
        """The classes `rows` (B,) of so many; only where `told` (B,) is true, if it is given."""
        weights = torch.nn.functional.one_hot(rows, classes).float()
        return cls(weights if told is None else weights * told[:, None])


class LabelGuidedDenoiser:
    """`denoised, phi = guided(x, sigma)`: a label, with classifier-free guidance (Ho and Salimans 2022).

    `D = D_none + weight (D_label - D_none)`: their equation 6 in terms of the denoiser, weight = 1 + w. A
    weight of 1 asks the network once a step, any other twice.

    Parameters
    ----------
    network : Denoiser
        Trained with labels.
    labels : Tensor of shape (C,), (1, C) or (B, C)
        As in `Labels`.
    weight : float
    tileable : bool
        Images wrap round at the edges.
    """

    def __init__(
        self, network: Denoiser, labels: Tensor, *, weight: float = 1.0, tileable: bool = False
    ) -> None:
        self.network, self.weight, self.tileable = network, weight, tileable
        self.labels = Labels(labels.reshape(-1, labels.shape[-1]).to(next(network.parameters()).device))

    @property
    def evaluations(self) -> int:
        """Of the network, for each image and step."""
        return 1 if self.weight == 1 else 2

    @torch.no_grad()
    def __call__(self, x: Tensor, sigma: float | Tensor) -> tuple[Tensor, Tensor]:
        """`denoised` (B, 3, H, W) and `phi` (B, F) of a noisy batch; see `Denoiser.denoise`."""
        told, phi = self.network.denoise(x, sigma, self.labels, tileable=self.tileable)
        if self.weight == 1:
            return told, phi
        untold = self.network(x, sigma, Labels(torch.zeros_like(self.labels.weights)), tileable=self.tileable)
        return untold + self.weight * (told - untold), phi
