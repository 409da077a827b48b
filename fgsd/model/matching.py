"""Feature matching: how a class reaches the network, by its centroid and nothing else.

In each selected layer k, with activation `a_k` and feature vector `phi_k` = spatial mean of `a_k`, the
means are moved to a target, at full strength: `a_k <- a_k + (target_k - phi_k)`. Kadkhodaie, Mallat and
Simoncelli (2024) project the score onto a class in this way; they learn a gain per channel, we do not: a
learned gain shrinks in training until the guidance is lost.

What the target is depends on who asks: nobody (`None`, the identity), the other images of a batch
(`PeerMatching`, in training), or a centroid (`CentroidMatching`, in sampling).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


def spatial_mean(activation: Tensor) -> Tensor:
    """phi_k (B, C) of an activation (B, C, H, W), summed in float32 at least."""
    dtype = torch.promote_types(activation.dtype, torch.float32)
    return activation.mean(dim=(2, 3), dtype=dtype)


@dataclass(frozen=True)
class PeerMatching:
    """Targets from the batch itself: `target = weights @ phi`.

    Parameters
    ----------
    weights : Tensor of shape (B, B)
        Each row sums to 1. A row of the identity leaves its image unguided; a row that averages the
        *other* images of a class is the leave-one-out centroid of training.
    read : Tensor of shape (B, C) or (1, C), optional
        What a network with foresight reads of the target up front; without, nothing.
    """

    weights: Tensor
    read: Tensor | None = None

    def target(self, phi: Tensor, features: slice) -> Tensor:
        with torch.autocast(phi.device.type, enabled=False):  # means keep their float32
            return self.weights.to(phi.dtype) @ phi


@dataclass(frozen=True)
class CentroidMatching:
    """Targets from a centroid: `target = phi + strength * (centroid - phi)`.

    Parameters
    ----------
    centroid : Tensor of shape (F,) or (B, F)
        Feature vector at the noise level of the input, all selected layers concatenated.
    strength : float or Tensor of shape (B, 1)
        0 leaves the image unguided, 1 moves it all the way to the centroid.
    read : Tensor of shape (C,) or (B, C), optional
        What a network with foresight reads of the centroid up front; as much of it as the strength says.
    """

    centroid: Tensor
    strength: float | Tensor = 1.0
    read: Tensor | None = None

    def target(self, phi: Tensor, features: slice) -> Tensor:
        centroid = self.centroid[..., features].to(phi)
        return phi + self.strength * (centroid - phi)


Matching = PeerMatching | CentroidMatching | None

FARTHEST = 3.0  # spreads of the classes beyond which all is as far, in what a standardised layer reads
MIN_SPREAD = 1e-3  # of a feature that no class differs in


def leave_one_out(groups: int, size: int, guided: Tensor) -> Tensor:
    """Weights of `PeerMatching` for a batch of `groups` groups of `size` images, one after the other.

    Parameters
    ----------
    guided : Tensor of bool, shape (groups,)
        Groups that are matched to the mean of their other members; the rest are left as they are.

    Returns
    -------
    Tensor of shape (groups * size, groups * size)
    """
    if size < 2:
        raise ValueError(f"size={size}: a group needs at least 2 images to match one to the others")
    others = (1 - torch.eye(size)) / (size - 1)
    blocks = [others if g else torch.eye(size) for g in guided.tolist()]
    return torch.block_diag(*blocks)


class MatchedLayer(nn.Module):
    """Matches the channel means of one layer, then lets the network read them.

    The gate (squeeze-and-excitation, Hu et al. 2018) takes the matched means, less an offset that is a
    learned function of the context, to a gain and a bias per channel; and it adds what it read to the
    context, which modulates every block that follows. It starts as the identity. Without the gate guidance
    takes hold several times later in training; without the context it colours but hardly shapes. Gains stay
    between 0 and 2: those of one layer multiply the means that the next one reads, and unbounded ones were
    seen to blow up. Without a target, nothing is moved and the gate reads the image's own means: all that is
    left of a layer that `NetworkConfig.gated` names.

    Parameters
    ----------
    channels : int
    embedding : int
        Width of the context, which begins as the noise-level embedding.
    features : slice
        Where this layer's means stand in the concatenated feature vector; if they are fewer than the
        channels, the first channels are matched.
    hidden : int
        Width of the gate's hidden layer.
    tells : bool
        Whether blocks follow that read the context; without them nothing is added to it.
    lit : bool
        What the gate reads is scaled and shifted by the context first: what means say depends on the noise
        level, and for a network with foresight or labels on the class.
    standardised : bool
        The gate reads the matched means in the units of `Standards` instead, in which classes are far apart
        from the first step of training on, and beside them how far the image's own means were from them:
        what matching takes from the image is then not lost. Values are softly limited to `FARTHEST`.
    """

    def __init__(
        self,
        channels: int,
        embedding: int,
        features: slice,
        hidden: int,
        *,
        tells: bool = True,
        lit: bool = False,
        standardised: bool = False,
    ) -> None:
        super().__init__()
        self.features, matched = features, features.stop - features.start
        self.offset = None if standardised else nn.Linear(embedding, matched)
        self.read = nn.Linear(matched, hidden)
        self.own = nn.Linear(matched, hidden, bias=False) if standardised else None
        self.gate = nn.Linear(hidden, 2 * channels)
        self.tell = nn.Linear(hidden, embedding) if tells else None
        self.light = nn.Linear(embedding, 2 * hidden) if lit else None
        for layer in filter(None, (self.gate, self.tell, self.own, self.light)):
            for p in layer.parameters():
                nn.init.zeros_(p)

    def forward(
        self, a: Tensor, context: Tensor, matching: Matching, standard: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Match an activation (B, C, H, W), in the light of a context (B, E); a layer that is standardised
        needs mean and spread (B, F) of the concatenated feature vector.

        Returns
        -------
        The matched activation (B, C, H, W), the context with what was read (B, E), and the activation's
        own phi_k (B, M) before it was matched.
        """
        phi = spatial_mean(a[:, : self.features.stop - self.features.start])
        target = phi if matching is None else matching.target(phi, self.features)
        hidden = self._read(phi, target, context, standard, a.dtype)
        if self.light is not None:
            gain, bias = self.light(context).chunk(2, dim=1)
            hidden = hidden * (1 + gain) + bias
        hidden = nn.functional.silu(hidden)
        gain, bias = self.gate(hidden).chunk(2, dim=1)
        gain = 1 + gain.tanh()
        # matched activation a + (target - phi), then gain and bias, in one pass over the pixels
        step = nn.functional.pad((target - phi).to(a.dtype), (0, a.shape[1] - phi.shape[1]))
        shift = step * gain + bias
        if self.tell is not None:
            context = context + self.tell(hidden)
        return a * gain[..., None, None] + shift[..., None, None], context, phi

    def _read(self, phi, target, context, standard, dtype) -> Tensor:
        if self.offset is not None:
            return self.read(target.to(dtype) - self.offset(context))
        assert self.own is not None and standard is not None
        mean, spread = (values[:, self.features].to(phi) for values in standard)
        where, own = (
            (FARTHEST * torch.tanh(z / spread / FARTHEST)).to(dtype) for z in (target - mean, phi - target)
        )
        return self.read(where) + self.own(own)


