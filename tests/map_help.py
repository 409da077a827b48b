"""A feature map of made-up crops, for tests of the page that shows it: nothing is fitted."""

from __future__ import annotations

import numpy as np
import torch

from fgsd.feature_map import FeatureMap
from fgsd.pipeline import Pipeline


def scattered_map(pipe: Pipeline, count: int, *, image: int, seed: int = 0) -> FeatureMap:
    """`count` crops in turn of each class, scattered round its centroid; embedded as three round clouds.

    Parameters
    ----------
    image : int
        Side of the images that the crops are cut from, in pixels.
    """
    table, random = pipe.table, np.random.default_rng(seed)
    levels, classes = len(table.sigmas), len(table.classes)
    labels = np.arange(count) % classes
    z = ((table.values - table.values.mean(dim=0)) / table.scales).transpose(0, 1)  # (S, C, F)
    _, _, bases = torch.linalg.svd(z, full_matrices=False)
    bases = bases[:, : classes - 1].transpose(1, 2).half()
    centres = (z @ bases.float())[:, labels]  # (S, N, K)
    noise = torch.from_numpy(random.normal(0, 0.15, (1, *centres.shape[1:]))).float()
    scores = centres + noise * centres.std(dim=1, keepdim=True)
    steps = scores.abs().amax(dim=1) / 127
    angles = 2 * np.pi * (labels / classes + 0.1 * np.arange(levels)[:, None])
    clouds = 0.5 + 0.3 * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    embedding = torch.from_numpy(clouds + random.normal(0, 0.04, (1, count, 2))).float()
    return FeatureMap(
        table,
        0,
        labels,
        np.zeros(count, dtype=np.int64),
        random.integers(0, image * 2 // 3 - pipe.info.patch_size, (count, 2)),
        (scores / steps[:, None]).round().to(torch.int8),
        steps,
        bases,
        torch.ones(levels),
        embedding,
    )
