"""Classes of images whose density is known: stationary Gaussian textures.

The conditional denoiser, the mixture's denoiser, densities, divergences and samples all have closed forms in
the Fourier domain, so that what a network has learned can be held against the truth. With an orthonormal
transform, an image of a class with mean m and power spectrum P has independent coefficients of variance
P(k); white noise adds sigma^2 to each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fgsd.data import DataConfig

GRAIN = 0.005  # variance of the white part of `some_gaussians`


@dataclass(frozen=True)
class GaussianClasses:
    """Several stationary Gaussian densities of images that wrap round at their edges.

    Parameters
    ----------
    classes : list of str
    means : Tensor of shape (C, 3), float64
        Mean colour of each class, in [-1, 1] units.
    power : Tensor of shape (C, 3, H, W), float64
        Variance of each coefficient of the orthonormal Fourier transform, channel by channel; the same at k
        and at -k, and positive.
    """

    classes: list[str]
    means: Tensor
    power: Tensor

    def __post_init__(self) -> None:
        count, channels = self.means.shape
        if self.power.shape[:2] != (count, channels) or count != len(self.classes):
            raise ValueError(
                f"{len(self.classes)} classes, means {tuple(self.means.shape)} and power "
                f"{tuple(self.power.shape)} must agree in classes and channels"
            )
        mirrored = self.power.flip(-2, -1).roll((1, 1), (-2, -1))
        if not bool((self.power > 0).all()) or not torch.allclose(self.power, mirrored):
            raise ValueError("power must be positive, and the same at k and at -k: images are real")

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images, in pixels."""
        return self.power.shape[-2], self.power.shape[-1]

    def index(self, name: str) -> int:
        """Row of a class; `KeyError` if there is none of that name."""
        if name not in self.classes:
            raise KeyError(f"class {name!r} is unknown; there are {', '.join(self.classes)}")
        return self.classes.index(name)

    def sample(self, name: str, n: int, generator: torch.Generator) -> Tensor:
        """`n` images of a class: (n, 3, H, W), float32."""
        row = self.index(name)
        white = torch.randn((n, *self.power.shape[1:]), generator=generator, dtype=torch.float64)
        waves = _transform(white) * self.power[row].sqrt()
        return (_inverse(waves) + self._mean(row)).float()

    def _mean(self, row: int) -> Tensor:
        return self.means[row][:, None, None]

    def denoise(self, x: Tensor, sigma: float, name: str) -> Tensor:
        """E[x0 | x] within a class (Wiener): (B, 3, H, W), float64."""
        row = self.index(name)
        gain = self.power[row] / (self.power[row] + sigma**2)
        return self._mean(row) + _inverse(gain * _transform(x.double() - self._mean(row)))

    def mixture_denoise(self, x: Tensor, sigma: float) -> Tensor:
        """E[x0 | x] when every class is as likely: the classes' denoisers, weighted by their posterior."""
        posterior = self.posterior(x, sigma)[:, :, None, None, None]
        each = torch.stack([self.denoise(x, sigma, name) for name in self.classes], dim=1)
        return (posterior * each).sum(dim=1)

    def log_density(self, x: Tensor, sigma: float) -> Tensor:
        """Logarithm of the density of noisy images (B, 3, H, W) in each class: (B, C)."""
        logs = []
        for row in range(len(self.classes)):
            variance = self.power[row] + sigma**2
            waves = _transform(x.double() - self._mean(row)).abs().square()
            logs.append(-0.5 * (waves / variance + (2 * math.pi * variance).log()).sum(dim=(1, 2, 3)))
        return torch.stack(logs, dim=1)

    def posterior(self, x: Tensor, sigma: float) -> Tensor:
        """Probability of each class, given noisy images, when every class is as likely: (B, C)."""
        return self.log_density(x, sigma).softmax(dim=1)

    def expected_error(self, name: str, sigma: float) -> float:
        """Mean squared error of the exact conditional denoiser, per pixel and channel."""
        power = self.power[self.index(name)]
        return (power * sigma**2 / (power + sigma**2)).mean().item()

    def divergence(self, one: str, other: str) -> float:
        """Kullback-Leibler divergence of one class's density from another's, in nats an image."""
        a, b = self.index(one), self.index(other)
        return gaussian_divergence(self.means[a], self.power[a], self.means[b], self.power[b])


