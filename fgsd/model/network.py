"""The denoiser: a small UNet whose channel means are its feature vector, preconditioned as in EDM."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fgsd.levels import interpolate
from fgsd.model.conditioning import Condition, LabelEmbedding, Labels, TargetEmbedding
from fgsd.model.layers import Conv3x3, NoiseEmbedding, ResidualBlock, rms_norm
from fgsd.model.matching import FeatureNormalization, MatchedLayer, Matching, RegionMatching

PASS_PIXELS = 32 * 64 * 64  # of the images in one pass: more need more memory, and are not faster


@dataclass(frozen=True)
class NetworkConfig:
    """Shape of the denoiser. Channel counts that are multiples of 8 are fastest."""

    widths: tuple[int, ...] = (64, 128, 256)  # channels of each level; level k has 1 / 2^(k+1) resolution
    blocks: tuple[int, ...] = (
        1,
        2,
        2,
    )  # residual blocks of each level going down; one fewer going up, min. 1
    head: int = 24  # channels of the thin layer at full resolution
    embedding: int = 128  # width of the noise-level embedding
    gate: int = 64  # hidden width of the gates that read the matched means
    # layers whose channel means form the feature vector, in the order in which the network computes them
    features: tuple[str, ...] = ("down0", "down1", "down2", "up1")
    # further layers with a gate (see `MatchedLayer`) that reads the image's own channel means; these layers
    # are neither matched nor part of the feature vector
    gated: tuple[str, ...] = ()
    feature_share: float = (
        1.0  # fraction of the channels of each feature layer that is matched, the first ones
    )
    # noise levels of the `FeatureNormalization` through which gates read matched means; 0: no normalisation
    normalization_levels: int = 0
    # training classes of the `TargetEmbedding`; 0: none, the target reaches the network by matching only
    target_embedding: int = 0
    film: bool = False  # gates scale and shift what they read by the context
    labels: int = 0  # classes that a label can name; 0: the class reaches the network by its features only
    sigma_data: float = 0.5  # standard deviation of the images in [-1, 1]

    def __post_init__(self) -> None:
        if len(self.widths) != len(self.blocks) or len(self.widths) < 2:
            raise ValueError(
                f"widths={self.widths} and blocks={self.blocks} must have the same length, at least 2"
            )
        if min((*self.widths, *self.blocks, self.head, self.embedding // 2, self.gate)) < 1:
            raise ValueError(f"widths and numbers of blocks must be at least 1, embedding 2; got {self}")
        known = self.layers()
        for field, names in (("features", self.features), ("gated", self.gated)):
            if unknown := [name for name in names if name not in known]:
                raise ValueError(f"{field}={unknown} are not layers; this network has {', '.join(known)}")
            if tuple(sorted(set(names), key=known.index)) != tuple(names):
                raise ValueError(f"{field}={names} must be distinct and in the order {', '.join(known)}")
        if twice := [name for name in self.gated if name in self.features]:
            raise ValueError(f"gated={twice} are features already, whose gates read the matched means")
        if not 0 < self.feature_share <= 1:
            raise ValueError(f"feature_share={self.feature_share} must be above 0 and at most 1")
        if self.normalization_levels < 0 or self.normalization_levels == 1:
            raise ValueError(
                f"normalization_levels={self.normalization_levels} must be 0, for none, or at least 2"
            )
        embeds = self.target_embedding
        if embeds < 0 or (embeds and not (self.normalization_levels and self.features)):
            raise ValueError(
                f"target_embedding={embeds} must be 0, for none, or the number of classes, and needs "
                f"features={self.features} and normalization_levels={self.normalization_levels}"
            )
        if self.labels and embeds:
            raise ValueError(f"labels={self.labels} and target_embedding={embeds}: set one of the two")
        if self.labels < 0:
            raise ValueError(f"labels={self.labels} must be 0, for none, or the number of classes")
        if not 0 < self.sigma_data < math.inf:
            raise ValueError(f"sigma_data={self.sigma_data} must be positive and finite")

    def layers(self) -> list[str]:
        """Return the names of all layers that can be matched, in order: down the levels, then up again."""
        levels = len(self.widths)
        return [f"down{k}" for k in range(levels)] + [f"up{k}" for k in reversed(range(levels - 1))]

    def feature_widths(self) -> dict[str, int]:
        """Return the number of matched channels of each feature layer."""
        widths = {name: self.widths[int(name.lstrip("downup"))] for name in self.features}
        return {name: max(1, round(self.feature_share * width)) for name, width in widths.items()}

    @property
    def dimension(self) -> int:
        """Length F of the feature vector phi."""
        return sum(self.feature_widths().values())

    @property
    def multiple(self) -> int:
        """Height and width of an image must be multiples of this number of pixels."""
        return 2 ** len(self.widths)


class Level(nn.Module):
    """Residual blocks at one resolution, a norm, then feature matching or a gate, if the level has either.

    The norm keeps the features of all levels on one scale, and the sum of the residuals from growing.
    """

    def __init__(
        self,
        channels: int,
        blocks: int,
        config: NetworkConfig,
        features: slice | None,
        *,
        gated: bool,
        last: bool = False,
    ) -> None:
        super().__init__()
        self.selected = features is not None
        self.blocks = nn.ModuleList(ResidualBlock(channels, config.embedding) for _ in range(blocks))
        self.matched = None
        if self.selected or gated:
            self.matched = MatchedLayer(
                channels,
                config.embedding,
                features or slice(0, channels),
                config.gate,
                updates_context=not last,
                film=config.film,
                normalized=config.normalization_levels > 0 and self.selected,
            )

    def forward(
        self,
        x: Tensor,
        context: Tensor,
        matching: Matching,
        stats: tuple[Tensor, Tensor] | None,
        phi: list[Tensor],
        tileable: bool,
    ) -> tuple[Tensor, Tensor]:
        """Return the activation and the context; append the level's means to `phi` if they are features."""
        masks = matching.masks_at(x) if isinstance(matching, RegionMatching) else None
        for block in self.blocks:
            x = block(x, context, tileable, masks)
        x = rms_norm(x)
        if self.matched is not None:
            x, context, phi_k = self.matched(x, context, matching if self.selected else None, stats, masks)
            if self.selected:
                phi.append(phi_k)
        return x, context


