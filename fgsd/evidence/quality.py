"""Distances between samples and real crops: of all together, within each class, and of texture statistics.

All are of features or statistics that were measured before, so that each image is measured once. Figures of
few images are biased: the Fréchet distance of 500 images from the distribution they come from is well above
0, and coverage by 8 samples well below 1. So compare only figures of equal numbers of images, and hold them
against those of as many real crops.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from fgsd.evaluation.memorisation import COPY

NEAREST = 1 / 4  # of a set: as far as the ball round an image reaches


class _Measured(nn.Module):
    """What torchmetrics takes for its network: hands on features that were measured already."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        return features


def frechet_distance(real: np.ndarray, samples: np.ndarray) -> float:
    """Fréchet distance of the Gaussians fitted to two sets of features (Heusel et al. 2017, equation 6).

    The squared distance `|m_1 - m_2|^2 + tr(S_1 + S_2 - 2 (S_1 S_2)^(1/2))`, by torchmetrics. It is biased
    upwards, the more the fewer images there are.

    Parameters
    ----------
    real, samples : arrays of shape (N, F) and (M, F), N and M at least 2

    Returns
    -------
    float, at least 0 but for rounding, in squared units of the features
    """
    from torchmetrics.image.fid import FrechetInceptionDistance

    metric = FrechetInceptionDistance(feature=_Measured(real.shape[-1])).set_dtype(torch.float64)
    metric.update(torch.from_numpy(real).double(), real=True)
    metric.update(torch.from_numpy(samples).double(), real=False)
    return metric.compute().item()


def kernel_distance(real: np.ndarray, samples: np.ndarray, *, draws: int = 16, seed: int = 0) -> float:
    """Kernel distance: squared maximum mean discrepancy with the kernel `(a.b / F + 1)^3` (Bińkowski et al.
    2018, section 4), by torchmetrics' `poly_mmd`, within each class, mean over classes.

    Unbiased: of two sets from one distribution it is 0 on average, and at times below. That holds for images
    drawn independently, hence within a class: sets with equally many of each class would seem nearer to each
    other than they are. The metric class of torchmetrics would draw from the global random numbers.

    Parameters
    ----------
    real, samples : arrays of shape (C, n, F) and (C, m, F), n at least m, m at least 2
    draws : int
        Of m real crops of each class, whose distances are averaged.
    """
    from torchmetrics.image.kid import poly_mmd

    count = samples.shape[1]
    if not 2 <= count <= real.shape[1]:
        raise ValueError(
            f"{count} samples of a class: at least 2 are needed, and at most as many as the {real.shape[1]} "
            "real crops"
        )
    random, found = np.random.default_rng(seed), []
    for theirs, ours in zip(torch.from_numpy(real).double(), torch.from_numpy(samples).double(), strict=True):
        for _ in range(draws):
            rows = random.choice(len(theirs), count, replace=False)
            found.append(poly_mmd(theirs[torch.from_numpy(rows)], ours).item())
    return float(np.mean(found))


