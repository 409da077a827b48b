"""Texture folders: read every image once, hold a strip of each out for testing, cut random crops."""

from __future__ import annotations

import contextlib
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

COMPANION_SUFFIXES = {".csv", ".json", ".md", ".txt", ".html", ".yaml", ".yml"}
MAX_PIXELS = 100_000_000  # an image that claims more is refused before it is decoded


class ImageError(ValueError):
    """An image that cannot be used; the message names the file and the reason."""


def load_image(source: str | Path | Image.Image) -> Image.Image:
    """Read an image as 8-bit RGB, whatever it was stored as.

    Grey and palette images become RGB, 16-bit ones are scaled to 8 bits, transparent ones are laid on
    white, the EXIF orientation is applied, and of an animation the first frame is taken. The format is
    told from the content, not from the file name.

    Raises
    ------
    ImageError
        If the file is missing, is no image, is cut off, or claims more than `MAX_PIXELS` pixels.
    """
    name = "the image" if isinstance(source, Image.Image) else str(source)
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")  # Pillow's own bomb warning: the limit below is ours
            # the context closes a file, whatever is in it
            raw = source if isinstance(source, Image.Image) else stack.enter_context(Image.open(source))
            if raw.width * raw.height > MAX_PIXELS:
                raise ImageError(
                    f"{name}: {raw.width} x {raw.height} pixels, more than {MAX_PIXELS:,}; scale it down"
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
            raise ImageError(f"{name}: has pixels that are not finite numbers")
        if image.mode == "F":
            values = values * (255.0 if values.max() <= 1.0 else 1.0)
        elif image.mode.startswith("I;16") or values.max() > 255:
            values = values / 257.0
        image = Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def to_tensor(image: Image.Image | np.ndarray) -> Tensor:
    """An RGB image, or its pixels (H, W, 3), as a float32 tensor (3, H, W) in [-1, 1]."""
    return normalised(torch.from_numpy(np.array(image, dtype=np.uint8)).permute(2, 0, 1))


def normalised(pixels: Tensor) -> Tensor:
    """8-bit pixels as float32 in [-1, 1]."""
    return pixels.float() / 127.5 - 1.0


def to_images(x: Tensor) -> list[Image.Image]:
    """A batch (B, 3, H, W), clipped to [-1, 1], as 8-bit RGB images."""
    pixels = ((x.detach().float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return [Image.fromarray(p) for p in pixels.permute(0, 2, 3, 1).cpu().numpy()]


@dataclass(frozen=True)
class DataConfig:
    """How a folder of images becomes training crops."""

    image_size: int | None = 192  # shorter side of an image after scaling, in pixels; None: as stored
    patch_size: int = 64  # side of a square crop, in pixels
    test_share: float = 1 / 3  # share of the rows of each image, at its bottom, held out for testing

    def __post_init__(self) -> None:
        if self.patch_size < 1:
            raise ValueError(f"patch_size={self.patch_size} must be at least 1 pixel")
        if self.image_size is not None and self.image_size < self.patch_size:
            raise ValueError(f"image_size={self.image_size} must be at least patch_size={self.patch_size}")
        if not 0 <= self.test_share < 1:
            raise ValueError(f"test_share={self.test_share} must be at least 0 and below 1")


@dataclass(frozen=True)
class _Region:
    """A part of an image to crop from: pixels (H, W, 3) uint8; one that wraps is continued to the right by
    the width of a crop less one."""

    pixels: np.ndarray
    wraps: bool
    width: int  # of the image, without what was added

    def positions(self, size: int) -> tuple[int, int]:
        """Number of rows and of columns at which a crop of `size` may start."""
        return self.pixels.shape[0] - size + 1, self.width if self.wraps else self.width - size + 1


class TextureFolder:
    """Crops of the images in a folder: one image a class, or one sub-folder a class.

    Every image is read once, scaled, and split in two: its lowest `test_share` of rows is held out
    ("test"), the rest is for training ("train"). An image whose left and right edges meet without a
    jump (a tile) wraps from side to side in both parts; no crop wraps from top to bottom, since it
    would cross the held-out strip.

    Attributes
    ----------
    classes : list of str
        Names in alphabetical order: file names without suffix, or names of sub-folders.
    skipped : list of str
        A line for each file that was refused, naming it and the reason.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    ValueError
        If no usable image is in it.
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
                self._add(name, load_image(path), str(path))
            except ImageError as error:
                self.skipped.append(str(error))
        self.classes = sorted(self._images)
        if not self.classes:
            reasons = "".join(f"\n  {line}" for line in self.skipped)
            raise ValueError(f"no usable image in {str(folder)!r}{':' if reasons else ''}{reasons}")

    def _files(self) -> list[tuple[Path, str]]:
        found = []
        for path in sorted(self.folder.iterdir()):
            if path.name.startswith("."):
                continue
            if path.is_dir():
                inner = sorted(p for p in path.rglob("*") if _readable(p) and not p.name.startswith("."))
                found += [(p, path.name) for p in inner]
            elif _readable(path):
                found.append((path, path.stem))
        return [(p, name) for p, name in found if p.suffix.lower() not in COMPANION_SUFFIXES]

    def _add(self, name: str, image: Image.Image, source: str) -> None:
        config, size = self.config, self.config.patch_size
        if config.image_size is not None:
            scale = config.image_size / min(image.size)
            if scale < 1:
                image = image.resize(
                    (max(1, round(image.width * scale)), max(1, round(image.height * scale))),
                    Image.Resampling.LANCZOS,
                )
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
        """The first image of a class, scaled, whole."""
        return self._images[self._check(name)][0]

    def regions(self, name: str, split: str = "train") -> list[Tensor]:
        """The training or test parts of a class's images, each (3, H, W) in [-1, 1]; tiles are extended to
        the right by a crop's width less one, so that every crop is found in them."""
        return [to_tensor(region.pixels) for region in self._regions[split].get(self._check(name), [])]

    def crops(
        self,
        name: str,
        n: int,
        generator: torch.Generator,
        *,
        split: str = "train",
        size: int | None = None,
    ) -> Tensor:
        """Random square crops of a class; the parameters are those of `pixels`.

        Returns
        -------
        Tensor of shape (n, 3, size, size), float32 in [-1, 1].
        """
        return normalised(self.pixels(name, n, generator, split=split, size=size))

    def pixels(
        self,
        name: str,
        n: int,
        generator: torch.Generator,
        *,
        split: str = "train",
        size: int | None = None,
    ) -> Tensor:
        """Random square crops of a class, as they are stored.

        Parameters
        ----------
        name : str
            One of `classes`; another raises `KeyError`.
        n : int
            How many, drawn independently, images weighted by their number of crop positions.
        generator : torch.Generator
            A CPU generator: the same state gives the same crops.
        split : {"train", "test"}
        size : int, optional
            Side of a crop in pixels, at most `patch_size`, which is the default.

        Returns
        -------
        Tensor of shape (n, 3, size, size), uint8.
        """
        size = size or self.config.patch_size
        places, regions = self._places(name, n, generator, split, size), self._regions[split][name]
        out = np.empty((n, size, size, 3), dtype=np.uint8)
        for k, (image, left, top) in enumerate(places):
            out[k] = regions[image].pixels[top : top + size, left : left + size]
        return torch.from_numpy(out).permute(0, 3, 1, 2)

    def placed_crops(self, name: str, n: int, generator: torch.Generator) -> tuple[Tensor, np.ndarray]:
        """Random training crops with where they come from; those of `crops` for the same generator.

        Returns
        -------
        crops : Tensor of shape (n, 3, patch_size, patch_size), float32 in [-1, 1]
        places : array of int, shape (n, 3)
            Number of the image within the class, and left and top edge of the crop in it, in pixels of the
            scaled image. A crop of an image that wraps may go on at the left edge.
        """
        state = generator.get_state()
        crops = self.crops(name, n, generator)
        generator.set_state(state)
        return crops, np.array(self._places(name, n, generator, "train", self.config.patch_size))

    def _places(
        self, name: str, n: int, generator: torch.Generator, split: str, size: int
    ) -> list[tuple[int, int, int]]:
        """Random crops as (number of the region, left, top)."""
        if not 1 <= size <= self.config.patch_size:
            raise ValueError(f"size={size} must be from 1 to patch_size={self.config.patch_size}")
        regions = self._regions[split].get(self._check(name), [])
        if not regions:
            raise ValueError(
                f"split={split!r} of class {name!r} is empty (test_share={self.config.test_share})"
            )
        counts = torch.tensor([float(np.prod(region.positions(size))) for region in regions])
        picks = torch.multinomial(counts, n, replacement=True, generator=generator).tolist()
        shares = torch.rand(n, 2, generator=generator, dtype=torch.float64).tolist()
        places = []
        for pick, (down, across) in zip(picks, shares, strict=True):
            rows, columns = regions[pick].positions(size)
            places.append((pick, int(across * columns), int(down * rows)))
        return places

    def _check(self, name: str) -> str:
        if name not in self._images:
            raise KeyError(f"class {name!r} is not in {str(self.folder)!r}; it has {', '.join(self.classes)}")
        return name


def _readable(path: Path) -> bool:
    """A file, or a link to nothing, which will be refused by name; no pipe or device, which may never end."""
    return path.is_file() or (path.is_symlink() and not path.exists())


def tiles_horizontally(pixels: np.ndarray) -> bool:
    """Whether an image (H, W, 3) continues from its right edge to its left without a visible jump.

    True if the mean absolute difference across the border is at most 1.2 times the largest between
    neighbouring columns inside (of the shipped pack, all but "lava" tile).
    """
    values = pixels.astype(np.float32)
    inner = np.abs(np.diff(values, axis=1)).mean(axis=(0, 2))
    return bool(np.abs(values[:, 0] - values[:, -1]).mean() <= 1.2 * inner.max())
