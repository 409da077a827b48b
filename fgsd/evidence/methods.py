"""The sampling methods that the report compares, behind one interface."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fgsd.centroids import Centroid
from fgsd.checkpoint import Checkpoint
from fgsd.data import to_images, to_tensor
from fgsd.evaluation.context import silent
from fgsd.gaussians import GaussianClasses
from fgsd.guidance import GuidedDenoiser, LabelGuidedDenoiser
from fgsd.sampling import DenoiserFunction, ImageNoise, SamplingStep, dpm_solver_2m, karras_schedule

PASS_PIXELS = 128 * 32 * 32  # in one pass of the network


def to_8_bits(x: Tensor) -> Tensor:
    """Images (N, 3, H, W) in [-1, 1], rounded to 8 bits as image files are."""
    return torch.stack([to_tensor(image) for image in to_images(x)])


class Method(ABC):
    """A denoiser for every class, and the range of noise levels of its sampling.

    Attributes
    ----------
    name : str
        Label in tables and legends.
    """

    name: str

    @property
    def evaluations(self) -> int:
        """Network evaluations for each image and step."""
        return 1

    @property
    def sigma_min(self) -> float:
        """Noise level at which sampling ends, in [-1, 1] units."""
        return 0.02

    @property
    def sigma_max(self) -> float:
        """Noise level at which sampling begins, in [-1, 1] units."""
        return 20.0

    @property
    def device(self) -> torch.device | str:
        return "cpu"

    @abstractmethod
    def denoiser(self, mixtures: Tensor, *, tileable: bool = False) -> DenoiserFunction:
        """`denoised, phi = denoiser(x, sigma)` for class weights (C,), (1, C) or (B, C).

        A row of the identity matrix selects one class. A mixture interpolates centroids or label embeddings.
        """

    @abstractmethod
    def mean_colours(self, mixtures: Tensor) -> Tensor:
        """Mean colours (B, 3) at which sampling begins (see `Centroid.colour`), for class weights (B, C).

        Every method begins at the mean colour of the class, so that none has an advantage.
        """

    def steps(
        self, mixtures: Tensor, seeds: Sequence[int], *, size: int, steps: int, tileable: bool = False
    ) -> Iterator[SamplingStep]:
        """Sample one image for each row of `mixtures` (B, C), by DPM-Solver++ (2M).

        Parameters
        ----------
        seeds : B ints
        size : int
            Side of the images, in pixels.
        """
        sigmas = karras_schedule(steps, sigma_min=self.sigma_min, sigma_max=self.sigma_max)
        noise = ImageNoise(seeds, (3, size, size), self.device)
        x = sigmas[0].item() * noise() + self.mean_colours(mixtures)[:, :, None, None].to(self.device)
        return dpm_solver_2m(self.denoiser(mixtures, tileable=tileable), x, sigmas, noise=noise)

    def images(
        self, mixtures: Tensor, seeds: Sequence[int], *, size: int, steps: int, tileable: bool = False
    ) -> Tensor:
        """The images (B, 3, size, size) after the last of `steps`, float32, on the CPU."""
        for step in self.steps(mixtures, seeds, size=size, steps=steps, tileable=tileable):
            last = step
        return last.x.float().cpu()

    def sample(
        self,
        mixtures: Tensor,
        each: int,
        *,
        size: int,
        steps: int,
        seed: int = 0,
        tileable: bool = False,
        rounded: bool = True,
        progress=silent,
    ) -> Tensor:
        """`each` samples of every row of `mixtures` (T, C); sample k of row t has the seed
        `seed + t * each + k`.

        Parameters
        ----------
        rounded : bool
            Round to 8 bits and clip to [-1, 1], as image files are.

        Returns
        -------
        Tensor of shape (T, each, 3, size, size), float32, on the CPU
        """
        rows = mixtures.repeat_interleave(each, dim=0)
        batch = max(1, PASS_PIXELS // size**2)
        parts = []
        for start in progress(range(0, len(rows), batch), desc=self.name):
            part = rows[start : start + batch]
            seeds = [seed + k for k in range(start, start + len(part))]
            x = self.images(part, seeds, size=size, steps=steps, tileable=tileable)
            parts.append(to_8_bits(x) if rounded else x)
        return torch.cat(parts).unflatten(0, (len(mixtures), each))


@dataclass(frozen=True)
class Trained(Method):
    """A trained network with one kind of guidance.

    Parameters
    ----------
    name : str
    checkpoint : Checkpoint
    weight : float, optional
        Of classifier-free guidance, for a network with labels; 1 is the label alone.
    strength : float, optional
        Of feature matching, for a network without labels; 1 moves features all the way to the centroid.
    unguided : bool
        Ignore the requested class.
    """

    name: str
    checkpoint: Checkpoint
    weight: float = 1.0
    strength: float = 1.0
    unguided: bool = False

    @property
    def evaluations(self) -> int:
        return 2 if self.checkpoint.network.config.labels and self.weight != 1 else 1

    @property
    def sigma_min(self) -> float:
        return self.checkpoint.info.sigma_min

    @property
    def sigma_max(self) -> float:
        return self.checkpoint.info.sigma_max

    @property
    def device(self) -> torch.device:
        return next(self.checkpoint.network.parameters()).device

    def denoiser(self, mixtures: Tensor, *, tileable: bool = False) -> DenoiserFunction:
        network, table = self.checkpoint.network, self.checkpoint.table
        if self.unguided:
            return GuidedDenoiser(network, None, tileable=tileable)
        if network.config.labels:
            return LabelGuidedDenoiser(network, mixtures, weight=self.weight, tileable=tileable)
        rows = mixtures.reshape(-1, len(table.classes))
        values = torch.einsum("bc,csf->bsf", rows, table.values)
        colours = rows @ table.colours
        centroids = [Centroid(table.sigmas, v, c) for v, c in zip(values, colours, strict=True)]
        target = centroids[0] if len(centroids) == 1 else centroids
        return GuidedDenoiser(network, target, strength=self.strength, tileable=tileable)

    def mean_colours(self, mixtures: Tensor) -> Tensor:
        table = self.checkpoint.table
        if self.unguided:
            return table.colours.mean(dim=0).expand(len(mixtures), 3)
        return mixtures @ table.colours


@dataclass(frozen=True)
class Exact(Method):
    """The closed-form denoiser of Gaussian classes, with or without classifier-free guidance.

    Parameters
    ----------
    name : str
    gaussians : GaussianClasses
    weight : float
        Of classifier-free guidance, `D_mixture + weight (D_class - D_mixture)`; 1 is the conditional
        denoiser.
    """

    name: str
    gaussians: GaussianClasses
    weight: float = 1.0

    @property
    def evaluations(self) -> int:
        return 1 if self.weight == 1 else 2

    def denoiser(self, mixtures: Tensor, *, tileable: bool = True) -> DenoiserFunction:
        """See `Method.denoiser`; there are no features, so phi has shape (B, 0).

        Raises
        ------
        ValueError
            If a row of `mixtures` is not a single class: a mixture of labels has no closed form.
        """
        rows = mixtures.reshape(-1, len(self.gaussians.classes))
        if not bool((rows.amax(dim=1) == 1).all()) or not bool((rows.sum(dim=1) == 1).all()):
            raise ValueError("mixtures must name one class each: a mixture of labels has no closed form")
        class_rows = rows.argmax(dim=1)

        def denoise(x: Tensor, sigma: float | Tensor) -> tuple[Tensor, Tensor]:
            level = float(sigma)
            denoised, row_of = torch.empty_like(x, dtype=torch.float64), class_rows.expand(len(x))
            for row in row_of.unique().tolist():
                selected = row_of == row
                name = self.gaussians.classes[row]
                denoised[selected] = self.gaussians.denoise(x[selected], level, name)
            if self.weight != 1:
                unguided = self.gaussians.mixture_denoise(x, level)
                denoised = unguided + self.weight * (denoised - unguided)
            return denoised.to(x.dtype), x.new_zeros(len(x), 0)

        return denoise

    def mean_colours(self, mixtures: Tensor) -> Tensor:
        return mixtures @ self.gaussians.means.float()
