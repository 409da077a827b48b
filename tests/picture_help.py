"""How far a picture on the screen is from an image, and which of several images it shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image


def luma(image: Image.Image | np.ndarray, side: int | None = None) -> np.ndarray:
    """Brightness, enlarged as the page does: the lossy previews keep colours at half the resolution."""
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image = image if side is None else image.resize((side, side), Image.Resampling.LANCZOS)
    return np.asarray(image.convert("L"), dtype=float)


def distance(shown: np.ndarray, image: Image.Image, *, side: int | None = None) -> float:
    """Of brightness, by default pixel by pixel; or of both reduced to `side` pixels.

    Of steps before the last only what is coarse can be compared: a busy machine sends smaller previews.
    """
    if side is None:
        return float(np.abs(luma(shown) - luma(image, len(shown))).mean())
    one, other = (
        picture.convert("L").resize((side, side), Image.Resampling.BOX)
        for picture in (Image.fromarray(shown), image)
    )
    return float(np.abs(np.asarray(one, dtype=float) - np.asarray(other, dtype=float)).mean())


def nearest(shown: np.ndarray, images: Sequence[Image.Image]) -> int:
    """Which of the pictures of a step is on the screen; it must look like it, too."""
    far = [distance(shown, image, side=16) for image in images]
    assert min(far) < 10
    return int(np.argmin(far))
