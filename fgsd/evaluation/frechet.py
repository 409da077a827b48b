"""The Fréchet distance between samples and real crops.

It is biased by the number of images: of 500 images from their own distribution it is well above 0. So compare
only figures of equal numbers of images, and state the figure of as many real crops beside them.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


class _Precomputed(nn.Module):
    """Stands in for the feature network of torchmetrics: returns its input, the precomputed features."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        return features


def frechet_distance(real: np.ndarray, samples: np.ndarray) -> float:
    """Fréchet distance of the Gaussians fitted to two sets of features (Heusel et al. 2017, equation 6).

    The squared distance `|m_1 - m_2|^2 + tr(S_1 + S_2 - 2 (S_1 S_2)^(1/2))`, by torchmetrics. It is biased
    upwards, and more so with fewer images.

    Parameters
    ----------
    real, samples : arrays of shape (N, F) and (M, F), N and M at least 2

    Returns
    -------
    float, at least 0 up to rounding, in squared units of the features
    """
    from torchmetrics.image.fid import FrechetInceptionDistance

    metric = FrechetInceptionDistance(feature=_Precomputed(real.shape[-1])).set_dtype(torch.float64)
    metric.update(torch.from_numpy(real).double(), real=True)
    metric.update(torch.from_numpy(samples).double(), real=False)
    return metric.compute().item()
