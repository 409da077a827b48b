"""A feature map of made-up crops, for tests of the page that shows it; and how they read and work it."""

from __future__ import annotations

import numpy as np
import torch
from playwright.sync_api import Page

from fgsd.feature_map import FeatureMap
from fgsd.pipeline import Pipeline


def scattered_map(pipe: Pipeline, count: int, *, image: int, seed: int = 0) -> FeatureMap:
    """`count` crops in turn of each class, scattered round its centroid; embedded as three round clouds.

    Parameters
    ----------
    image : int
        Side of the images that the crops are cut from, in pixels.
    """
    table, random = pipe.table, np.random.default_rng(seed)
    levels, classes = len(table.sigmas), len(table.classes)
    labels = np.arange(count) % classes
    z = ((table.values - table.values.mean(dim=0)) / table.scales).transpose(0, 1)  # (S, C, F)
    _, _, bases = torch.linalg.svd(z, full_matrices=False)
    bases = bases[:, : classes - 1].transpose(1, 2).half()
    centres = (z @ bases.float())[:, labels]  # (S, N, K)
    noise = torch.from_numpy(random.normal(0, 0.15, (1, *centres.shape[1:]))).float()
    scores = centres + noise * centres.std(dim=1, keepdim=True)
    steps = scores.abs().amax(dim=1) / 127
    angles = 2 * np.pi * (labels / classes + 0.1 * np.arange(levels)[:, None])
    clouds = 0.5 + 0.3 * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    embedding = torch.from_numpy(clouds + random.normal(0, 0.04, (1, count, 2))).float()
    return FeatureMap(
        table,
        0,
        labels,
        np.zeros(count, dtype=np.int64),
        random.integers(0, image * 2 // 3 - pipe.info.patch_size, (count, 2)),
        (scores / steps[:, None]).round().to(torch.int8),
        steps,
        bases,
        torch.ones(levels),
        embedding,
    )


def settled(page: Page, view: str) -> None:
    """Wait until crops of "pca-0" are shown and nothing moves any more."""
    page.wait_for_function("view => document.querySelector('.map-panel').dataset.points === view", arg=view)
    page.wait_for_function(
        """() => { const c = document.querySelector('.ground'), all = [...document.querySelectorAll('.dot')];
                   const now = c.toDataURL() + all.map(d => d.style.transform).join();
                   const same = window.lastSeen === now; window.lastSeen = now; return same; }""",
        polling=150,
    )


def ground(page: Page) -> np.ndarray:
    """Opacity of the canvas of crops: (H, W)."""
    script = """() => { const c = document.querySelector('.ground');
        const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        return [c.height, c.width, Array.from(d).filter((_, k) => k % 4 === 3)]; }"""
    height, width, values = page.evaluate(script)
    return np.array(values, dtype=np.uint8).reshape(height, width)


def at(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where a place of the unit box is on the screen, the map not being zoomed."""
    box = page.locator(".map").bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def crops_under(page: Page, places: np.ndarray) -> float:
    """The share of crops, at places of the unit box, under which the canvas is painted."""
    alpha = ground(page)
    cells = (places * [alpha.shape[1], alpha.shape[0]]).round().astype(int)
    cells = cells[((cells > 8) & (cells < np.array(alpha.shape)[::-1] - 8)).all(axis=1)]
    return float((alpha[cells[:, 1], cells[:, 0]] > 0).mean())


def drag(page: Page, start: tuple[float, float], by: tuple[float, float]) -> None:
    """Press and move, without letting go."""
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(start[0] + by[0], start[1] + by[1], steps=6)
