"""Latency of the page in a real browser: the code of `fgsd bench app`.

A process of its own serves the page, and Playwright drives it in Chromium. Latencies are taken inside the
browser, from the pointer event to the end of the first frame that shows new pixels.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from fgsd.app.limits import LEARNING_STEPS
from fgsd.benchmarks import dom
from fgsd.benchmarks.breakdown import LAST, RECORDER, breakdown
from fgsd.benchmarks.browser import DESKTOP, FLAGS, chromium_path
from fgsd.benchmarks.server import serve_app
from fgsd.evaluation.checks import check
from fgsd.image_files import find_images
from fgsd.images import load_image
from fgsd.model.matching import CentroidMatching
from fgsd.pipeline import Pipeline

TIMEOUT_MS = 30_000  # for one picture
LEARNING_TIMEOUT_MS = 240_000
POLLING_MS = 50
DRAG_S = 5.0  # length of the steady drag
POINTER_RATE = 60  # pointer events per second of the steady drag


def bench_app(
    checkpoint: str,
    data: str,
    *,
    moves: int = 200,
    seed: int = 0,
    screenshot: str | None = None,
    site: str | None = None,
    progress: Callable | None = None,
) -> dict:
    """Start the page and measure it with one visitor, then with two at once.

    The start ends when the first visitor, whose browser already runs, sees a finished sample.

    Parameters
    ----------
    checkpoint, data : str
        As for `fgsd app`.
    moves : int
        Moves of the pin per latency measurement; each waits for its picture.
    seed : int
        Seed of the positions of the pin.
    screenshot : str, optional
        PNG or JPEG file for a screenshot of the first screen.
    site : str, optional
        As for `fgsd app`: previews by the visitor's machine are measured too, beside a server that is slow.
    progress : callable, optional
        Wraps iterables; called like `tqdm`.

    Returns
    -------
    dict
        For each part a dict of its figures and `checks`, as in the results of `evaluate`.

    Raises
    ------
    ImportError
        If Playwright is not installed.
    FileNotFoundError
        If Chromium is not installed.
    ValueError
        If `moves` is below 1.
    RuntimeError
        If the page does not start.
    """
    if moves < 1:
        raise ValueError(f"moves={moves} must be at least 1")
    from playwright.sync_api import sync_playwright

    path = chromium_path()
    wrap = progress or (lambda items, **_: items)
    parts = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        with closing(browser), serve_app(checkpoint, data) as app:
            pages = [open_page(browser, app.url)]
            parts["start"] = _start(time.monotonic() - app.launched)
            pages.append(open_page(browser, app.url))
            parts["page"] = _first_paint(third := open_page(browser, app.url))
            if screenshot is not None:
                third.screenshot(path=screenshot)
            random = np.random.default_rng(seed)
            one = _latencies(pages[:1], wrap(range(moves), desc="one visitor"), random)
            parts["drag"] = _drag(one, _frame_rate(pages[0], random))
            parts["breakdown"] = _breakdown(pages[0], wrap(range(moves // 4), desc="breakdown"), random)
            evaluation = _evaluation_ms(checkpoint, parts["breakdown"]["size"])
            parts["breakdown"]["checks"] = [_in_evaluations(one, evaluation)]
            two = _latencies(pages, wrap(range(moves // 2), desc="two visitors"), random)
            parts["visitors"] = _visitors(one, two)
            moves_beside = wrap(range(moves // 4), desc="learning")
            parts["learning"] = _learning(pages, unknown_texture(data), moves_beside, random)
            parts["brush"] = _painting(pages[0], wrap(range(moves // 2), desc="painting"), random)
            parts["release"] = _release(pages[0], random)
        if site is not None:
            # by another server, so that the figures above are those of one that makes all previews
            browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
            with closing(browser), serve_app(checkpoint, data, "--site", site) as app:
                moves_there = wrap(range(moves // 2), desc="local previews")
                parts["local"] = _local(browser, app.url, moves_there, random)
    return parts


def _start(seconds: float) -> dict:
    return {"checks": [check("command to usable page", seconds, at_most=8, unit="s")]}


def _drag(latencies: np.ndarray, frames_per_second: float) -> dict:
    median, late = np.quantile(latencies, (0.5, 0.95))
    return {
        "milliseconds": [round(float(v), 1) for v in latencies],
        "checks": [
            check("pointer to changed pixels, median", median, at_most=100, unit="ms"),
            check("pointer to changed pixels, 95th percentile", late, at_most=200, unit="ms"),
            check("pictures a second while the hand moves", frames_per_second, at_least=12),
        ],
    }


def _in_evaluations(latencies: np.ndarray, evaluation_ms: float) -> dict:
    ratio = float(np.median(latencies)) / evaluation_ms
    return check("pointer to changed pixels / PyTorch's evaluation of that picture", ratio, at_most=3.5)


def _evaluation_ms(checkpoint: str, size: int, runs: int = 15) -> float:
    """Median time of an evaluation of the network by PyTorch as it is, one right after the other."""
    pipe = Pipeline.from_pretrained(checkpoint)
    x, target = torch.zeros(1, 3, size, size, device=pipe.device), pipe.table.of(pipe.classes[0]).at(1.0)
    seconds = []
    with torch.no_grad():
        for _ in range(runs):
            began = time.perf_counter()
            pipe.network.denoise(x, 1.0, CentroidMatching(target.to(pipe.device)))[0].cpu()
            seconds.append(time.perf_counter() - began)
    return 1000 * float(np.median(seconds))


def _visitors(one: np.ndarray, two: np.ndarray) -> dict:
    ratio = float(np.median(two) / np.median(one))
    return {
        "milliseconds": [round(float(v), 1) for v in two],
        "checks": [check("median latency of two visitors / of one", ratio, at_most=2)],
    }


def _first_paint(page) -> dict:
    paint, sample = page.evaluate(dom.FIRST_TIMES_MS)
    return {
        "checks": [
            check("first paint", paint, at_most=2000, unit="ms"),
            check("first finished sample", sample, at_most=2000, unit="ms"),
        ]
    }


def _release(page, random: np.random.Generator, runs: int = 5) -> dict:
    """Time from the release of the pin to four finished samples of 128 pixels in 16 steps."""
    page.locator(dom.SIZE_INPUT).click()
    page.get_by_role("option", name="128 px").click()
    seconds = []
    for _ in range(runs + 1):
        _press_pin(page)
        page.mouse.move(*_random_position(page, random))
        _release_pin(page)
        seconds.append(page.evaluate(dom.RELEASE_LATENCY_MS) / 1000)
    return {
        "seconds_each": [round(s, 3) for s in seconds[1:]],  # the first run is a warm-up
        "checks": [
            check("4 samples, 128 px, 16 steps", float(np.median(seconds[1:])), at_most=4, unit="s"),
        ],
    }


def unknown_texture(data: str) -> bytes:
    """Return a PNG of a texture that the checkpoint does not know: the first image, turned and recoloured."""
    path, _ = find_images(Path(data)).files[0]
    image = load_image(path)
    buffer = io.BytesIO()
    Image.merge("RGB", image.split()[::-1]).rotate(90).save(buffer, "PNG")
    return buffer.getvalue()


def _learning(pages: Sequence, image: bytes, moves, random: np.random.Generator) -> dict:
    """One visitor drops an image, and another drags meanwhile; a second image is learned alone."""
    learner, other = pages[:2]
    first, last = [], []
    quiet = _latencies([other], range(len(moves)), random)
    for name in ("first", "second"):
        start = time.monotonic()
        learner.locator(dom.UPLOAD_INPUT).set_input_files(
            {"name": f"{name}.png", "mimeType": "image/png", "buffer": image}
        )
        _wait_while_learning(learner, dom.LEARNING)
        if name == "second":
            _wait_while_learning(learner, dom.LEARNED_PICTURE)
            first.append(time.monotonic() - start)
        else:
            _wait_while_learning(learner, dom.LEARNING_FOR_SURE)
            busy = _latencies([other], moves, random)
        _wait_while_learning(learner, dom.LEARNED)
        last.append(time.monotonic() - start)
    ratio = float(np.median(busy) / np.median(quiet))
    return {
        "milliseconds": [round(float(v), 1) for v in busy],
        "seconds_while_another_drags": round(last[0], 2),
        "checks": [
            check("image dropped to first picture of what is learned", first[0], at_most=5, unit="s"),
            check(f"image dropped to samples of {LEARNING_STEPS} steps", last[1], at_most=20, unit="s"),
            check("median latency of a drag while another visitor learns / alone", ratio, at_most=1.5),
        ],
    }


def _wait_while_learning(page, script: str) -> None:
    """Wait for a script to be true; a page that asks whether to learn, on a slow machine, is told to.

    It looks every `POLLING_MS`: in each frame, as by default, it would take a core from the server.
    """
    options: dict = {"timeout": LEARNING_TIMEOUT_MS, "polling": POLLING_MS}
    page.wait_for_function(f"() => ({dom.LEARNING_OFFERED})() || ({script})()", **options)
    if page.evaluate(dom.LEARNING_OFFERED):
        page.locator(dom.LEARN_BUTTON).click()
        page.wait_for_function(dom.LEARNING, **options)
        page.wait_for_function(script, **options)


def _painting(page, moves, random: np.random.Generator) -> dict:
    """A brush paints one stroke with another texture; each move waits for a picture that shows it."""
    page.locator(dom.PAINT_BUTTON).click()
    page.wait_for_function(dom.PAINTINGS_AFTER, arg=0, timeout=TIMEOUT_MS)
    page.evaluate(dom.CLICK_ANOTHER_TEXTURE, float(random.uniform()))
    box = page.locator(dom.EASEL).bounding_box()
    latencies = []
    for k in moves:
        x, y = random.uniform(0.1, 0.9, 2)
        count = page.evaluate(dom.PAINTINGS_COUNT)
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        if k == 0:
            page.mouse.down()
        page.wait_for_function(dom.PAINTINGS_AFTER, arg=count, timeout=TIMEOUT_MS)
        latencies.append(page.evaluate(dom.PAINTING_LATENCY_MS))
    count = page.evaluate(dom.PAINTINGS_COUNT)
    page.mouse.up()
    page.wait_for_function(dom.PAINTINGS_AFTER, arg=count, timeout=TIMEOUT_MS)
    finished = page.evaluate(dom.FINISHED_COUNT)
    page.locator(dom.PAINT_BUTTON).click()  # back to the samples, now of the texture that was painted with
    page.wait_for_function(dom.FINISHED_AFTER, arg=finished, timeout=TIMEOUT_MS)
    median, late = np.quantile(latencies[1:] or latencies, (0.5, 0.95))
    return {
        "milliseconds": [round(float(v), 1) for v in latencies],
        "checks": [
            check("brush to changed pixels, 128 px, median", median, at_most=250, unit="ms"),
            check("brush to changed pixels, 128 px, 95th percentile", late, at_most=500, unit="ms"),
        ],
    }


def _latencies(pages: Sequence, moves, random: np.random.Generator) -> np.ndarray:
    """Milliseconds from each move of the pin to its picture; pins of several pages move at the same time."""
    for page in pages:
        _press_pin(page)
    latencies = []
    for _ in moves:
        counts = [page.evaluate(dom.PAINTED_COUNT) for page in pages]
        for page in pages:
            page.mouse.move(*_random_position(page, random))
        for page, count in zip(pages, counts, strict=True):
            page.wait_for_function(dom.PAINTED_AFTER, arg=count, timeout=TIMEOUT_MS)
            latencies.append(page.evaluate(dom.PAINT_LATENCY_MS))
    for page in pages:
        _release_pin(page)
    return np.array(latencies)


def _local(browser, url: str, moves, random: np.random.Generator) -> dict:
    """The drag of a visitor whose own machine makes the previews, since answers of the server come late."""
    page = open_page(browser, url, dom.SLOW_PREVIEWS)
    _latencies([page], range(2), random)  # after the first drag the network is loaded
    page.wait_for_function(dom.NOTHING_LOADING, timeout=TIMEOUT_MS)
    _latencies([page], range(2), random)
    before = page.evaluate(dom.PREVIEWS_ASKED)
    latencies = _latencies([page], moves, random)
    median, late = np.quantile(latencies, (0.5, 0.95))
    return {
        "milliseconds": [round(float(v), 1) for v in latencies],
        "asked_of_the_server": page.evaluate(dom.PREVIEWS_ASKED) - before,
        "checks": [
            check(
                "pointer to changed pixels by the visitor's machine, median", median, at_most=400, unit="ms"
            ),
            check("the same, 95th percentile", late, at_most=800, unit="ms"),
        ],
    }


def _breakdown(page, moves, random: np.random.Generator) -> dict:
    """The parts of the latency of a drag."""

    def move() -> None:
        count = page.evaluate(dom.PAINTED_COUNT)
        page.mouse.move(*_random_position(page, random))
        page.wait_for_function(dom.PAINTED_AFTER, arg=count, timeout=TIMEOUT_MS)

    _press_pin(page)
    figures = breakdown(move, lambda: page.evaluate(LAST), moves)
    _release_pin(page)
    return figures


def _frame_rate(page, random: np.random.Generator) -> float:
    """New pictures per second while the pin moves steadily along a circle."""
    box = _press_pin(page)
    count, start = page.evaluate(dom.PAINTED_COUNT), time.perf_counter()
    phase = float(random.uniform(0, 2 * math.pi))
    while (elapsed := time.perf_counter() - start) < DRAG_S:
        angle = phase + elapsed
        x, y = 0.5 + 0.3 * math.cos(angle), 0.5 + 0.3 * math.sin(angle)
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        time.sleep(1 / POINTER_RATE)
    painted = page.evaluate(dom.PAINTED_COUNT) - count
    _release_pin(page)
    return painted / elapsed


def _press_pin(page) -> dict:
    """Press the mouse on the pin; returns the map's bounding box."""
    box = page.locator(dom.PIN).bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    return page.locator(dom.MAP).bounding_box()


def _release_pin(page) -> None:
    """Release the mouse and wait for the finished sample."""
    count = page.evaluate(dom.FINISHED_COUNT)
    page.mouse.up()
    page.wait_for_function(dom.FINISHED_AFTER, arg=count, timeout=TIMEOUT_MS)


def _random_position(page, random: np.random.Generator) -> tuple[float, float]:
    box = page.locator(dom.MAP).bounding_box()
    x, y = random.uniform(0.1, 0.9, 2)
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def open_page(browser, url: str, *scripts: str):
    """Open the page as a new visitor, with these scripts before, and wait for the first finished sample."""
    page = browser.new_page(viewport=DESKTOP)
    page.add_init_script(dom.RECORDER)
    page.add_init_script(RECORDER)
    for script in scripts:
        page.add_init_script(script)
    page.goto(url, wait_until="commit")
    page.wait_for_function(dom.FINISHED_AFTER, arg=0, timeout=TIMEOUT_MS)
    return page
