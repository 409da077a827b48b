"""Positions on a line in closed form, and samples of mixtures that follow the weight or do not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fgsd.centroids import CentroidTable, features_by_level
from fgsd.checkpoint import CheckpointInfo
from fgsd.data import to_images
from fgsd.evaluation import evaluate, report_text
from fgsd.evaluation.context import EvaluationContext
from fgsd.evaluation.paths import measure_paths, positions_on_line, random_pairs, unguided_features
from fgsd.pipeline import Pipeline


def unused(x):
    raise AssertionError("paths use features of the network alone")


class Blends(Pipeline):
    """A pipeline whose "samples" are blended real crops; `drawn` maps the requested weight to one used."""

    def __init__(self, pipe, data, drawn=lambda weight: weight) -> None:
        super().__init__(pipe.network, pipe.table, pipe.info, "cpu")
        self.data, self.drawn, self.seeds = data, drawn, []

    def sample(self, target, *, n, seed, **options):
        self.seeds.append(seed)
        made = []
        for (a, b), weight, s in zip(target, [list(t.values())[1] for t in target], seed, strict=True):
            first, second = (self.data.crops(c, 1, torch.Generator().manual_seed(s)) for c in (a, b))
            made.append(torch.lerp(first, second, float(self.drawn(weight))))
        return to_images(torch.cat(made))


@pytest.fixture
def pipe(pipe) -> Pipeline:
    """The tiny checkpoint, with the image size of `data`."""
    return Pipeline(pipe.network, pipe.table, CheckpointInfo(patch_size=16), "cpu")


@pytest.fixture
def table() -> CentroidTable:
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(3, 4, 5, generator=generator)
    scales = 0.5 + torch.rand(4, 5, generator=generator)
    return CentroidTable(list("abc"), torch.tensor([0.1, 0.2, 0.4, 0.8]), values, scales, torch.zeros(3, 3))


def test_a_mixture_lies_on_the_line_at_its_weight(table):
    levels, weights = torch.tensor([0, 2]), torch.tensor([0.0, 0.3, 1.0, -0.5])
    phi = torch.stack([table.mixture({"a": 1 - w, "c": w}).values[levels] for w in weights.tolist()])
    ends = (table.values[0, levels], table.values[2, levels])
    positions, offsets = positions_on_line(ends, table.scales[levels], phi)
    assert positions == pytest.approx(weights.numpy(), abs=1e-6)
    assert offsets == pytest.approx(np.zeros(4), abs=1e-6)


def test_an_orthogonal_offset_does_not_change_the_position(table):
    levels = torch.tensor([1, 3])
    scale = table.scales[levels]
    line = ((table.values[1] - table.values[0])[levels] / scale).flatten()
    aside = torch.randn(10, generator=torch.Generator().manual_seed(1))
    aside = aside - (aside @ line) / (line @ line) * line
    aside = aside / aside.norm() * line.norm() * 0.25
    phi = table.mixture({"a": 0.4, "b": 0.6}).values[levels] + aside.view(2, 5) * scale
    positions, offsets = positions_on_line(
        (table.values[0, levels], table.values[1, levels]), scale, phi[None]
    )
    assert positions == pytest.approx([0.6], abs=1e-5) and offsets == pytest.approx([0.25], abs=1e-5)


def test_unguided_features_are_those_of_each_image_alone(lively, data):
    network, sigmas = lively(), torch.tensor([0.1, 1.0])
    x0 = data.crops("moss", 3, torch.Generator().manual_seed(0))
    found = unguided_features(network, x0, sigmas, seed=4)
    for k in range(3):
        alone, _ = features_by_level(network, x0[None, k : k + 1], sigmas, seed=4)
        assert torch.allclose(found[k], alone[0], atol=1e-5)


def test_pairs_are_different_and_as_many_as_there_are():
    names = [f"class-{k}" for k in range(30)]
    pairs = random_pairs(names, 20, seed=3)
    assert len({frozenset(pair) for pair in pairs}) == 20 and all(a != b for a, b in pairs)
    assert pairs == random_pairs(names, 20, seed=3) != random_pairs(names, 20, seed=4)
    assert len(random_pairs(names[:3], 20)) == 3 and random_pairs(names[:1], 20) == []


def test_samples_that_follow_the_weight_pass(pipe, data):
    blends = Blends(pipe, data)
    found = measure_paths(EvaluationContext(blends, data, unused))
    assert found["checks"][0]["value"] > 0.9 and found["checks"][0]["passed"]
    assert len(found["pairs"]) == 3 and len(found["weights"]) == 9
    for seeds in blends.seeds:  # the same seeds at each weight, different ones for each pair
        assert seeds == seeds[:2] * 9
    assert len({tuple(seeds[:2]) for seeds in blends.seeds}) == 3
    assert found["largest_step"] < 0.5
    means = found["places"]
    assert means[0] < means[4] < means[8]


def test_a_leap_is_not_a_path(pipe, data):
    """The samples switch from one class to the other at once."""
    found = measure_paths(EvaluationContext(Blends(pipe, data, lambda weight: weight > 0.45), data, unused))
    assert 0.8 < found["checks"][0]["value"] < 0.87 + 1e-3
    assert found["largest_step"] == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("drawn", [lambda weight: 1 - weight, lambda weight: 0.5])
def test_samples_that_do_not_fall_short(pipe, data, drawn):
    found = measure_paths(EvaluationContext(Blends(pipe, data, drawn), data, unused))
    assert found["checks"][0]["value"] < 0.5 and not found["checks"][0]["passed"]


def test_the_part_runs_alone_and_is_reported(pipe, data):
    found = evaluate(pipe, data, per_class=2, steps=2, parts=["paths"], features=unused)
    text = report_text(found)
    assert "paths: correlation of place on the line with weight, 3 pairs" in text
    assert "9 weights a pair, 2 samples at each" in text
    assert found["parts"]["paths"]["worst"]["pair"] in text


def test_one_class_has_no_paths(pipe, data):
    t = pipe.table
    one = CentroidTable(t.classes[:1], t.sigmas, t.values[:1], t.scales, t.colours[:1])
    found = evaluate(Pipeline(pipe.network, one, pipe.info, "cpu"), data, parts=["paths"], features=unused)
    assert "only one class" in report_text(found) and found["passed"] is True
