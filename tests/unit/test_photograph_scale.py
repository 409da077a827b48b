"""The scale of photographs is chosen by how much their crops differ."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from fgsd import photograph_scale
from fgsd.images import ImageError
from fgsd.photograph_scale import SCALES, crop_spread, load_at_scale
from fgsd.photographs import Photograph


def load(pipe, image, **options):
    """Load an image for a pipeline whose images have 48 pixels, and whose crops have 16."""
    return load_at_scale(pipe.network, pipe.table, image, pipe.info.data, **options)


def board(square: int) -> Image.Image:
    """A board of black and white squares, 48 pixels wide."""
    tiles = np.indices((48, 48)) // square
    return Image.fromarray((255 * (tiles.sum(axis=0) % 2)).astype(np.uint8)).convert("RGB")


def test_crops_of_a_coarse_structure_differ_more_than_those_of_a_fine_one(pipe):
    spreads = [crop_spread(pipe.network, pipe.table, load(pipe, board(side), scale=1.0)) for side in (2, 24)]
    assert spreads[1] > 1.1 * spreads[0]


def test_the_unit_is_the_spread_within_the_classes(pipe, texture_folder):
    values = [
        crop_spread(pipe.network, pipe.table, load(pipe, texture_folder / f"{name}.png", scale=1.0))
        for name in pipe.classes
    ]
    assert np.sqrt(np.mean(np.square(values))) == pytest.approx(1, abs=0.25)


def test_a_coarse_image_is_scaled_down_until_its_crops_are_alike(pipe, monkeypatch):
    image = board(24)
    values = {s: crop_spread(pipe.network, pipe.table, load(pipe, image, scale=s)) for s in SCALES}
    for limit in values.values():
        monkeypatch.setattr(photograph_scale, "MAX_SPREAD", limit + 1e-4)
        expected = next(scale for scale in SCALES if values[scale] <= limit + 1e-4)
        assert load(pipe, image)[0].pixels.shape[1] == round(48 * expected)
    assert values[0.5] < values[1.0]


def test_the_smallest_scale_is_taken_if_none_is_small_enough(pipe, monkeypatch):
    monkeypatch.setattr(photograph_scale, "MAX_SPREAD", 0.0)
    assert load(pipe, board(24))[0].pixels.shape[1] == round(48 * SCALES[-1])
    # 0.7 of 20 pixels are too few for a crop
    assert load(pipe, board(24).crop((0, 0, 20, 20)))[0].pixels.shape[1] == 20


def test_a_given_scale_is_kept(pipe, monkeypatch):
    monkeypatch.setattr(photograph_scale, "MAX_SPREAD", 0.0)
    [photograph] = load(pipe, board(24), scale=1.0)
    assert photograph.pixels.shape[1] == 48
    with pytest.raises(ImageError, match="at least 16 x 16 are needed"):
        load(pipe, board(24), scale=0.2)


def test_levels_outside_the_range_are_used_if_there_are_no_others(pipe, monkeypatch):
    monkeypatch.setattr(photograph_scale, "SIGMA_RANGE", (500.0, 600.0))
    assert crop_spread(pipe.network, pipe.table, [Photograph(torch.rand(3, 32, 32), 16)]) > 0
