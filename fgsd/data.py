"""Texture folders: load images, hold out a strip of each for testing, cut random crops."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

IGNORED_SUFFIXES = {".csv", ".json", ".md", ".txt", ".html", ".yaml", ".yml"}
MAX_PIXELS = 100_000_000  # larger images are refused before they are decoded


class ImageError(ValueError):
    """An image that cannot be used. The message names the file and the reason."""


def load_image(source: str | Path | Image.Image) -> Image.Image:
    """Load an image and convert it to 8-bit RGB.

    Grey and palette images become RGB, 16-bit images are scaled to 8 bits, transparent images are composited
    on white, and the EXIF orientation is applied. Of an animation, the first frame is loaded. The format is
    detected from the content, not from the file name.

    Raises
    ------
    ImageError
        If the file is missing, truncated or not an image, has pixels that are not finite, or declares more
        than `MAX_PIXELS` pixels.
    """
    name = "the image" if isinstance(source, Image.Image) else str(source)
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")  # Pillow warns of large images; MAX_PIXELS decides here
            # the exit stack closes files; an image that the caller passed stays open
            raw = source if isinstance(source, Image.Image) else stack.enter_context(Image.open(source))
            if raw.width * raw.height > MAX_PIXELS:
                raise ImageError(
                    f"{name}: {raw.width} x {raw.height} pixels exceed the limit of {MAX_PIXELS:,} pixels; "
                    "scale it down"
                )
            raw.load()
            image = ImageOps.exif_transpose(raw)
    except ImageError:
        raise
    except FileNotFoundError:
        raise ImageError(f"{name}: no such file") from None
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, struct.error, ...
        raise ImageError(f"{name}: not a readable image ({type(error).__name__}: {error})") from None
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, dtype=np.float64)
        if not np.isfinite(values).all():
            raise ImageError(f"{name}: some pixel values are not finite")
        if image.mode == "F":
            values = values * (255.0 if values.max() <= 1.0 else 1.0)
        elif image.mode.startswith("I;16") or values.max() > 255:
            values = values / 257.0
        image = Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def scale_down(image: Image.Image, shorter_side: int | None) -> Image.Image:
    """Scale an image to a shorter side in pixels; smaller images, and all if it is None, stay as they are."""
    if shorter_side is None or min(image.size) <= shorter_side:
        return image
    scale = shorter_side / min(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS)


def random_crops(images: Sequence[Tensor], n: int, size: int, generator: torch.Generator) -> Tensor:
    """Cut `n` random square crops from images (3, H, W), taken in turn: (n, 3, size, size)."""
    crops = []
    for k in range(n):
        pixels = images[k % len(images)]
        top = int(torch.randint(pixels.shape[1] - size + 1, (1,), generator=generator))
        left = int(torch.randint(pixels.shape[2] - size + 1, (1,), generator=generator))
        crops.append(pixels[:, top : top + size, left : left + size])
    return torch.stack(crops)


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

    A region that wraps is extended to the right by its first `patch_size - 1` columns, so that crops across
    the right edge are slices of it.
    """

    pixels: np.ndarray  # (H, W, 3) uint8
    wraps: bool
    width: int  # of the image in pixels, without the extension

    def positions(self, size: int) -> tuple[int, int]:
        """Return the number of rows and of columns at which a crop of `size` can start."""
        return self.pixels.shape[0] - size + 1, self.width if self.wraps else self.width - size + 1


