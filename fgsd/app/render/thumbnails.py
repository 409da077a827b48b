"""A small real crop of every class."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from fgsd.checkpoint import CheckpointInfo
from fgsd.data import TextureFolder

log = logging.getLogger(__name__)

MISSING = (128, 128, 128)  # colour of a class without an image


def training_images(folder: str | Path | None, info: CheckpointInfo) -> TextureFolder | None:
    """Load the images that a checkpoint was trained on, with its data settings; None without a folder.

    Raises
    ------
    FileNotFoundError, ValueError
        If the folder does not exist or holds no usable image.
    """
    if folder is None:
        return None
    data = TextureFolder(folder, info.data)
    for line in data.skipped:
        log.warning("skipped %s", line)
    return data


def thumbnails(
    data: TextureFolder | None, classes: Sequence[str], info: CheckpointInfo, *, side: int = 64
) -> list[Image.Image]:
    """Return the middle of the first image of each class, as large as a training crop, then scaled.

    Parameters
    ----------
    data : TextureFolder or None
        The images that the checkpoint was trained on. With None, and for a class without an image, the
        thumbnail is plain grey.
    side : int
        Side of a thumbnail, in pixels.
    """
    available = set() if data is None else set(data.classes)
    pictures = []
    for name in classes:
        if data is None or name not in available:
            pictures.append(Image.new("RGB", (side, side), MISSING))
            continue
        image = data.image(name)
        left, top = (image.width - info.patch_size) // 2, (image.height - info.patch_size) // 2
        crop = image.crop((left, top, left + info.patch_size, top + info.patch_size))
        pictures.append(crop.resize((side, side), Image.Resampling.LANCZOS))
    return pictures
