"""Do the features of a class cluster around its centroid, and how many dimensions do centroids span?"""

from __future__ import annotations

from typing import TypedDict

import torch
from torch import Tensor

from fgsd.centroids import features_by_level
from fgsd.model.network import Denoiser, NetworkConfig


def untrained_network(config: NetworkConfig, like: Denoiser, *, seed: int) -> Denoiser:
    """A freshly initialised network on the device of `like`; the global random state is not touched."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Denoiser(config)
    device = next(like.parameters()).device
    network.eval().requires_grad_(False)
    return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]


@torch.no_grad()
def class_clusters(
    network: Denoiser,
    crops: Tensor,
    sigmas: Tensor,
    *,
    guided: bool,
    coordinates: Tensor | None = None,
    seed: int = 0,
) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (C, S, F) of the features of the crops of each class.

    Parameters
    ----------
    crops : Tensor of shape (C, n, 3, H, W), n at least 2
    sigmas : Tensor of shape (S,)
    guided : bool
        Match each layer to its mean over the crops, as the table of centroids does. Later layers then know
        the class, which by itself tightens the clusters. Without guidance, each crop has its own features.
    coordinates : Tensor of shape (C, S, C), optional
        Centroid coordinates of each class, for a guided network with a target embedding.
    seed : int
        Of the noise, which is independent from crop to crop: shared noise would itself make clusters.
    """
    device, parts = next(network.parameters()).device, []
    for c, x0 in enumerate(crops):
        if guided:
            target = None if coordinates is None else coordinates[c : c + 1]
            mean, std = features_by_level(
                network, x0[None], sigmas, seed=seed + c, antithetic=False, coordinates=target
            )
            parts.append((mean[0], std[0]))
            continue
        eps = torch.randn(x0.shape, generator=torch.Generator().manual_seed(seed + c))
        levels = [network.denoise((x0 + s * eps).to(device), s)[1].cpu() for s in sigmas.tolist()]
        phi = torch.stack(levels, dim=1)  # (n, S, F)
        parts.append((phi.mean(dim=0), phi.std(dim=0)))
    means, stds = zip(*parts, strict=True)
    return torch.stack(means), torch.stack(stds)


class Separation(TypedDict):
    """Variances of features, summed over features, at each of S noise levels."""

    within: list[float]  # within a class, mean over classes
    between: list[float]  # of the centroids
    fisher: list[float]  # `between` / `within`


def separation(means: Tensor, stds: Tensor, n: int) -> Separation:
    """Variance between classes against variance within them, by noise level.

    Parameters
    ----------
    means, stds : Tensors of shape (C, S, F)
    n : int
        Crops of each class. The variance that sampling n crops adds to the means is subtracted.
    """
    within_class = stds.double().square().sum(dim=2).mean(dim=0)
    between_class = (means.double().var(dim=0).sum(dim=1) - within_class / n).clamp(min=0)
    fisher = between_class / within_class.clamp(min=1e-12)
    return {"within": within_class.tolist(), "between": between_class.tolist(), "fisher": fisher.tolist()}


def spanned_dimensions(centroids: Tensor) -> dict[str, list[float]]:
    """How many dimensions the centroids span, by noise level.

    Parameters
    ----------
    centroids : Tensor of shape (C, S, F)

    Returns
    -------
    dict of lists of S numbers
        `participation`: participation ratio (sum of l)^2 / sum of l^2 of the variances l along the principal
        axes, which is k for k equal ones; `components`: the smallest number of axes that hold 90 % of the
        variance.
    """
    participation: list[float] = []
    components: list[float] = []
    for level in centroids.double().transpose(0, 1):  # (C, F)
        variances = torch.linalg.svdvals(level - level.mean(dim=0)).square()
        total = variances.sum().clamp(min=1e-30)
        participation.append((total**2 / variances.square().sum().clamp(min=1e-60)).item())
        cumulative = variances.cumsum(0) / total
        components.append(int((cumulative < 0.9 - 1e-12).sum().item()) + 1)
    return {"participation": participation, "components": components}
