"""What lies between textures as files that a visitor keeps: data URIs by suffix."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image

from fgsd.app.render.encode import GIF, MP4, PNG, file_uri, gif_bytes, mp4_bytes, png_bytes
from fgsd.sheets import captioned_rows, image_grid

# sides in pixels that animations have at least: players show them at their own size
GIF_SIDE, MP4_SIDE = 128, 256


def strip_file(
    guided: Sequence[Image.Image], blends: Sequence[Image.Image], unguided: Image.Image, ends: Sequence[str]
) -> dict[str, str]:
    """The three rows of a strip with their captions, as one PNG."""
    way = " to ".join(ends)
    rows = [
        (f"fgsd: {way}, one noise", guided),
        ("pixel blend of the pictures of the textures themselves", blends),
        ("unguided: the same noise, no texture asked for", [unguided] * len(guided)),
    ]
    return {"png": file_uri(png_bytes(captioned_rows(rows)), PNG)}


def grid_file(images: Sequence[Image.Image], columns: int) -> dict[str, str]:
    """The pictures of a grid, with gaps between, as PNG."""
    return {"png": file_uri(png_bytes(image_grid(images, columns=columns)), PNG)}


def picture_file(image: Image.Image) -> dict[str, str]:
    """One picture as PNG."""
    return {"png": file_uri(png_bytes(image), PNG)}


def animations(images: Sequence[Image.Image], seconds: float) -> dict[str, str]:
    """The pictures of a loop, one after the other for `seconds` each, as GIF and as MP4."""
    gif = gif_bytes(_enlarged(images, GIF_SIDE), seconds=seconds)
    mp4 = mp4_bytes(_enlarged(images, MP4_SIDE), seconds=seconds)
    return {"gif": file_uri(gif, GIF), "mp4": file_uri(mp4, MP4)}


def _enlarged(images: Sequence[Image.Image], least: int) -> list[Image.Image]:
    factor = max(1, math.ceil(least / images[0].width))
    if factor == 1:
        return list(images)
    return [
        image.resize((factor * image.width, factor * image.height), Image.Resampling.LANCZOS)
        for image in images
    ]
