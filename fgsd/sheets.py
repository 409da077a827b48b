"""Image grids, sheets with captions, and image and animation files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from fgsd.atomic import write_atomically

FORMATS = {".png": "PNG", ".webp": "WEBP", ".jpg": "JPEG", ".jpeg": "JPEG"}
ANIMATION_FORMATS = {".gif": "GIF", ".webp": "WEBP"}
MAX_SIDES = {"WEBP": 16_383, "JPEG": 65_500, "GIF": 65_535}  # pixels; of JPEG, what libjpeg writes
COLUMNS = 4  # of a class sheet
LABEL, MARGIN = 16, 14  # height of a class name and distance of the columns of a class sheet, in pixels


def grid_columns(count: int) -> int:
    """Return the number of columns of a roughly square grid of `count` images."""
    return math.ceil(math.sqrt(count))


def grid_size(
    count: int, size: tuple[int, int], *, columns: int | None = None, gap: int = 2
) -> tuple[int, int]:
    """Return width and height of an `image_grid` of `count` images of `size` (width, height), in pixels."""
    columns = columns or grid_columns(count)
    width, height = size
    return columns * (width + gap) - gap, math.ceil(count / columns) * (height + gap) - gap


def image_grid(
    images: Sequence[Image.Image], *, columns: int | None = None, gap: int = 2, background: str = "white"
) -> Image.Image:
    """Arrange images of one size row by row in a grid.

    Parameters
    ----------
    columns : int, optional
        By default `grid_columns` of the number of images.
    gap : int
        Pixels between neighbouring images.
    background : str
        Colour of gaps and empty cells, as Pillow names it.

    Raises
    ------
    ValueError
        If `images` is empty.
    """
    if not images:
        raise ValueError("images is empty; a grid needs at least one image")
    columns = columns or grid_columns(len(images))
    width, height = images[0].size
    sheet = Image.new("RGB", grid_size(len(images), (width, height), columns=columns, gap=gap), background)
    for k, image in enumerate(images):
        sheet.paste(image, (k % columns * (width + gap), k // columns * (height + gap)))
    return sheet


def save_image(image: Image.Image, path: str | Path) -> None:
    """Write an image file atomically; its suffix, one of `FORMATS`, selects the format.

    Raises
    ------
    ValueError
        If there is no such format, or the image is too large for it.
    """
    path = Path(path)
    image_format = check_suffix(path)
    check_size(path, image.size)
    options = {"quality": 95} if image_format in ("WEBP", "JPEG") else {}
    write_atomically(path, lambda p: image.save(p, format=image_format, **options))


def save_animation(frames: Sequence[Image.Image], path: str | Path, *, seconds: float = 0.12) -> None:
    """Write a looping animation atomically; its suffix, one of `ANIMATION_FORMATS`, selects the format.

    Parameters
    ----------
    seconds : float
        Duration of each frame; the last frame lasts ten times as long.

    Raises
    ------
    ValueError
        If there is no such format, or the frames are too large for it.
    """
    path = Path(path)
    image_format = check_suffix(path, ANIMATION_FORMATS)
    check_size(path, frames[0].size, ANIMATION_FORMATS)
    durations = [round(1000 * seconds)] * (len(frames) - 1) + [round(10_000 * seconds)]
    write_atomically(
        path,
        lambda p: frames[0].save(
            p, format=image_format, save_all=True, append_images=frames[1:], duration=durations, loop=0
        ),
    )


def check_suffix(path: str | Path, formats: dict[str, str] = FORMATS) -> str:
    """Return the format of a file name's suffix; raise `ValueError` if `formats` has no such suffix."""
    suffix = Path(path).suffix.lower()
    if suffix not in formats:
        raise ValueError(f"{str(path)!r}: the suffix must be one of {', '.join(formats)}")
    return formats[suffix]


def check_size(path: str | Path, size: tuple[int, int], formats: dict[str, str] = FORMATS) -> None:
    """Raise `ValueError` if an image of `size` (width, height) is too large for the format of a path."""
    image_format, (width, height) = check_suffix(path, formats), size
    limit = MAX_SIDES.get(image_format, math.inf)
    if max(size) > limit:
        larger = [suffix for suffix, other in formats.items() if MAX_SIDES.get(other, math.inf) >= max(size)]
        advice = f"name a file that ends in {' or '.join(larger)}, or " if larger else ""
        raise ValueError(
            f"{str(path)!r} would have {width:,} x {height:,} pixels, and {image_format} holds at most "
            f"{limit:,} a side; {advice}ask for fewer or smaller images"
        )


def class_sheet_size(
    classes: int, samples: int, size: tuple[int, int], *, columns: int = COLUMNS, gap: int = 2
) -> tuple[int, int]:
    """Return width and height of a `class_sheet` of images of `size` (width, height), in pixels."""
    width, height = size
    cell_width = (1 + samples) * (width + gap) + gap + MARGIN
    return columns * cell_width - MARGIN, math.ceil(classes / columns) * (height + LABEL + gap)


def class_sheet(
    rows: Sequence[tuple[str, Image.Image, Sequence[Image.Image]]], *, columns: int = COLUMNS, gap: int = 2
) -> Image.Image:
    """Make a sheet with the name of each class, a real crop, and samples to the right of it.

    Parameters
    ----------
    rows : sequence of (name, real crop, samples)
        All images have one size, and all classes the same number of samples.
    columns : int
        Number of classes side by side.

    Raises
    ------
    ValueError
        If `rows` is empty.
    """
    if not rows:
        raise ValueError("rows is empty; a sheet needs at least one class")
    width, height = rows[0][1].size
    size = class_sheet_size(len(rows), len(rows[0][2]), (width, height), columns=columns, gap=gap)
    lines = math.ceil(len(rows) / columns)
    cell_width, cell_height = (size[0] + MARGIN) // columns, size[1] // lines
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=11)
    for k, (name, real, samples) in enumerate(rows):
        left, top = k // lines * cell_width, k % lines * cell_height
        draw.text((left, top), name, fill="#222222", font=font)
        sheet.paste(real, (left, top + LABEL))
        for j, sample in enumerate(samples):
            sheet.paste(sample, (left + (j + 1) * (width + gap) + gap, top + LABEL))
    return sheet


def captioned_rows(rows: Sequence[tuple[str, Sequence[Image.Image]]], *, gap: int = 2) -> Image.Image:
    """Make a sheet of rows of images on white, with a caption above each row.

    Parameters
    ----------
    rows : sequence of (caption, images)
        All images have one size, and all rows the same number of images.

    Raises
    ------
    ValueError
        If `rows` is empty.
    """
    if not rows:
        raise ValueError("rows is empty; a sheet needs at least one row")
    lines = [(caption, image_grid(images, columns=len(images), gap=gap)) for caption, images in rows]
    label, margin = 16, 6
    font = ImageFont.load_default(size=11)
    width = max(max(line.width, math.ceil(font.getlength(caption))) for caption, line in lines)
    height = lines[0][1].height
    sheet = Image.new("RGB", (width, len(lines) * (label + height + margin) - margin), "white")
    draw = ImageDraw.Draw(sheet)
    for k, (caption, line) in enumerate(lines):
        top = k * (label + height + margin)
        draw.text((0, top), caption, fill="#222222", font=font)
        sheet.paste(line, (0, top + label))
    return sheet