class Denoiser(nn.Module):
    """`denoised = denoiser(x, sigma)`: the least-squares estimate of x0 from x = x0 + sigma * eps.

    Preconditioning after Karras et al. 2022 (EDM), equation 7 and table 1:
    D = c_skip x + c_out F(c_in x; sigma). The score is (D - x) / sigma^2 (Miyasawa 1961).

    On the way in, pixels are folded 2 x 2 into channels, which makes the network four times faster. On the
    way out, a thin layer at full resolution sees the noisy image again, so that the fold leaves no grid in
    the samples.
    """

    def __init__(self, config: NetworkConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or NetworkConfig()
        widths, levels = config.widths, len(config.widths)
        slices, start = {}, 0
        for name, width in config.feature_widths().items():
            slices[name] = slice(start, start + width)
            start += width
        self.embed = NoiseEmbedding(config.embedding)
        self.label = LabelEmbedding(config.labels, config.embedding) if config.labels else None
        self.normalization = None
        if config.normalization_levels and config.features:
            self.normalization = FeatureNormalization(config.dimension, config.normalization_levels)
        self.target_embedding = None
        if config.target_embedding:
            self.target_embedding = TargetEmbedding(
                config.target_embedding, config.dimension, config.normalization_levels, config.embedding
            )
        self.stem = Conv3x3(3 * 4, widths[0])
        self.down = nn.ModuleList(
            Level(
                widths[k], config.blocks[k], config, slices.get(f"down{k}"), gated=f"down{k}" in config.gated
            )
            for k in range(levels)
        )
        self.shrink = nn.ModuleList(
            nn.Conv2d(widths[k], widths[k + 1], 2, stride=2) for k in range(levels - 1)
        )
        self.grow = nn.ModuleList(nn.Conv2d(widths[k + 1], widths[k], 1) for k in range(levels - 1))
        self.merge = nn.ModuleList(nn.Conv2d(2 * widths[k], widths[k], 1) for k in range(levels - 1))
        self.up = nn.ModuleList(
            Level(
                widths[k],
                max(1, config.blocks[k] - 1),
                config,
                slices.get(f"up{k}"),
                gated=f"up{k}" in config.gated,
                last=k == 0,
            )
            for k in range(levels - 1)
        )
        self.unfold = nn.Conv2d(widths[0], 4 * config.head, 1)
        self.head_in = Conv3x3(config.head + 3, config.head)
        self.head_out = Conv3x3(config.head, 3)
        for p in self.head_out.parameters():
            nn.init.zeros_(p)

    def forward(
        self,
        x: Tensor,
        sigma: float | Tensor,
        condition: Condition = None,
        *,
        tileable: bool = False,
        features: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Denoise a batch: `denoised`, or `(denoised, phi)` with `features`; see `denoise`."""
        denoised, phi = self.denoise(x, sigma, condition, tileable=tileable)
        return (denoised, phi) if features else denoised

    def denoise(
        self, x: Tensor, sigma: float | Tensor, condition: Condition = None, *, tileable: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Denoise a batch and measure its features.

        Parameters
        ----------
        x : Tensor of shape (B, 3, H, W)
            Images in [-1, 1] plus noise. H and W are multiples of `config.multiple`.
        sigma : float or Tensor of shape () or (B,)
            Standard deviation of the noise, positive, in the same units.
        condition : CentroidMatching, RegionMatching, PeerMatching, Labels or None
            The target; None leaves the images unguided. Labels are for networks that were trained with them.
        tileable : bool
            Wrap round at the edges, so that the image continues from right to left and bottom to top.

        Returns
        -------
        denoised : Tensor of shape (B, 3, H, W)
        phi : Tensor of shape (B, F), float32 or wider
            The feature vector: channel means of each feature layer, before that layer is matched. With
            `RegionMatching` (B, R, F): those of each region.

        Raises
        ------
        ValueError
            If H or W is not a multiple of `config.multiple`; the message names the nearest one. If labels are
            not of the network's number of classes. If the network has no regions, or their masks are not of
            the size of the images.
        """
        self.check_inputs(x, condition)
        sigma = torch.as_tensor(sigma, dtype=x.dtype, device=x.device).expand(x.shape[0])
        c_skip, c_out, c_in = preconditioning(sigma[:, None, None, None], self.config.sigma_data)
        output, phi = self._network(c_in * x, sigma.log(), condition, tileable)
        return c_skip * x + c_out * output.to(x.dtype), phi

    def check_inputs(self, x: Tensor, condition: Condition) -> None:
        """Raise what `denoise` raises for images and a condition that do not fit."""
        check_size(x.shape[-2], x.shape[-1], self.config.multiple)
        if isinstance(condition, RegionMatching):
            self._check_regions(condition, x)
        if isinstance(condition, Labels) and condition.weights.shape[-1] != self.config.labels:
            raise ValueError(
                f"labels of {condition.weights.shape[-1]} classes, but this network was trained with "
                f"labels={self.config.labels}"
            )

    def _check_regions(self, condition: RegionMatching, x: Tensor) -> None:
        config = self.config
        if config.labels or config.target_embedding or config.gated or not config.features:
            raise ValueError(
                "regions need a network whose target reaches it by matching alone, without labels, target "
                "embedding and further gates"
            )
        if condition.masks.shape[-2:] != x.shape[-2:]:
            sizes = tuple(condition.masks.shape[-2:]), tuple(x.shape[-2:])
            raise ValueError(f"masks of {sizes[0]} pixels, but images of {sizes[1]}")

    def target_coordinates(self, sigmas: Tensor, targets: Tensor) -> Tensor | None:
        """Return the coordinates of targets among the class centroids, for `CentroidMatching`.

        Parameters
        ----------
        sigmas : Tensor of shape (S,)
            Noise levels, increasing.
        targets : Tensor of shape (B, S, F)
            Feature vectors at each of them.

        Returns
        -------
        Tensor of shape (B, S, C) on the network's device, or None for a network without target embedding.
        """
        if self.target_embedding is None or self.normalization is None:
            return None
        levels, targets = self.normalization.sigmas, targets.to(self.normalization.mean)
        at_levels = interpolate(sigmas, targets, levels)
        coordinates = self.target_embedding.coordinates(self.normalization, at_levels)
        return interpolate(levels, coordinates, sigmas)

    def _conditioning(self, condition: Condition, batch: int) -> Tensor | float:
        """Return what the condition adds to the noise-level embedding: (B, E), (1, E) or 0."""
        if isinstance(condition, Labels):
            assert self.label is not None  # `denoise` refuses labels of another network
            return self.label(condition)
        if condition is None or self.target_embedding is None:
            return 0.0
        return self.target_embedding(condition, batch)

    def _network(
        self, x: Tensor, log_sigma: Tensor, condition: Condition, tileable: bool
    ) -> tuple[Tensor, Tensor]:
        """Return F(x; sigma) of EDM, equation 7, and the feature vector."""
        x = x.contiguous(memory_format=torch.channels_last)
        context = self.embed(log_sigma, self._conditioning(condition, len(x)))
        if isinstance(condition, RegionMatching):
            context = context[:, None].expand(-1, condition.masks.shape[1], -1)
        matching = None if isinstance(condition, Labels) else condition
        stats = None if self.normalization is None else self.normalization(log_sigma)
        phi: list[Tensor] = []
        skips = []
        h = self.stem(F.pixel_unshuffle(x, 2), tileable)  # (B, 12, H/2, W/2) -> (B, widths[0], H/2, W/2)
        for k, level in enumerate(self.down):
            h, context = level(h, context, matching, stats, phi, tileable)
            if k < len(self.shrink):
                skips.append(h)
                h = self.shrink[k](h)
        for k in reversed(range(len(self.up))):
            h = F.interpolate(self.grow[k](h), scale_factor=2, mode="nearest")
            h = self.merge[k](torch.cat([h, skips[k]], dim=1))
            h, context = self.up[k](h, context, matching, stats, phi, tileable)
        h = F.pixel_shuffle(self.unfold(h), 2)  # (B, head, H, W)
        h = F.silu(self.head_in(torch.cat([h, x.to(h.dtype)], dim=1), tileable))
        empty = x.new_zeros(x.shape[0], 0)
        return self.head_out(h, tileable), torch.cat(phi, dim=-1) if phi else empty


def preconditioning(sigma: Tensor, sigma_data: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return c_skip, c_out and c_in of EDM, table 1."""
    total = (sigma**2 + sigma_data**2).sqrt()
    return sigma_data**2 / total**2, sigma * sigma_data / total, 1 / total


def weighted_error(denoised: Tensor, x0: Tensor, sigma: Tensor, sigma_data: float) -> Tensor:
    """Return the mean squared error of denoised images (B, C, H, W), weighted by 1 / c_out^2 (EDM, table 1).

    Parameters
    ----------
    x0 : Tensor of shape (B, C, H, W)
        The clean images.
    sigma : Tensor of shape (B,)
        Noise levels, in the units of the images.
    sigma_data : float
        Standard deviation of the images; see `NetworkConfig`.
    """
    weight = (sigma**2 + sigma_data**2) / (sigma * sigma_data) ** 2
    return (weight[:, None, None, None] * (denoised.float() - x0) ** 2).mean()


def check_size(height: int, width: int, multiple: int) -> None:
    """Raise `ValueError` unless both are positive multiples; the message names the nearest good size."""
    for name, value in (("height", height), ("width", width)):
        if value < multiple or value % multiple:
            nearest = max(multiple, multiple * round(value / multiple))
            raise ValueError(
                f"{name}={value} must be a positive multiple of {multiple} pixels; the nearest is {nearest}"
            )
