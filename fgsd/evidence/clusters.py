"""Do the features of a class gather round their centroid, and in how many dimensions do centroids lie?"""

from __future__ import annotations

import torch
from torch import Tensor

from fgsd.centroids import features_by_level
from fgsd.model.network import Denoiser, NetworkConfig


def fresh_network(config: NetworkConfig, like: Denoiser, *, seed: int) -> Denoiser:
    """A network as training begins with it, where and laid out as `like` is; no global seed is touched."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Denoiser(config)
    device = next(like.parameters()).device
    return network.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)


@torch.no_grad()
def clusters(
    network: Denoiser,
    crops: Tensor,
    sigmas: Tensor,
    *,
    guided: bool,
    read: Tensor | None = None,
    seed: int = 0,
) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (C, S, F) of the features of the crops of each class.

    Parameters
    ----------
    crops : Tensor of shape (C, n, 3, H, W), n at least 2
    sigmas : Tensor of shape (S,)
    guided : bool
        Match each layer to its mean over the crops, as the table of centroids does. Then later layers
        have been told the class, so that clusters are tight in part by construction; without, features are
        those that each crop has by itself.
    read : Tensor of shape (C, S, C), optional
        What a network with foresight reads of each class, if it is guided.
    seed : int
        Of the noise, which is independent from crop to crop: shared noise would make a cluster of anything.
    """
    device, parts = next(network.parameters()).device, []
    for c, x0 in enumerate(crops):
        if guided:
            told = None if read is None else read[c]
            parts.append(features_by_level(network, x0, sigmas, seed=seed + c, coordinates=told))
            continue
        eps = torch.randn(x0.shape, generator=torch.Generator().manual_seed(seed + c))
        noisy = [(x0 + s * eps).to(device) for s in sigmas.tolist()]
        phi = [network.denoise(x, s)[1].cpu() for x, s in zip(noisy, sigmas.tolist(), strict=True)]
        phi = torch.stack(phi, dim=1)  # (n, S, F)
        parts.append((phi.mean(dim=0), phi.std(dim=0)))
    means, spreads = zip(*parts, strict=True)
    return torch.stack(means), torch.stack(spreads)


def separation(means: Tensor, spreads: Tensor, n: int) -> dict[str, list[float]]:
    """How far apart classes are against how wide they are, by noise level.

    Parameters
    ----------
    means, spreads : Tensors of shape (C, S, F)
    n : int
        Crops of each class; what their number adds to the distance of the means is taken off.

    Returns
    -------
    dict of lists of S numbers
        `within`: variance of the features within a class, summed over features, mean over classes; `between`:
        that of the centroids; `fisher`: the second over the first.
    """
    within = spreads.double().square().sum(dim=2).mean(dim=0)
    between = (means.double().var(dim=0).sum(dim=1) - within / n).clamp(min=0)
    fisher = between / within.clamp(min=1e-12)
    return {"within": within.tolist(), "between": between.tolist(), "fisher": fisher.tolist()}


def dimensions(means: Tensor) -> dict[str, list[float]]:
    """How many dimensions the centroids fill, by noise level.

    Parameters
    ----------
    means : Tensor of shape (C, S, F)

    Returns
    -------
    dict of lists of S numbers
        `participation`: (sum of l)^2 / sum of l^2 over the variances l along the principal axes, which is k
        for k equal ones; `components`: the least number of axes that hold 90 % of the variance.
    """
    participation, components = [], []
    for level in means.double().transpose(0, 1):  # (C, F)
        variances = torch.linalg.svdvals(level - level.mean(dim=0)).square()
        total = variances.sum().clamp(min=1e-30)
        participation.append((total**2 / variances.square().sum().clamp(min=1e-60)).item())
        held = variances.cumsum(0) / total
        components.append(int((held < 0.9 - 1e-12).sum().item()) + 1)
    return {"participation": participation, "components": components}
