"""Random transforms of training crops: one for each group, and the texture stays a texture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from fgsd.augmentation import KINDS, Augmentation, Transform
from fgsd.data import DataConfig, TextureFolder, scale_pixels
from fgsd.training.batch import make_batch
from fgsd.training.config import TrainingConfig


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def waves(side: int, period: float) -> torch.Tensor:
    """A crop with vertical stripes."""
    row = torch.sin(2 * torch.pi * torch.arange(side) / period)
    return row.expand(1, 3, side, side).clone()


@pytest.fixture(scope="module")
def plain_colours(tmp_path_factory):
    """Two classes of one colour each, whose edges do not match so that crops do not wrap."""
    folder = tmp_path_factory.mktemp("colours")
    for name, colour in {"red": (200, 40, 40), "blue": (40, 40, 200)}.items():
        Image.new("RGB", (48, 96), colour).save(folder / f"{name}.png")
    return folder


def test_the_same_seed_draws_the_same_transform():
    one, two, other = (Augmentation(share=1, colour_share=1).draw(generator(seed)) for seed in (3, 3, 4))
    assert (one.scale, one.symmetry) == (two.scale, two.symmetry) and torch.equal(one.matrix, two.matrix)
    assert other.scale != one.scale


def test_without_a_share_crops_stay_as_they_are():
    x = torch.rand(2, 3, 16, 16, generator=generator()) * 2 - 1
    drawn = Augmentation(share=0, colour_share=0).draw(generator())
    assert drawn.source_size(16) == 16
    assert torch.equal(drawn.apply(x, 16), x)


def test_scales_are_uniform_in_their_logarithm_and_within_their_range():
    scales = np.log([Augmentation(share=1).draw(generator(seed)).scale for seed in range(400)])
    assert np.log(0.75) <= scales.min() < scales.max() <= np.log(1.5)
    assert scales.mean() == pytest.approx((np.log(0.75) + np.log(1.5)) / 2, abs=0.04)


def test_the_eight_symmetries_are_different_and_move_pixels_only():
    x = torch.rand(1, 3, 8, 8, generator=generator()) * 2 - 1
    images = [Transform(1.0, k, None, torch.zeros(3)).apply(x, 8) for k in range(8)]
    assert all(torch.equal(image.flatten().sort().values, x.flatten().sort().values) for image in images)
    assert len({tuple(image.flatten().tolist()) for image in images}) == 8


@pytest.mark.parametrize("kinds", [(), ("scales",), ("turns",), ("colours",), ("turns", "colours"), KINDS])
def test_some_kinds_leave_out_the_others(kinds):
    transforms = [Augmentation.of(kinds).draw(generator(seed)) for seed in range(40)]
    assert ("scales" in kinds) == any(one.scale != 1 for one in transforms)
    assert ("turns" in kinds) == any(one.symmetry for one in transforms)
    assert ("colours" in kinds) == any(one.matrix is not None for one in transforms)
    assert (Augmentation.of(kinds) == Augmentation()) == (kinds == KINDS)
    with pytest.raises(ValueError, match=r"kinds=\['blur'\] must be some of scales, turns, colours"):
        Augmentation.of([*kinds, "blur"])


@pytest.mark.parametrize("scale", [0.75, 1.5])
def test_scaling_changes_the_period_of_stripes(scale):
    transform = Transform(scale, 0, None, torch.zeros(3))
    source = transform.source_size(64)
    scaled = transform.apply(waves(source, 8.0), 64)
    assert scaled.shape == (1, 3, 64, 64)
    spectrum = torch.fft.rfft(scaled[0, 0, 32]).abs()
    assert int(spectrum.argmax()) == pytest.approx(source / 8, abs=0.6)  # waves in the crop stay in it


def test_colours_are_mapped_by_the_matrix_and_clipped():
    matrix = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 2.0]])
    x = torch.tensor([0.2, -0.4, 0.9]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    out = Transform(1.0, 0, matrix, torch.tensor([0.1, 0.0, 0.0])).apply(x, 4)
    torch.testing.assert_close(out[0, :, 0, 0], torch.tensor([-0.3, 0.2, 1.0]))


def test_the_crops_of_a_group_share_one_transform(plain_colours):
    config = TrainingConfig(
        data=DataConfig(image_size=None, patch_size=16, test_share=0),
        groups=8,
        group_size=3,
        augmentation=Augmentation(colour_share=1, share=0),
    )
    batch = make_batch(TextureFolder(plain_colours, config.data), config, step=0)
    colours = batch.x0[:, :, 0, 0].view(8, 3, 3)
    torch.testing.assert_close(colours, colours[:, :1].expand_as(colours))
    assert len({tuple(row) for row in colours[:, 0].tolist()}) == 8  # of two classes


def test_batches_without_augmentation_are_the_plain_crops(data):
    config = TrainingConfig(data=data.config, groups=2, group_size=2)
    plain = make_batch(data, config, step=5)
    augmented = TrainingConfig(
        data=data.config, groups=2, group_size=2, augmentation=Augmentation(share=0, colour_share=0)
    )
    assert torch.equal(plain.x, make_batch(data, augmented, step=5).x)


def test_crops_are_no_larger_than_the_smallest_image_allows(plain_colours):
    config = TrainingConfig(
        data=DataConfig(image_size=None, patch_size=40, test_share=0), augmentation=Augmentation()
    )
    folder = TextureFolder(plain_colours, config.data, max_crop=config.max_crop)
    assert config.max_crop == 54  # 40 / 0.75
    assert folder.largest_crop("red") == 49  # it wraps: one more than its width of 48
    with pytest.raises(ValueError, match="size=50 must be from 1 to 49"):
        folder.pixels("red", 1, generator(), size=50)
    crop = scale_pixels(folder.pixels("red", 1, generator(), size=49))
    assert crop.shape == (1, 3, 49, 49) and crop.std(dim=(2, 3)).max() == 0
    batch = make_batch(folder, config, step=0)  # scales below 0.82 are limited
    assert batch.x0.shape[-2:] == (40, 40)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"share": 1.5}, "share=1.5 must be between 0 and 1"),
        ({"colour_share": -0.1}, "colour_share=-0.1 must be"),
        ({"scales": (2.0, 1.0)}, "scales=.* must be positive, the smaller one first"),
        ({"matrix_std": -1.0}, "matrix_std=-1.0 must not be negative"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Augmentation(**settings)
