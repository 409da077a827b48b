"""How quickly the page follows the hand, measured in a real browser: what `fgsd bench` runs.

The page is served by a process of its own and driven by Chromium through Playwright. Times are taken inside
of the browser, from the pointer's event to the end of the first frame that shows other pixels.
"""

from __future__ import annotations

import math
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress

import numpy as np

from fgsd.evaluation.checks import check

DESKTOP = {"width": 1280, "height": 800}
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
START_SECONDS = 120  # that the server may take to load the checkpoint
TIMEOUT_MS = 30_000  # milliseconds that a picture may take before the measurement is given up
HAND_SECONDS = 5.0  # of steady motion
HAND_RATE = 60  # pointer events a second

# Notes, for every picture, when its pixels are on the screen: the canvases are painted in the task that sets
# the source's address; the second animation frame after it begins when the first has been shown.
RECORDER = """
window.bench = { shown: [], moved: 0, up: 0, done: [] };
for (const [kind, key] of [["pointermove", "moved"], ["pointerup", "up"]]) {
  document.addEventListener(kind, (event) => { bench[key] = event.timeStamp; }, true);
}
const painted = (note) => requestAnimationFrame(() => requestAnimationFrame((now) => note(now)));
new MutationObserver((records) => {
  for (const { target, attributeName } of records) {
    if (attributeName === "src" && target.matches(".source")) painted((now) => bench.shown.push(now));
    if (attributeName === "data-done" && target.dataset.done === "true") {
      painted((now) => bench.done.push(now));
    }
  }
}).observe(document, { subtree: true, attributes: true, attributeFilter: ["src", "data-done"] });
"""


