"""The ways of sampling a class that the report compares, behind one face."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from fgsd.centroids import Centroid
from fgsd.checkpoint import Checkpoint
from fgsd.data import to_images, to_tensor
from fgsd.evaluation.material import silent
from fgsd.guidance import GuidedDenoiser
from fgsd.labels import LabelGuidedDenoiser
from fgsd.sampling import DenoiserFunction, ImageNoise, SamplingStep, dpm_solver_2m, karras_schedule

PASS_PIXELS = 128 * 32 * 32  # in one pass of the network


@dataclass(frozen=True)
class Method:
    """A network, and how it is told the class.

    Parameters
    ----------
    name : str
        As tables and legends have it.
    checkpoint : Checkpoint
    weight : float, optional
        Of classifier-free guidance, for a network with labels; 1 is the label alone.
    unguided : bool
        The network is told nothing, whatever is asked for.
    """

    name: str
    checkpoint: Checkpoint
    weight: float = 1.0
    unguided: bool = False

    @property
    def evaluations(self) -> int:
        """Of the network, for each image and step."""
        return 2 if self.checkpoint.network.config.labels and self.weight != 1 else 1

    def denoiser(self, mixtures: Tensor, *, tileable: bool = False) -> DenoiserFunction:
        """`denoised, phi = denoiser(x, sigma)` for weights over classes (C,), (1, C) or (B, C).

        A row of the identity is a class. A mixture is one of centroids, or of label embeddings.
        """
        network, table = self.checkpoint.network, self.checkpoint.table
        if self.unguided:
            return GuidedDenoiser(network, None, tileable=tileable)
        if network.config.labels:
            return LabelGuidedDenoiser(network, mixtures, weight=self.weight, tileable=tileable)
        rows = mixtures.reshape(-1, len(table.classes))
        values = torch.einsum("bc,csf->bsf", rows, table.values)
        colours = rows @ table.colours
        centroids = [Centroid(table.sigmas, v, c) for v, c in zip(values, colours, strict=True)]
        return GuidedDenoiser(network, centroids[0] if len(centroids) == 1 else centroids, tileable=tileable)

    def steps(
        self,
        mixtures: Tensor,
        seeds: list[int],
        *,
        size: int,
        steps: int,
        tileable: bool = False,
        schedule: Tensor | None = None,
    ) -> Iterator[SamplingStep]:
        """Sample one image for each row of `mixtures` (B, C), by DPM-Solver++ (2M).

        Every method begins at the mean colour of what is asked for (see `Centroid.colour`), so that none
        knows more than another.

        Parameters
        ----------
        seeds : list of B ints
        size : int
            Side of the images, in pixels.
        schedule : Tensor, optional
            Noise levels instead of those of `karras_schedule` for so many steps.
        """
        info, table = self.checkpoint.info, self.checkpoint.table
        sigmas = karras_schedule(steps, sigma_min=info.sigma_min, sigma_max=info.sigma_max)
        sigmas = sigmas if schedule is None else schedule
        device = next(self.checkpoint.network.parameters()).device
        noise = ImageNoise(seeds, (3, size, size), device)
        colours = mixtures @ table.colours
        if self.unguided:
            colours = table.colours.mean(dim=0).expand_as(colours)
        x = sigmas[0].item() * noise() + colours[:, :, None, None].to(device)
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
