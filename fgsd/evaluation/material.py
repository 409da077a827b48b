"""What several parts of the evaluation look at: samples, real crops, their features, and a judge."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from fgsd.data import TextureFolder, to_tensor
from fgsd.evaluation.classifier import Judge
from fgsd.guidance import PASS_PIXELS
from fgsd.pipeline import Pipeline, Target
from fgsd.training.batch import seed_of

FeatureFunction = Callable[[Tensor], np.ndarray]  # (N, 3, H, W) in [-1, 1] to (N, F)
TRAINING_CROPS = 48  # of each class, that the judge learns from


def silent(items, desc: str = ""):
    """The progress display that shows nothing."""
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
    """Samples of several targets, as many in a pass of the network as fit.

    Parameters
    ----------
    targets : T class names, mixtures or centroids
    each : int
        Samples of each target; sample k of target c has the seed `seed + c * each + k`.
    options
        Of `Pipeline.sample`.

    Returns
    -------
    Tensor of shape (T, each, 3, size, size), float32 in [-1, 1], rounded to 8 bits as images are
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
    """Random real crops (C, n, 3, H, W) of each class, from "train" or "test" parts of the images."""
    drawn = []
    for name in classes:
        place = seed_of(seed, data.classes.index(name), int(split == "test"))
        drawn.append(data.crops(name, n, torch.Generator().manual_seed(place), split=split))
    return torch.stack(drawn)


@dataclass
class Material:
    """Images and features, each made when first asked for and then kept.

    Parameters
    ----------
    pipe : Pipeline
    data : TextureFolder
        Its classes may go beyond those of the pipe.
    features : callable
        See `FeatureFunction`.
    per_class : int
        Samples, and as many held-out crops, of each class.
    steps : int
        Of the default sampler.
    reference : (classes, each)
        How many classes, evenly over the alphabet, and how many samples of each the slow reference sampler
        is given.
    """

    pipe: Pipeline
    data: TextureFolder
    features: FeatureFunction
    per_class: int = 32
    steps: int = 16
    seed: int = 0
    progress: Callable = silent
    reference: tuple[int, int] = (4, 4)

    @property
    def size(self) -> int:
        """Side of crops and samples, in pixels."""
        return self.data.config.patch_size

    @cached_property
    def classes(self) -> list[str]:
        """Classes that the pipe knows and that there are images of."""
        return [name for name in self.data.classes if name in self.pipe.classes]

    @cached_property
    def samples(self) -> Tensor:
        """Guided samples (C, n, 3, H, W) of `classes`."""
        return draw_samples(
            self.pipe,
            self.classes,
            self.per_class,
            size=self.size,
            seed=self.seed,
            steps=self.steps,
            progress=self.progress,
        )

    @cached_property
    def held_out(self) -> Tensor:
        """Held-out real crops (C, n, 3, H, W) of `classes`."""
        return real_crops(self.data, self.classes, self.per_class, split="test", seed=self.seed)

    @cached_property
    def training(self) -> Tensor:
        """Training crops (all classes of `data`, TRAINING_CROPS, 3, H, W)."""
        return real_crops(self.data, self.data.classes, TRAINING_CROPS, split="train", seed=self.seed)

    def measured(self, images: Tensor, desc: str) -> np.ndarray:
        """Features (C, n, F) of images (C, n, 3, H, W)."""
        parts = [self.features(images[k]) for k in self.progress(range(len(images)), desc=desc)]
        return np.stack(parts)

    @cached_property
    def sample_features(self) -> np.ndarray:
        return self.measured(self.samples, "features of samples")

    @cached_property
    def held_out_features(self) -> np.ndarray:
        return self.measured(self.held_out, "features of held-out crops")

    @cached_property
    def training_features(self) -> np.ndarray:
        return self.measured(self.training, "features of training crops")

    @cached_property
    def judge(self) -> Judge:
        """The classifier, of all classes of `data`."""
        return Judge(self.data.classes, self.training_features)

    def spread_out(self, n: int) -> list[str]:
        """`n` of the classes, evenly over the alphabet."""
        n = min(n, len(self.classes))
        return [self.classes[math.floor((k + 0.5) * len(self.classes) / n)] for k in range(n)]
