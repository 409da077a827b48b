"""Folders of images: which files make a class, and cutting crops that exclude the held-out rows."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from bad_files import bomb, noise_image
from PIL import Image

from fgsd.data import DataConfig, TextureFolder, tiles_horizontally, to_images, to_tensor

RED, BLUE = (200, 30, 10), (10, 40, 220)


def test_to_tensor_and_to_images_are_inverse():
    image = Image.fromarray(np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3))
    x = to_tensor(image)
    assert x.shape == (3, 16, 16)
    assert (x.min().item(), x.max().item()) == (-1.0, 1.0)
    assert np.array_equal(np.asarray(to_images(x[None])[0]), np.asarray(image))


def test_to_images_clips():
    x = torch.tensor([-3.0, 3.0]).view(2, 1, 1, 1).expand(2, 3, 1, 1)
    assert [image.getpixel((0, 0)) for image in to_images(x)] == [(0, 0, 0), (255, 255, 255)]


class TestFolder:
    def test_images_and_sub_folders_are_classes(self, tmp_path):
        Image.fromarray(noise_image(60, 60)).save(tmp_path / "sand.png")
        (tmp_path / "rock" / "deep").mkdir(parents=True)
        Image.fromarray(noise_image(60, 60, 1)).save(tmp_path / "rock" / "one.png")
        Image.fromarray(noise_image(60, 60, 2)).save(tmp_path / "rock" / "deep" / "two.jpg")
        (tmp_path / "SOURCES.csv").write_text("sand,from the beach")
        (tmp_path / ".hidden.png").write_text("no image")
        data = TextureFolder(tmp_path, DataConfig(image_size=None, patch_size=16))
        assert data.classes == ["rock", "sand"]
        assert (len(data.regions("rock")), len(data.regions("sand"))) == (2, 1)
        (line,) = data.skipped
        assert ".hidden.png: files with such names are hidden" in line

    def test_unusable_files_are_skipped_by_name_and_the_rest_is_used(self, tmp_path):
        Image.fromarray(noise_image(60, 60)).save(tmp_path / "good.png")
        Image.fromarray(noise_image(5, 5)).save(tmp_path / "small.png")
        Image.fromarray(noise_image(60, 60)).save(tmp_path / "cut.png")
        (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:500])
        (tmp_path / "text.png").write_text("no image")
        (tmp_path / "empty.jpg").touch()
        (tmp_path / "bomb.png").write_bytes(bomb(50_000, 50_000))
        (tmp_path / "dangling.png").symlink_to(tmp_path / "gone.png")
        os.mkfifo(tmp_path / "pipe.png")  # nothing writes to it, so reading would block for ever
        data = TextureFolder(tmp_path, DataConfig(image_size=None, patch_size=16))
        assert data.classes == ["good"]
        bad = ("bomb.png", "cut.png", "dangling.png", "empty.jpg", "small.png", "text.png")
        assert len(data.skipped) == len(bad)
        for line, name in zip(data.skipped, bad, strict=True):
            assert name in line

    def test_the_message_names_the_smallest_sufficient_size(self, tmp_path):
        Image.fromarray(noise_image(40, 40)).save(tmp_path / "small.png")
        config = DataConfig(image_size=None, patch_size=16, test_share=1 / 3)
        with pytest.raises(ValueError, match="at least 16 x 48 are needed"):
            TextureFolder(tmp_path, config)
        Image.fromarray(noise_image(48, 16)).save(tmp_path / "enough.png")
        assert TextureFolder(tmp_path, config).classes == ["enough"]

    def test_a_missing_and_an_empty_folder(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="nowhere"):
            TextureFolder(tmp_path / "nowhere")
        with pytest.raises(ValueError, match="no usable image"):
            TextureFolder(tmp_path)

    def test_scaling_keeps_the_proportions_and_never_enlarges(self, tmp_path):
        Image.fromarray(noise_image(60, 90)).save(tmp_path / "large.png")
        Image.fromarray(noise_image(20, 30)).save(tmp_path / "small.png")
        data = TextureFolder(tmp_path, DataConfig(image_size=40, patch_size=8, test_share=0.4))
        assert data.image("large").size == (60, 40)
        assert data.image("small").size == (30, 20)

    @pytest.mark.parametrize(
        "options, named",
        [
            ({"patch_size": 0}, "patch_size=0"),
            ({"patch_size": 64, "image_size": 32}, "image_size=32"),
            ({"test_share": 1.0}, "test_share=1.0"),
            ({"test_share": -0.1}, "test_share=-0.1"),
        ],
    )
    def test_invalid_settings(self, options, named):
        with pytest.raises(ValueError, match=named):
            DataConfig(**options)

    def test_an_unknown_class_is_named(self, data):
        with pytest.raises(KeyError, match="lava"):
            data.crops("lava", 1, torch.Generator())


def green_strip(path, height: int, width: int, held_out: int, *, tiles: bool) -> None:
    """An image whose red value encodes the column and blue the row; only held-out rows have green."""
    columns = np.arange(width)
    values = 128 + 100 * np.sin(2 * np.pi * columns / width) if tiles else np.linspace(0, 250, width)
    image = np.zeros((height, width, 3), dtype=np.uint8)
    image[..., 0] = values.round().astype(np.uint8)
    image[..., 2] = np.arange(height)[:, None]
    image[height - held_out :, :, 1] = 255
    Image.fromarray(image).save(path)


def as_bytes(crops: torch.Tensor) -> np.ndarray:
    return ((crops + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


@pytest.fixture(scope="module", params=[True, False], ids=["tile", "no tile"])
def striped(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("striped")
    green_strip(folder / "strip.png", 60, 50, 20, tiles=request.param)
    data = TextureFolder(folder, DataConfig(image_size=None, patch_size=12, test_share=1 / 3))
    return data, request.param


class TestCrops:
    def test_shape_range_and_repeatability(self, data):
        crops = [data.crops("moss", 5, torch.Generator().manual_seed(s)) for s in (3, 3, 4)]
        assert crops[0].shape == (5, 3, 16, 16)
        assert crops[0].dtype == torch.float32
        assert crops[0].abs().max() <= 1
        assert torch.equal(crops[0], crops[1])
        assert not torch.equal(crops[0], crops[2])
        assert not torch.equal(crops[0][0], crops[0][1])

    def test_training_crops_have_no_held_out_pixels_and_test_crops_have_no_others(self, striped):
        data, _ = striped
        generator = torch.Generator().manual_seed(0)
        assert as_bytes(data.crops("strip", 500, generator))[..., 1].max() == 0
        assert as_bytes(data.crops("strip", 500, generator, split="test"))[..., 1].min() == 255

    @pytest.mark.parametrize("split, rows", [("train", (0, 28)), ("test", (40, 48))])
    def test_crops_reach_all_rows_and_never_wrap_vertically(self, striped, split, rows):
        data, _ = striped
        blue = as_bytes(data.crops("strip", 800, torch.Generator().manual_seed(1), split=split))[..., 2]
        assert (np.diff(blue.astype(int), axis=1) == 1).all()
        assert (blue[:, 0].min(), blue[:, 0].max()) == rows

    def test_crops_wrap_horizontally_only_if_the_image_tiles(self, striped):
        data, tiles = striped
        red = np.asarray(data.image("strip"))[0, :, 0]
        assert tiles_horizontally(np.asarray(data.image("strip"))) == tiles
        inner = {tuple(red[left : left + 12]) for left in range(50 - 12 + 1)}
        wrapped = {tuple(np.roll(red, -left)[:12]) for left in range(50)} - inner
        drawn = {
            tuple(c[0, :, 0]) for c in as_bytes(data.crops("strip", 800, torch.Generator().manual_seed(2)))
        }
        assert inner <= drawn
        assert drawn - inner == (wrapped if tiles else set())

    @pytest.mark.parametrize("split", ["train", "test"])
    def test_regions_contain_every_crop(self, striped, split):
        data, tiles = striped
        (region,) = data.regions("strip", split)
        assert region.shape == (3, 40 if split == "train" else 20, 50 + 11 * tiles)
        windows = region.unfold(1, 12, 1).unfold(2, 12, 1).permute(1, 2, 0, 3, 4).reshape(-1, 3, 12, 12)
        known = {window.numpy().tobytes() for window in windows}
        for crop in data.crops("strip", 100, torch.Generator().manual_seed(3), split=split):
            assert crop.numpy().tobytes() in known

    def test_images_are_drawn_in_proportion_to_their_crop_positions(self, tmp_path):
        (tmp_path / "both").mkdir()
        Image.new("RGB", (16, 16), RED).save(tmp_path / "both" / "small.png")
        Image.new("RGB", (40, 30), BLUE).save(tmp_path / "both" / "large.png")
        data = TextureFolder(tmp_path, DataConfig(image_size=None, patch_size=8, test_share=0))
        crops = as_bytes(data.crops("both", 4000, torch.Generator().manual_seed(0)))
        share = (crops[:, 0, 0] == BLUE).all(axis=1).mean()
        large, small = (30 - 7) * 40, (16 - 7) * 16  # both images are uniform, so both wrap horizontally
        assert share == pytest.approx(large / (large + small), abs=0.02)

    def test_without_a_test_share_there_are_no_test_crops(self, texture_folder):
        data = TextureFolder(texture_folder, DataConfig(image_size=None, patch_size=16, test_share=0))
        assert data.regions("moss")[0].shape[1] == 48
        with pytest.raises(ValueError, match="test"):
            data.crops("moss", 1, torch.Generator(), split="test")


def test_classes_are_left_out_by_name(data):
    assert data.only(["moss"]).classes == ["moss"]
    rest = data.without(["moss"])
    assert rest.classes == ["brick", "slate"] and data.classes == ["brick", "moss", "slate"]
    crops = [folder.crops("slate", 2, torch.Generator().manual_seed(1)) for folder in (data, rest)]
    assert torch.equal(*crops)
    with pytest.raises(KeyError, match="'moss' is not in"):
        rest.crops("moss", 1, torch.Generator())
    with pytest.raises(KeyError, match="'snow' is not in"):
        data.without(["snow"])
    with pytest.raises(ValueError, match=r"no class of .* is left"):
        data.without(data.classes)
