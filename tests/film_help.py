"""Videos that the page has made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect


def film_frames(page: Page, folder: Path, save: Callable[[], None]) -> tuple[list[np.ndarray], float]:
    """The frames (512, 512, 3) of the video that a click saves, and its duration in seconds."""
    with page.expect_download() as download:
        save()
    path = folder / download.value.suggested_filename
    assert path.stem.endswith("-drag") and path.suffix in (".mp4", ".webm")
    download.value.save_as(path)
    expect(page.get_by_role("button", name="Save", exact=True)).to_have_text("Save")
    with av.open(str(path)) as video:
        frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
        seconds = float(video.duration or 0) / av.time_base
    assert len(frames) > 20 and frames[0].shape == (512, 512, 3)
    return frames, seconds


def in_few_pixels(image: np.ndarray) -> np.ndarray:
    """An image in 32 x 32 pixels."""
    return np.asarray(Image.fromarray(image).resize((32, 32), Image.Resampling.BOX), float)
