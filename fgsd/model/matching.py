"""Feature matching: the channel means of selected layers are moved to those of a target.

In each selected layer k, with activation `a_k` and feature vector `phi_k` = spatial mean of `a_k`, the means
are moved all the way to the target: `a_k <- a_k + (target_k - phi_k)`. Kadkhodaie, Mallat and Simoncelli
(2024) project the score onto a class in this way. They learn a gain per channel; we do not, because a learned
gain shrinks in training until guidance is lost.

The target is a class centroid (`CentroidMatching`, in sampling and in training) or the mean of other images
of the batch (`PeerMatching`, in training). None stands for an unguided batch. In a batch that is guided in
part, the mask `guided` marks the images that are.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

MAX_NORMALIZED = 3.0  # soft limit of normalised features, in standard deviations over the classes
MAX_RAISED = 4.0  # factor by which the mask of a small region is raised at most, see `pooled_masks`
MIN_RAISED = 1.05  # factor from which it is
MIN_SPREAD = 1e-3  # lower bound of that standard deviation, for features that are the same in all classes


def spatial_mean(activation: Tensor) -> Tensor:
    """Return phi_k (B, C) of an activation (B, C, H, W), summed in float32 or wider."""
    dtype = torch.promote_types(activation.dtype, torch.float32)
    return activation.mean(dim=(2, 3), dtype=dtype)


@dataclass(frozen=True)
class PeerMatching:
    """Match each image to a weighted mean of the batch: `target = weights @ phi`.

    Parameters
    ----------
    weights : Tensor of shape (B, B)
        Each row sums to 1. A row that averages the *other* images of a class gives the leave-one-out
        centroid of training.
    coordinates : Tensor of shape (B, C) or (1, C), optional
        Coordinates of the target among the class centroids, for a network with a `TargetEmbedding`.
    guided : Tensor of bool, shape (B,), optional
        Images to match; the others stay unguided. By default all are matched.
    """

    weights: Tensor
    coordinates: Tensor | None = None
    guided: Tensor | None = None

    def target(self, phi: Tensor, features: slice) -> Tensor:
        """Return the target means (B, M) of a layer whose own means are `phi` (B, M)."""
        with torch.autocast(phi.device.type, enabled=False):  # means stay in float32
            target = self.weights.to(phi.dtype) @ phi
        return _where_guided(self.guided, target, phi)


@dataclass(frozen=True)
class CentroidMatching:
    """Match images to a centroid: `target = phi + strength * (centroid - phi)`.

    Parameters
    ----------
    centroid : Tensor of shape (F,) or (B, F)
        Feature vector at the noise level of the input, all selected layers concatenated.
    strength : float or Tensor of shape (B, 1)
        Fraction of the way to the centroid: 1 is all the way, and towards 0 guidance vanishes.
    coordinates : Tensor of shape (C,) or (B, C), optional
        Coordinates of the centroid among the class centroids, for a network with a `TargetEmbedding`, which
        multiplies them by the strength.
    guided : Tensor of bool, shape (B,), optional
        Images to match; the others stay unguided. By default all are matched.
    """

    centroid: Tensor
    strength: float | Tensor = 1.0
    coordinates: Tensor | None = None
    guided: Tensor | None = None

    def target(self, phi: Tensor, features: slice) -> Tensor:
        """Return the target means (B, M) of the layer at `features`, whose own means are `phi` (B, M)."""
        centroid = self.centroid[..., features].to(phi)
        return _where_guided(self.guided, phi + self.strength * (centroid - phi), phi)


@dataclass(frozen=True)
class RegionMatching:
    """Match regions of each image to centroids of their own, in one pass of the network.

    In each selected layer, the means of a region are those of the activation weighted by its mask, and the
    step, gain and bias that they lead to apply where the mask is. With one region this is
    `CentroidMatching`.

    Parameters
    ----------
    masks : Tensor of shape (1 or B, R, H, W)
        Not negative, and their sum over the R regions is 1 at each pixel of the images.
    centroids : Tensor of shape (R, F) or (B, R, F)
        Feature vector of each region at the noise level of the input.
    strength : float or Tensor of shape (B, 1)
        See `CentroidMatching`.
    pooled : dict, optional
        Keeps what `masks_at` returns: give the same one where several evaluations have the same masks.
    """

    masks: Tensor
    centroids: Tensor
    strength: float | Tensor = 1.0
    pooled: dict[tuple[int, torch.dtype], Tensor] = field(default_factory=dict, repr=False, compare=False)

    def target(self, phi: Tensor, features: slice) -> Tensor:
        """Return the target means (B, R, M) of the layer at `features`, whose means are `phi` (B, R, M)."""
        strength = self.strength[..., None] if isinstance(self.strength, Tensor) else self.strength
        return phi + strength * (self.centroids[..., features].to(phi) - phi)

    def masks_at(self, activation: Tensor) -> Tensor:
        """Return the masks (1 or B, R, H, W) at the resolution of an activation."""
        return self.pooled_by(self.masks.shape[-1] // activation.shape[-1], activation.dtype)

    def pooled_by(self, factor: int, dtype: torch.dtype) -> Tensor:
        """Return the masks at 1 / `factor` of the resolution, see `pooled_masks`."""
        if (factor, dtype) not in self.pooled:
            self.pooled[factor, dtype] = pooled_masks(self.masks, factor).to(dtype)
        return self.pooled[factor, dtype]


Matching = PeerMatching | CentroidMatching | RegionMatching | None


def pooled_masks(masks: Tensor, factor: int) -> Tensor:
    """Return masks (B, R, H, W) at 1 / `factor` of the resolution; their sum at each pixel stays the same.

    They are averaged. A region smaller than the pixels of a layer would hardly be told there, so its mask is
    raised, up to `MAX_RAISED` times, towards the maximum that it had, at the expense of the other regions.
    """
    pooled = nn.functional.avg_pool2d(masks, factor)
    peak = masks.amax(dim=(2, 3), keepdim=True)
    gain = (peak / pooled.amax(dim=(2, 3), keepdim=True).clamp(min=1e-6)).clamp(max=MAX_RAISED)
    is_small = gain > MIN_RAISED
    if not bool(is_small.any()):
        return pooled
    small = torch.where(is_small, pooled * gain, 0.0)
    small = small / small.sum(dim=1, keepdim=True).clamp(min=1)
    others = torch.where(is_small, 0.0, pooled)
    others = others / others.sum(dim=1, keepdim=True).clamp(min=1e-6)
    return small + others * (1 - small.sum(dim=1, keepdim=True))


def region_means(activation: Tensor, masks: Tensor) -> Tensor:
    """Return phi_k (B, R, C) of the regions of an activation (B, C, H, W), in float32 or wider.

    A region without any pixel has the mean of the whole image.
    """
    dtype = torch.promote_types(activation.dtype, torch.float32)
    a, m = activation.to(dtype).flatten(2), masks.to(dtype).flatten(2)
    sizes = m.sum(dim=2, keepdim=True)
    means = torch.matmul(m, a.transpose(1, 2)) / sizes.clamp(min=1e-6)
    return torch.where(sizes > 1e-6, means, a.mean(dim=2)[:, None])


def over_pixels(values: Tensor, masks: Tensor | None) -> Tensor:
    """Return values of channels (B, C) for all pixels, or of regions (B, R, C) blended by their masks.

    Returns
    -------
    Tensor of shape (B, C, 1, 1), or (B, C, H, W) with masks
    """
    if masks is None:
        return values[..., None, None]
    # (B, H W, C): as the pixels of an activation in the memory format channels_last
    blended = torch.matmul(masks.flatten(2).transpose(1, 2).to(values.dtype), values)
    return blended.unflatten(1, masks.shape[-2:]).permute(0, 3, 1, 2)


def _where_guided(guided: Tensor | None, target: Tensor, phi: Tensor) -> Tensor:
    """Return the target for guided images, and the image's own means for the others."""
    return target if guided is None else torch.where(guided[:, None], target, phi)


