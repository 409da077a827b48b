"""Texture folders: load images, hold out a strip of each for testing, cut random crops."""

from __future__ import annotations

from collections.abc import Collection
from copy import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fgsd.image_files import find_images
from fgsd.images import ImageError, load_image
from fgsd.names import normalize_name, printable


def scale_down(image: Image.Image, shorter_side: int | None) -> Image.Image:
    """Scale an image to a shorter side in pixels; smaller images, and all if it is None, stay as they are."""
    if shorter_side is None or min(image.size) <= shorter_side:
        return image
    scale = shorter_side / min(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS)


def to_tensor(image: Image.Image | np.ndarray) -> Tensor:
    """Convert an RGB image, or its 8-bit pixels (H, W, 3), to a float32 tensor (3, H, W) in [-1, 1]."""
    return scale_pixels(torch.from_numpy(np.array(image, dtype=np.uint8)).permute(2, 0, 1))


def scale_pixels(pixels: Tensor) -> Tensor:
    """Convert 8-bit pixel values to float32 in [-1, 1]."""
    return pixels.float() / 127.5 - 1.0


def to_images(x: Tensor) -> list[Image.Image]:
    """Convert a batch (B, 3, H, W) to 8-bit RGB images; values are clipped to [-1, 1]."""
    pixels = ((x.detach().float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return [Image.fromarray(p) for p in pixels.permute(0, 2, 3, 1).cpu().numpy()]


@dataclass(frozen=True)
class DataConfig:
    """How the images of a folder are scaled, split and cropped."""

    image_size: int | None = 192  # pixels; larger images are scaled to this shorter side; None: not scaled
    patch_size: int = 64  # side of a square crop, in pixels
    test_share: float = 1 / 3  # share of the rows of each image, at the bottom, that is held out for testing

    def __post_init__(self) -> None:
        if self.patch_size < 1:
            raise ValueError(f"patch_size={self.patch_size} must be at least 1 pixel")
        if self.image_size is not None and self.image_size < self.patch_size:
            raise ValueError(f"image_size={self.image_size} must be at least patch_size={self.patch_size}")
        if not 0 <= self.test_share < 1:
            raise ValueError(f"test_share={self.test_share} must be at least 0 and below 1")


@dataclass(frozen=True)
class _Region:
    """The training or test rows of an image.

    A region that wraps is extended to the right by its first `max_crop - 1` columns, so that crops across
    the right edge are slices of it.
    """

    pixels: np.ndarray  # (H, W, 3) uint8
    wraps: bool
    width: int  # of the image in pixels, without the extension

    @property
    def largest_crop(self) -> int:
        """Side of the largest crop, in pixels."""
        height, width = self.pixels.shape[:2]
        return min(height, width - self.width + 1 if self.wraps else width)

    def positions(self, size: int) -> tuple[int, int]:
        """Return the number of rows and of columns at which a crop of `size` can start."""
        return self.pixels.shape[0] - size + 1, self.width if self.wraps else self.width - size + 1


class TextureFolder:
    """Random crops of the images in a folder.

    A class is an image file, or a sub-folder with image files at any depth; links to folders are followed.
    Hidden files and folders, and those that tools make, are skipped (see `fgsd.image_files.is_hidden`). Every
    image is loaded once (see `fgsd.images.load_image` for formats), scaled, and split into two regions: the
    lowest `test_share` of its rows is held out ("test"), the rest is for training ("train"). If its left and
    right edges match (see `tiles_horizontally`), crops wrap from the right edge to the left. Crops never wrap
    from top to bottom, which would cross the held-out rows.

    Parameters
    ----------
    folder : str or Path
    config : DataConfig, optional
    max_crop : int, optional
        Side of the largest crop that can be cut, in pixels; by default and at least `config.patch_size`.

    Attributes
    ----------
    classes : list of str
        In alphabetical order: file names without suffix, and names of sub-folders, in Unicode form NFC.
        Methods that take a name accept any form.
    skipped : list of str
        Messages about images that were refused, hidden images and folders, and class folders without a
        usable image; each with the path and the reason.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    ValueError
        If the folder has no usable image or cannot be read, or the name of a class is not UTF-8 or occurs in
        two Unicode forms.
    """

    def __init__(
        self, folder: str | Path, config: DataConfig | None = None, *, max_crop: int | None = None
    ) -> None:
        self.folder, self.config = Path(folder), config or DataConfig()
        self.max_crop = max(self.config.patch_size, max_crop or 0)
        if not self.folder.is_dir():
            raise FileNotFoundError(f"data folder {printable(self.folder)!r} does not exist")
        self._regions: dict[str, dict[str, list[_Region]]] = {"train": {}, "test": {}}
        self._images: dict[str, list[Image.Image]] = {}
        found = find_images(self.folder)
        self.skipped = []
        for path, name in found.files:
            try:
                self._add_image(name, load_image(path), printable(path))
            except ImageError as error:
                self.skipped.append(str(error))
        self.skipped += found.skipped
        for path, name in found.folders:
            if name not in self._images:
                self.skipped.append(f"{printable(path)}: no usable image, so there is no class {name!r}")
        self.classes = sorted(self._images)
        if not self.classes:
            reasons = "".join(f"\n  {line}" for line in self.skipped)
            raise ValueError(
                f"no usable image in {printable(self.folder)!r}{':' if reasons else ''}{reasons}"
            )

    def _add_image(self, name: str, image: Image.Image, source: str) -> None:
        config, size = self.config, self.config.patch_size
        image = scale_down(image, config.image_size)
        held_out = round(image.height * config.test_share)
        parts = {"train": (0, image.height - held_out), "test": (image.height - held_out, image.height)}
        if (config.test_share > 0 and held_out < size) or min(image.height - held_out, image.width) < size:
            needed = (
                size
                if config.test_share == 0
                else int(np.ceil(size / min(config.test_share, 1 - config.test_share)))
            )
            raise ImageError(
                f"{source}: {image.width} x {image.height} pixels is too small for crops of {size} with a "
                f"test_share of {config.test_share:.3g}; at least {size} x {needed} are needed"
            )
        pixels = np.asarray(image)
        wraps = tiles_horizontally(pixels)
        if wraps:
            pixels = np.concatenate([pixels, pixels[:, : self.max_crop - 1]], axis=1)
        for split, (top, bottom) in parts.items():
            if bottom > top:
                region = _Region(pixels[top:bottom], wraps, image.width)
                self._regions[split].setdefault(name, []).append(region)
        self._images.setdefault(name, []).append(image)

    def only(self, names: Collection[str]) -> TextureFolder:
        """Return a folder that has only some of the classes.

        Raises
        ------
        KeyError
            If a name is no class.
        ValueError
            If there are no names.
        """
        kept = {self._check_class(name) for name in names}
        if not kept:
            raise ValueError(f"no class of {printable(self.folder)!r} is left")
        part = copy(self)
        part.classes = [name for name in self.classes if name in kept]
        part._images = {name: images for name, images in self._images.items() if name in kept}
        part._regions = {
            split: {name: found for name, found in regions.items() if name in kept}
            for split, regions in self._regions.items()
        }
        return part

    def without(self, names: Collection[str]) -> TextureFolder:
        """Return a folder that lacks some of the classes; raises what `only` raises."""
        left_out = {self._check_class(name) for name in names}
        return self.only([name for name in self.classes if name not in left_out])

    def joined(self, other: TextureFolder) -> TextureFolder:
        """Return a folder that has the classes of both.

        Raises
        ------
        ValueError
            If both have a class, or their settings differ.
        """
        if shared := [name for name in self.classes if name in other.classes]:
            folders = f"{printable(self.folder)!r} and {printable(other.folder)!r}"
            raise ValueError(f"{folders} both have a class named {', '.join(shared)}; rename one")
        if self.config != other.config:
            raise ValueError(f"folders with {self.config} and {other.config} cannot be joined")
        both = copy(self)
        both.classes = sorted([*self.classes, *other.classes])
        both._images = self._images | other._images
        both._regions = {split: regions | other._regions[split] for split, regions in self._regions.items()}
        both.max_crop = min(self.max_crop, other.max_crop)
        both.skipped = [*self.skipped, *other.skipped]
        return both

    def image(self, name: str) -> Image.Image:
        """Return the first image of a class, scaled and uncropped."""
        return self._images[self._check_class(name)][0]

    def regions(self, name: str, split: str = "train") -> list[Tensor]:
        """Return the training or test rows of each image of a class: (3, H, W) in [-1, 1].

        Images that wrap are extended to the right by `max_crop - 1` pixels, so that every crop is a slice.
        """
        return [to_tensor(region.pixels) for region in self._regions[split].get(self._check_class(name), [])]

    def largest_crop(self, name: str, split: str = "train") -> int:
        """Return the side of the largest crop, in pixels: `max_crop`, or what the smallest image allows."""
        regions = self._regions[split][self._check_class(name)]
        return min(self.max_crop, *(region.largest_crop for region in regions))

    def crops(
        self, name: str, n: int, generator: torch.Generator, *, split: str = "train", size: int | None = None
    ) -> Tensor:
        """Cut random square crops of a class; `pixels` documents the parameters.

        Returns
        -------
        Tensor of shape (n, 3, size, size), float32 in [-1, 1]
        """
        return scale_pixels(self.pixels(name, n, generator, split=split, size=size))

    def pixels(
        self, name: str, n: int, generator: torch.Generator, *, split: str = "train", size: int | None = None
    ) -> Tensor:
        """Cut random square crops of a class as 8-bit pixels.

        Parameters
        ----------
        name : str
            One of `classes`.
        n : int
            Number of crops. They are drawn independently and uniformly over all positions in all images.
        generator : torch.Generator
            On the CPU; the same state gives the same crops.
        split : {"train", "test"}
        size : int, optional
            Side of a crop in pixels, at most `largest_crop(name)`; by default `patch_size`.

        Returns
        -------
        Tensor of shape (n, 3, size, size), uint8

        Raises
        ------
        KeyError
            If there is no such class.
        ValueError
            If `size` is out of range, or the split of the class is empty.
        """
        size, name = size or self.config.patch_size, self._check_class(name)
        origins, regions = self._draw_origins(name, n, generator, split, size), self._regions[split][name]
        out = np.empty((n, size, size, 3), dtype=np.uint8)
        for k, (image, left, top) in enumerate(origins):
            out[k] = regions[image].pixels[top : top + size, left : left + size]
        return torch.from_numpy(out).permute(0, 3, 1, 2)

    def crops_with_origins(self, name: str, n: int, generator: torch.Generator) -> tuple[Tensor, np.ndarray]:
        """Cut the training crops that `crops` cuts for the same generator, and return their origins too.

        Returns
        -------
        crops : Tensor of shape (n, 3, patch_size, patch_size), float32 in [-1, 1]
        origins : array of int, shape (n, 3)
            Index of the image within the class, and left and top edge of the crop, in pixels of the scaled
            image. A crop of an image that wraps may continue at the image's left edge.
        """
        state = generator.get_state()
        crops = self.crops(name, n, generator)
        generator.set_state(state)
        return crops, np.array(self._draw_origins(name, n, generator, "train", self.config.patch_size))

    def _draw_origins(
        self, name: str, n: int, generator: torch.Generator, split: str, size: int
    ) -> list[tuple[int, int, int]]:
        """Draw the origins of random crops: (index of the region, left, top)."""
        regions = self._regions[split].get(self._check_class(name), [])
        if not regions:
            raise ValueError(
                f"split={split!r} of class {name!r} is empty (test_share={self.config.test_share})"
            )
        if not 1 <= size <= (largest := self.largest_crop(name, split)):
            raise ValueError(f"size={size} must be from 1 to {largest}, the largest crop of class {name!r}")
        counts = torch.tensor([float(np.prod(region.positions(size))) for region in regions])
        picks = torch.multinomial(counts, n, replacement=True, generator=generator).tolist()
        fractions = torch.rand(n, 2, generator=generator, dtype=torch.float64).tolist()
        origins = []
        for pick, (down, across) in zip(picks, fractions, strict=True):
            rows, columns = regions[pick].positions(size)
            origins.append((pick, int(across * columns), int(down * rows)))
        return origins

    def _check_class(self, name: str) -> str:
        """Return the name of a class as `classes` has it; raise `KeyError` if there is no such class."""
        normalized = normalize_name(name)
        if normalized not in self._images:
            raise KeyError(
                f"class {name!r} is not in {printable(self.folder)!r}; its classes are "
                f"{', '.join(self.classes)}"
            )
        return normalized


def tiles_horizontally(pixels: np.ndarray) -> bool:
    """Return whether an image (H, W, 3) continues from its right to its left edge without a visible seam.

    True if the mean absolute difference between its last and first column is at most 1.2 times the largest
    between neighbouring columns (of the shipped textures, for all but "lava").
    """
    values = pixels.astype(np.float32)
    inner = np.abs(np.diff(values, axis=1)).mean(axis=(0, 2))
    return bool(np.abs(values[:, 0] - values[:, -1]).mean() <= 1.2 * inner.max())
