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
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d

from fgsd.data import DataConfig, scale_down, to_tensor
from fgsd.images import ImageError, load_image
from fgsd.masks import Mask, read_mask

Images = Image.Image | str | Path | Sequence[Image.Image | str | Path]
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
        shares = avg_pool2d(self.mask[None].double(), self.patch_size, stride=1)
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
        Which part of an image is the texture: at least a half, see `read_mask`. Of the size of the upright
        image.

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
        shorter = min(image.size)
        side = max(1, round(scale * min(config.image_size or shorter, shorter)))
        mask_name = str(mask) if isinstance(mask, (str, Path)) else "the mask"
        pixels = to_tensor(scale_down(image, side))
        height, width = pixels.shape[1:]
        inside = None if mask is None else _inside(mask, mask_name, image, (height, width))
        try:
            photographs.append(Photograph(pixels, config.patch_size, inside))
        except ImageError as error:
            raise ImageError(f"{name}: {error}") from None
    return photographs


def _inside(mask: Mask, name: str, image: Image.Image, shape: tuple[int, int]) -> Tensor:
    """Return where a mask is at least a half, of the size of an image, scaled to a `shape` (H, W)."""
    values = read_mask(mask, name)
    height, width = values.shape
    if (width, height) != image.size:
        raise ImageError(
            f"{name}: {width} x {height} pixels; the image has {image.width} x {image.height}, and a mask "
            "must have as many"
        )
    return adaptive_avg_pool2d(values[None], shape)[0] >= 0.5
