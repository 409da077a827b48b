"""Image grids, sheets with captions, and image and animation files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from fgsd.atomic import write_atomically

FORMATS = {".png": "PNG", ".webp": "WEBP", ".jpg": "JPEG", ".jpeg": "JPEG"}
ANIMATION_FORMATS = {".gif": "GIF", ".webp": "WEBP"}


def grid_columns(count: int) -> int:
    """Return the number of columns of a roughly square grid of `count` images."""
    return math.ceil(math.sqrt(count))


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
    rows = math.ceil(len(images) / columns)
    width, height = images[0].size
    sheet = Image.new("RGB", (columns * (width + gap) - gap, rows * (height + gap) - gap), background)
    for k, image in enumerate(images):
        sheet.paste(image, (k % columns * (width + gap), k // columns * (height + gap)))
    return sheet


def save_image(image: Image.Image, path: str | Path) -> None:
    """Write an image file atomically; its suffix, one of `FORMATS`, selects the format."""
    path = Path(path)
    image_format = check_suffix(path)
    options = {"quality": 95} if image_format in ("WEBP", "JPEG") else {}
    write_atomically(path, lambda p: image.save(p, format=image_format, **options))


def save_animation(frames: Sequence[Image.Image], path: str | Path, *, seconds: float = 0.12) -> None:
    """Write a looping animation atomically; its suffix, one of `ANIMATION_FORMATS`, selects the format.

    Parameters
    ----------
    seconds : float
        Duration of each frame; the last frame lasts ten times as long.
    """
    path = Path(path)
    image_format = check_suffix(path, ANIMATION_FORMATS)
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


def class_sheet(
    rows: Sequence[tuple[str, Image.Image, Sequence[Image.Image]]], *, columns: int = 4, gap: int = 2
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
    label, margin = 16, 14
    cell_width = (1 + len(rows[0][2])) * (width + gap) + gap + margin
    cell_height = height + label + gap
    lines = math.ceil(len(rows) / columns)
    sheet = Image.new("RGB", (columns * cell_width - margin, lines * cell_height), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=11)
    for k, (name, real, samples) in enumerate(rows):
        left, top = k // lines * cell_width, k % lines * cell_height
        draw.text((left, top), name, fill="#222222", font=font)
        sheet.paste(real, (left, top + label))
        for j, sample in enumerate(samples):
            sheet.paste(sample, (left + (j + 1) * (width + gap) + gap, top + label))
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
