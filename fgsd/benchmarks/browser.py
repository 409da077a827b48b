"""Chromium, as the benchmarks launch it."""

from __future__ import annotations

import shutil

DESKTOP = {"width": 1280, "height": 800}
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium_path() -> str:
    """Path of the installed Chromium; `FileNotFoundError` if there is none."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        raise FileNotFoundError("Chromium is not installed; on Debian: apt-get install chromium")
    return path
