"""The paint panel as a visitor uses it, of the app and of a site without a server."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page


def opened(page: Page) -> Page:
    """Open the panel, and wait for the picture of its first texture."""
    page.get_by_role("button", name="Paint", exact=True).click()
    painted(page, "0")
    return page


def pictures(page: Page) -> str:
    return page.locator(".paint").get_attribute("data-pictures") or "0"


def painted(page: Page, before: str, quality: str = "full") -> None:
    """Wait for a picture of this quality, after the number `before` of pictures."""
    page.wait_for_function(
        """([before, quality]) => { const { pictures, shown } = document.querySelector('.paint').dataset;
            return Number(pictures ?? 0) > Number(before) && shown === quality; }""",
        arg=[before, quality],
    )


def picture(page: Page) -> np.ndarray:
    src = page.locator(".paint img.painting").get_attribute("src")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(src.partition(",")[2]))).convert("RGB"))


def easel(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where a position of the picture, in shares of its side, is on the screen."""
    box = page.locator(".paint .plan").bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def stroke(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*easel(page, *start))
    page.mouse.down()
    page.mouse.move(*easel(page, *end), steps=4)


def saved(page: Page, kind: str, folder: Path) -> Path:
    """Save from the menu."""
    page.locator(".save .open").click()
    with page.expect_download() as download:
        page.locator(f".save [data-save={kind}]").click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path