def leave_one_out(groups: int, size: int) -> Tensor:
    """Return weights of `PeerMatching` that match each image to the mean of the others of its group.

    Parameters
    ----------
    groups : int
        Number of groups in the batch, one after the other.
    size : int
        Images in a group, at least 2.

    Returns
    -------
    Tensor of shape (groups * size, groups * size)
    """
    if size < 2:
        raise ValueError(f"size={size}: a group needs at least 2 images to match one to the others")
    others = (1 - torch.eye(size)) / (size - 1)
    return torch.block_diag(*[others] * groups)


class MatchedLayer(nn.Module):
    """Match the channel means of one layer, then modulate the network by the matched means.

    A gate (squeeze-and-excitation, Hu et al. 2018) maps the matched means, less an offset that depends on the
    context, to a gain and a bias per channel, and to a vector that is added to the context. The context
    modulates all later blocks. The gate starts as the identity. Without the gate, guidance takes effect
    several times later in training; without the context, it changes colours but hardly shapes. Gains stay
    between 0 and 2: the gains of one layer multiply the means of the next, and unbounded ones diverged.

    Without a target nothing is moved, and the gate reads the image's own means. Layers in
    `NetworkConfig.gated` are always used in this way.

    Parameters
    ----------
    channels : int
    embedding : int
        Width E of the context, which starts as the noise-level embedding.
    features : slice
        Position of this layer's M means in the concatenated feature vector. If M is below `channels`, the
        first M channels are matched.
    hidden : int
        Width of the gate's hidden layer.
    updates_context : bool
        Add to the context; False for the last layer, after which no block reads it.
    film : bool
        Scale and shift the gate's hidden layer by the context (FiLM, Perez et al. 2018): what means say
        depends on the noise level and, with labels or a target embedding, on the class.
    normalized : bool
        The gate reads the matched means as `FeatureNormalization` normalises them: then classes are far apart
        from the first training step on. It also reads the normalised difference of the image's own means from
        them, which matching removes from the image. Both are softly limited to `MAX_NORMALIZED`.

    Notes
    -----
    The layers `read` and `tell` keep the names of their tensors in published checkpoints: the fingerprint of
    a checkpoint, which recipe files hold, covers names.
    """

    def __init__(
        self,
        channels: int,
        embedding: int,
        features: slice,
        hidden: int,
        *,
        updates_context: bool = True,
        film: bool = False,
        normalized: bool = False,
    ) -> None:
        super().__init__()
        self.features, matched = features, features.stop - features.start
        self.offset = None if normalized else nn.Linear(embedding, matched)
        self.read = nn.Linear(matched, hidden)
        self.deviation = nn.Linear(matched, hidden, bias=False) if normalized else None
        self.gate = nn.Linear(hidden, 2 * channels)
        self.tell = nn.Linear(hidden, embedding) if updates_context else None
        self.film = nn.Linear(embedding, 2 * hidden) if film else None
        for layer in filter(None, (self.gate, self.tell, self.deviation, self.film)):
            for p in layer.parameters():
                nn.init.zeros_(p)

    def forward(
        self,
        a: Tensor,
        context: Tensor,
        matching: Matching,
        stats: tuple[Tensor, Tensor] | None = None,
        masks: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Match an activation (B, C, H, W), given the context (B, E).

        A layer with `normalized` needs `stats`: mean and spread (B, F) from `FeatureNormalization`. With
        `RegionMatching` and its `masks` (1 or B, R, H, W), the context is (B, R, E), and so is each vector
        that follows from it.

        Returns
        -------
        The matched activation (B, C, H, W), the updated context (B, E), and phi_k (B, M), the means of the
        activation before it was matched.
        """
        means = a[:, : self.features.stop - self.features.start]
        phi = spatial_mean(means) if masks is None else region_means(means, masks)
        target = phi if matching is None else matching.target(phi, self.features)
        hidden = self._hidden(phi, target, context, stats, a.dtype)
        if self.film is not None:
            gain, bias = self.film(context).chunk(2, dim=-1)
            hidden = hidden * (1 + gain) + bias
        hidden = nn.functional.silu(hidden)
        gain, bias = self.gate(hidden).chunk(2, dim=-1)
        gain = 1 + gain.tanh()
        # the matched activation a + (target - phi), then gain and bias, in one pass over the pixels
        step = nn.functional.pad((target - phi).to(a.dtype), (0, a.shape[1] - phi.shape[-1]))
        shift = step * gain + bias
        if self.tell is not None:
            context = context + self.tell(hidden)
        return a * over_pixels(gain, masks) + over_pixels(shift, masks), context, phi

    def _hidden(
        self,
        phi: Tensor,
        target: Tensor,
        context: Tensor,
        stats: tuple[Tensor, Tensor] | None,
        dtype: torch.dtype,
    ) -> Tensor:
        """Return the gate's hidden layer (B, hidden) before its nonlinearity."""
        if self.offset is not None:
            return self.read(target.to(dtype) - self.offset(context))
        assert self.deviation is not None and stats is not None
        mean, spread = (values[:, self.features].to(phi) for values in stats)
        if phi.ndim == 3:  # regions
            mean, spread = mean[:, None], spread[:, None]
        matched, deviation = (
            (MAX_NORMALIZED * torch.tanh(difference / spread / MAX_NORMALIZED)).to(dtype)
            for difference in (target - mean, phi - target)
        )
        return self.read(matched) + self.deviation(deviation)


class FeatureNormalization(nn.Module):
    """Mean and spread of the class centroids by noise level, which normalise what gates read.

    The spread is the standard deviation over classes. Both are buffers, not parameters: training copies them
    from its running centroids.

    Parameters
    ----------
    features : int
        Length F of the feature vector.
    levels : int
        Number S of noise levels, evenly spaced in log(sigma).
    """

    log_sigmas: Tensor
    mean: Tensor
    spread: Tensor

    def __init__(self, features: int, levels: int) -> None:
        super().__init__()
        self.register_buffer("log_sigmas", torch.arange(float(levels)))
        self.register_buffer("mean", torch.zeros(levels, features))
        self.register_buffer("spread", torch.ones(levels, features))

    @property
    def sigmas(self) -> Tensor:
        """The noise levels (S,), in [-1, 1] units."""
        return self.log_sigmas.exp()

    @torch.no_grad()
    def set_stats(self, sigmas: Tensor, mean: Tensor, spread: Tensor, known: Tensor) -> None:
        """Copy noise levels (S,), mean and spread (S, F); levels where `known` (S,) is False keep theirs."""
        self.log_sigmas.copy_(sigmas.log())
        self.mean.copy_(torch.where(known[:, None], mean, self.mean))
        self.spread.copy_(torch.where(known[:, None], spread.clamp(min=MIN_SPREAD), self.spread))

    def normalized(self, values: Tensor) -> Tensor:
        """Return feature vectors (..., S, F) at these levels, less the mean and divided by the spread."""
        return (values.to(self.mean) - self.mean) / self.spread

    def forward(self, log_sigma: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and spread (B, F) at noise levels (B,): linear in log(sigma), constant beyond the
        ends."""
        last = len(self.log_sigmas) - 1
        position = (log_sigma.to(self.log_sigmas) - self.log_sigmas[0]) / (
            self.log_sigmas[1] - self.log_sigmas[0]
        )
        position = position.clamp(0, last)
        lower = position.floor().clamp(max=last - 1).long()
        fraction = (position - lower)[:, None]
        mean, spread = (torch.lerp(v[lower], v[lower + 1], fraction) for v in (self.mean, self.spread))
        return mean, spread
