"""Distances to training crops, compared with brute force; copies are detected."""

from __future__ import annotations

import pytest
import torch
from evaluation_help import uniform

from fgsd.evaluation.context import real_crops
from fgsd.evaluation.memorisation import measure_memorisation, nearest_distances


def brute_force(x: torch.Tensor, regions: list[torch.Tensor]) -> torch.Tensor:
    height, width = x.shape[-2:]
    crops = [
        region[:, top : top + height, left : left + width]
        for region in regions
        for top in range(region.shape[1] - height + 1)
        for left in range(region.shape[2] - width + 1)
    ]
    differences = x[:, None].double() - torch.stack(crops)[None].double()
    return differences.square().mean(dim=(2, 3, 4)).sqrt().amin(dim=1)


def test_nearest_distance_agrees_with_trying_every_position():
    x = uniform(18, 3, 5, 7)  # more than one pass
    regions = [uniform(3, 9, 16, seed=1), uniform(3, 5, 7, seed=2), uniform(3, 12, 8, seed=3)]
    torch.testing.assert_close(nearest_distances(x, regions), brute_force(x, regions), rtol=1e-9, atol=1e-9)


def test_nearest_distance_to_the_only_crop_is_the_offset():
    region = uniform(3, 8, 8) * 0.5
    distances = nearest_distances(torch.stack([region, region + 0.125, region - 0.25]), [region])
    torch.testing.assert_close(distances, torch.tensor([0.0, 0.125, 0.25]).double(), atol=1e-6, rtol=0)


def test_regions_smaller_than_a_crop_are_passed_over():
    x, region = uniform(2, 3, 6, 6), uniform(3, 9, 9, seed=1)
    small = uniform(3, 5, 20, seed=2)
    assert torch.equal(nearest_distances(x, [small, region]), nearest_distances(x, [region]))
    with pytest.raises(ValueError, match="6 x 6"):
        nearest_distances(x, [small])


def test_copied_training_crops_raise_the_alarm(data):
    copies = real_crops(data, data.classes, 24, split="train")  # some of them across the right edge
    held_out = real_crops(data, data.classes, 24, split="test")
    figures = measure_memorisation(data, data.classes, copies, held_out)
    assert figures["checks"][0]["value"] == pytest.approx(0, abs=1e-5)
    assert not figures["checks"][0]["passed"] and figures["copies"] == 1.0
    one_copy = held_out.clone()
    one_copy[1, 5] = copies[1, 0]
    figures = measure_memorisation(data, data.classes, one_copy, held_out)
    assert figures["lowest"]["class"] == data.classes[1] and figures["lowest"]["sample"] == 5
    assert figures["lowest"]["ratio"] == pytest.approx(0, abs=1e-5)
    assert figures["copies"] == pytest.approx(1 / 72)


def test_held_out_crops_are_as_far_from_training_crops_as_themselves(data):
    held_out = real_crops(data, data.classes, 24, split="test")
    others = real_crops(data, data.classes, 24, split="test", seed=1)
    figures = measure_memorisation(data, data.classes, others, held_out)
    assert figures["checks"][0]["value"] == pytest.approx(1, abs=0.05)
    assert figures["checks"][0]["passed"] and figures["copies"] == 0.0
