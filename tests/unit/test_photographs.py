"""Images of a texture that is no class: their scale, their masks, their crops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from fgsd.data import DataConfig
from fgsd.images import ImageError
from fgsd.photographs import Photograph, load_photographs, random_crops

CONFIG = DataConfig(image_size=48, patch_size=16)


@pytest.fixture
def halves() -> tuple[Image.Image, np.ndarray]:
    """An image, red on the left and blue on the right, and a mask of its right half."""
    mask = np.arange(60)[None, :].repeat(48, axis=0) >= 30
    pixels = np.where(mask[..., None], (0, 0, 255), (255, 0, 0)).astype(np.uint8)
    return Image.fromarray(pixels), mask


def test_scale_makes_the_structure_coarser_up_to_the_size_of_the_image(pipe):
    stripes = torch.arange(96)[None, :] % 8 < 4  # of 96 x 96 pixels; the checkpoint's images have 48
    image = Image.fromarray((255 * stripes.expand(96, 96)).numpy().astype("uint8")).convert("RGB")

    def edges(scale: float) -> int:
        [photograph] = load_photographs(image, pipe.info.data, scale=scale)
        return int((photograph.pixels[0, 8, :16].sign().diff() != 0).sum())

    assert edges(2.0) in (3, 4) and edges(1.0) in (7, 8)  # in 16 pixels; the period is 8 or 4
    assert load_photographs(image, pipe.info.data, scale=9.0)[0].pixels.shape == (3, 96, 96)


class TestMask:
    def test_crops_lie_inside_it_and_at_all_its_places(self, halves):
        image, mask = halves
        photographs = load_photographs(image, CONFIG, masks=mask)
        crops = random_crops(photographs, 40, torch.Generator().manual_seed(0))
        assert (crops[:, 0] == -1).all() and (crops[:, 2] == 1).all()
        assert len(photographs[0]._origins) == (48 - 16 + 1) * (30 - 16 + 1)
        everywhere = random_crops(load_photographs(image, CONFIG), 40, torch.Generator().manual_seed(0))
        assert (everywhere[:, 0] == 1).any()

    @pytest.mark.parametrize("kind", ["float", "bytes", "ones", "tensor", "image", "path"])
    def test_it_may_be_of_any_kind(self, halves, tmp_path, kind):
        image, mask = halves
        picture = Image.fromarray((255 * mask).astype(np.uint8))
        picture.save(tmp_path / "mask.png")
        given = {
            "float": mask * 0.8,
            "bytes": mask.astype(np.uint8) * 200,
            "ones": mask.astype(int),
            "tensor": torch.from_numpy(mask),
            "image": picture,
            "path": tmp_path / "mask.png",
        }[kind]
        [expected], [photograph] = (load_photographs(image, CONFIG, masks=m) for m in (mask, given))
        assert torch.equal(photograph.mask, expected.mask)

    def test_it_is_scaled_with_its_image(self, halves):
        image, mask = halves
        [photograph] = load_photographs(
            image.resize((240, 192)), CONFIG, masks=mask.repeat(4, 0).repeat(4, 1)
        )
        assert photograph.mask.shape == photograph.pixels.shape[1:] == (48, 60)
        assert photograph.mask.sum() == 48 * 30

    def test_an_edge_may_be_ragged_but_a_hole_may_not(self, halves):
        image, mask = halves
        mask[8:, 40] = False  # a sixteenth of the pixels of a crop
        [photograph] = load_photographs(image, CONFIG, masks=mask)
        columns = set(photograph._origins[:, 1].tolist())
        assert columns == {41, 42, 43, 44}

    def test_several_images_have_one_each_or_none(self, halves):
        image, mask = halves
        first, second = load_photographs([image, image], CONFIG, masks=[None, mask])
        assert first.mask is None and second.mask is not None

    def test_the_middle_is_a_crop_inside_it(self, halves):
        image, mask = halves
        [photograph] = load_photographs(image, CONFIG, masks=mask)
        assert photograph.middle().shape == (3, 16, 16) and (photograph.middle()[2] == 1).all()
        [whole] = load_photographs(image, CONFIG)
        assert whole.middle().shape == (3, 48, 48)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda mask: mask[:, :50], "the mask: 50 x 48 pixels; the image has 60 x 48"),
            (lambda mask: mask[None], r"the mask has shape \(1, 48, 60\) and type bool, expected"),
            (lambda mask: mask.astype(str), "the mask has shape .* and type <U5, expected"),
            (lambda mask: mask & False, "the image: no crop of 16 x 16 pixels lies inside the mask"),
            (lambda mask: mask & np.roll(mask, 18, 1), "no crop of 16 x 16 pixels lies inside the mask"),
            (lambda mask: mask * 300, "the mask must hold values from 0 to 255, got 0 to 300"),
            (lambda mask: mask * -0.5, "the mask must hold values from 0 to 1, got -0.5 to"),
            (lambda mask: mask * np.nan, "the mask must hold values from 0 to 1, got nan"),
            (lambda mask: "absent.png", "absent.png: no such file"),
        ],
    )
    def test_bad_ones_are_refused(self, halves, change, message):
        image, mask = halves
        with pytest.raises(ValueError, match=message):  # `ImageError` is one
            load_photographs(image, CONFIG, masks=change(mask))

    def test_there_are_as_many_as_images(self, halves):
        image, mask = halves
        with pytest.raises(ValueError, match="masks: 2 for 1 images; give one, or None, for each"):
            load_photographs(image, CONFIG, masks=[mask, mask])


def test_a_photograph_smaller_than_a_crop_is_refused():
    with pytest.raises(ImageError, match="20 x 12 pixels; at least 16 x 16 are needed"):
        Photograph(torch.zeros(3, 12, 20), 16)


def test_what_is_learned_from_a_masked_image_is_what_its_part_alone_gives(pipe, halves):
    image, mask = halves
    masked = pipe.centroid_of(image, masks=mask)
    part, whole = pipe.centroid_of(image.crop((30, 0, 60, 48))), pipe.centroid_of(image)
    assert torch.allclose(masked.colour, part.colour) and not torch.allclose(masked.colour, whole.colour)
    [step] = pipe.learn(image, masks=mask, steps=1)
    assert np.array_equal(np.unique(np.asarray(step.texture.thumbnail)), [0, 255])
    assert np.asarray(step.texture.thumbnail)[..., 0].max() == 0
