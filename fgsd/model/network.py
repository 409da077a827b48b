"""The denoiser: a small UNet whose channel means are its feature vector, preconditioned after EDM."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fgsd.levels import interpolate
from fgsd.model.conditioning import Labels
from fgsd.model.matching import CentroidMatching, MatchedLayer, Matching, Standards, spatial_mean
from fgsd.model.target_embedding import Foresight


@dataclass(frozen=True)
class NetworkConfig:
    """Shape of the denoiser. Multiples of 8 channels are fastest."""

    widths: tuple[int, ...] = (64, 128, 256)  # channels by level; level k works at 1 / 2^(k+1) resolution
    blocks: tuple[int, ...] = (1, 2, 2)  # residual blocks by level, on the way down; one fewer up, at least 1
    head: int = 24  # channels of the thin layer at full resolution
    embedding: int = 128  # width of the noise-level embedding
    gate: int = 64  # hidden width of the gates that read the matched means
    # layers whose channel means form the feature vector, in the order in which the network computes them
    features: tuple[str, ...] = ("down0", "down1", "down2", "up1")
    # further layers with a gate (see `MatchedLayer`), which reads the image's own channel means; they are
    # neither matched nor part of the feature vector
    gated: tuple[str, ...] = ()
    feature_share: float = 1.0  # share of each such layer's channels that are matched, the first ones
    # noise levels at which the classes' spread is known, in units of which matched means are read (see
    # `MatchedLayer`); 0: they are read plainly
    standards: int = 0
    # training classes, among whose centroids the network places its target before the first block (see
    # `fgsd.model.target_embedding`); 0: it hears of the target layer by layer alone
    foresight: int = 0
    lit: bool = False  # what the gates read is scaled and shifted by the context
    own_colour: bool = False  # the last layer sees the noisy image's own mean colour, which matching erases
    labels: int = 0  # classes that a label can name; 0: features alone tell the class, as the method has it
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
                raise ValueError(f"{field}={unknown} are no layers; this network has {', '.join(known)}")
            if tuple(sorted(set(names), key=known.index)) != tuple(names):
                raise ValueError(f"{field}={names} must be distinct and in the order {', '.join(known)}")
        if twice := [name for name in self.gated if name in self.features]:
            raise ValueError(f"gated={twice} are features already, whose gates read the matched means")
        if not 0 < self.feature_share <= 1:
            raise ValueError(f"feature_share={self.feature_share} must be above 0 and at most 1")
        if self.standards < 0 or self.standards == 1:
            raise ValueError(f"standards={self.standards} must be 0, for none, or at least 2 noise levels")
        if self.foresight < 0 or (self.foresight and not (self.standards and self.features)):
            raise ValueError(
                f"foresight={self.foresight} must be 0, for none, or the number of classes, and needs "
                f"features={self.features} and standards={self.standards}"
            )
        if self.labels and self.foresight:
            raise ValueError(f"labels={self.labels} and foresight={self.foresight}: set one of the two")
        if self.labels < 0:
            raise ValueError(f"labels={self.labels} must be 0, for none, or the number of classes")
        if not 0 < self.sigma_data < math.inf:
            raise ValueError(f"sigma_data={self.sigma_data} must be positive and finite")

    def layers(self) -> list[str]:
        """Names of all layers that can be matched, in order: down the levels, then up again."""
        levels = len(self.widths)
        return [f"down{k}" for k in range(levels)] + [f"up{k}" for k in reversed(range(levels - 1))]

    def feature_widths(self) -> dict[str, int]:
        """Number of matched channels of each selected layer."""
        widths = {name: self.widths[int(name.lstrip("downup"))] for name in self.features}
        return {name: max(1, round(self.feature_share * width)) for name, width in widths.items()}

    @property
    def dimension(self) -> int:
        """Length of the feature vector phi."""
        return sum(self.feature_widths().values())

    @property
    def multiple(self) -> int:
        """Height and width of an image must be multiples of this number of pixels."""
        return 2 ** len(self.widths)


class Conv3x3(nn.Conv2d):
    """A 3 x 3 convolution; edges are mirrored, so that channel means hardly depend on the image's size, or
    wrap round for seamless tiles."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3)

    def forward(self, x: Tensor, tileable: bool) -> Tensor:  # type: ignore[override]
        mode = "circular" if tileable else "reflect" if min(x.shape[-2:]) > 1 else "replicate"
        return super().forward(F.pad(x, (1, 1, 1, 1), mode=mode))


def rms_norm(x: Tensor) -> Tensor:
    """Divides each pixel's channels by their root mean square; no mean is subtracted, so means still tell."""
    return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-4)


