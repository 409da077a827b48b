"""The ways of sampling a class that the report compares, behind one face."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from fgsd.centroids import Centroid
from fgsd.checkpoint import Checkpoint
from fgsd.data import to_images, to_tensor
from fgsd.evaluation.context import silent
from fgsd.gaussians import GaussianClasses
from fgsd.guidance import GuidedDenoiser
from fgsd.model.conditioning import LabelGuidedDenoiser
from fgsd.sampling import DenoiserFunction, ImageNoise, SamplingStep, dpm_solver_2m, karras_schedule

PASS_PIXELS = 128 * 32 * 32  # in one pass of the network


class Method(ABC):
    """A denoiser for every class, and where sampling begins.

    Attributes
    ----------
    name : str
        As tables and legends have it.
    evaluations : int
        Of the network, for each image and step.
    sigma_min, sigma_max : float
        Noise levels at which sampling ends and begins, in [-1, 1] units.
    device : torch.device or str
    """

    name: str
    evaluations: int = 1
    sigma_min: float = 0.02
    sigma_max: float = 20.0
    device: torch.device | str = "cpu"

    @abstractmethod
    def denoiser(self, mixtures: Tensor, *, tileable: bool = False) -> DenoiserFunction:
        """`denoised, phi = denoiser(x, sigma)` for weights over classes (C,), (1, C) or (B, C).

        A row of the identity is a class. A mixture is one of centroids, or of label embeddings.
        """

    @abstractmethod
    def colours(self, mixtures: Tensor) -> Tensor:
        """Mean colour (B, 3) of what is asked for, at which sampling begins (see `Centroid.colour`).

        Every method begins there, so that none knows more than another.
        """

    def steps(
        self, mixtures: Tensor, seeds: list[int], *, size: int, steps: int, tileable: bool = False
    ) -> Iterator[SamplingStep]:
        """Sample one image for each row of `mixtures` (B, C), by DPM-Solver++ (2M).

        Parameters
        ----------
        seeds : list of B ints
        size : int
            Side of the images, in pixels.
        """
        sigmas = karras_schedule(steps, sigma_min=self.sigma_min, sigma_max=self.sigma_max)
        noise = ImageNoise(seeds, (3, size, size), self.device)
        x = sigmas[0].item() * noise() + self.colours(mixtures)[:, :, None, None].to(self.device)
        return dpm_solver_2m(self.denoiser(mixtures, tileable=tileable), x, sigmas, noise=noise)

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
            To 8 bits and to [-1, 1], as images are.

        Returns
        -------
        Tensor of shape (T, each, 3, size, size), float32, on the CPU
        """
        rows = mixtures.repeat_interleave(each, dim=0)
        batch = max(1, PASS_PIXELS // size**2)
        images = []
        for start in progress(range(0, len(rows), batch), desc=self.name):
            part = rows[start : start + batch]
            seeds = [seed + k for k in range(start, start + len(part))]
            for step in self.steps(part, seeds, size=size, steps=steps, tileable=tileable):
                last = step
            x = last.x.float().cpu()
            images.append(torch.stack([to_tensor(image) for image in to_images(x)]) if rounded else x)
        return torch.cat(images).unflatten(0, (len(mixtures), each))


@dataclass(frozen=True)
class Trained(Method):
    """A network, and how it is told the class.

    Parameters
    ----------
    name : str
    checkpoint : Checkpoint
    weight : float, optional
        Of classifier-free guidance, for a network with labels; 1 is the label alone.
    strength : float, optional
        Of feature matching, for a network without; 1 moves features all the way to the centroid.
    unguided : bool
        The network is told nothing, whatever is asked for.
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

    def colours(self, mixtures: Tensor) -> Tensor:
        table = self.checkpoint.table
        if self.unguided:
            return table.colours.mean(dim=0).expand(len(mixtures), 3)
        return mixtures @ table.colours


@dataclass(frozen=True)
class Exact(Method):
    """The closed form that a network can at best learn, with or without classifier-free guidance.

    Parameters
    ----------
    name : str
    gaussians : GaussianClasses
    weight : float
        Of classifier-free guidance, `D_mixture + weight (D_class - D_mixture)`; 1 is the conditional one.
    """

    name: str
    gaussians: GaussianClasses
    weight: float = 1.0

    @property
    def evaluations(self) -> int:
        return 1 if self.weight == 1 else 2

    def denoiser(self, mixtures: Tensor, *, tileable: bool = True) -> DenoiserFunction:
        rows = mixtures.reshape(-1, len(self.gaussians.classes))
        if not bool((rows.amax(dim=1) == 1).all()) or not bool((rows.sum(dim=1) == 1).all()):
            raise ValueError("mixtures must name one class each: a mixture of labels has no closed form")
        named = rows.argmax(dim=1)

        def denoise(x: Tensor, sigma: float) -> tuple[Tensor, None]:
            told, asked = torch.empty_like(x, dtype=torch.float64), named.expand(len(x))
            for k in asked.unique().tolist():
                told[asked == k] = self.gaussians.denoise(x[asked == k], sigma, self.gaussians.classes[k])
            if self.weight != 1:
                untold = self.gaussians.mixture_denoise(x, sigma)
                told = untold + self.weight * (told - untold)
            return told.to(x.dtype), None

        return denoise

    def colours(self, mixtures: Tensor) -> Tensor:
        return mixtures @ self.gaussians.means.float()