class GaussianSource:
    """Gaussian classes in the place of a folder of images: what training takes its crops from.

    Its crops are whole images, freshly drawn, so there is nothing to be learned by heart.
    """

    def __init__(self, gaussians: GaussianClasses) -> None:
        height, width = gaussians.size
        if height != width:
            raise ValueError(f"size={gaussians.size} must be square: training crops are")
        self.gaussians, self.folder = gaussians, "gaussians"
        self.classes = list(gaussians.classes)
        self.config = DataConfig(image_size=None, patch_size=height, test_share=0)

    def crops(
        self, name: str, n: int, generator: torch.Generator, *, split: str = "train", size: int | None = None
    ) -> Tensor:
        """`n` images in [-1, 1] units, not clipped: (n, 3, size, size)."""
        return self.gaussians.sample(name, n, generator)[:, :, :size, :size]

    def pixels(
        self, name: str, n: int, generator: torch.Generator, *, split: str = "train", size: int | None = None
    ) -> Tensor:
        """The same in the units of stored pixels, 0 to 255, neither clipped nor rounded."""
        return (self.crops(name, n, generator, split=split, size=size) + 1) * 127.5


def gaussian_divergence(mean: Tensor, power: Tensor, other_mean: Tensor, other_power: Tensor) -> float:
    """Kullback-Leibler divergence of one stationary Gaussian density from another, in nats an image.

    Parameters
    ----------
    mean, other_mean : Tensors of shape (3,)
    power, other_power : Tensors of shape (3, H, W)
        As in `GaussianClasses`.
    """
    ratio = power / other_power
    pixels = power.shape[-2] * power.shape[-1]  # a constant image m has the coefficient m sqrt(pixels) at 0
    shift = pixels * (mean - other_mean).square() / other_power[:, 0, 0]
    return (0.5 * ((ratio - 1 - ratio.log()).sum() + shift.sum())).item()


def fitted(images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean colour (3,) and power spectrum (3, H, W) of the stationary Gaussian nearest to some images.

    Parameters
    ----------
    images : Tensor of shape (N, 3, H, W)
        At least two.
    """
    images = images.double()
    mean = images.mean(dim=(0, 2, 3))
    power = _transform(images - mean[:, None, None]).abs().square().mean(dim=0)
    return mean, 0.5 * (power + power.flip(-2, -1).roll((1, 1), (-2, -1)))


def some_gaussians(count: int = 6, *, size: int = 32, seed: int = 0) -> GaussianClasses:
    """Gaussian classes with spectra of different scale, direction and slope, in pairs that overlap strongly.

    Classes 2k and 2k + 1 share their mean colour, and the second has the spectrum of the first, turned by
    15 degrees: only their structure tells them apart. All have a little white grain, of a variance above
    that of the noise at which sampling ends: without it the divergence of samples would measure that noise.

    Parameters
    ----------
    count : int
        2 to 16.
    size : int
        Side of the images, in pixels.
    """
    if not 2 <= count <= 16:
        raise ValueError(f"count={count} must be from 2 to 16")
    generator = torch.Generator().manual_seed(seed)
    line = torch.fft.fftfreq(size, dtype=torch.float64) * size  # cycles an image
    down, across = torch.meshgrid(line, line, indexing="ij")
    names, means, powers = [], [], []
    for k in range(count):
        if k % 2 == 0:
            colour = 0.4 * torch.rand(3, generator=generator, dtype=torch.float64) - 0.2
            angle, scale, slope, stretch, strength = _draw(
                generator, (0, math.pi), (2.5, 5), (1, 1.75), (1.2, 2.2), (0.2, 0.35)
            )
        else:
            angle = angle + math.pi / 12
        along = math.cos(angle) * across + math.sin(angle) * down
        beside = math.cos(angle) * down - math.sin(angle) * across
        shape = (1 + (along / scale).square() + (stretch * beside / scale).square()) ** -slope
        shape = 0.5 * (shape + shape.flip(-2, -1).roll((1, 1), (-2, -1)))  # of the highest waves too
        tint = 1 + 0.5 * colour  # channels differ in contrast
        power = strength**2 * tint[:, None, None].square() * shape / shape.mean() + GRAIN
        names.append(f"gaussian-{k:02}")
        means.append(colour)
        powers.append(power)
    return GaussianClasses(names, torch.stack(means), torch.stack(powers))


def _draw(generator: torch.Generator, *ranges: Sequence[float]) -> list[float]:
    shares = torch.rand(len(ranges), generator=generator, dtype=torch.float64).tolist()
    return [low + share * (high - low) for share, (low, high) in zip(shares, ranges, strict=True)]


def _transform(x: Tensor) -> Tensor:
    return torch.fft.fft2(x, norm="ortho")


def _inverse(waves: Tensor) -> Tensor:
    return torch.fft.ifft2(waves, norm="ortho").real
