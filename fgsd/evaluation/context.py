"""Samples, real crops, their features and a classifier, shared by the parts of the evaluation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fgsd.data import TextureFolder, to_tensor
from fgsd.evaluation.classifier import Judge
from fgsd.model.network import PASS_PIXELS
from fgsd.pipeline import Pipeline, Target
from fgsd.training.batch import seed_of

FeatureFunction = Callable[[Tensor], np.ndarray]  # (N, 3, H, W) in [-1, 1] to (N, F)
TRAINING_CROPS = 48  # per class, to train the classifier


def silent(items, desc: str = ""):
    """A progress wrapper without a display."""
    return items


def draw_samples(
    pipe: Pipeline,
    targets: Sequence[Target],
    each: int,
    *,
    size: int,
    seed: int = 0,
    progress=silent,
    desc: str = "sampling",
    **options,
) -> Tensor:
    """Sample several targets in batches of at most `PASS_PIXELS` pixels.

    Parameters
    ----------
    targets : T class names, mixtures or centroids
    each : int
        Samples of each target; sample k of target c has the seed `seed + c * each + k`.
    size : int
        Side of a sample in pixels.
    options
        Further options of `Pipeline.sample`.

    Returns
    -------
    Tensor of shape (T, each, 3, size, size)
        float32 in [-1, 1], rounded to 8 bits like the images.
    """
    flat = [target for target in targets for _ in range(each)]
    batch = max(1, PASS_PIXELS // size**2)
    images = []
    for start in progress(range(0, len(flat), batch), desc=desc):
        part = flat[start : start + batch]
        seeds = [seed + k for k in range(start, start + len(part))]
        images += pipe.sample(part, n=len(part), size=size, seed=seeds, **options)
    return torch.stack([to_tensor(image) for image in images]).unflatten(0, (len(targets), each))


def real_crops(data: TextureFolder, classes: Sequence[str], n: int, *, split: str, seed: int = 0) -> Tensor:
    """Random real crops (C, n, 3, H, W) of each class, from the "train" or "test" parts of the images."""
    crops = []
    for name in classes:
        class_seed = seed_of(seed, data.classes.index(name), int(split == "test"))
        crops.append(data.crops(name, n, torch.Generator().manual_seed(class_seed), split=split))
    return torch.stack(crops)


@dataclass
class EvaluationContext:
    """Images and features of one evaluation, computed at first use and cached.

    Parameters
    ----------
    pipe : Pipeline
    data : TextureFolder
        It may hold classes that the pipeline does not know.
    features : callable
        See `FeatureFunction`.
    per_class : int
        Number of samples, and of held-out crops, per class.
    steps : int
        Steps of the default sampler.
    reference : (classes, each)
        Number of classes, spaced evenly over the alphabet, and of samples per class for the slow reference
        sampler.
    learning_steps : sequence of int
        Steps of learning to compare; 0 takes `Pipeline.centroid_of`.
    """

    pipe: Pipeline
    data: TextureFolder
    features: FeatureFunction
    per_class: int = 32
    steps: int = 16
    seed: int = 0
    progress: Callable = silent
    reference: tuple[int, int] = (4, 4)
    learning_steps: Sequence[int] = (0, 20, 60)

    @property
    def size(self) -> int:
        """Side of crops and samples, in pixels."""
        return self.data.config.patch_size

    @cached_property
    def classes(self) -> list[str]:
        """Classes of both the data and the pipeline."""
        return [name for name in self.data.classes if name in self.pipe.classes]

    def sample(self, targets: Sequence[Target], each: int, desc: str = "sampling", **options) -> Tensor:
        """`draw_samples` with the settings of the evaluation: (targets, each, 3, H, W) in [-1, 1]."""
        settings: dict[str, Any] = {
            "size": self.size,
            "seed": self.seed,
            "steps": self.steps,
            "progress": self.progress,
        }
        return draw_samples(self.pipe, targets, each, desc=desc, **settings, **options)

    @cached_property
    def samples(self) -> Tensor:
        """Guided samples (C, n, 3, H, W) of `classes`."""
        return self.sample(self.classes, self.per_class)

    @cached_property
    def held_out(self) -> Tensor:
        """Held-out real crops (C, n, 3, H, W) of `classes`."""
        return real_crops(self.data, self.classes, self.per_class, split="test", seed=self.seed)

    @cached_property
    def training(self) -> Tensor:
        """Training crops (all classes of `data`, TRAINING_CROPS, 3, H, W)."""
        return real_crops(self.data, self.data.classes, TRAINING_CROPS, split="train", seed=self.seed)

    def features_of(self, images: Tensor, desc: str) -> np.ndarray:
        """Features (C, n, F) of images (C, n, 3, H, W); `desc` labels the progress bar."""
        parts = [self.features(images[k]) for k in self.progress(range(len(images)), desc=desc)]
        return np.stack(parts)

    @cached_property
    def sample_features(self) -> np.ndarray:
        return self.features_of(self.samples, "features of samples")

    @cached_property
    def held_out_features(self) -> np.ndarray:
        return self.features_of(self.held_out, "features of held-out crops")

    @cached_property
    def training_features(self) -> np.ndarray:
        return self.features_of(self.training, "features of training crops")

    @cached_property
    def judge(self) -> Judge:
        """Classifier of all classes of `data`."""
        return Judge(self.data.classes, self.training_features)

    def spaced_classes(self, n: int) -> list[str]:
        """`n` of the classes, spaced evenly over the alphabet."""
        n = min(n, len(self.classes))
        return [self.classes[math.floor((k + 0.5) * len(self.classes) / n)] for k in range(n)]
