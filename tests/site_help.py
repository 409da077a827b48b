"""What the tests share of pictures that a browser has made."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image
from playwright.sync_api import Page


def sheet(page: Page) -> np.ndarray:
    """The sheet of pictures as the page has it, pixel for pixel."""
    _, _, body = page.locator(".source").get_attribute("src").partition(",")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(body))).convert("RGB"), dtype=int)


def alike(found: np.ndarray, expected: Image.Image) -> bool:
    """Whether pixels are those of Python to two grey levels."""
    return found.shape == (*expected.size, 3) and np.abs(found - np.asarray(expected, dtype=int)).max() <= 2


def computed_by(page: Page) -> str:
    """What has computed the picture, as the page says it."""
    return page.locator('.picture [data-readout="device"]').inner_text()
