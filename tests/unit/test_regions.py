"""Masks of regions: from arrays, images, plans and gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image

from fgsd.centroids import Centroid
from fgsd.images import ImageError
from fgsd.regions import MAX_REGIONS, Regions, linear_gradient, plan_masks, radial_gradient, region_masks

LEFT = np.arange(24)[None, :].repeat(16, axis=0) < 12  # of a picture of 16 rows and 24 columns


class TestMasks:
    def test_they_sum_to_one_at_each_pixel(self):
        masks = region_masks([LEFT, ~LEFT, LEFT], feather=2.5)
        assert masks.shape == (3, 16, 24) and masks.dtype == torch.float32
        assert torch.allclose(masks.sum(dim=0), torch.ones(16, 24), atol=1e-6) and masks.min() >= 0
        assert torch.equal(masks[0], masks[2])  # where masks overlap, regions share a pixel

    def test_without_feather_they_are_hard(self):
        assert torch.equal(region_masks([LEFT, ~LEFT], feather=0)[0], torch.from_numpy(LEFT).float())

    @pytest.mark.parametrize("std", [0.8, 2.0])
    def test_an_edge_is_softened_as_by_a_gaussian(self, std):
        wide = np.arange(80)[None, :].repeat(4, axis=0) < 40
        [mask, _] = region_masks([wide, ~wide], feather=std)
        expected = [0.5 * math.erfc((x - 39.5) / (std * math.sqrt(2))) for x in range(80)]
        assert torch.allclose(mask[2], torch.tensor(expected), atol=0.03)
        assert torch.allclose(mask[0], mask[3], atol=1e-6)

    def test_of_a_tile_they_wrap(self):
        corner = np.zeros((40, 48), dtype=bool)
        corner[:12, :12] = True
        flat, wrapped = (region_masks([corner, None], feather=1.5, tileable=t)[0] for t in (False, True))
        assert wrapped[-1, -1] > 0.03 > flat[-1, -1]
        rolled = region_masks([np.roll(corner, (5, 7), (0, 1)), None], feather=1.5, tileable=True)[0]
        assert torch.allclose(rolled, wrapped.roll((5, 7), (0, 1)), atol=1e-6)

    @pytest.mark.parametrize("radius", [5, 6, 12])
    def test_a_small_disc_keeps_its_middle(self, radius):
        y, x = np.mgrid[:64, :64]
        disc = np.hypot(x - 32, y - 32) < radius
        soft, rest = region_masks([disc, None], feather=6)
        assert soft[32, 32] > 0.95 and rest[32, 32] < 0.05
        assert torch.allclose(soft + rest, torch.ones(64, 64), atol=1e-6)
        assert 0.2 < soft[32, 32 + radius] < 0.6  # the edge stays where it is
        assert soft[32, 33 + radius] > 0.01  # and soft

    def test_wide_regions_are_softened_as_ever_beside_a_narrow_one(self):
        y, x = np.mgrid[:64, :160]
        left, disc = x < 80, np.hypot(x - 140, y - 32) < 6
        masks = [left & ~disc, ~left & ~disc, disc]
        soft, plain = region_masks(masks, feather=4), region_masks([left, ~left], feather=4)
        assert torch.allclose(soft[:2, :, :110], plain[:, :, :110], atol=1e-5)
        assert soft[2, 32, 140] > 0.95 and soft[2, :, :110].max() < 1e-4

    def test_a_spot_keeps_its_middle_beside_a_wide_area_of_its_region(self):
        y, x = np.mgrid[:64, :160]
        left, spot = x < 60, np.hypot(x - 120, y - 32) < 6
        soft, alone = (region_masks([mask, None], feather=6)[0] for mask in (left | spot, spot))
        assert soft[32, 120] > 0.95
        assert torch.allclose(soft[:, 100:], alone[:, 100:], atol=1e-6)
        plain = region_masks([left, None], feather=6)[0]
        assert torch.allclose(soft[:, :100], plain[:, :100], atol=1e-5)

    def test_spots_of_any_size_keep_their_middles(self):
        y, x = np.mgrid[:64, :192]
        sizes = {24: 4, 64: 7, 112: 11, 160: 20}
        spots = [np.hypot(x - column, y - 32) < radius for column, radius in sizes.items()]
        soft, rest = region_masks([np.any(spots, axis=0), None], feather=6)
        assert all(soft[32, column] > 0.9 for column in sizes)
        assert torch.allclose(soft + rest, torch.ones(64, 192), atol=1e-6)

    def test_a_spot_at_the_corner_of_a_tile_is_one(self):
        y, x = np.mgrid[:48, :48]
        spot = np.hypot(x - 24, y - 24) < 7
        inside, corner = (
            region_masks([np.roll(spot, (shift, shift), (0, 1)), None], feather=4, tileable=True)[0]
            for shift in (0, 24)
        )
        assert torch.allclose(inside.roll((24, 24), (0, 1)), corner, atol=1e-6)

    def test_a_stippled_gradient_fades(self):
        y, x = np.mgrid[:64, :96]
        bayer = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]])
        dots = (x - 16) / 64 > (bayer[y % 4, x % 4] + 0.5) / 16
        soft = region_masks([dots, None], feather=3)[0]
        expected = torch.linspace(0, 1, 64)
        assert torch.allclose(soft[32, 16:80], expected, atol=0.1)

    def test_narrow_stripes_all_remain(self):
        stripes = np.arange(48)[None, :].repeat(16, axis=0) // 8
        soft = region_masks([stripes == k for k in range(6)], feather=6)
        assert torch.allclose(soft.sum(dim=0), torch.ones(16, 48), atol=1e-6)
        for k in range(1, 5):
            assert soft[k, 8, 8 * k + 4] > 0.7

    @pytest.mark.parametrize("kind", ["tensor", "bytes", "image", "path"])
    def test_they_may_be_of_any_kind(self, tmp_path, kind):
        picture = Image.fromarray((255 * LEFT).astype(np.uint8))
        picture.save(tmp_path / "left.png")
        given = {
            "tensor": torch.from_numpy(LEFT),
            "bytes": (255 * LEFT).astype(np.uint8),
            "image": picture,
            "path": str(tmp_path / "left.png"),
        }[kind]
        assert torch.equal(region_masks([given, None]), region_masks([LEFT, ~LEFT]))

    def test_none_takes_what_is_left(self):
        masks = region_masks([LEFT, None], feather=0)
        assert torch.equal(masks[1], 1 - masks[0])
        assert torch.equal(region_masks([None], size=(8, 16)), torch.ones(1, 8, 16))

    @pytest.mark.parametrize(
        ("masks", "options", "message"),
        [
            ([], {}, f"masks: 0 regions; give 1 to {MAX_REGIONS}"),
            ([LEFT] * (MAX_REGIONS + 1), {}, f"give 1 to {MAX_REGIONS}"),
            ([LEFT, None, None], {}, "only one may be None"),
            ([None], {}, "no size is given"),
            ([LEFT, LEFT[:8]], {}, "16 x 24"),
            ([LEFT, ~LEFT], {"size": (16, 16)}, "16 x 16, 16 x 24"),
            ([LEFT, ~LEFT, LEFT & False], {}, "mask 3 is empty"),
            ([LEFT | True, None], {}, "mask 2 is empty"),
            ([LEFT], {}, "50 % of the pixels belong to no region; None takes what is left"),
            ([LEFT[None]], {}, r"mask 1 has shape \(1, 16, 24\) and type bool, expected numbers of shape"),
            ([LEFT.astype(complex)], {}, "type complex128, expected numbers"),
            ([LEFT * 2.0], {}, "mask 1 must hold values from 0 to 1, got 0.0 to 2.0"),
            ([LEFT - 1.0], {}, "must hold values from 0 to 1, got -1.0 to 0.0"),
            ([LEFT * np.nan], {}, "must hold values from 0 to 1, got nan"),
            ([LEFT, None], {"feather": -1.0}, "feather=-1.0 must be from 0 to 256 pixels"),
            ([LEFT, None], {"feather": math.nan}, "feather=nan must be"),
        ],
    )
    def test_bad_ones_are_refused(self, masks, options, message):
        with pytest.raises(ValueError, match=message):
            region_masks(masks, **options)

    def test_a_missing_file_is_named(self):
        with pytest.raises(ImageError, match=r"absent\.png: no such file"):
            region_masks(["absent.png", None])


class TestPlan:
    @pytest.fixture
    def plan(self) -> Image.Image:
        return Image.fromarray(np.where(LEFT[..., None], (0, 0, 255), (255, 255, 0)).astype(np.uint8))

    def test_each_colour_is_a_region(self, plan):
        legend = {"#0000ff": "water", "#FFFF00": "sand", "#ff0000": "lava"}
        (first, left), (second, right) = plan_masks(plan, legend)
        assert (first, second) == ("water", "sand")
        assert np.array_equal(left, LEFT) and np.array_equal(right, ~LEFT)

    def test_indexed_images_are_plans(self, plan, tmp_path):
        plan.convert("P", palette=Image.Palette.ADAPTIVE, colors=2).save(tmp_path / "plan.png")
        found = plan_masks(tmp_path / "plan.png", {"#0000ff": "water", "#ffff00": "sand"})
        assert [target for target, _ in found] == ["water", "sand"]

    @pytest.mark.parametrize(
        ("legend", "message"),
        [
            ({"#0000ff": "water"}, r"colours that the legend lacks: #ffff00 \(192 pixels\)$"),
            ({}, r"#ffff00 \(192 pixels\), #0000ff \(192 pixels\)"),
            ({"blue": "water"}, "colour='blue' must be # and six hexadecimal digits"),
            ({"#00f": "water"}, "colour='#00f' must be"),
        ],
    )
    def test_bad_legends_are_refused(self, plan, legend, message):
        with pytest.raises(ValueError, match=message):
            plan_masks(plan, legend)

    def test_of_many_unknown_colours_the_most_frequent_are_named(self):
        noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        noise[:2] = 7
        with pytest.raises(ValueError, match=r"lacks: #070707 \(32 pixels\), .* and \d+ more"):
            plan_masks(Image.fromarray(noise), {})


class TestGradients:
    @pytest.mark.parametrize("count", [2, 3, 5])
    def test_targets_fade_into_each_other(self, count):
        for masks in (linear_gradient(count, (16, 24), angle=30), radial_gradient(count, (16, 24))):
            assert len(masks) == count and np.allclose(sum(masks), 1)
            assert all(mask.min() >= 0 and mask.max() > 0.9 for mask in masks)
            assert torch.allclose(region_masks(masks, feather=0), torch.tensor(np.stack(masks)).float())

    def test_directions(self):
        right, down = (linear_gradient(2, (16, 24), angle=angle)[1] for angle in (0, 90))
        assert np.allclose(right, np.linspace(0, 1, 24)[None, :])
        assert np.allclose(down, np.linspace(0, 1, 16)[:, None])
        middle, edge = radial_gradient(2, (17, 25))
        assert middle[8, 12] == 1 and edge[0, 0] == 1

    def test_one_target_is_no_gradient(self):
        with pytest.raises(ValueError, match="count=1: a gradient needs at least 2 targets"):
            linear_gradient(1, (8, 8))


def test_colours_are_blended_by_the_masks():
    one = Centroid(torch.ones(1), torch.zeros(1, 2), torch.zeros(3))
    regions = Regions(region_masks([LEFT, ~LEFT], feather=0), (one, one))
    blended = regions.blended([torch.tensor([1.0, 0, -1]), torch.tensor([0.0, 0.5, 1])])
    assert regions.size == (16, 24) and blended.shape == (1, 3, 16, 24)
    assert torch.equal(blended[0, :, 3, 5], torch.tensor([1.0, 0, -1]))
    assert torch.equal(blended[0, :, 3, 20], torch.tensor([0.0, 0.5, 1]))
