"""Interpolations as files for the visitor: data URIs by suffix."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image

from fgsd.app.limits import MIN_LOOP_GIF_SIDE, MIN_LOOP_MP4_SIDE
from fgsd.app.render.encode import GIF, MP4, PNG, file_uri, gif_bytes, mp4_bytes, png_bytes
from fgsd.sheets import captioned_rows, image_grid


def strip_file(
    guided: Sequence[Image.Image], blends: Sequence[Image.Image], unguided: Image.Image, ends: Sequence[str]
) -> dict[str, str]:
    """Return the three rows of a strip with their captions, as one PNG."""
    rows = [
        (f"fgsd: {' to '.join(ends)}, one noise", guided),
        ("pixel blend of the pictures of the textures themselves", blends),
        ("unguided: the same noise, no texture asked for", [unguided] * len(guided)),
    ]
    return {"png": file_uri(png_bytes(captioned_rows(rows)), PNG)}


def grid_file(images: Sequence[Image.Image], columns: int) -> dict[str, str]:
    """Return the images of a grid, with gaps between them, as PNG."""
    return {"png": file_uri(png_bytes(image_grid(images, columns=columns)), PNG)}


def image_file(image: Image.Image) -> dict[str, str]:
    """Return one image as PNG."""
    return {"png": file_uri(png_bytes(image), PNG)}


def loop_files(images: Sequence[Image.Image], seconds: float) -> dict[str, str]:
    """Return the images of a loop as GIF and as MP4, each shown for a number of seconds."""
    gif = gif_bytes(_enlarged(images, MIN_LOOP_GIF_SIDE), seconds=seconds)
    mp4 = mp4_bytes(_enlarged(images, MIN_LOOP_MP4_SIDE), seconds=seconds)
    return {"gif": file_uri(gif, GIF), "mp4": file_uri(mp4, MP4)}


def _enlarged(images: Sequence[Image.Image], min_side: int) -> list[Image.Image]:
    factor = max(1, math.ceil(min_side / images[0].width))
    if factor == 1:
        return list(images)
    return [
        image.resize((factor * image.width, factor * image.height), Image.Resampling.LANCZOS)
        for image in images
    ]
