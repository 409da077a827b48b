"""Real crops of every class, and what images are measured by against them."""

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
from fgsd.evaluation.memorisation import nearest_distances
from fgsd.evidence.quality import (
    TextureStatistics,
    frechet_distance,
    kernel_distance,
    nearness,
    neighbourhoods,
    statistics_distance,
)

HELD_OUT = 16  # crops of a class, whose distances from training crops are the usual ones


class Yardstick:
    """Real training crops, and the figures of images against them.

    Training crops, because these are what networks saw: a method that samples their density perfectly is as
    good as other training crops are. What it may not do is copy them, which has a figure of its own.

    Parameters
    ----------
    data : TextureFolder
    classes : C names
    features : callable
        See `FeatureFunction`.
    crops : int
        Training crops of each class.
    seed : int
    """

    def __init__(
        self,
        data: TextureFolder,
        classes: Sequence[str],
        features: FeatureFunction,
        *,
        crops: int,
        seed: int = 0,
    ) -> None:
        self.data, self.classes, self.features = data, list(classes), features
        self.crops, self.seed = crops, seed

    @property
    def size(self) -> int:
        """Side of crops and samples, in pixels."""
        return self.data.config.patch_size

    def real(self, n: int, *, split: str, seed: int) -> Tensor:
        """Real crops (C, n, 3, H, W); the yardstick itself is made of split "train" and `self.seed`."""
        return real_crops(self.data, self.classes, n, split=split, seed=seed)

    def measured(self, images: Tensor) -> np.ndarray:
        """Features (C, n, F) of images (C, n, 3, H, W)."""
        return self.features(images.flatten(0, 1)).reshape(*images.shape[:2], -1)

    @cached_property
    def training(self) -> Tensor:
        return self.real(self.crops, split="train", seed=self.seed)

    @cached_property
    def training_features(self) -> np.ndarray:
        return self.measured(self.training)

    @cached_property
    def judge(self) -> Judge:
        """A classifier of the training crops."""
        return Judge(self.classes, self.training_features)

    @cached_property
    def _scaled(self) -> np.ndarray:
        return self.judge.scaled(self.training_features)

    @cached_property
    def _statistics(self) -> TextureStatistics:
        return TextureStatistics(self.size)

    @cached_property
    def _training_statistics(self) -> np.ndarray:
        return self._of_classes(self.training)

    def _of_classes(self, images: Tensor) -> np.ndarray:
        """Texture statistics (C, n, S)."""
        return self._statistics(images.flatten(0, 1)).reshape(*images.shape[:2], -1)

    def _nearest(self, images: Tensor) -> np.ndarray:
        """Distances (C, n) to the nearest training crop."""
        pairs = zip(self.classes, images, strict=True)
        return torch.stack([nearest_distances(x, self.data.regions(c, "train")) for c, x in pairs]).numpy()

    @cached_property
    def _usual(self) -> np.ndarray:
        return np.median(self._nearest(self.real(HELD_OUT, split="test", seed=self.seed)), axis=1)

    def figures(self, images: Tensor) -> dict[str, float]:
        """Of images (C, n, 3, H, W) asked of each class; features are standardised over training crops.

        Returns
        -------
        dict
            `accuracy`: share that the judge gives the class asked for; `frechet`: distance from training
            crops, all classes together; `kernel`: within each class; `statistics`: of texture statistics;
            `precision`, `recall`, `density`, `coverage`: see `neighbourhoods`;
            `diversity`: mean distance between two images of a class, over that of training crops; `nearest`,
            `copies`: see `nearness`.
        """
        features = self.measured(images)
        scaled, real = self.judge.scaled(features), self._scaled
        statistics = statistics_distance(self._training_statistics, self._of_classes(images))
        return {
            "accuracy": float(class_accuracies(self.judge, self.classes, features).mean()),
            "frechet": frechet_distance(_flat(real), _flat(scaled)),
            "kernel": kernel_distance(real, scaled, seed=self.seed),
            "statistics": float(statistics.mean()),
            **neighbourhoods(real, scaled),
            "diversity": float(pairwise_distance(scaled).mean() / pairwise_distance(real).mean()),
            **nearness(self._nearest(images), self._usual),
        }


def _flat(features: np.ndarray) -> np.ndarray:
    return features.reshape(-1, features.shape[-1])
