"""Images of one texture, such as photographs: load them, mask them, cut random crops."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fgsd.data import DataConfig, scale_down, to_tensor
from fgsd.images import ImageError, load_image

Images = Image.Image | str | Path | Sequence[Image.Image | str | Path]
Mask = Image.Image | str | Path | np.ndarray | Tensor
Masks = Mask | Sequence[Mask | None] | None
MASK_SHARE = 0.98  # of the pixels of a crop that lie inside the mask; its edge may be ragged


@dataclass(frozen=True)
class Photograph:
    """An image of a texture at the scale of the training images.

    Parameters
    ----------
    pixels : Tensor of shape (3, H, W), float32 in [-1, 1]
    patch_size : int
        Side of the crops, in pixels.
    mask : Tensor of bool, shape (H, W), optional
        True where the texture is; by default everywhere.

    Raises
    ------
    ImageError
        If the image is smaller than a crop, or no crop lies inside the mask.
    """

    pixels: Tensor
    patch_size: int
    mask: Tensor | None = None

    def __post_init__(self) -> None:
        height, width = self.pixels.shape[1:]
        if min(height, width) < self.patch_size:
            size = f"{self.patch_size} x {self.patch_size}"
            raise ImageError(f"{width} x {height} pixels; at least {size} are needed")
        if self._origins is not None and len(self._origins) == 0:
            raise ImageError(
                f"no crop of {self.patch_size} x {self.patch_size} pixels lies inside the mask, in an image "
                f"of {width} x {height} pixels; mask a larger part, or raise the scale"
            )

    @cached_property
    def _origins(self) -> Tensor | None:
        """Rows and columns (P, 2) of the crops inside the mask."""
        if self.mask is None:
            return None
        shares = torch.nn.functional.avg_pool2d(self.mask[None].double(), self.patch_size, stride=1)
        return (shares[0] >= MASK_SHARE).nonzero()

    def crop(self, generator: torch.Generator) -> Tensor:
        """Cut a random crop (3, patch_size, patch_size)."""
        size = self.patch_size
        if self._origins is None:
            top = int(torch.randint(self.pixels.shape[1] - size + 1, (1,), generator=generator))
            left = int(torch.randint(self.pixels.shape[2] - size + 1, (1,), generator=generator))
        else:
            top, left = self._origins[
                int(torch.randint(len(self._origins), (1,), generator=generator))
            ].tolist()
        return self.pixels[:, top : top + size, left : left + size]

    def middle(self) -> Tensor:
        """Return the middle square of the image, or the crop in the middle of the mask: (3, N, N)."""
        height, width = self.pixels.shape[1:]
        if self._origins is None:
            size = min(height, width)
            top, left = (height - size) // 2, (width - size) // 2
        else:
            size, origins = self.patch_size, self._origins.double()
            centre = (origins - origins.mean(dim=0)).square().sum(dim=1).argmin()
            top, left = self._origins[centre].tolist()
        return self.pixels[:, top : top + size, left : left + size]


def random_crops(photographs: Sequence[Photograph], n: int, generator: torch.Generator) -> Tensor:
    """Cut `n` random crops from images, taken in turn: (n, 3, patch_size, patch_size)."""
    return torch.stack([photographs[k % len(photographs)].crop(generator) for k in range(n)])


def load_photographs(
    images: Images,
    config: DataConfig,
    *,
    scale: float = 1.0,
    masks: Masks = None,
) -> list[Photograph]:
    """Load one or several images of a texture at the scale of the training images.

    Parameters
    ----------
    images : image or path, or a sequence of them
    config : DataConfig
        Of the training.
    scale : float
        The shorter side of an image is scaled to `scale` times that of the training images. Images are not
        enlarged.
    masks : image, path, array or Tensor of shape (H, W), or a sequence with one or None per image, optional
        Which part of an image is the texture: white, True or at least half of the largest value (255, or 1
        for floats). Of the size of the upright image.

    Raises
    ------
    ImageError
        If an image or mask cannot be loaded, their sizes differ, or no crop fits in once they are scaled.
    ValueError
        If there are no images, there are more or fewer masks, or `scale` is not positive.
    """
    if not 0 < scale < math.inf:
        raise ValueError(f"scale={scale} must be a positive number")
    sources = [images] if isinstance(images, (Image.Image, str, Path)) else list(images)
    if not sources:
        raise ValueError("images is empty; give at least one image")
    if masks is None:
        masks = [None] * len(sources)
    found = [masks] if isinstance(masks, (Image.Image, str, Path, np.ndarray, Tensor)) else list(masks)
    if len(found) != len(sources):
        raise ValueError(f"masks: {len(found)} for {len(sources)} images; give one, or None, for each")
    photographs = []
    for source, mask in zip(sources, found, strict=True):
        name = "the image" if isinstance(source, Image.Image) else str(source)
        image = load_image(source)
        inside = None if mask is None else _load_mask(mask, image.size)
        shorter = min(image.size)
        side = max(1, round(scale * min(config.image_size or shorter, shorter)))
        try:
            image = scale_down(image, side)
            levels = None if inside is None else np.array(inside.resize(image.size, Image.Resampling.BOX))
            where = None if levels is None else torch.from_numpy(levels) >= 128
            photographs.append(Photograph(to_tensor(image), config.patch_size, where))
        except ImageError as error:
            raise ImageError(f"{name}: {error}") from None
    return photographs


def _load_mask(mask: Mask, size: tuple[int, int]) -> Image.Image:
    """Return a mask as a grey image; raise `ImageError` unless it has the `size` of the image."""
    name = str(mask) if isinstance(mask, (str, Path)) else "the mask"
    if isinstance(mask, (np.ndarray, Tensor)):
        values = np.asarray(mask)
        if values.ndim != 2 or values.dtype.kind not in "biuf":
            raise ImageError(
                f"{name}: has shape {values.shape} and type {values.dtype}, expected (H, W) numbers"
            )
        white = 1.0 if values.dtype.kind in "bf" else 255.0
        image = Image.fromarray(np.where(values >= white / 2, 255, 0).astype(np.uint8))
    else:
        image = load_image(mask).convert("L")
    if image.size != size:
        raise ImageError(
            f"{name}: {image.width} x {image.height} pixels; the image has {size[0]} x {size[1]}, and a mask "
            "must have as many"
        )
    return image
