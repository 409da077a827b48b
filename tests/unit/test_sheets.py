"""Image grids and sheets, and files that are written completely or not at all."""

import numpy as np
import pytest
from PIL import Image

from fgsd.sheets import (
    ANIMATION_FORMATS,
    MAX_SIDES,
    captioned_rows,
    check_size,
    check_suffix,
    class_sheet,
    class_sheet_size,
    grid_columns,
    grid_size,
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


def test_sizes_are_known_before_anything_is_drawn():
    for count in (1, 5, 9):
        images = [Image.new("RGB", (6, 10))] * count
        assert image_grid(images, gap=3).size == grid_size(count, (6, 10), gap=3)
        rows = [("name", images[0], images[:3])] * count
        for columns in (1, 4):
            expected = class_sheet_size(count, len(images[:3]), (6, 10), columns=columns)
            assert class_sheet(rows, columns=columns).size == expected


def test_a_sheet_of_800_classes_does_not_fit_into_webp():
    size = class_sheet_size(800, 4, (64, 64))
    assert size == (1370, 16_400)
    with pytest.raises(
        ValueError, match=r"'a\.webp' would have 1,370 x 16,400 pixels, and WEBP holds.* 16,383"
    ):
        check_size("a.webp", size)
    check_size("a.png", size)
    check_size("a.jpg", size)
    check_size("a.webp", class_sheet_size(796, 4, (64, 64)))


@pytest.mark.parametrize(
    ("name", "formats"), [("a.webp", None), ("a.jpg", None), ("a.gif", ANIMATION_FORMATS)]
)
def test_limits_are_those_of_the_formats(tmp_path, name, formats):
    """An image of the largest size is written, and a larger one refused in our words."""
    limit = MAX_SIDES[check_suffix(name, formats or ANIMATION_FORMATS | {".jpg": "JPEG"})]

    def save(width):
        image = Image.new("RGB", (width, 1))
        save_animation([image, image], tmp_path / name) if formats else save_image(image, tmp_path / name)

    save(limit)
    with Image.open(tmp_path / name) as image:
        assert image.width == limit
    with pytest.raises(ValueError, match=rf"{limit:,} a side; .*ask for fewer or smaller images"):
        save(limit + 1)


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
