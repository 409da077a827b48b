"""Features, images and pipelines with known figures, for tests of the evaluation."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import torch

from fgsd.data import TextureFolder, to_images
from fgsd.pipeline import Pipeline

NAMES = ["a", "b", "c", "d"]


def blobs(n: int, seed: int, distance: float = 10.0) -> np.ndarray:
    """Features (4, n, 6) of four Gaussian classes, `distance` standard deviations from the origin."""
    noise = np.random.default_rng(seed).normal(size=(4, n, 6))
    return noise + distance * np.eye(4, 6)[:, None]


def uniform(*shape: int, seed: int = 0) -> torch.Tensor:
    """Uniform random values in [-1, 1]."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def simple_features(x: torch.Tensor) -> np.ndarray:
    """Channel means, standard deviations and mean jumps: they separate the synthetic textures."""
    jumps = [x.diff(dim=d).abs().mean(dim=(2, 3)) for d in (2, 3)]
    return torch.cat([x.mean(dim=(2, 3)), x.std(dim=(2, 3)), *jumps], dim=1).numpy()


class RealPipe(Pipeline):
    """A pipeline whose "samples" are real crops of `split`; `drawn` maps the target to their class."""

    def __init__(self, pipe: Pipeline, data: TextureFolder, split: str, drawn=lambda target: target) -> None:
        super().__init__(pipe.network, pipe.table, pipe.info, "cpu")
        self.data, self.split, self.drawn, self.evaluations = data, split, drawn, {}

    def sample(self, target, *, n=1, seed=0, **options):
        crops = [
            self.data.crops(self.drawn(t), 1, torch.Generator().manual_seed(s), split=self.split)
            for t, s in zip(target, seed, strict=True)
        ]
        return to_images(torch.cat(crops))

    def stream(self, target, *, n, seed, sampler, **options):
        if sampler == "ascent" and self.evaluations.get("ascent") is None:
            raise RuntimeError("the ascent did not reach sigma=0.02")
        images = self.sample(target, n=n, seed=seed)
        for k in range(2):
            step = SimpleNamespace(evaluations=(k + 1) * self.evaluations.get(sampler, 8))
            yield SimpleNamespace(step=step, images=images)
