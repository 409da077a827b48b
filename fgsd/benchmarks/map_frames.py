"""Frames a second of the map with many crops, and of its view in 3D: the code of `fgsd bench map`.

The map of a page has as many crops as were measured when the checkpoint was exported. Here it gets more:
its own again and again, each moved a little, so that the browser has that many points to draw.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fgsd.benchmarks import dom
from fgsd.benchmarks.browser import FLAGS, chromium_path
from fgsd.benchmarks.page import open_page
from fgsd.benchmarks.server import serve_app
from fgsd.checkpoint import load_checkpoint, save_checkpoint
from fgsd.evaluation.checks import check
from fgsd.feature_map import FeatureMap

CROPS = (10_000, 100_000)
TIMEOUT_MS = 60_000
SECONDS = 4.0  # of each measurement
DISPLAY = 60  # frames a second that a browser shows at most
MANY = 20_000  # crops from which half of the frames are enough
ON_TIME = 57  # frames a second that count as all of them: a browser misses some by itself
OPEN_TARGET_S = 2.0  # from the click to the map in 3D
TURN_TARGET = 30  # frames a second while it turns
JITTER = 0.01  # standard deviation of the moves of repeated crops, in widths of the map
SOFTWARE_WEBGL = "--enable-unsafe-swiftshader"  # WebGL by the processor


def bench_map(
    checkpoint: str,
    data: str,
    *,
    crops: Sequence[int] = CROPS,
    seed: int = 0,
    progress: Callable | None = None,
) -> dict[str, Any]:
    """Zoom the map in and out with the wheel, and turn it in 3D, in Chromium without a graphics card.

    Parameters
    ----------
    checkpoint, data : str
        As for `fgsd app`; a checkpoint with many classes shows many thumbnails.
    crops : sequence of int
        Numbers of crops, at least one for each class.
    seed : int
        Of the moves of repeated crops.
    progress : callable, optional
        Wraps iterables; called like `tqdm`.

    Returns
    -------
    dict
        For each number of crops a dict of its figures and `checks`; "space" has those of 3D.

    Raises
    ------
    ImportError, FileNotFoundError, RuntimeError
        As `fgsd.benchmarks.page.bench_app`.
    ValueError
        If a number of crops is below that of classes, or the map has none.
    """
    from playwright.sync_api import sync_playwright

    path, wrap = chromium_path(), progress or (lambda items, **_: items)
    known, parts = load_checkpoint(checkpoint), {}
    if known.map is None or not len(known.map.labels):
        raise ValueError(f"checkpoint={checkpoint}: its map has no crops")
    if min(crops, default=0) < len(known.table.classes):
        raise ValueError(
            f"crops={list(crops)} must be at least {len(known.table.classes)}, one for each class"
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS, SOFTWARE_WEBGL])
        with closing(browser), tempfile.TemporaryDirectory() as folder:
            for count in wrap(sorted(crops), desc="numbers of crops"):
                copy = Path(folder, str(count))
                save_checkpoint(replace(known, map=with_crops(known.map, count, seed=seed)), copy)
                with serve_app(str(copy), data) as app:
                    page = open_page(browser, app.url)
                    page.wait_for_function(dom.CROPS_SHOWN, arg=count, timeout=TIMEOUT_MS)
                    parts[f"{count} crops"] = _zoomed(page, count)
                    if count == min(crops):
                        parts["space"] = _turned(page)
                    page.close()
    return parts


def with_crops(feature_map: FeatureMap, count: int, *, seed: int = 0) -> FeatureMap:
    """Return a map with `count` crops: those of a map in turn, moved a little where they repeat.

    Where the map has more crops than `count`, it keeps some of each class.

    Parameters
    ----------
    feature_map : FeatureMap
        With crops of all classes.
    count : int
        At least the number of classes.
    seed : int
        Of the moves: stored components by up to 2 steps, positions of UMAP by `JITTER`.
    """
    order = np.argsort(
        _ranks(feature_map.labels), kind="stable"
    )  # the first crop of each class, the second...
    rows = np.resize(order, count)
    scores, embedding = feature_map.scores[:, rows], feature_map.embedding
    repeated = torch.arange(count) >= len(order)
    generator = torch.Generator().manual_seed(seed)
    shift = torch.randint(-2, 3, scores.shape, generator=generator) * repeated[:, None]
    scores = (scores.int() + shift).clamp(-127, 127).to(scores.dtype)
    if embedding is not None:
        moves = JITTER * torch.randn(embedding[:, rows].shape, generator=generator)
        embedding = embedding[:, rows] + moves * repeated[:, None]
    return replace(
        feature_map,
        labels=feature_map.labels[rows],
        images=feature_map.images[rows],
        corners=feature_map.corners[rows],
        scores=scores,
        embedding=embedding,
    )


def _ranks(labels: np.ndarray) -> np.ndarray:
    """Return for each crop how many of its class come before it."""
    ranks = np.zeros(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        of_class = labels == label
        ranks[of_class] = np.arange(of_class.sum())
    return ranks


def _zoomed(page, count: int) -> dict[str, Any]:
    """Frames while the wheel zooms in and out again."""
    frames, thumbnails = page.evaluate(dom.ZOOM_FRAMES, SECONDS)
    target = DISPLAY / 2 if count >= MANY else ON_TIME
    name = f"frames a second of the map while it is zoomed, {count:,} crops"
    return {
        "textures": thumbnails,
        "checks": [check(name, frames, at_least=target)],
    }


def _turned(page) -> dict[str, Any]:
    """Time to open the map in 3D, and frames while it turns."""
    opened = page.evaluate(dom.OPEN_SPACE) / 1000
    frames, points = page.evaluate(dom.TURN_FRAMES, SECONDS)
    return {
        "points": points,
        "checks": [
            check("click to the map in 3D", opened, at_most=OPEN_TARGET_S, unit="s"),
            check(
                f"frames a second of the map in 3D while it turns, {points:,} points",
                frames,
                at_least=TURN_TARGET,
            ),
        ],
    }