class TextureFolder:
    """Random crops of the images in a folder.

    A class is an image file, or a sub-folder of image files. Every image is loaded once, scaled, and split
    into two regions: the lowest `test_share` of its rows is held out ("test"), the rest is for training
    ("train"). If its left and right edges match (see `tiles_horizontally`), crops wrap from the right edge to
    the left. Crops never wrap from top to bottom, which would cross the held-out rows.

    Parameters
    ----------
    folder : str or Path
    config : DataConfig, optional

    Attributes
    ----------
    classes : list of str
        In alphabetical order: file names without suffix, and names of sub-folders.
    skipped : list of str
        A message for each file that was refused, with its name and the reason.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    ValueError
        If the folder has no usable image.
    """

    def __init__(self, folder: str | Path, config: DataConfig | None = None) -> None:
        self.folder, self.config = Path(folder), config or DataConfig()
        if not self.folder.is_dir():
            raise FileNotFoundError(f"data folder {str(folder)!r} does not exist")
        self.skipped: list[str] = []
        self._regions: dict[str, dict[str, list[_Region]]] = {"train": {}, "test": {}}
        self._images: dict[str, list[Image.Image]] = {}
        for path, name in self._files():
            try:
                self._add_image(name, load_image(path), str(path))
            except ImageError as error:
                self.skipped.append(str(error))
        self.classes = sorted(self._images)
        if not self.classes:
            reasons = "".join(f"\n  {line}" for line in self.skipped)
            raise ValueError(f"no usable image in {str(folder)!r}{':' if reasons else ''}{reasons}")

    def _files(self) -> list[tuple[Path, str]]:
        """Return the files to load, each with the name of its class."""
        files = []
        for path in sorted(self.folder.iterdir()):
            if path.name.startswith("."):
                continue
            if path.is_dir():
                inner = sorted(p for p in path.rglob("*") if _is_loadable(p) and not p.name.startswith("."))
                files += [(p, path.name) for p in inner]
            elif _is_loadable(path):
                files.append((path, path.stem))
        return [(p, name) for p, name in files if p.suffix.lower() not in IGNORED_SUFFIXES]

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
            pixels = np.concatenate([pixels, pixels[:, : size - 1]], axis=1)
        for split, (top, bottom) in parts.items():
            if bottom > top:
                region = _Region(pixels[top:bottom], wraps, image.width)
                self._regions[split].setdefault(name, []).append(region)
        self._images.setdefault(name, []).append(image)

    def image(self, name: str) -> Image.Image:
        """Return the first image of a class, scaled and uncropped."""
        return self._images[self._check_class(name)][0]

    def regions(self, name: str, split: str = "train") -> list[Tensor]:
        """Return the training or test rows of each image of a class: (3, H, W) in [-1, 1].

        Images that wrap are extended to the right by `patch_size - 1` pixels, so that every crop is a slice.
        """
        return [to_tensor(region.pixels) for region in self._regions[split].get(self._check_class(name), [])]

    def crops(
        self,
        name: str,
        n: int,
        generator: torch.Generator,
        *,
        split: str = "train",
        size: int | None = None,
    ) -> Tensor:
        """Cut random square crops of a class; `pixels` documents the parameters.

        Returns
        -------
        Tensor of shape (n, 3, size, size), float32 in [-1, 1]
        """
        return scale_pixels(self.pixels(name, n, generator, split=split, size=size))

    def pixels(
        self,
        name: str,
        n: int,
        generator: torch.Generator,
        *,
        split: str = "train",
        size: int | None = None,
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
            Side of a crop in pixels, at most `patch_size`, which is the default.

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
        size = size or self.config.patch_size
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
        if not 1 <= size <= self.config.patch_size:
            raise ValueError(f"size={size} must be from 1 to patch_size={self.config.patch_size}")
        regions = self._regions[split].get(self._check_class(name), [])
        if not regions:
            raise ValueError(
                f"split={split!r} of class {name!r} is empty (test_share={self.config.test_share})"
            )
        counts = torch.tensor([float(np.prod(region.positions(size))) for region in regions])
        picks = torch.multinomial(counts, n, replacement=True, generator=generator).tolist()
        fractions = torch.rand(n, 2, generator=generator, dtype=torch.float64).tolist()
        origins = []
        for pick, (down, across) in zip(picks, fractions, strict=True):
            rows, columns = regions[pick].positions(size)
            origins.append((pick, int(across * columns), int(down * rows)))
        return origins

    def _check_class(self, name: str) -> str:
        if name not in self._images:
            raise KeyError(
                f"class {name!r} is not in {str(self.folder)!r}; its classes are {', '.join(self.classes)}"
            )
        return name


def _is_loadable(path: Path) -> bool:
    """Return whether a path is a file, or a broken link, which `load_image` then reports by name.

    Pipes and devices are left out: reading from them can block for ever.
    """
    return path.is_file() or (path.is_symlink() and not path.exists())


def tiles_horizontally(pixels: np.ndarray) -> bool:
    """Return whether an image (H, W, 3) continues from its right to its left edge without a visible seam.

    True if the mean absolute difference between its last and first column is at most 1.2 times the largest
    between neighbouring columns (of the shipped textures, for all but "lava").
    """
    values = pixels.astype(np.float32)
    inner = np.abs(np.diff(values, axis=1)).mean(axis=(0, 2))
    return bool(np.abs(values[:, 0] - values[:, -1]).mean() <= 1.2 * inner.max())
