"""A film of a real drag over the map, for the README: the code of `fgsd film`.

Chromium shows the page of a running `fgsd app`. The mouse takes the pin, drags it past some textures and
releases it, while screenshots are taken at a steady rate. They become an animated WebP, in which each frame
is shown for as long as it was on the screen.
"""

from __future__ import annotations

import asyncio
import base64
import io
import math
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from fgsd.atomic import write_atomically
from fgsd.benchmarks import dom
from fgsd.benchmarks.browser import FLAGS, chromium_path
from fgsd.benchmarks.server import serve_app
from fgsd.sheets import check_suffix

if TYPE_CHECKING:
    from playwright.async_api import CDPSession, Page, ViewportSize

VIEWPORT: ViewportSize = {"width": 1060, "height": 700}  # nearly the smallest with the panels side by side
MARGIN = 6  # pixels around the panels
# textures on the path of the pin
TEXTURES = ("tropical-reef", "clover", "glacier", "sand-ripples", "blue-ice", "red-dunes")
TIMEOUT_MS = 60_000
POINTER_RATE = 60  # pointer events per second
# Timing of the film in seconds. The sampling, between release and hold, takes as long as it takes.
REST_S = 0.3  # before the pointer appears
APPROACH_S = 0.6  # pointer moves to the pin
PRESS_S = 0.2  # rest on the pin
DRAG_S = 4.8
RELEASE_S = 0.3  # rest before the release
HOLD_S = 1.5  # finished samples
APPROACH = (80.0, -50.0)  # first position of the pointer relative to the pin, in pixels

# Attempts to encode a film, the best first: scale of the images, quality of WebP, and n to keep every n-th
# frame.
ATTEMPTS = (
    *((1.0, quality, 1) for quality in (90, 80, 70, 60, 50)),
    *((0.8, quality, 1) for quality in (60, 50)),
    *((0.6, quality, 2) for quality in (60, 40, 20)),
    *((0.4, quality, 4) for quality in (40, 20, 5)),
)


@dataclass
class Film:
    """Frames with the times at which they were taken."""

    images: list[Image.Image] = field(default_factory=list)
    times: list[float] = field(default_factory=list)  # seconds, by `time.perf_counter`
    end: float = 0.0  # time at which the last frame ends

    def durations(self) -> list[int]:
        """Milliseconds for which each frame is shown; their sum is the length of the film."""
        marks = [round(1000 * (moment - self.times[0])) for moment in [*self.times, self.end]]
        return [later - earlier for earlier, later in pairwise(marks)]


@dataclass(frozen=True)
class EncodedFilm:
    """Properties of a film that was written to a file."""

    frames: int
    seconds: float
    width: int
    height: int
    quality: int  # of WebP
    size: int  # bytes


def record_film(checkpoint: str, data: str, *, textures: Sequence[str] = (), rate: float = 12.0) -> Film:
    """Start the page, drag the pin past some textures, release it, and record all of it.

    Parameters
    ----------
    checkpoint, data : str
        As for `fgsd app`.
    textures : sequence of str
        Classes on the path of the pin. By default those of `TEXTURES` that the checkpoint knows, or if it
        knows none of them, a few of its classes.
    rate : float
        Frames per second, 1 to 30; a busy machine takes fewer.

    Raises
    ------
    ValueError
        If `rate` is out of range or the map lacks a texture.
    ImportError, FileNotFoundError
        If Playwright or Chromium is missing.
    RuntimeError
        If the page does not start.
    """
    if not 1 <= rate <= 30:
        raise ValueError(f"rate={rate} must be between 1 and 30 frames per second")
    path = chromium_path()
    with serve_app(checkpoint, data) as app:
        return asyncio.run(_record(app.url, path, textures, rate))


async def _record(url: str, chromium: str, textures: Sequence[str], rate: float) -> Film:
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        try:
            page = await browser.new_page(viewport=VIEWPORT)
            await page.add_init_script(dom.RECORDER)
            await page.goto(url, wait_until="commit")
            await page.wait_for_function(dom.FINISHED_AFTER, arg=0, timeout=TIMEOUT_MS)
            path = smooth_path(await _stops(page, textures))
            await page.evaluate(dom.DRAW_POINTER)
            await page.add_style_tag(content=dom.HIDE_NOISE_BAR)
            async with _recording(page, rate) as film:
                await _drag(page, path)
            return film
        finally:
            await browser.close()


async def _stops(page: Page, textures: Sequence[str]) -> list[tuple[float, float]]:
    """Positions of the pin and of textures on the page, in pixels."""
    [pin] = (await page.locator(dom.PIN).evaluate_all(dom.CENTRES)).values()
    centres = await page.locator(dom.TEXTURES).evaluate_all(dom.CENTRES)
    names = list(centres)
    if unknown := [name for name in textures if name not in centres]:
        raise ValueError(f"textures={unknown} are not on the map; there are {', '.join(names)}")
    chosen = textures or [name for name in TEXTURES if name in centres] or names[1:6] or names
    return [pin, *(centres[name] for name in chosen)]


