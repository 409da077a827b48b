"""Image grids and sheets, and files that are written completely or not at all."""

import numpy as np
import pytest
from PIL import Image

from fgsd.sheets import (
    captioned_rows,
    check_suffix,
    class_sheet,
    grid_columns,
    image_grid,
    save_animation,
    save_image,
)

COLOURS = ["red", "lime", "blue", "yellow", "cyan"]


def tiles(size=8):
    return [Image.new("RGB", (size, size), colour) for colour in COLOURS]


def test_a_grid_contains_every_image_in_order():
    grid = image_grid(tiles(), columns=3, gap=2)
    assert grid.size == (3 * 8 + 2 * 2, 2 * 8 + 2)
    for k, tile in enumerate(tiles()):
        assert grid.getpixel((k % 3 * 10 + 4, k // 3 * 10 + 4)) == tile.getpixel((4, 4))
    assert grid.getpixel((24, 14)) == (255, 255, 255)  # the sixth cell is empty
    assert grid.getpixel((8, 4)) == (255, 255, 255)  # the gap


def test_a_grid_is_roughly_square_by_default():
    assert image_grid(tiles(), gap=0).size == (24, 16)
    assert [grid_columns(n) for n in (1, 2, 4, 5, 9, 10)] == [1, 2, 2, 3, 3, 4]


def test_the_background_fills_empty_cells_and_gaps():
    grid = image_grid(tiles(), gap=2, background="black")
    assert grid.getpixel((24, 14)) == grid.getpixel((8, 4)) == (0, 0, 0)


def test_a_grid_without_images_is_refused():
    with pytest.raises(ValueError, match="images is empty"):
        image_grid([])


def test_a_class_sheet_has_the_real_crop_left_of_the_samples():
    red, green, blue = tiles(16)[:3]
    sheet = class_sheet([("one", red, [green, blue]), ("two", blue, [red, red])], columns=1)
    colours = {sheet.getpixel((x, 16 + 8)) for x in range(sheet.width)}
    order = [c for c in (sheet.getpixel((x, 16 + 8)) for x in range(sheet.width)) if c != (255, 255, 255)]
    assert colours == {(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)}
    assert order == [(255, 0, 0)] * 16 + [(0, 255, 0)] * 16 + [(0, 0, 255)] * 16


@pytest.mark.parametrize("suffix", [".png", ".webp", ".jpg"])
def test_a_saved_image_can_be_loaded(tmp_path, suffix):
    path = tmp_path / f"image{suffix}"
    save_image(tiles()[0], path)
    with Image.open(path) as image:
        assert image.size == (8, 8)
        red, green, blue = image.convert("RGB").getpixel((4, 4))
    assert red > 240 and green < 15 and blue < 15
    assert list(tmp_path.iterdir()) == [path]  # no temporary file is left over


def test_an_animation_has_all_frames_and_loops(tmp_path):
    path = tmp_path / "steps.gif"
    save_animation(tiles(), path, seconds=0.1)
    with Image.open(path) as image:
        assert image.n_frames == len(COLOURS)
        assert image.info["loop"] == 0
        assert image.info["duration"] == 100
        image.seek(2)
        assert image.convert("RGB").getpixel((4, 4)) == (0, 0, 255)


def test_an_unknown_suffix_is_refused():
    with pytest.raises(ValueError, match=r"'x\.tiff'.*\.png"):
        check_suffix("x.tiff")


def test_a_failed_write_keeps_the_previous_file(tmp_path):
    path = tmp_path / "image.png"
    save_image(tiles()[0], path)
    before = path.read_bytes()

    class Broken(Image.Image):
        def save(self, file, **options):
            file.write_bytes(b"half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        save_image(Broken(), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_captioned_rows_contain_every_image_below_its_caption():
    images = [Image.new("RGB", (20, 10), (k, 0, 0)) for k in range(6)]
    sheet = captioned_rows([("one", images[:3]), ("a longer caption than the row", images[3:])])
    pixels = np.asarray(sheet)
    for k in range(6):
        top, left = 16 + k // 3 * 32, k % 3 * 22
        assert (pixels[top : top + 10, left : left + 20] == [k, 0, 0]).all()
    assert sheet.width > 64  # the width of the longer caption
    assert sheet.height == 58
    with pytest.raises(ValueError, match="rows is empty"):
        captioned_rows([])
