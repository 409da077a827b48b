"""Painting: another target in each region of an image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from fgsd.centroids import coarse_fine
from fgsd.guidance import GuidedDenoiser
from fgsd.model.layers import rms_norm
from fgsd.model.matching import CentroidMatching, MatchedLayer, RegionMatching, region_means
from fgsd.regions import region_masks

LEFT = np.arange(32)[None, :].repeat(24, axis=0) < 16


def region_matching(pipe, masks, sigma=1.0, strength=1.0) -> RegionMatching:
    centroids = torch.stack([pipe.table.of(name).at(sigma) for name in pipe.classes[: masks.shape[1]]])
    return RegionMatching(masks, centroids, strength)


def noisy(n: int = 2) -> torch.Tensor:
    return torch.randn(n, 3, 24, 32, generator=torch.Generator().manual_seed(3))


def test_one_region_gives_the_same_bits_as_its_class(pipe):
    [painted] = pipe.paint({"moss": None}, size=(24, 32), seed=5, steps=3)
    [sampled] = pipe.sample("moss", size=(24, 32), seed=5, steps=3)
    assert np.array_equal(painted, sampled)


def test_in_the_network_one_region_is_the_matching_of_the_whole_image(pipe):
    x, centroid = noisy(), pipe.table.of(pipe.classes[0]).at(1.0)
    regions = region_matching(pipe, torch.ones(1, 1, 24, 32))
    with torch.no_grad():
        ours, phi = pipe.network.denoise(x, 1.0, regions)
        expected, expected_phi = pipe.network.denoise(x, 1.0, CentroidMatching(centroid))
    assert torch.allclose(ours, expected, atol=1e-5) and phi.shape == (2, 1, pipe.table.dimension)
    assert torch.allclose(phi[:, 0], expected_phi, atol=1e-5)


def test_the_means_of_each_region_are_moved_to_its_own_target():
    masks = region_masks([LEFT, None], feather=0)[None]
    torch.manual_seed(0)
    layer = MatchedLayer(6, 4, slice(0, 6), 5)  # its gate is the identity as long as it is untrained
    a, context = torch.randn(3, 6, 24, 32), torch.randn(3, 2, 4)
    targets = torch.randn(2, 6)
    with torch.no_grad():
        moved, _, phi = layer(a, context, RegionMatching(masks, targets), None, masks)
    assert torch.allclose(phi[:, 0], a[..., :16].mean(dim=(2, 3)), atol=1e-5)
    assert torch.allclose(phi[:, 1], a[..., 16:].mean(dim=(2, 3)), atol=1e-5)
    assert torch.allclose(region_means(moved, masks), targets.expand(3, 2, 6), atol=1e-5)
    step = (targets - phi)[..., None, None]  # with hard masks the same at all pixels of a region
    assert torch.allclose((moved - a)[..., :16], step[:, 0].expand(3, 6, 24, 16), atol=1e-5)
    assert torch.allclose((moved - a)[..., 16:], step[:, 1].expand(3, 6, 24, 16), atol=1e-5)


def test_a_region_without_a_pixel_at_a_coarse_layer_has_the_mean_of_the_image():
    a = rms_norm(torch.randn(1, 4, 6, 8))
    masks = torch.stack([torch.ones(6, 8), torch.zeros(6, 8)])[None]
    assert torch.allclose(region_means(a, masks)[0, 1], a.mean(dim=(2, 3))[0], atol=1e-6)


def test_the_order_of_the_regions_does_not_matter(pipe):
    masks = [np.where(LEFT, 1.0, 0.0), np.where(LEFT, 0.0, 1.0), np.full(LEFT.shape, 0.3)]
    pairs = list(zip(pipe.classes, masks, strict=True))
    one, other = (pipe.paint(order, seed=1, steps=3)[0] for order in (pairs, pairs[::-1]))
    assert np.abs(np.asarray(one).astype(int) - np.asarray(other)).max() <= 1


def test_a_batch_equals_each_alone(pipe):
    regions = {"moss": LEFT, "brick": None}
    batch = pipe.paint(regions, n=3, seed=4, steps=3)
    for k, image in enumerate(batch):
        [alone] = pipe.paint(regions, seed=4 + k, steps=3)
        assert np.abs(np.asarray(image).astype(int) - np.asarray(alone)).max() <= 1


@pytest.mark.parametrize("sampler", ["heun", "ancestral", "ascent"])
def test_each_sampler_paints(pipe, sampler):
    options = {"sampler_options": {"h": 0.5}} if sampler == "ascent" else {}
    images = pipe.paint({"moss": LEFT, "brick": None}, n=2, steps=2, sampler=sampler, **options)
    assert [image.size for image in images] == [(32, 24)] * 2


def test_a_tile_may_be_rolled(pipe):
    """Without an edge, the denoised image of rolled noise with rolled masks is the rolled image."""
    multiple = pipe.network.config.multiple
    masks = region_masks([LEFT, None], feather=2, tileable=True)[None]
    x = noisy(1)
    with torch.no_grad():
        one = pipe.network.denoise(x, 1.0, region_matching(pipe, masks), tileable=True)[0]
        matching = region_matching(pipe, masks.roll(multiple, 3))
        other = pipe.network.denoise(x.roll(multiple, 3), 1.0, matching, tileable=True)[0]
    assert torch.allclose(one.roll(multiple, 3), other, atol=1e-4)


def test_without_strength_nothing_guides(pipe):
    target = pipe.regions({"moss": LEFT, "brick": None})
    x = noisy()
    unguided, _ = GuidedDenoiser(pipe.network, None)(x, 1.0)
    assert torch.equal(GuidedDenoiser(pipe.network, target, strength=0.0)(x, 1.0)[0], unguided)


def test_each_step_has_the_distance_of_each_region_to_its_own_target(pipe):
    *_, last = pipe.paint_stream({"moss": LEFT, "brick": ~LEFT, "slate": LEFT}, n=2, steps=3, seed=0)
    assert last.distance.shape == (2, 3) and bool((last.distance > 0).all())
    assert last.index == last.steps == 3


def test_targets_are_all_that_the_pipeline_takes(pipe):
    middle = coarse_fine(pipe.table.of("moss"), pipe.table.of("brick"), 0.5)
    targets = ["slate", {"moss": 0.5, "brick": 0.5}, middle]
    masks = [LEFT, np.roll(LEFT, 8, 1), ~LEFT]
    [image] = pipe.paint(list(zip(targets, masks, strict=True)), steps=2)
    assert image.size == (32, 24)


@pytest.mark.parametrize(
    ("regions", "options", "message"),
    [
        ({"moss": LEFT, "mos": None}, {}, "class 'mos' is unknown; did you mean moss"),
        ([(None, LEFT), ("moss", None)], {}, "a region needs a target"),
        ({"moss": LEFT[:18], "brick": None}, {}, "height=18 must be a positive multiple of"),
        ({"moss": LEFT, "brick": None}, {"size": (32, 32)}, "24 x 32, 32 x 32"),
    ],
)
def test_bad_regions_are_refused(pipe, regions, options, message):
    with pytest.raises((ValueError, KeyError), match=message):
        pipe.paint(regions, **options)


def test_regions_of_another_size_than_the_image_are_refused(pipe):
    target = pipe.regions({"moss": LEFT, "brick": None})
    with pytest.raises(ValueError, match=r"size=\(16, 16\), but the masks have \(24, 32\) pixels"):
        pipe.sample(target, size=16)
    with pytest.raises(ValueError, match=r"masks of \(24, 32\) pixels, but images of \(16, 16\)"):
        pipe.network.denoise(torch.zeros(1, 3, 16, 16), 1.0, region_matching(pipe, target.masks[None]))


@pytest.mark.parametrize("changes", [{"labels": 3}, {"gated": ("up0",), "features": ("down0", "down1")}])
def test_networks_that_know_their_target_otherwise_are_refused(pipe, lively, tiny, changes):
    network, masks = lively(replace(tiny, **changes)), torch.ones(1, 1, 24, 32)
    with pytest.raises(ValueError, match="regions need a network whose target reaches it by matching alone"):
        network.denoise(noisy(), 1.0, region_matching(pipe, masks))
