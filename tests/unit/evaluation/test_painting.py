"""What painting is measured by: on pictures whose figures are known."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from evaluation_help import simple_features

from fgsd.checkpoint import CheckpointInfo
from fgsd.data import to_images
from fgsd.evaluation import evaluate, report_text
from fgsd.evaluation.context import EvaluationContext
from fgsd.evaluation.painting import (
    COST_TARGETS,
    STATM,
    measure_painting,
    peak_memory,
    region_costs,
)
from fgsd.pipeline import Pipeline


class Pasted(Pipeline):
    """A pipeline whose samples are mosaics of real crops; regions are filled with them.

    `drawn` maps the name of a class to that of the crops which its regions get; its whole samples are right.
    """

    def __init__(self, pipe, data, drawn=lambda name: name) -> None:
        super().__init__(pipe.network, pipe.table, pipe.info, "cpu")
        self.data, self.drawn = data, drawn

    def _mosaic(self, name: str, size: tuple[int, int], seed: int) -> torch.Tensor:
        side = self.data.config.patch_size
        rows, columns = size[0] // side, size[1] // side
        crops = self.data.crops(name, rows * columns, torch.Generator().manual_seed(seed), split="test")
        grid = crops.unflatten(0, (rows, columns)).permute(2, 0, 3, 1, 4)
        return grid.reshape(3, *size)

    def sample(self, target, *, n=1, seed=0, size=64, **options):
        if isinstance(target, str):
            return to_images(self._mosaic(target, size, seed)[None])
        filled = torch.zeros(3, *size)
        for mask, centroid in zip(target.masks, target.centroids, strict=True):
            [name] = [c for c in self.classes if torch.equal(self.table.of(c).values, centroid.values)]
            filled += mask * self._mosaic(self.drawn(name), size, seed)
        return to_images(filled[None])


@pytest.fixture
def pipe(pipe) -> Pipeline:
    """The tiny checkpoint, with the image size of `data`."""
    return Pipeline(pipe.network, pipe.table, CheckpointInfo(patch_size=16), "cpu")


def measured(pipe, data, **options) -> dict:
    return measure_painting(
        EvaluationContext(pipe, data, simple_features, seed=1),
        gradients=2,
        cost_pairs=1,
        largest=64,
        **options,
    )


def test_blends_in_pixels_are_level_with_themselves(pipe, data):
    found = measured(Pasted(pipe, data), data, pairs=3)
    accuracy, border, *_ = found["checks"]
    halves = found["half_planes"]
    assert halves["pairs"] == 3 and accuracy["value"] == pytest.approx(1) and accuracy["passed"]
    assert halves["gradient_off"]["painted"] == pytest.approx(halves["gradient_off"]["blended"], rel=0.05)
    assert halves["distance"]["painted"] == pytest.approx(halves["distance"]["blended"], rel=0.05)
    assert border["value"] >= 0.95
    # the two differ where they meet
    assert halves["distance"]["pasted"] > 1.2


def test_regions_of_another_texture_are_noticed(pipe, data):
    wrong = {"brick": "moss", "moss": "slate", "slate": "brick"}
    found = measured(Pasted(pipe, data, wrong.__getitem__), data, pairs=3)
    assert found["checks"][0]["value"] < 0.2 and not found["checks"][0]["passed"]
    assert found["half_planes"]["accuracy"]["whole"] > 0.9


def test_crops_along_a_gradient_follow_it_if_the_picture_does(pipe, data):
    follows = measured(Pasted(pipe, data), data, pairs=1)["gradients"]
    assert follows["weights"] == sorted(follows["weights"])
    assert 0 <= follows["weights"][0] < 0.1 and 0.9 < follows["weights"][-1] <= 1
    assert follows["places"][-1] > follows["places"][0]
    assert follows["worst"]["correlation"] == min(follows["pairs"].values()) > 0.5


def test_discs_have_the_colour_of_their_class_if_the_picture_has_it(pipe, data):
    right = measured(Pasted(pipe, data), data, pairs=1)["discs"]["colour"]
    assert list(right) == ["4", "8"] and min(right.values()) > 0.8
    wrong = {"brick": "moss", "moss": "slate", "slate": "brick"}
    other = measured(Pasted(pipe, data, wrong.__getitem__), data, pairs=1)["discs"]["colour"]
    assert max(other.values()) < 0.7


def test_a_changed_region_changes_nothing_elsewhere_if_the_picture_is_pasted(pipe, data):
    change = measured(Pasted(pipe, data), data, pairs=1)["change"]
    assert change["inside"] > 20 and change["elsewhere"] < 0.01


def test_costs_are_ratios_by_size_and_number(pipe):
    found = region_costs(pipe, pairs=2, sides=(16, 32))
    assert list(found) == ["16", "32"]
    for one in found.values():
        assert one.keys() == {*map(str, COST_TARGETS), "milliseconds"} and min(one.values()) > 0


def test_memory_is_what_an_evaluation_takes_at_most(pipe, monkeypatch):
    if not STATM.exists():
        pytest.skip("only Linux tells the memory of a process")
    denoise = pipe.network.denoise

    def greedy(*args, **options):
        kept = torch.ones(100_000_000)  # 0.4 GB
        time.sleep(0.1)
        del kept
        return denoise(*args, **options)

    monkeypatch.setattr(pipe.engines, "exact", greedy)
    assert 0.35 < peak_memory(pipe, 16) < 0.5


def test_a_real_painting_is_measured_and_written_as_text(pipe, data, monkeypatch):
    few = {"pairs": 2, "gradients": 1, "cost_pairs": 1, "largest": 64}
    monkeypatch.setattr(measure_painting, "__kwdefaults__", few)
    results = evaluate(pipe, data, per_class=2, steps=2, parts=["painting"], features=simple_features)
    text = report_text(results)
    assert (
        "painting: 2 pairs of half planes" in text and "borders, pasted" in text and "cost at 256 px" in text
    )
    assert "memory of an evaluation of 64 x 64 pixels with 2 regions" in text
    assert np.isfinite([one["value"] for one in results["parts"]["painting"]["checks"]]).all()


def test_one_class_has_no_borders(pipe, data):
    only = data.only(["moss"])
    assert "only one class" in measure_painting(EvaluationContext(pipe, only, simple_features))["note"]