async def _drag(page: Page, path: np.ndarray) -> None:
    start = path[0]
    await asyncio.sleep(REST_S)
    await _move(page, smooth_path([start + APPROACH, start]), APPROACH_S)
    await asyncio.sleep(PRESS_S)
    await page.mouse.down()
    await _move(page, path, DRAG_S)
    await asyncio.sleep(RELEASE_S)
    count = await page.evaluate(dom.FINISHED_COUNT)
    await page.mouse.up()
    await page.wait_for_function(dom.FINISHED_AFTER, arg=count, timeout=TIMEOUT_MS)
    await asyncio.sleep(HOLD_S)


async def _move(page: Page, path: np.ndarray, seconds: float) -> None:
    """Move the mouse along a path (N, 2), slowly at its ends."""
    start = time.perf_counter()
    share = 0.0
    while share < 1:
        share = min(1.0, (time.perf_counter() - start) / seconds)
        await page.mouse.move(*path[round((0.5 - 0.5 * math.cos(math.pi * share)) * (len(path) - 1))])
        await asyncio.sleep(1 / POINTER_RATE)


def smooth_path(points: Sequence[Any], *, spacing: float = 0.5) -> np.ndarray:
    """A smooth curve (N, 2) through points: the Catmull-Rom spline, in steps of equal length.

    Parameters
    ----------
    points : sequence of (x, y), at least 2
    spacing : float
        Length of a step, in the units of the points; rounded so that the last point is reached.
    """
    p = np.asarray(points, dtype=float)
    p = np.concatenate([p[:1], p, p[-1:]])
    t = np.linspace(0, 1, 100)[:, None]
    pieces = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(p, p[1:], p[2:], p[3:], strict=False)
    ]
    curve = np.concatenate(pieces)
    lengths = np.concatenate([[0.0], np.linalg.norm(np.diff(curve, axis=0), axis=1).cumsum()])
    even = np.linspace(0, lengths[-1], max(2, round(lengths[-1] / spacing) + 1))
    return np.stack([np.interp(even, lengths, curve[:, k]) for k in range(2)], axis=1)


@asynccontextmanager
async def _recording(page: Page, rate: float) -> AsyncIterator[Film]:
    """Take screenshots of the panels during the context."""
    film = Film()
    session = await page.context.new_cdp_session(page)
    task = asyncio.create_task(_capture(session, await _clip(page), rate, film))
    try:
        yield film
    finally:
        film.end = time.perf_counter()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _clip(page: Page) -> dict[str, float]:
    """The rectangle of both panels: the map, and the samples with their chart."""
    boxes = [await page.locator(selector).bounding_box() for selector in (dom.MAP, dom.PICTURE)]
    visible = [box for box in boxes if box is not None]
    left = math.floor(min(box["x"] for box in visible)) - MARGIN
    top = math.floor(min(box["y"] for box in visible)) - MARGIN
    right = math.ceil(max(box["x"] + box["width"] for box in visible)) + MARGIN
    bottom = math.ceil(max(box["y"] + box["height"] for box in visible)) + MARGIN
    return {"x": left, "y": top, "width": right - left, "height": bottom - top, "scale": 1}


async def _capture(session: CDPSession, clip: dict[str, float], rate: float, film: Film) -> None:
    options = {"format": "png", "clip": clip, "optimizeForSpeed": True}
    due = time.perf_counter()
    while True:
        moment = time.perf_counter()
        screenshot = await session.send("Page.captureScreenshot", options)
        film.images.append(Image.open(io.BytesIO(base64.b64decode(screenshot["data"]))))
        film.times.append(moment)
        due = max(due + 1 / rate, time.perf_counter())
        await asyncio.sleep(due - time.perf_counter())


def check_film_path(path: Path) -> None:
    """Raise `ValueError` unless the suffix of a path is .webp."""
    check_suffix(path, {".webp": "WEBP"})


def save_film(film: Film, path: Path, *, max_bytes: int = 2_000_000) -> EncodedFilm:
    """Write a film as an animated WebP that loops, in the best quality within a limit.

    Parameters
    ----------
    max_bytes : int
        Limit of the size of the file. The quality is lowered to stay within it, then the images are made
        smaller and frames are dropped; the length of the film stays.

    Raises
    ------
    ValueError
        If the suffix is not .webp or the film does not fit.
    """
    check_film_path(path)
    for scale, quality, step in ATTEMPTS:
        width, height = (max(1, round(scale * side)) for side in film.images[0].size)
        images = [
            image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
            for image in film.images[::step]
        ]
        durations = film.durations()
        durations = [sum(durations[k : k + step]) for k in range(0, len(durations), step)]
        encoded = _webp(images, durations, quality)
        if len(encoded) <= max_bytes:
            break
    else:
        raise ValueError(f"max_bytes={max_bytes} is too small for a film of {len(film.images)} frames")
    write_atomically(path, lambda p: p.write_bytes(encoded))
    with Image.open(path) as image:
        frames = getattr(image, "n_frames", 1)  # Pillow joins equal frames
    return EncodedFilm(frames, sum(durations) / 1000, width, height, quality, len(encoded))


def _webp(images: Sequence[Image.Image], durations: Sequence[int], quality: int) -> bytes:
    buffer = io.BytesIO()
    options = {"duration": list(durations), "quality": quality, "method": 4, "loop": 0}
    images[0].save(buffer, "WEBP", save_all=True, append_images=images[1:], **options)
    return buffer.getvalue()