class ResidualBlock(nn.Module):
    """x + conv(silu(gain * conv(norm(x)) + bias)), gain and bias linear in the context: the noise level and
    the matched means read so far. Starts as the identity."""

    def __init__(self, channels: int, embedding: int) -> None:
        super().__init__()
        self.conv_in = Conv3x3(channels, channels)
        self.conv_out = Conv3x3(channels, channels)
        self.modulation = nn.Linear(embedding, 2 * channels)
        for p in (*self.conv_out.parameters(), *self.modulation.parameters()):
            nn.init.zeros_(p)

    def forward(self, x: Tensor, context: Tensor, tileable: bool) -> Tensor:
        gain, bias = self.modulation(context)[..., None, None].chunk(2, dim=1)
        hidden = self.conv_in(rms_norm(x), tileable)
        return x + self.conv_out(F.silu(hidden * (1 + gain) + bias), tileable)


class NoiseEmbedding(nn.Module):
    """Fourier features of log(sigma), then a two-layer perceptron; a label, or what the network reads of its
    target up front, joins half way."""

    frequencies: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        # on the CPU even where a checkpoint finds out its shapes on "meta": there, powers and linspace would
        # import the compiler, which takes longer than all else of loading
        octaves = torch.linspace(-3, 2, width // 2, device="cpu")
        self.register_buffer("frequencies", 2.0**octaves, persistent=False)
        self.hidden = nn.Linear(2 * (width // 2), width)
        self.out = nn.Linear(width, width)

    def forward(self, log_sigma: Tensor, told: Tensor | float = 0.0) -> Tensor:
        phases = 2 * math.pi * log_sigma[:, None] * self.frequencies.to(log_sigma)
        waves = torch.cat([phases.sin(), phases.cos()], dim=1).to(self.hidden.weight.dtype)
        return F.silu(self.out(F.silu(self.hidden(waves) + told)))


class Level(nn.Module):
    """Residual blocks at one resolution, a norm, then matching if the level's features are selected, or a
    gate alone.

    The norm keeps the features of all levels of one scale, and the sum of the residuals from growing.
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
                tells=not last,
                lit=config.lit,
                standardised=config.standards > 0 and self.selected,
            )

    def forward(
        self,
        x: Tensor,
        context: Tensor,
        matching: Matching,
        standard: tuple[Tensor, Tensor] | None,
        phi: list[Tensor],
        tileable: bool,
    ) -> tuple[Tensor, Tensor]:
        """Returns the activation and the context; appends the feature vector, if selected, to `phi`."""
        for block in self.blocks:
            x = block(x, context, tileable)
        x = rms_norm(x)
        if self.matched is not None:
            x, context, phi_k = self.matched(x, context, matching if self.selected else None, standard)
            if self.selected:
                phi.append(phi_k)
        return x, context


class Denoiser(nn.Module):
    """`denoised = denoiser(x, sigma)`: the least-squares estimate of x0 from x = x0 + sigma * eps.

    Preconditioning after Karras et al. 2022 (EDM), equation 7 and table 1:
    D = c_skip x + c_out F(c_in x; sigma). The score is (D - x) / sigma^2 (Miyasawa 1961).

    Pixels are folded 2 x 2 into channels on the way in, which makes the network four times faster; on the
    way out a thin layer at full resolution sees the noisy image again, which keeps the fold from leaving
    its grid in the samples.
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
        self.label = None
        if config.labels:
            self.label = nn.Linear(config.labels, config.embedding, bias=False)
            nn.init.normal_(self.label.weight, std=0.5)
        self.standards = None
        if config.standards and config.features:
            self.standards = Standards(config.dimension, config.standards)
        self.foresight = self.read = None
        if config.foresight:
            self.foresight = Foresight(config.foresight, config.dimension, config.standards)
            self.read = nn.Linear(config.foresight, config.embedding, bias=False)
            nn.init.normal_(self.read.weight, std=0.5)
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
        self.head_in = Conv3x3(config.head + (6 if config.own_colour else 3), config.head)
        self.head_out = Conv3x3(config.head, 3)
        for p in self.head_out.parameters():
            nn.init.zeros_(p)

    def forward(
        self,
        x: Tensor,
        sigma: float | Tensor,
        condition: Matching | Labels = None,
        *,
        tileable: bool = False,
        features: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Denoise a batch, with `features` as `denoise` does, whose parameters these are; else the images
        alone."""
        denoised, phi = self.denoise(x, sigma, condition, tileable=tileable)
        return (denoised, phi) if features else denoised

    def denoise(
        self,
        x: Tensor,
        sigma: float | Tensor,
        condition: Matching | Labels = None,
        *,
        tileable: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Denoise a batch and measure its features on the way.

        Parameters
        ----------
        x : Tensor of shape (B, 3, H, W)
            Images in [-1, 1] plus noise. H and W are multiples of `config.multiple`.
        sigma : float or Tensor of shape () or (B,)
            Standard deviation of the noise, positive, in the same units.
        condition : PeerMatching, CentroidMatching, Labels or None
            Where the features are moved to; None leaves the image unguided. Labels are for networks that
            were trained with them, as a baseline.
        tileable : bool
            Wrap round at the edges, so that the image continues from right to left and bottom to top.

        Returns
        -------
        denoised : Tensor of shape (B, 3, H, W)
        phi : Tensor of shape (B, F), float32 at least
            The feature vector: channel means of each selected layer, before that layer is matched.

        Raises
        ------
        ValueError
            If H or W is no multiple of `config.multiple`; the message names the nearest that are. If labels
            are not of the network's number of classes.
        """
        check_size(x.shape[-2], x.shape[-1], self.config.multiple)
        if isinstance(condition, Labels) and condition.weights.shape[-1] != self.config.labels:
            raise ValueError(
                f"labels of {condition.weights.shape[-1]} classes, but this network was trained with "
                f"labels={self.config.labels}"
            )
        sigma = torch.as_tensor(sigma, dtype=x.dtype, device=x.device).expand(x.shape[0])
        c_skip, c_out, c_in = preconditioning(sigma[:, None, None, None], self.config.sigma_data)
        output, phi = self._network(c_in * x, sigma.log(), condition, tileable)
        return c_skip * x + c_out * output.to(x.dtype), phi

    def reading(self, sigmas: Tensor, targets: Tensor) -> Tensor | None:
        """What a network with foresight reads of targets up front, as `CentroidMatching` takes it.

        Parameters
        ----------
        sigmas : Tensor of shape (S,)
            Noise levels, increasing.
        targets : Tensor of shape (B, S, F)
            Feature vectors at each of them.

        Returns
        -------
        Coordinates of shape (B, S, C) on the network's device, or None for a network without foresight.
        """
        if self.foresight is None or self.standards is None:
            return None
        own, targets = self.standards.logs.exp(), targets.to(self.standards.mean)
        read = self.foresight(self.standards, interpolate(sigmas, targets, own))
        return interpolate(own, read, sigmas)

    def _read(self, matching: Matching, x: Tensor) -> Tensor | float:
        """The part that `reading` has in the embedding; nothing for an image that goes unguided."""
        if self.read is None or matching is None or matching.read is None:
            return 0.0
        read = matching.read.to(x.device, self.read.weight.dtype)
        if isinstance(matching, CentroidMatching):
            strength = torch.as_tensor(matching.strength, dtype=read.dtype, device=x.device)
            read = (strength * read).expand(len(x), -1)
        return self.read(read)

    def _network(
        self, x: Tensor, log_sigma: Tensor, condition: Matching | Labels, tileable: bool
    ) -> tuple[Tensor, Tensor]:
        x = x.contiguous(memory_format=torch.channels_last)
        matching: Matching
        if isinstance(condition, Labels):
            assert self.label is not None  # `denoise` has refused labels that are not of this network
            matching, context = None, self.embed(log_sigma, self.label(condition.weights.to(x)))
        else:
            matching, context = condition, self.embed(log_sigma, self._read(condition, x))
        standard = None if self.standards is None else self.standards(log_sigma)
        phi: list[Tensor] = []
        skips = []
        h = self.stem(F.pixel_unshuffle(x, 2), tileable)  # (B, 12, H/2, W/2) -> (B, widths[0], H/2, W/2)
        for k, level in enumerate(self.down):
            h, context = level(h, context, matching, standard, phi, tileable)
            if k < len(self.shrink):
                skips.append(h)
                h = self.shrink[k](h)
        for k in reversed(range(len(self.up))):
            h = F.interpolate(self.grow[k](h), scale_factor=2, mode="nearest")
            h = self.merge[k](torch.cat([h, skips[k]], dim=1))
            h, context = self.up[k](h, context, matching, standard, phi, tileable)
        h = F.pixel_shuffle(self.unfold(h), 2)  # (B, head, H, W)
        seen = [h, x.to(h.dtype)]
        if self.config.own_colour:
            seen.append(spatial_mean(x).to(h.dtype)[..., None, None].expand(-1, -1, *x.shape[-2:]))
        h = F.silu(self.head_in(torch.cat(seen, dim=1), tileable))
        empty = x.new_zeros(x.shape[0], 0)
        return self.head_out(h, tileable), torch.cat(phi, dim=1) if phi else empty


def preconditioning(sigma: Tensor, sigma_data: float) -> tuple[Tensor, Tensor, Tensor]:
    """c_skip, c_out and c_in of EDM, table 1."""
    total = (sigma**2 + sigma_data**2).sqrt()
    return sigma_data**2 / total**2, sigma * sigma_data / total, 1 / total


def check_size(height: int, width: int, multiple: int) -> None:
    """Raise `ValueError` unless both are positive multiples; the message names the nearest good size."""
    for name, value in (("height", height), ("width", width)):
        if value < multiple or value % multiple:
            nearest = max(multiple, multiple * round(value / multiple))
            raise ValueError(
                f"{name}={value} must be a positive multiple of {multiple} pixels; the nearest is {nearest}"
            )
