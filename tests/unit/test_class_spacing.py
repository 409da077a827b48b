"""The usual distance between classes, in which the distance of a sample to its target falls."""

from __future__ import annotations

from itertools import combinations

import torch

from fgsd.centroids import CentroidTable
from fgsd.class_spacing import class_spacing
from fgsd.levels import interpolate


def table(n: int) -> CentroidTable:
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(n, 2, 5, generator=generator)
    scales = 0.5 + torch.rand(2, 5, generator=generator)
    names = [f"class {k}" for k in range(n)]
    return CentroidTable(names, torch.tensor([0.1, 1.0]), values, scales, torch.zeros(n, 3))


def test_it_is_the_root_mean_square_over_all_pairs():
    found = table(4)
    squares = [
        ((found.values[i] - found.values[j]) / found.scales).square().mean(dim=1)
        for i, j in combinations(range(4), 2)
    ]
    assert torch.allclose(class_spacing(found)[:, 0], torch.stack(squares).mean(dim=0).sqrt())


def test_one_class_has_none():
    assert class_spacing(table(1)).tolist() == [[0.0], [0.0]]


def test_a_step_tells_its_share_of_it(pipe):
    step = next(pipe.stream("moss", n=2, size=16, steps=2))
    spacing = interpolate(pipe.table.sigmas, class_spacing(pipe.table), step.sigma)
    assert torch.allclose(step.relative_distance, step.distance / spacing)
    assert next(pipe.stream(None, size=16, steps=2)).relative_distance is None
