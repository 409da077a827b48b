"""A real crop of every class, small, all in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from fgsd.checkpoint import CheckpointInfo
from fgsd.data import DataConfig, TextureFolder

MISSING = (128, 128, 128)  # a class without an image is shown in grey


def training_images(folder: str | Path | None, info: CheckpointInfo) -> TextureFolder | None:
    """The images that a checkpoint was trained on, at its scale; None without a folder.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is a folder name, but no such folder or no usable image in it.
    """
    if folder is None:
        return None
    return TextureFolder(folder, DataConfig(image_size=info.image_size, patch_size=info.patch_size))


def thumbnails(
    data: TextureFolder | None, classes: Sequence[str], info: CheckpointInfo, *, side: int = 64
) -> list[Image.Image]:
    """The middle of the first image of each class, at the scale that the network was trained at.

    Parameters
    ----------
    data : TextureFolder or None
        The images that the checkpoint was trained on; with None, or for a class that is not in it, the
        thumbnail is plain grey.
    side : int
        Of a thumbnail, in pixels.
    """
    known = set() if data is None else set(data.classes)
    found = []
    for name in classes:
        if name not in known:
            found.append(Image.new("RGB", (side, side), MISSING))
            continue
        image = data.image(name)
        left, top = (image.width - info.patch_size) // 2, (image.height - info.patch_size) // 2
        crop = image.crop((left, top, left + info.patch_size, top + info.patch_size))
        found.append(crop.resize((side, side), Image.Resampling.LANCZOS))
    return found
