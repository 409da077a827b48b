"""Classes of images with known densities: stationary Gaussian textures.

The denoiser of a class, that of the mixture of all classes, densities, divergences and samples have closed
forms in the Fourier domain, so that a trained network can be compared with the exact solution. With an
orthonormal transform, an image of a class with mean m and power spectrum P has independent coefficients of
variance P(k); white noise adds sigma^2 to each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fgsd.data import DataConfig

GRAIN_VARIANCE = 0.005  # of the white noise in the images of `some_gaussians`


@dataclass(frozen=True)
class GaussianClasses:
    """Stationary Gaussian densities of images that wrap round at their edges, one for each class.

    Parameters
    ----------
    classes : list of str
    means : Tensor of shape (C, 3), float64
        Mean colour of each class, in [-1, 1] units.
    power : Tensor of shape (C, 3, H, W), float64
        Variance of each coefficient of the orthonormal Fourier transform, channel by channel: positive, and
        the same at k and at -k.

    Raises
    ------
    ValueError
        If shapes disagree, or `power` is not such a spectrum.
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
        """Return the row of a class; `KeyError` if there is none of that name."""
        if name not in self.classes:
            raise KeyError(f"class {name!r} is unknown; there are {', '.join(self.classes)}")
        return self.classes.index(name)

    def sample(self, name: str, n: int, generator: torch.Generator) -> Tensor:
        """Draw `n` images of a class: (n, 3, H, W), float32."""
        row = self.index(name)
        white = torch.randn((n, *self.power.shape[1:]), generator=generator, dtype=torch.float64)
        coefficients = _fft(white) * self.power[row].sqrt()
        return (_inverse_fft(coefficients) + self._mean(row)).float()

    def _mean(self, row: int) -> Tensor:
        """Return the mean colour of a class, as an image (3, 1, 1)."""
        return self.means[row][:, None, None]

    def denoise(self, x: Tensor, sigma: float, name: str) -> Tensor:
        """Return E[x0 | x] within a class (the Wiener filter): (B, 3, H, W), float64."""
        row = self.index(name)
        gain = self.power[row] / (self.power[row] + sigma**2)
        return self._mean(row) + _inverse_fft(gain * _fft(x.double() - self._mean(row)))

    def mixture_denoise(self, x: Tensor, sigma: float) -> Tensor:
        """Return E[x0 | x] under the uniform mixture: the classes' denoisers, weighted by their posterior."""
        posterior = self.posterior(x, sigma)[:, :, None, None, None]
        by_class = torch.stack([self.denoise(x, sigma, name) for name in self.classes], dim=1)
        return (posterior * by_class).sum(dim=1)

    def log_density(self, x: Tensor, sigma: float) -> Tensor:
        """Return the log density of noisy images (B, 3, H, W) in each class: (B, C)."""
        logs = []
        for row in range(len(self.classes)):
            variance = self.power[row] + sigma**2
            power = _fft(x.double() - self._mean(row)).abs().square()
            logs.append(-0.5 * (power / variance + (2 * math.pi * variance).log()).sum(dim=(1, 2, 3)))
        return torch.stack(logs, dim=1)

    def posterior(self, x: Tensor, sigma: float) -> Tensor:
        """Return the probability of each class, given noisy images, under a uniform prior: (B, C)."""
        return self.log_density(x, sigma).softmax(dim=1)

    def expected_error(self, name: str, sigma: float) -> float:
        """Return the mean squared error of the exact conditional denoiser, per pixel and channel."""
        power = self.power[self.index(name)]
        return (power * sigma**2 / (power + sigma**2)).mean().item()

    def divergence(self, one: str, other: str) -> float:
        """Return the Kullback-Leibler divergence of one class from another, in nats an image."""
        a, b = self.index(one), self.index(other)
        return gaussian_divergence(self.means[a], self.power[a], self.means[b], self.power[b])


