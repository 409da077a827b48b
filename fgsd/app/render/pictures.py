"""Pictures in a form that a page can hold."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence

from PIL import Image


def grid(images: Sequence[Image.Image]) -> tuple[Image.Image, int, int]:
    """Square images of one size, row by row in one picture without gaps: (picture, columns, rows)."""
    columns = math.ceil(math.sqrt(len(images)))
    rows, side = math.ceil(len(images) / columns), images[0].width
    sheet = Image.new("RGB", (columns * side, rows * side))
    for k, image in enumerate(images):
        sheet.paste(image, (k % columns * side, k // columns * side))
    return sheet, columns, rows


def data_uri(image: Image.Image, *, quality: int = 85, lossless: bool = False) -> str:
    """An image as a WebP that can stand in a page; lossless ones ignore `quality`."""
    buffer = io.BytesIO()
    if lossless:
        image.save(buffer, "WEBP", lossless=True, quality=20, method=0)  # here quality is effort
    else:
        image.save(buffer, "WEBP", quality=quality, method=1)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