def neighbourhoods(real: np.ndarray, samples: np.ndarray, *, nearest: float = NEAREST) -> dict[str, float]:
    """Precision and recall (Kynkäänniemi et al. 2019, equation 2), density and coverage (Naeem et al. 2020,
    equations 4 and 5) within each class, mean over classes.

    Within a class, because a method that draws one good image of each would cover all classes together. A
    ball round an image reaches to its k-th nearest neighbour of the same class and set. In the papers k is 3
    or 5; here it is a quarter of the set, because random crops of one image overlap: a ball that ends at the
    third holds only crops from the same place, and no image that is new. With the same k the figures are
    those of the authors' package `prdc`, which prints at every call.

    Parameters
    ----------
    real, samples : arrays of shape (C, n, F) and (C, m, F), n and m at least 2
    nearest : float
        k as a share of the set, rounded down, at least 1.

    Returns
    -------
    dict
        `precision`: share of samples in a ball of a real crop; `density`: number of such balls that a
        sample lies in, over k, which may exceed 1; `recall`: share of real crops in a ball of a sample;
        `coverage`: share of real crops whose ball holds a sample.
    """
    from scipy.spatial.distance import cdist

    counts = real.shape[1], samples.shape[1]
    if min(counts) < 2:
        raise ValueError(f"{counts[0]} real crops and {counts[1]} samples of a class: at least 2 are needed")
    k_real, k_samples = (max(1, int(nearest * n)) for n in counts)
    found = []
    for ours, theirs in zip(samples, real, strict=True):
        around_real = np.sort(cdist(theirs, theirs), axis=1)[:, k_real]  # nearest of all is the image itself
        around_samples = np.sort(cdist(ours, ours), axis=1)[:, k_samples]
        between = cdist(theirs, ours)  # (n, m)
        in_real = between <= around_real[:, None]
        found.append(
            {
                "precision": in_real.any(axis=0).mean(),
                "recall": (between <= around_samples).any(axis=1).mean(),
                "density": in_real.sum(axis=0).mean() / k_real,
                "coverage": in_real.any(axis=1).mean(),
            }
        )
    return {key: float(np.mean([one[key] for one in found])) for key in found[0]}


class TextureStatistics:
    """`statistics(x)`: those of Portilla and Simoncelli (2000), by plenoptic, (N, S) of images (N, 3, H, W).

    Moments of pixels, correlations of wavelet coefficients and of their magnitudes over place, orientation
    and scale. Colour: of lightness, red-green and yellow-blue (an orthonormal change of axes, which takes
    away most of the correlation between colours), each as a grey image; no statistic joins two of them.

    An image of 32 pixels allows 2 scales of wavelets, since the coarsest band that is left must hold
    correlations over 7 x 7 places; each doubling of the size allows one more.

    Parameters
    ----------
    size : int
        Side of the images in pixels, at least 16.
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

        Noise as wide as a step of 8 bits, the same for all images, undoes their rounding: a constant channel
        has no skewness.
        """
        noise = torch.rand(x.shape[1:], generator=torch.Generator().manual_seed(0)) - 0.5
        colours = torch.einsum("oc,nchw->nohw", self._axes, x.float() + noise * 2 / 255)
        return np.concatenate([self._model(part).flatten(1).numpy() for part in colours.split(256)])


def within_class_spread(real: np.ndarray) -> np.ndarray:
    """Standard deviation (S,) within a class, root mean square over classes, of statistics (C, n, S)."""
    return np.sqrt(real.astype(np.float64).var(axis=1, ddof=1).mean(axis=0))


def statistics_distance(real: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """How far the mean statistics of samples are from those of real crops, for each class.

    Parameters
    ----------
    real, samples : arrays of shape (C, n, S) and (C, m, S)

    Returns
    -------
    array of shape (C,)
        Mean absolute difference over statistics, each in units of its spread over real crops of a class.
    """
    spread = np.maximum(within_class_spread(real), 1e-12)
    away = samples.mean(axis=1, dtype=np.float64) - real.mean(axis=1, dtype=np.float64)
    return (np.abs(away) / spread).mean(axis=1)


def nearness(distances: np.ndarray, usual: np.ndarray) -> dict[str, float]:
    """Whether samples are copies, from their distances to the nearest training crop.

    Parameters
    ----------
    distances : array of shape (C, m)
        Of samples; see `nearest_distances`.
    usual : array of shape (C,)
        Median of those of held-out crops.

    Returns
    -------
    dict
        `nearest`: the median ratio to what is usual in the class, well below 1 if training crops were learned
        by heart; `copies`: share of the samples nearer than `COPY` of it.
    """
    ratios = distances / np.maximum(usual, 1e-9)[:, None]
    return {"nearest": float(np.median(ratios)), "copies": float((ratios < COPY).mean())}