class GaussianSource:
    """A source of training crops from Gaussian classes, with the interface of `TextureFolder`.

    Its crops are whole images, drawn anew each time, so a network cannot memorise them.
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
        """Draw `n` images in [-1, 1] units, not clipped: (n, 3, size, size)."""
        return self.gaussians.sample(name, n, generator)[:, :, :size, :size]

    def pixels(
        self, name: str, n: int, generator: torch.Generator, *, split: str = "train", size: int | None = None
    ) -> Tensor:
        """Draw the same in the units of stored pixels, 0 to 255, neither clipped nor rounded."""
        return (self.crops(name, n, generator, split=split, size=size) + 1) * 127.5


def gaussian_divergence(mean: Tensor, power: Tensor, other_mean: Tensor, other_power: Tensor) -> float:
    """Return the Kullback-Leibler divergence of two stationary Gaussian densities, in nats an image.

    Parameters
    ----------
    mean, other_mean : Tensors of shape (3,)
    power, other_power : Tensors of shape (3, H, W)
        As in `GaussianClasses`.
    """
    ratio = power / other_power
    pixels = power.shape[-2] * power.shape[-1]  # a constant image m has the coefficient m sqrt(pixels) at k=0
    shift = pixels * (mean - other_mean).square() / other_power[:, 0, 0]
    return (0.5 * ((ratio - 1 - ratio.log()).sum() + shift.sum())).item()


def fitted(images: Tensor) -> tuple[Tensor, Tensor]:
    """Fit a stationary Gaussian to images: return its mean colour (3,) and power spectrum (3, H, W).

    Parameters
    ----------
    images : Tensor of shape (N, 3, H, W)
        At least two.
    """
    images = images.double()
    mean = images.mean(dim=(0, 2, 3))
    power = _fft(images - mean[:, None, None]).abs().square().mean(dim=0)
    return mean, 0.5 * (power + power.flip(-2, -1).roll((1, 1), (-2, -1)))


def some_gaussians(count: int = 6, *, size: int = 32, seed: int = 0) -> GaussianClasses:
    """Return Gaussian classes with spectra of different scale, direction and slope, in overlapping pairs.

    Classes 2k and 2k + 1 share their mean colour, and the second has the spectrum of the first, turned by
    15 degrees: they differ in structure only. All contain white noise of a variance above that of the noise
    at which sampling ends; without it, the divergence of samples would measure the latter.

    Parameters
    ----------
    count : int
        2 to 16.
    size : int
        Side of the images, in pixels.
    seed : int
        Of colours and spectra.
    """
    if not 2 <= count <= 16:
        raise ValueError(f"count={count} must be from 2 to 16")
    generator = torch.Generator().manual_seed(seed)
    frequencies = torch.fft.fftfreq(size, dtype=torch.float64) * size  # cycles an image
    vertical, horizontal = torch.meshgrid(frequencies, frequencies, indexing="ij")
    names, means, powers = [], [], []
    for k in range(count):
        if k % 2 == 0:
            colour = 0.4 * torch.rand(3, generator=generator, dtype=torch.float64) - 0.2
            angle, scale, slope, stretch, strength = _draw(
                generator, (0, math.pi), (2.5, 5), (1, 1.75), (1.2, 2.2), (0.2, 0.35)
            )
        else:
            angle = angle + math.pi / 12
        parallel = math.cos(angle) * horizontal + math.sin(angle) * vertical
        orthogonal = math.cos(angle) * vertical - math.sin(angle) * horizontal
        shape = (1 + (parallel / scale).square() + (stretch * orthogonal / scale).square()) ** -slope
        shape = 0.5 * (
            shape + shape.flip(-2, -1).roll((1, 1), (-2, -1))
        )  # same at k and -k, Nyquist included
        contrast = 1 + 0.5 * colour  # channels differ
        power = strength**2 * contrast[:, None, None].square() * shape / shape.mean() + GRAIN_VARIANCE
        names.append(f"gaussian-{k:02}")
        means.append(colour)
        powers.append(power)
    return GaussianClasses(names, torch.stack(means), torch.stack(powers))


def _draw(generator: torch.Generator, *ranges: Sequence[float]) -> list[float]:
    """Draw a number from each range, uniformly."""
    uniform = torch.rand(len(ranges), generator=generator, dtype=torch.float64).tolist()
    return [low + u * (high - low) for u, (low, high) in zip(uniform, ranges, strict=True)]


def _fft(x: Tensor) -> Tensor:
    return torch.fft.fft2(x, norm="ortho")


def _inverse_fft(coefficients: Tensor) -> Tensor:
    return torch.fft.ifft2(coefficients, norm="ortho").real
