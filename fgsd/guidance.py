"""Guidance: combine a network with a target into one denoiser, which any sampler can use."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from fgsd.centroids import Centroid
from fgsd.levels import interpolate
from fgsd.model.conditioning import Labels
from fgsd.model.matching import CentroidMatching, Matching, RegionMatching
from fgsd.model.network import PASS_PIXELS, Denoiser
from fgsd.regions import Regions

Evaluate = Callable[..., tuple[Tensor, Tensor]]  # a replacement of `Denoiser.denoise`, with its arguments


class GuidedDenoiser:
    """`denoised, phi = guided(x, sigma)`: the network, with its features matched to a centroid.

    Parameters
    ----------
    network : Denoiser
    target : Centroid, sequence of Centroid, Regions or None
        One for the whole batch, or one for each image, or regions for each image of the batch; None leaves
        the images unguided.
    strength : float
        Fraction of the way to the centroid: 0 is unguided, 1 all the way, values up to about 2 go beyond.
    tileable : bool
        Images wrap round at the edges.
    evaluate : callable, optional
        Evaluates the network instead of `network.denoise`; see `fgsd.engines` and
        `fgsd.app.serving.scheduler`. A large batch is split into passes of at most `PASS_PIXELS` pixels, or
        of one image.

    Raises
    ------
    ValueError
        If the centroid's length is not that of the network's feature vector, centroids of a batch differ in
        their noise levels, or `strength` is not finite.
    """

    def __init__(
        self,
        network: Denoiser,
        target: Centroid | Sequence[Centroid] | Regions | None,
        *,
        strength: float = 1.0,
        tileable: bool = False,
        evaluate: Evaluate | None = None,
    ) -> None:
        if not math.isfinite(strength):
            raise ValueError(f"strength={strength} must be a finite number, 0 (unguided) to about 2")
        self.network, self.strength, self.tileable = network, strength, tileable
        self._evaluate = evaluate or network.denoise
        self._sigmas: Tensor | None = None  # (S,)
        self._values: Tensor | None = None  # (S, F) or (B, S, F)
        self._coordinates: Tensor | None = None  # (S, C) or (B, S, C), for a network with target embedding
        self._masks: Tensor | None = None  # (1, R, H, W)
        self._pooled: dict = {}  # the masks at the resolutions of the layers
        if target is None:
            return
        if isinstance(target, Regions):
            centroids = list(target.centroids)
            if len(centroids) > 1:  # one region is the whole image, whose means are not weighted
                self._masks = target.masks[None].to(next(network.parameters()).device)
        else:
            centroids = [target] if isinstance(target, Centroid) else list(target)
        for centroid in centroids:
            if centroid.values.shape[-1] != network.config.dimension:
                raise ValueError(
                    f"the centroid has {centroid.values.shape[-1]} features, the network "
                    f"{network.config.dimension}: it was made by another network"
                )
            if not torch.equal(centroid.sigmas, centroids[0].sigmas):
                raise ValueError("the centroids of a batch must share their noise levels")
        self._sigmas = centroids[0].sigmas.cpu()
        device = next(network.parameters()).device
        values = torch.stack([c.values for c in centroids]).to(device)  # (1 or B, S, F)
        coordinates = network.target_coordinates(self._sigmas, values)
        if len(centroids) == 1:
            values = values[0]
            coordinates = None if coordinates is None else coordinates[0]
        self._values, self._coordinates = values, coordinates

    def target(self, sigma: float | Tensor) -> Tensor | None:
        """Return the centroid (F,), (B, F) or of regions (R, F) at a noise level, for any strength.

        It is None without a target.
        """
        return self._at(self._values, sigma)

    @torch.no_grad()
    def __call__(self, x: Tensor, sigma: float | Tensor) -> tuple[Tensor, Tensor]:
        """Return `denoised` (B, 3, H, W) and `phi` (B, F) or (B, R, F); see `Denoiser.denoise`."""
        centroid, coordinates = None, None
        if self.strength != 0:  # unguided images are evaluated without a condition
            centroid, coordinates = self.target(sigma), self._at(self._coordinates, sigma)
        batch = max(1, PASS_PIXELS // (x.shape[-2] * x.shape[-1]))
        parts = [
            self._pass(x, sigma, centroid, coordinates, slice(k, k + batch)) for k in range(0, len(x), batch)
        ]
        if len(parts) == 1:
            return parts[0]
        denoised, phi = zip(*parts, strict=True)
        return torch.cat(denoised), torch.cat(phi)

    def _at(self, values: Tensor | None, sigma: float | Tensor) -> Tensor | None:
        """Interpolate a table (..., S, F) at a noise level, or row by row at the level of each image."""
        if self._sigmas is None or values is None:
            return None
        if isinstance(sigma, Tensor) and sigma.ndim == 1:
            if self._masks is not None:
                return interpolate(self._sigmas, values, sigma).transpose(0, 1)  # (B, R, F)
            if values.ndim == 3:
                rows = [interpolate(self._sigmas, v, s) for v, s in zip(values, sigma, strict=True)]
                return torch.stack(rows)
        return interpolate(self._sigmas, values, sigma)

    def _pass(
        self,
        x: Tensor,
        sigma: float | Tensor,
        centroid: Tensor | None,
        coordinates: Tensor | None,
        part: slice,
    ) -> tuple[Tensor, Tensor]:
        """Evaluate the network for a part of the batch."""
        if isinstance(sigma, Tensor) and sigma.ndim == 1:
            sigma = sigma[part]
        if centroid is not None and centroid.ndim == (2 if self._masks is None else 3):
            centroid = centroid[part]
        if coordinates is not None and coordinates.ndim == 2:
            coordinates = coordinates[part]
        matching: Matching = None
        if centroid is not None and self._masks is not None:
            matching = RegionMatching(self._masks, centroid, self.strength, self._pooled)
        elif centroid is not None:
            matching = CentroidMatching(centroid, self.strength, coordinates)
        return self._evaluate(x[part], sigma, matching, tileable=self.tileable)


class LabelGuidedDenoiser:
    """`denoised, phi = guided(x, sigma)`: labels with classifier-free guidance (Ho and Salimans 2022).

    `D = D_unguided + weight (D_label - D_unguided)`: their equation 6 in terms of the denoiser, with
    weight = 1 + w. A weight of 1 evaluates the network once a step, any other twice.

    Parameters
    ----------
    network : Denoiser
        Trained with labels.
    labels : Tensor of shape (C,), (1, C) or (B, C)
        The `weights` of `Labels`.
    weight : float
    tileable : bool
        Images wrap round at the edges.
    """

    def __init__(
        self, network: Denoiser, labels: Tensor, *, weight: float = 1.0, tileable: bool = False
    ) -> None:
        self.network, self.weight, self.tileable = network, weight, tileable
        self.labels = Labels(labels.reshape(-1, labels.shape[-1]).to(next(network.parameters()).device))

    @property
    def evaluations(self) -> int:
        """Evaluations of the network for each image and step."""
        return 1 if self.weight == 1 else 2

    @torch.no_grad()
    def __call__(self, x: Tensor, sigma: float | Tensor) -> tuple[Tensor, Tensor]:
        """Return `denoised` (B, 3, H, W) and `phi` (B, F) of a noisy batch; see `Denoiser.denoise`."""
        labelled, phi = self.network.denoise(x, sigma, self.labels, tileable=self.tileable)
        if self.weight == 1:
            return labelled, phi
        unguided, _ = self.network.denoise(x, sigma, None, tileable=self.tileable)
        return unguided + self.weight * (labelled - unguided), phi
