"""Metrics of images against real training crops of every class."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from fgsd.data import TextureFolder
from fgsd.evaluation.classifier import Judge, class_accuracies
from fgsd.evaluation.context import FeatureFunction, real_crops
from fgsd.evaluation.diversity import pairwise_distance
from fgsd.evaluation.frechet import frechet_distance
from fgsd.evaluation.memorisation import nearest_distances
from fgsd.evidence.quality import (
    TextureStatistics,
    copy_ratios,
    kernel_distance,
    neighbourhoods,
    statistics_distance,
)

HELD_OUT = 16  # crops of a class, whose distances from training crops are the typical ones


class ReferenceMetrics:
    """Real training crops, and the metrics of images against them.

    The reference is training crops because these are what the networks saw: a method that samples their
    density perfectly scores as other training crops do. Copies of them are counted separately.

    Parameters
    ----------
    data : TextureFolder
    classes : C names
    features : callable
        See `FeatureFunction`.
    crops_per_class : int
        Training crops in the reference.
    seed : int
    """

    def __init__(
        self,
        data: TextureFolder,
        classes: Sequence[str],
        features: FeatureFunction,
        *,
        crops_per_class: int,
        seed: int = 0,
    ) -> None:
        self.data, self.classes, self.features = data, list(classes), features
        self.crops_per_class, self.seed = crops_per_class, seed

    @property
    def size(self) -> int:
        """Side of crops and samples, in pixels."""
        return self.data.config.patch_size

    def real_crops(self, n: int, *, split: str, seed: int) -> Tensor:
        """Real crops (C, n, 3, H, W); the reference itself has split "train" and `self.seed`."""
        return real_crops(self.data, self.classes, n, split=split, seed=seed)

    def features_of(self, images: Tensor) -> np.ndarray:
        """Features (C, n, F) of images (C, n, 3, H, W)."""
        return self.features(images.flatten(0, 1)).reshape(*images.shape[:2], -1)

    @cached_property
    def training(self) -> Tensor:
        """The reference crops (C, crops_per_class, 3, H, W)."""
        return self.real_crops(self.crops_per_class, split="train", seed=self.seed)

    @cached_property
    def training_features(self) -> np.ndarray:
        return self.features_of(self.training)

    @cached_property
    def judge(self) -> Judge:
        """A classifier that was trained on the reference crops."""
        return Judge(self.classes, self.training_features)

    @cached_property
    def scaled_features(self) -> np.ndarray:
        """Features (C, crops_per_class, F) of the reference crops, standardised over all of them."""
        return self.judge.scaled(self.training_features)

    @cached_property
    def _statistics(self) -> TextureStatistics:
        return TextureStatistics(self.size)

    @cached_property
    def _training_statistics(self) -> np.ndarray:
        return self._statistics_of(self.training)

    def _statistics_of(self, images: Tensor) -> np.ndarray:
        """Texture statistics (C, n, S) of images (C, n, 3, H, W)."""
        return self._statistics(images.flatten(0, 1)).reshape(*images.shape[:2], -1)

    def _copy_distances(self, images: Tensor) -> np.ndarray:
        """Pixel distances (C, n) to the nearest training crop."""
        pairs = zip(self.classes, images, strict=True)
        return torch.stack([nearest_distances(x, self.data.regions(c, "train")) for c, x in pairs]).numpy()

    @cached_property
    def _typical_copy_distances(self) -> np.ndarray:
        """Median pixel distance (C,) of held-out crops to the nearest training crop."""
        held_out = self.real_crops(HELD_OUT, split="test", seed=self.seed)
        return np.median(self._copy_distances(held_out), axis=1)

    def figures(self, images: Tensor) -> dict[str, float]:
        """All metrics of images (C, n, 3, H, W) that should be of each class in turn.

        Features are standardised over the training crops.

        Returns
        -------
        dict
            `accuracy`: share that the judge assigns to the requested class; `frechet`: Fréchet distance from
            training crops, over all classes together; `kernel`: kernel distance within each class;
            `statistics`: distance of texture statistics; `precision`, `recall`, `density`, `coverage`: see
            `neighbourhoods`; `diversity`: mean distance between two images of a class, over that of training
            crops; `nearest`, `copies`: see `copy_ratios`.
        """
        features = self.features_of(images)
        scaled, real = self.judge.scaled(features), self.scaled_features
        statistics = statistics_distance(self._training_statistics, self._statistics_of(images))
        return {
            "accuracy": float(class_accuracies(self.judge, self.classes, features).mean()),
            "frechet": frechet_distance(flattened(real), flattened(scaled)),
            "kernel": kernel_distance(real, scaled, seed=self.seed),
            "statistics": float(statistics.mean()),
            **neighbourhoods(real, scaled),
            "diversity": float(pairwise_distance(scaled).mean() / pairwise_distance(real).mean()),
            **copy_ratios(self._copy_distances(images), self._typical_copy_distances),
        }


def flattened(features: np.ndarray) -> np.ndarray:
    """Features (..., F) as (N, F)."""
    return features.reshape(-1, features.shape[-1])
