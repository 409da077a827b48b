"""Sheets, animations and files of images; nothing is left half-written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from fgsd.atomic import write_atomically

FORMATS = {".png": "PNG", ".webp": "WEBP", ".jpg": "JPEG", ".jpeg": "JPEG"}
ANIMATIONS = {".gif": "GIF", ".webp": "WEBP"}


def image_grid(images: Sequence[Image.Image], *, columns: int | None = None, gap: int = 2) -> Image.Image:
    """Images of one size side by side on white, `columns` in a row (by default about square)."""
    if not images:
        raise ValueError("images is empty; a sheet needs at least one")
    columns = columns or math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    width, height = images[0].size
    sheet = Image.new("RGB", (columns * (width + gap) - gap, rows * (height + gap) - gap), "white")
    for k, image in enumerate(images):
        sheet.paste(image, (k % columns * (width + gap), k // columns * (height + gap)))
    return sheet


def save_image(image: Image.Image, path: str | Path) -> None:
    """Write an image in the format of its suffix; `ValueError` if that is not one of `FORMATS`."""
    path = Path(path)
    kind = check_suffix(path)
    options = {"quality": 95} if kind in ("WEBP", "JPEG") else {}
    write_atomically(path, lambda p: image.save(p, format=kind, **options))


def save_gif(frames: Sequence[Image.Image], path: str | Path, *, seconds: float = 0.12) -> None:
    """Write frames as an animation that loops, `seconds` each and the last one ten times as long."""
    path = Path(path)
    kind = check_suffix(path, ANIMATIONS)
    durations = [round(1000 * seconds)] * (len(frames) - 1) + [round(10_000 * seconds)]
    write_atomically(
        path,
        lambda p: frames[0].save(
            p, format=kind, save_all=True, append_images=frames[1:], duration=durations, loop=0
        ),
    )


def check_suffix(path: str | Path, known: dict[str, str] = FORMATS) -> str:
    """The format that a file name's suffix stands for; `ValueError` if it is not among `known`."""
    suffix = Path(path).suffix.lower()
    if suffix not in known:
        raise ValueError(f"{str(path)!r}: the suffix must be one of {', '.join(known)}")
    return known[suffix]


def class_sheet(
    rows: Sequence[tuple[str, Image.Image, Sequence[Image.Image]]], *, columns: int = 4, gap: int = 2
) -> Image.Image:
    """For each class its name, a real crop, and samples beside it.

    Parameters
    ----------
    rows : sequence of (name, real crop, samples)
        Images of one size; as many samples for each class.
    columns : int
        Classes side by side.
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
    """Rows of images on white, each with a caption above it.

    Parameters
    ----------
    rows : sequence of (caption, images)
        Images of one size; as many of them in each row.
    """
    if not rows:
        raise ValueError("rows is empty; a sheet needs at least one")
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
