"""A real crop of every class, small, all in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from fgsd.checkpoint import CheckpointInfo
from fgsd.data import DataConfig, TextureFolder

MISSING = (128, 128, 128)  # a class without an image is shown in grey


def thumbnails(
    folder: str | Path | None, classes: Sequence[str], info: CheckpointInfo, *, side: int = 64
) -> list[Image.Image]:
    """The middle of the first image of each class, at the scale that the network was trained at.

    Parameters
    ----------
    folder : str, Path or None
        The images that the checkpoint was trained on; with None, or for a class that is not in it, the
        thumbnail is plain grey.
    side : int
        Of a thumbnail, in pixels.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is a folder name, but no such folder or no usable image in it.
    """
    known, data = set(), None
    if folder is not None:
        data = TextureFolder(folder, DataConfig(image_size=info.image_size, patch_size=info.patch_size))
        known = set(data.classes)
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