class Standards(nn.Module):
    """Mean and spread of the classes' centroids by noise level, in which a layer reads its means.

    They are no parameters: training copies them from its running centroids, and they stay as they are then.

    Parameters
    ----------
    features : int
        Length of the feature vector.
    levels : int
        Noise levels, evenly spaced in log(sigma).
    """

    logs: Tensor
    mean: Tensor
    spread: Tensor

    def __init__(self, features: int, levels: int) -> None:
        super().__init__()
        self.register_buffer("logs", torch.arange(float(levels)))
        self.register_buffer("mean", torch.zeros(levels, features))
        self.register_buffer("spread", torch.ones(levels, features))

    @torch.no_grad()
    def follow(self, sigmas: Tensor, mean: Tensor, spread: Tensor, enough: Tensor) -> None:
        """Take over mean and spread (S, F) at the levels (S,) where there is `enough` (S,) to tell them."""
        self.logs.copy_(sigmas.log())
        self.mean.copy_(torch.where(enough[:, None], mean, self.mean))
        self.spread.copy_(torch.where(enough[:, None], spread.clamp(min=MIN_SPREAD), self.spread))

    def units(self, values: Tensor) -> Tensor:
        """Feature vectors (..., S, F) at the levels, in units of the spread from the mean."""
        return (values.to(self.mean) - self.mean) / self.spread

    def forward(self, log_sigma: Tensor) -> tuple[Tensor, Tensor]:
        """Both at noise levels (B,), each (B, F): linear in log(sigma), constant beyond the ends."""
        last = len(self.logs) - 1
        place = (log_sigma.to(self.logs) - self.logs[0]) / (self.logs[1] - self.logs[0])
        place = place.clamp(0, last)
        lower = place.floor().clamp(max=last - 1).long()
        share = (place - lower)[:, None]
        mean, spread = (torch.lerp(v[lower], v[lower + 1], share) for v in (self.mean, self.spread))
        return mean, spread
