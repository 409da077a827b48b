"""A small real crop of every class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from fgsd.checkpoint import CheckpointInfo
from fgsd.data import DataConfig, TextureFolder

MISSING = (128, 128, 128)  # colour of a class without an image


def training_images(folder: str | Path | None, info: CheckpointInfo) -> TextureFolder | None:
    """Return the images that a checkpoint was trained on, at its scale; None without a folder.

    Raises
    ------
    FileNotFoundError, ValueError
        If the folder does not exist or holds no usable image.
    """
    if folder is None:
        return None
    return TextureFolder(folder, DataConfig(image_size=info.image_size, patch_size=info.patch_size))


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
