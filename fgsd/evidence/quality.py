"""Distances between samples and real crops: over all classes, within each class, and of texture statistics.

All functions take features or statistics, so that each image passes the feature network once. Figures of few
images are biased: the Fréchet distance of 500 images from their own distribution is well above 0, and the
coverage by 8 samples well below 1. So compare only figures of equal numbers of images, and state the figures
of as many real crops beside them.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from fgsd.evaluation.memorisation import COPY

NEIGHBOUR_SHARE = 1 / 4  # k of k-nearest neighbours, as a share of the set


def kernel_distance(real: np.ndarray, samples: np.ndarray, *, draws: int = 16, seed: int = 0) -> float:
    """Kernel distance within each class, mean over classes: squared maximum mean discrepancy with the kernel
    `(a.b / F + 1)^3` (Bińkowski et al. 2018, section 4), by torchmetrics' `poly_mmd`.

    The estimate is unbiased: for two sets from one distribution it is 0 on average and sometimes negative.
    This requires independently drawn images, which is why it is taken within a class: two sets with equal
    numbers of each class would seem closer than they are. The metric class of torchmetrics is not used
    because it draws from the global random state.

    Parameters
    ----------
    real, samples : arrays of shape (C, n, F) and (C, m, F), n at least m, m at least 2
    draws : int
        Random subsets of m real crops of each class, over which the distance is averaged.

    Raises
    ------
    ValueError
        If m is below 2 or above n.
    """
    from torchmetrics.image.kid import poly_mmd

    count = samples.shape[1]
    if not 2 <= count <= real.shape[1]:
        raise ValueError(
            f"{count} samples of a class: there must be at least 2, and at most as many as the "
            f"{real.shape[1]} real crops"
        )
    random, distances = np.random.default_rng(seed), []
    for theirs, ours in zip(torch.from_numpy(real).double(), torch.from_numpy(samples).double(), strict=True):
        for _ in range(draws):
            rows = random.choice(len(theirs), count, replace=False)
            distances.append(poly_mmd(theirs[torch.from_numpy(rows)], ours).item())
    return float(np.mean(distances))


def neighbourhoods(
    real: np.ndarray, samples: np.ndarray, *, nearest: float = NEIGHBOUR_SHARE
) -> dict[str, float]:
    """Precision and recall (Kynkäänniemi et al. 2019, equation 2), density and coverage (Naeem et al. 2020,
    equations 4 and 5) within each class, mean over classes.

    They are taken within a class, because over all classes together one good image of each would count as
    full coverage. The ball of an image reaches to its k-th nearest neighbour of the same class and set. In
    the papers k is 3 or 5. Here it is a quarter of the set, because random crops of one image overlap: a ball
    up to the third neighbour holds only crops from the same spot, and no new image. With the same k the
    figures equal those of the authors' package `prdc`, which is not used because it prints at every call.

    Parameters
    ----------
    real, samples : arrays of shape (C, n, F) and (C, m, F), n and m at least 2
    nearest : float
        k as a share of the set, rounded down, at least 1.

    Returns
    -------
    dict
        `precision`: share of samples in the ball of some real crop; `density`: number of such balls around a
        sample, over k, which may exceed 1; `recall`: share of real crops in the ball of some sample;
        `coverage`: share of real crops whose ball holds a sample.

    Raises
    ------
    ValueError
        If there are fewer than 2 real crops or samples of a class.
    """
    from scipy.spatial.distance import cdist

    counts = real.shape[1], samples.shape[1]
    if min(counts) < 2:
        raise ValueError(f"{counts[0]} real crops and {counts[1]} samples of a class: at least 2 are needed")
    k_real, k_samples = (max(1, int(nearest * n)) for n in counts)
    by_class = []
    for ours, theirs in zip(samples, real, strict=True):
        radius_real = np.sort(cdist(theirs, theirs), axis=1)[:, k_real]  # index 0 is the image itself
        radius_samples = np.sort(cdist(ours, ours), axis=1)[:, k_samples]
        distances = cdist(theirs, ours)  # (n, m)
        in_real = distances <= radius_real[:, None]
        by_class.append(
            {
                "precision": in_real.any(axis=0).mean(),
                "recall": (distances <= radius_samples).any(axis=1).mean(),
                "density": in_real.sum(axis=0).mean() / k_real,
                "coverage": in_real.any(axis=1).mean(),
            }
        )
    return {key: float(np.mean([one[key] for one in by_class])) for key in by_class[0]}


class TextureStatistics:
    """`statistics(x)`: the statistics of Portilla and Simoncelli (2000), (N, S) of images (N, 3, H, W), by
    plenoptic.

    They are moments of pixels, and correlations of wavelet coefficients and of their magnitudes over
    position, orientation and scale. Colour images are split into lightness, red-green and yellow-blue (an
    orthonormal change of axes, which removes most of the correlation between channels). Each channel is
    measured as a grey image; there are no statistics across channels.

    An image of 32 pixels allows 2 wavelet scales, since the coarsest band must hold correlations over 7 x 7
    positions; each doubling of the size allows one more.

    Parameters
    ----------
    size : int
        Side of the images in pixels, at least 16.

    Raises
    ------
    ValueError
        If `size` is below 16.
    """

    def __init__(self, size: int) -> None:
        from plenoptic.models import PortillaSimoncelli

        if size < 16:
            raise ValueError(
                f"size={size} pixels is too small for texture statistics: at least 16 are needed"
            )
        scales = min(4, int(math.log2(size)) - 3)
        self._model = PortillaSimoncelli((size, size), n_scales=scales, spatial_corr_width=7)
        axes = torch.tensor([[1.0, 1.0, 1.0], [1.0, -1.0, 0.0], [1.0, 1.0, -2.0]])
        self._axes = axes / axes.norm(dim=1, keepdim=True)

    @torch.no_grad()
    def __call__(self, x: Tensor) -> np.ndarray:
        """Statistics (N, S) of images (N, 3, size, size) in [-1, 1].

        All images get the same noise, as wide as a step of 8 bits, because the skewness of a constant
        channel is undefined.
        """
        noise = torch.rand(x.shape[1:], generator=torch.Generator().manual_seed(0)) - 0.5
        colours = torch.einsum("oc,nchw->nohw", self._axes, x.float() + noise * 2 / 255)
        return np.concatenate([self._model(part).flatten(1).numpy() for part in colours.split(256)])


def within_class_std(real: np.ndarray) -> np.ndarray:
    """Standard deviation (S,) of statistics (C, n, S) within a class, root mean square over classes."""
    return np.sqrt(real.astype(np.float64).var(axis=1, ddof=1).mean(axis=0))


def statistics_distance(real: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """Distance between the mean statistics of samples and of real crops, for each class.

    Parameters
    ----------
    real, samples : arrays of shape (C, n, S) and (C, m, S)

    Returns
    -------
    array of shape (C,)
        Mean absolute difference over statistics, each in units of its standard deviation over the real crops
        of a class.
    """
    std = np.maximum(within_class_std(real), 1e-12)
    difference = samples.mean(axis=1, dtype=np.float64) - real.mean(axis=1, dtype=np.float64)
    return (np.abs(difference) / std).mean(axis=1)


def copy_ratios(distances: np.ndarray, typical: np.ndarray) -> dict[str, float]:
    """Whether samples are copies, from their distances to the nearest training crop.

    Parameters
    ----------
    distances : array of shape (C, m)
        Of samples; see `nearest_distances`.
    typical : array of shape (C,)
        Median distance of held-out crops of the class.

    Returns
    -------
    dict
        `nearest`: median of distance / typical distance, well below 1 if training crops were memorised;
        `copies`: share of the samples whose ratio is below `COPY`.
    """
    ratios = distances / np.maximum(typical, 1e-9)[:, None]
    return {"nearest": float(np.median(ratios)), "copies": float((ratios < COPY).mean())}
