"""Does guided denoising give the conditional mean? Held against Gaussian classes, whose answer is exact."""

from __future__ import annotations

import torch
from torch import Tensor

from fgsd.centroids import Centroid, CentroidTable
from fgsd.evaluation.checks import check
from fgsd.gaussians import GaussianClasses, fitted, gaussian_divergence
from fgsd.guidance import GuidedDenoiser
from fgsd.network import Denoiser
from fgsd.sampling import ImageNoise, dpm_solver_2m, karras_schedule

SIGMAS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0)
EXCESS_TARGET = 0.05  # of the exact denoiser's own error


@torch.no_grad()
def denoising_excess(
    network: Denoiser, table: CentroidTable, gaussians: GaussianClasses, *, n: int = 64, seed: int = 0
) -> dict[str, list[float]]:
    """By noise level of `SIGMAS`, what the network's denoisers lack of the exact ones.

    The error of a denoiser is that of the exact one plus its mean squared distance from it; that distance is
    given as a share of the exact error, averaged over classes.

    Returns
    -------
    dict
        `guided`: against the exact conditional denoiser; `unguided`: against the exact one of the mixture;
        `unguided_as_guided`: the unguided one against the conditional one, what guidance is worth.
    """
    rows: dict[str, list[float]] = {"guided": [], "unguided": [], "unguided_as_guided": []}
    generator = torch.Generator().manual_seed(seed)
    clean = {name: gaussians.sample(name, n, generator) for name in gaussians.classes}
    noise = {name: torch.randn(x0.shape, generator=generator) for name, x0 in clean.items()}
    for sigma in SIGMAS:
        shares: dict[str, list[float]] = {key: [] for key in rows}
        for name, x0 in clean.items():
            x = x0 + sigma * noise[name]
            conditional, mixture = gaussians.denoise(x, sigma, name), gaussians.mixture_denoise(x, sigma)
            guided = GuidedDenoiser(network, table.of(name), tileable=True)(x, sigma)[0]
            unguided = GuidedDenoiser(network, None, tileable=True)(x, sigma)[0]
            exact = gaussians.expected_error(name, sigma)
            of_mixture = (mixture - x0).square().mean().item()
            shares["guided"].append(_distance(guided, conditional) / exact)
            shares["unguided"].append(_distance(unguided, mixture) / of_mixture)
            shares["unguided_as_guided"].append(_distance(unguided, conditional) / exact)
        for key, values in shares.items():
            rows[key].append(sum(values) / len(values))
    return rows


@torch.no_grad()
def sample_divergence(
    network: Denoiser,
    centroid: Centroid | None,
    gaussians: GaussianClasses,
    name: str,
    *,
    n: int = 256,
    steps: int = 32,
    seed: int = 0,
) -> float:
    """Divergence, in nats an image, of the Gaussian fitted to guided samples from the true class."""
    noise = ImageNoise(range(seed, seed + n), (3, *gaussians.size))
    sigmas = karras_schedule(steps)
    guided = GuidedDenoiser(network, centroid, tileable=True)
    x = sigmas[0].item() * noise()
    if centroid is not None:
        x = x + centroid.colour[:, None, None]
    for step in dpm_solver_2m(guided, x, sigmas, noise=noise):
        last = step
    row = gaussians.index(name)
    return gaussian_divergence(*fitted(last.x), gaussians.means[row], gaussians.power[row])


def gaussian_truth(
    network: Denoiser,
    table: CentroidTable,
    gaussians: GaussianClasses,
    *,
    n: int = 64,
    samples: int = 256,
    seed: int = 0,
    progress=None,
) -> dict:
    """How far denoising and samples are from the truth; the figures as other parts give theirs.

    Parameters
    ----------
    n : int
        Noisy images of each class and noise level.
    samples : int
        Of each class, whose fitted Gaussian is compared. As many true images leave a divergence too, that of
        the sampling error, which is given beside it.
    """
    excess = denoising_excess(network, table, gaussians, n=n, seed=seed)
    classes = progress(gaussians.classes) if progress else gaussians.classes
    divergences = {
        name: {
            "guided": sample_divergence(network, table.of(name), gaussians, name, n=samples, seed=seed),
            "true_images": _of_true_images(gaussians, name, samples, seed),
        }
        for name in classes
    }
    return {
        "sigmas": list(SIGMAS),
        "excess": excess,
        "divergences": divergences,
        "checks": [
            check(
                "guided denoiser's excess error / exact error",
                sum(excess["guided"]) / len(SIGMAS),
                at_most=EXCESS_TARGET,
            )
        ],
    }


def _of_true_images(gaussians: GaussianClasses, name: str, n: int, seed: int) -> float:
    images = gaussians.sample(name, n, torch.Generator().manual_seed(seed))
    row = gaussians.index(name)
    return gaussian_divergence(*fitted(images), gaussians.means[row], gaussians.power[row])


def _distance(found: Tensor, exact: Tensor) -> float:
    return (found.double() - exact).square().mean().item()
