"""A network and a target make one denoiser, which any sampler can follow."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from fgsd.centroids import Centroid
from fgsd.levels import interpolate
from fgsd.model.matching import CentroidMatching
from fgsd.model.network import Denoiser

PASS_PIXELS = 32 * 64 * 64  # that go through the network at once: more need more memory, and are no faster

Evaluate = Callable[..., tuple[Tensor, Tensor]]  # as `Denoiser.denoise`, whose arguments it takes


class GuidedDenoiser:
    """`denoised, phi = guided(x, sigma)`: the network, with its features moved to a centroid.

    Parameters
    ----------
    network : Denoiser
    target : Centroid, sequence of Centroid or None
        One for the whole batch, or one for each image; None leaves the score unguided.
    strength : float
        Share of the way to the centroid: 0 unguided, 1 all the way, up to 2 beyond it.
    tileable : bool
        Images wrap round at the edges.
    evaluate : callable, optional
        Evaluates the network in the place of `network.denoise`; see `fgsd.app.serving.scheduler`. A large
        batch comes to
        it in passes of at most `PASS_PIXELS` pixels, or of one image.

    Raises
    ------
    ValueError
        If the centroid's length is not that of the network's feature vector, or `strength` is not finite.
    """

    def __init__(
        self,
        network: Denoiser,
        target: Centroid | Sequence[Centroid] | None,
        *,
        strength: float = 1.0,
        tileable: bool = False,
        evaluate: Evaluate | None = None,
    ) -> None:
        if not math.isfinite(strength):
            raise ValueError(f"strength={strength} must be a finite number, 0 (unguided) to about 2")
        self.network, self.strength, self.tileable = network, strength, tileable
        self._evaluate = evaluate or network.denoise
        self._sigmas: Tensor | None = None
        self._values: Tensor | None = None
        self._read: Tensor | None = None  # of the target up front, by a network with foresight
        if target is None:
            return
        many = [target] if isinstance(target, Centroid) else list(target)
        device = next(network.parameters()).device
        for centroid in many:
            if centroid.values.shape[-1] != network.config.dimension:
                raise ValueError(
                    f"the centroid has {centroid.values.shape[-1]} features, the network "
                    f"{network.config.dimension}: it was made by another network"
                )
            if not torch.equal(centroid.sigmas, many[0].sigmas):
                raise ValueError("the centroids of a batch must share their noise levels")
        self._sigmas = many[0].sigmas.cpu()
        values = torch.stack([c.values for c in many]).to(device)  # (1 or B, S, F)
        read = network.reading(self._sigmas, values)
        self._values = values[0] if len(many) == 1 else values
        if read is not None:
            self._read = read[0] if len(many) == 1 else read

    def target(self, sigma: float | Tensor) -> Tensor | None:
        """Where the features are moved to at a noise level: (F,) or (B, F); None if unguided."""
        return self._at(self._values, sigma)

    def _at(self, values: Tensor | None, sigma: float | Tensor) -> Tensor | None:
        if self._sigmas is None or values is None:
            return None
        if isinstance(sigma, Tensor) and sigma.ndim == 1 and values.ndim == 3:
            rows = [interpolate(self._sigmas, v, s) for v, s in zip(values, sigma, strict=True)]
            return torch.stack(rows)
        return interpolate(self._sigmas, values, sigma)

    @torch.no_grad()
    def __call__(self, x: Tensor, sigma: float | Tensor) -> tuple[Tensor, Tensor]:
        """`denoised` (B, 3, H, W) and `phi` (B, F) of a noisy batch; see `Denoiser.denoise`."""
        target, read = self.target(sigma), self._at(self._read, sigma)
        most = max(1, PASS_PIXELS // (x.shape[-2] * x.shape[-1]))
        parts = [self._pass(x, sigma, target, read, slice(k, k + most)) for k in range(0, len(x), most)]
        if len(parts) == 1:
            return parts[0]
        denoised, phi = zip(*parts, strict=True)
        return torch.cat(denoised), torch.cat(phi)

    def _pass(
        self,
        x: Tensor,
        sigma: float | Tensor,
        target: Tensor | None,
        read: Tensor | None,
        part: slice,
    ) -> tuple[Tensor, Tensor]:
        if isinstance(sigma, Tensor) and sigma.ndim == 1:
            sigma = sigma[part]
        if target is not None and target.ndim == 2:
            target = target[part]
        if read is not None and read.ndim == 2:
            read = read[part]
        matching = None if target is None else CentroidMatching(target, self.strength, read)
        return self._evaluate(x[part], sigma, matching, tileable=self.tileable)