def bench_app(
    checkpoint: str,
    data: str,
    *,
    moves: int = 200,
    seed: int = 0,
    screenshot: str | None = None,
    progress: Callable | None = None,
) -> dict:
    """Start the page and measure it as one visitor and as two at once meet it.

    The start is over when the first visitor, whose browser runs already, sees a finished sample.

    Parameters
    ----------
    checkpoint, data : str
        As for `fgsd app`.
    moves : int
        Of the pin for each measurement of latency; each waits for its picture.
    seed : int
        Of the places that the pin goes to.
    screenshot : str, optional
        PNG or JPEG file for a picture of the first screen.
    progress : callable, optional
        Wraps what is iterated over, called as `tqdm` is.

    Returns
    -------
    dict
        By name of the part its figures and its `checks`, as `evaluate` gives them.

    Raises
    ------
    ImportError
        If Playwright is not installed.
    FileNotFoundError
        If there is no Chromium.
    RuntimeError
        If the page does not start.
    """
    if moves < 1:
        raise ValueError(f"moves={moves} must be at least 1")
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        raise FileNotFoundError("there is no Chromium on this machine: apt-get install chromium")
    watch = progress or (lambda items, **_: items)
    parts = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        with closing(browser), served(checkpoint, data) as (url, began):
            pages = [_visit(browser, url)]
            parts["start"] = _start(time.monotonic() - began)
            pages.append(_visit(browser, url))
            parts["page"] = _first_paint(first := _visit(browser, url))
            if screenshot is not None:
                first.screenshot(path=screenshot)
            random = np.random.default_rng(seed)
            alone = _latencies(pages[:1], watch(range(moves), desc="one visitor"), random)
            parts["drag"] = _drag(alone, _frame_rate(pages[0], random))
            both = _latencies(pages, watch(range(moves // 2), desc="two visitors"), random)
            parts["visitors"] = _visitors(alone, both)
            parts["release"] = _release(pages[0], random)
    return parts


def _start(seconds: float) -> dict:
    return {"checks": [check("command to usable page", seconds, at_most=8, unit="s")]}


def _drag(alone: np.ndarray, frames_a_second: float) -> dict:
    median, late = np.quantile(alone, (0.5, 0.95))
    return {
        "milliseconds": [round(float(v), 1) for v in alone],
        "checks": [
            check("pointer to changed pixels, median", median, at_most=150, unit="ms"),
            check("pointer to changed pixels, 95th percentile", late, at_most=333, unit="ms"),
            check("pictures a second while the hand moves", frames_a_second, at_least=6),
        ],
    }


def _visitors(alone: np.ndarray, both: np.ndarray) -> dict:
    ratio = float(np.median(both) / np.median(alone))
    return {
        "milliseconds": [round(float(v), 1) for v in both],
        "checks": [check("median latency of two visitors / of one", ratio, at_most=2)],
    }


def _first_paint(page) -> dict:
    paint, sample = page.evaluate(
        "() => [performance.getEntriesByName('first-contentful-paint')[0].startTime, bench.done[0]]"
    )
    return {
        "checks": [
            check("first paint", paint, at_most=2000, unit="ms"),
            check("first finished sample", sample, at_most=2000, unit="ms"),
        ]
    }


def _release(page, random: np.random.Generator, runs: int = 5) -> dict:
    """Four samples of 128 pixels in 16 steps, from letting go of the pin to the finished picture."""
    page.locator("#size input").click()
    page.get_by_role("option", name="128 px").click()
    seconds = []
    for _ in range(runs + 1):
        _take_pin(page)
        page.mouse.move(*_place(page, random))
        before = page.evaluate("bench.done.length")
        page.mouse.up()
        page.wait_for_function("n => bench.done.length > n", arg=before, timeout=TIMEOUT_MS)
        seconds.append(page.evaluate("(bench.done.at(-1) - bench.up) / 1000"))
    return {
        "seconds_each": [round(s, 3) for s in seconds[1:]],  # the first one warms up
        "checks": [
            check("4 samples, 128 px, 16 steps", float(np.median(seconds[1:])), at_most=4, unit="s"),
        ],
    }


def _latencies(pages: Sequence, moves, random: np.random.Generator) -> np.ndarray:
    """Milliseconds from each move to its picture; with several pages, all hands move at once."""
    for page in pages:
        _take_pin(page)
    found = []
    for _ in moves:
        before = [page.evaluate("bench.shown.length") for page in pages]
        for page in pages:
            page.mouse.move(*_place(page, random))
        for page, count in zip(pages, before, strict=True):
            page.wait_for_function("n => bench.shown.length > n", arg=count, timeout=TIMEOUT_MS)
            found.append(page.evaluate("bench.shown.at(-1) - bench.moved"))
    for page in pages:
        _let_go(page)
    return np.array(found)


def _frame_rate(page, random: np.random.Generator) -> float:
    """Different pictures a second while the pin goes along a circle without rest."""
    box = _take_pin(page)
    before, began = page.evaluate("bench.shown.length"), time.perf_counter()
    turn = float(random.uniform(0, 2 * math.pi))
    while (gone := time.perf_counter() - began) < HAND_SECONDS:
        angle = turn + gone
        x, y = 0.5 + 0.3 * math.cos(angle), 0.5 + 0.3 * math.sin(angle)
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        time.sleep(1 / HAND_RATE)
    shown = page.evaluate("bench.shown.length") - before
    _let_go(page)
    return shown / gone


def _take_pin(page) -> dict:
    box = page.locator(".map-panel .ring").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    return page.locator(".map-panel .map").bounding_box()


def _let_go(page) -> None:
    before = page.evaluate("bench.done.length")
    page.mouse.up()
    page.wait_for_function("n => bench.done.length > n", arg=before, timeout=TIMEOUT_MS)


def _place(page, random: np.random.Generator) -> tuple[float, float]:
    box = page.locator(".map-panel .map").bounding_box()
    x, y = random.uniform(0.1, 0.9, 2)
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def _visit(browser, url: str):
    page = browser.new_page(viewport=DESKTOP)
    page.add_init_script(RECORDER)
    page.goto(url, wait_until="commit")
    page.wait_for_function("bench.done.length > 0", timeout=TIMEOUT_MS)
    return page


@contextmanager
def served(checkpoint: str, data: str, *options: str) -> Iterator[tuple[str, float]]:
    """The page's address, and when (`time.monotonic`) the command that serves it was given; `options` are
    further ones of `fgsd app`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "fgsd.cli", "app", "--no-browser", "--port", str(port)]
    began = time.monotonic()
    process = subprocess.Popen(
        [*command, "--checkpoint", checkpoint, "--data", data, *options], stdout=subprocess.DEVNULL
    )
    try:
        deadline = began + START_SECONDS
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the page did not start; `fgsd app` tells why")
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}", began
    finally:
        process.terminate()
        process.wait(timeout=30)
