"""Building blocks of the denoiser: convolution, norm, residual block, embedding of the noise level."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fgsd.model.matching import over_pixels


class Conv3x3(nn.Conv2d):
    """A 3 x 3 convolution that keeps the size of the image.

    Edges are mirrored, so that channel means hardly depend on the size of the image; with `tileable`, they
    wrap round.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3)

    def forward(self, x: Tensor, tileable: bool) -> Tensor:  # type: ignore[override]
        return super().forward(self.padded(x, tileable))

    @staticmethod
    def padded(x: Tensor, tileable: bool) -> Tensor:
        """Return images (B, C, H, W) with a border of one pixel: (B, C, H + 2, W + 2)."""
        mode = "circular" if tileable else "reflect" if min(x.shape[-2:]) > 1 else "replicate"
        return F.pad(x, (1, 1, 1, 1), mode=mode)


def rms_norm(x: Tensor) -> Tensor:
    """Divide the channels of each pixel by their root mean square.

    No mean is subtracted, because channel means are the features.
    """
    return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-4)


class ResidualBlock(nn.Module):
    """x + conv(silu(gain * conv(norm(x)) + bias)), with gain and bias linear in the context.

    The context (B, E) holds the noise level and the matched means of the layers before. A new block is the
    identity.
    """

    def __init__(self, channels: int, embedding: int) -> None:
        super().__init__()
        self.conv_in = Conv3x3(channels, channels)
        self.conv_out = Conv3x3(channels, channels)
        self.modulation = nn.Linear(embedding, 2 * channels)
        for p in (*self.conv_out.parameters(), *self.modulation.parameters()):
            nn.init.zeros_(p)

    def forward(self, x: Tensor, context: Tensor, tileable: bool, masks: Tensor | None = None) -> Tensor:
        """Return the activation (B, C, H, W); with masks (1 or B, R, H, W), the context is (B, R, E)."""
        gain, bias = (over_pixels(values, masks) for values in self.modulation(context).chunk(2, dim=-1))
        hidden = self.conv_in(rms_norm(x), tileable)
        return x + self.conv_out(F.silu(hidden * (1 + gain) + bias), tileable)


class NoiseEmbedding(nn.Module):
    """Fourier features of log(sigma), then a two-layer perceptron.

    The embedding of a label or of the target is added to its hidden layer.
    """

    frequencies: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        # on the CPU even when a checkpoint builds the network on "meta" to find its shapes: on "meta", powers
        # and linspace import the compiler, which takes longer than all the rest of loading
        octaves = torch.linspace(-3, 2, width // 2, device="cpu")
        self.register_buffer("frequencies", 2.0**octaves, persistent=False)
        self.hidden = nn.Linear(2 * (width // 2), width)
        self.out = nn.Linear(width, width)

    def forward(self, log_sigma: Tensor, conditioning: Tensor | float = 0.0) -> Tensor:
        """Return the embedding (B, E) of noise levels (B,) and of the conditioning (B, E), if any."""
        phases = 2 * math.pi * log_sigma[:, None] * self.frequencies.to(log_sigma)
        waves = torch.cat([phases.sin(), phases.cos()], dim=1).to(self.hidden.weight.dtype)
        return F.silu(self.out(F.silu(self.hidden(waves) + conditioning)))
