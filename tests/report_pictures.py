"""Pictures of the report for docs/, taken in Chromium from assets/evidence/report.html.

Run `python tests/report_pictures.py` after `fgsd report`.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

EVIDENCE = Path(__file__).parents[1] / "assets" / "evidence"
PICTURES = {  # by name of the file, the part of the page
    "findings": ".findings",
    "truth-plane": "#truth-plane > div:first-of-type",
    "embedding-distances": "#embedding-distances",
}
SIZE = {"width": 1160, "height": 900}
# only what was drawn: no captions that docs/ repeats, no buttons
HIDDEN = "<style>.under details, .findings p:last-child { display: none } body { padding: 0 16px }</style>"


def main() -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        page = browser.new_page(viewport=SIZE, color_scheme="light")
        page.goto((EVIDENCE / "report.html").as_uri())
        page.evaluate("html => document.head.insertAdjacentHTML('beforeend', html)", HIDDEN)
        for name, place in PICTURES.items():
            part = page.locator(place)
            part.scroll_into_view_if_needed()
            # a function, not a string: the page allows no eval
            page.wait_for_function(
                "q => !document.querySelector(q)", arg=f"{place} [data-plot]:not([data-drawn])"
            )
            page.mouse.move(0, 0)  # nothing is hovered
            image = Image.open(io.BytesIO(part.screenshot(animations="disabled")))
            path = EVIDENCE / f"{name}.webp"
            image.convert("RGB").save(path, "WEBP", quality=88, method=6)
            print(f"{path.name}: {image.width} x {image.height}, {path.stat().st_size:,} bytes")
        browser.close()


if __name__ == "__main__":
    sys.exit(main())
