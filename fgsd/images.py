"""Read one image of any format as 8-bit sRGB."""

from __future__ import annotations

import contextlib
import io
import warnings
import zlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, ImageCms

from fgsd.names import printable

MAX_PIXELS = 100_000_000  # larger images are refused before they are decoded
MAX_FLOAT = 1.25  # filters overshoot 1 by this much; larger values have another unit
NEAR_SRGB = 2  # grey levels; a profile this near to sRGB is ignored, so that pixels stay exact
ORIENTATION = 0x0112  # EXIF tag
BITS_PER_SAMPLE, PHOTOMETRIC = 258, 262  # TIFF tags
TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_PIXEL_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
PNG_USEFUL_CHUNKS = {b"eXIf", b"iCCP"}  # orientation and colours
MAX_PNG_PROFILE_BYTES = 1_000_000  # decompressed; Pillow refuses larger ones


class ImageError(ValueError):
    """An image that cannot be used. The message names the file and the reason."""


def load_image(source: str | Path | Image.Image) -> Image.Image:
    """Load an image as upright 8-bit RGB in the sRGB colour space, without its metadata.

    The format is detected from the content, not from the file name. The first frame of an animation is used,
    and transparent images are composited on white.

    The EXIF orientation and the embedded ICC profile (of an RGB, grey or CMYK image) are applied. Where they
    are damaged, they are ignored. A profile within 2 grey levels of sRGB is ignored too.

    Values are scaled by their type, not by the largest one that occurs: integers of 12 and 16 bits from 0 to
    the largest value of the type, floats from 0 (black) to 1 (white). Floats up to 1.25, as filters write
    them, are clipped.

    Parameters
    ----------
    source : str, Path or PIL.Image.Image
        A file of any format that Pillow reads; or an image, which is not changed.

    Returns
    -------
    PIL.Image.Image
        Of mode "RGB".

    Raises
    ------
    ImageError
        If the file is missing, truncated or not an image; declares more than `MAX_PIXELS` pixels; holds
        floats of another range, or integers of 32 bits or with a sign, for which no convention defines white;
        or has different values that would all become one grey level.
    """
    name = "the image" if isinstance(source, Image.Image) else printable(source)
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")  # Pillow warns of large images; MAX_PIXELS decides here
            # the exit stack closes files; an image that the caller passed stays open
            raw = source if isinstance(source, Image.Image) else stack.enter_context(open_image(source))
            if raw.width * raw.height > MAX_PIXELS:
                raise ImageError(
                    f"{name}: {raw.width} x {raw.height} pixels exceed the limit of {MAX_PIXELS:,} pixels; "
                    "scale it down"
                )
            raw = decode(raw)
            image = _turn_upright(_to_eight_bits(raw, name), raw)
            image = _to_srgb(image, raw.info.get("icc_profile"))
    except ImageError:
        raise
    except FileNotFoundError:
        raise ImageError(f"{name}: no such file") from None
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, struct.error, ...
        raise ImageError(f"{name}: not a readable image ({type(error).__name__}: {error})") from None
    image.info.clear()  # else a second call would apply orientation and profile again
    return image


def open_image(
    source: str | Path | IO[bytes], formats: list[str] | tuple[str, ...] | None = None
) -> Image.Image:
    """Open an image without decoding it, as `PIL.Image.open` does.

    Of a PNG whose metadata Pillow refuses (damaged, or a text above its limit), only the chunks that pixels,
    orientation and colours need are read.
    """
    try:
        return Image.open(source, formats=formats)
    except FileNotFoundError:
        raise
    except Exception:
        if isinstance(source, (str, Path)):
            content = Path(source).read_bytes()
        else:
            source.seek(0)
            content = source.read()
        if not content.startswith(PNG_SIGNATURE):
            raise
        return Image.open(io.BytesIO(_png_without_text(content)), formats=formats)


def decode(raw: Image.Image) -> Image.Image:
    """Decode the pixels of an open image. Damaged text behind the pixels of a PNG is left out."""
    file = getattr(raw, "fp", None)
    try:
        raw.load()
    except Exception:
        if raw.format != "PNG" or file is None or file.closed:
            raise
        file.seek(0)
        raw = Image.open(io.BytesIO(_png_without_text(file.read())), formats=["PNG"])
        raw.load()
    return raw


def _png_without_text(content: bytes) -> bytes:
    """Return a PNG with its pixels, and with its orientation and ICC profile if they are readable."""
    kept, start = [PNG_SIGNATURE], len(PNG_SIGNATURE)
    while start < len(content):
        end = start + 12 + int.from_bytes(content[start : start + 4], "big")
        chunk, kind = content[start:end], content[start + 4 : start + 8]
        intact = zlib.crc32(chunk[4:-4]).to_bytes(4, "big") == chunk[-4:]
        if kind == b"iCCP":
            intact = intact and _png_profile_is_readable(chunk[8:-4])
        if kind in PNG_PIXEL_CHUNKS or (kind in PNG_USEFUL_CHUNKS and intact):
            kept.append(chunk)
        start = end
    return b"".join(kept)


def _png_profile_is_readable(data: bytes) -> bool:
    """Return whether Pillow can decompress the data of an iCCP chunk, which begins with a name."""
    _, _, compressed = data.partition(b"\0")
    unpack = zlib.decompressobj()
    try:
        unpack.decompress(compressed[1:], MAX_PNG_PROFILE_BYTES)
    except zlib.error:
        return False
    return not unpack.unconsumed_tail


def _turn_upright(image: Image.Image, raw: Image.Image) -> Image.Image:
    """Apply the EXIF orientation of `raw`, if it is readable."""
    try:
        method = TRANSPOSITIONS.get(raw.getexif().get(ORIENTATION, 1))
    except Exception:  # struct.error, SyntaxError, TypeError, ...: damaged EXIF raises many types
        method = None
    return image if method is None else image.transpose(method)


def _to_eight_bits(image: Image.Image, name: str) -> Image.Image:
    """Scale floats and integers of more than 8 bits to 8 bits, by their type; see `load_image`."""
    if not (image.mode.startswith("I") or image.mode == "F"):
        return image
    values = np.asarray(image)
    low, high = values.min(), values.max()
    if image.mode == "F":
        _check_floats(values, name)
        white, inverted = 1.0, False
    else:
        # Pillow reads PGM scaled to 16 bits as mode "I"; some versions do so with a PNG of 16 bits
        if not image.mode.startswith("I;16") and image.format not in ("PPM", "PNG"):
            raise ImageError(
                f"{name}: integers of 32 bits or with a sign (here {low} to {high}) have no defined white; "
                "save the image with 8 or 16 bits, or as floats from 0 to 1"
            )
        tags = getattr(image, "tag_v2", {})
        white = float(2 ** tags.get(BITS_PER_SAMPLE, (16,))[0] - 1)
        inverted = tags.get(PHOTOMETRIC) == 0  # white is zero; Pillow inverts 8 bits itself, but not 16
    levels = 255 * (values.astype(np.float64) / white).clip(0, 1)
    grey = np.rint(255 - levels if inverted else levels).astype(np.uint8)
    if grey.min() == grey.max() and low != high:
        raise ImageError(
            f"{name}: its values from {low:g} to {high:g} would all become grey level {grey.min()} of 255; "
            "scale them to the range of their type before saving"
        )
    result = Image.fromarray(grey)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        result.putalpha(Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8)))
    return result


def _check_floats(values: np.ndarray, name: str) -> None:
    """Raise `ImageError` unless floats lie between 0 and 1, except for rounding and overshoot of filters."""
    if not np.isfinite(values).all():
        raise ImageError(f"{name}: some pixel values are not finite")
    low, high = values.min(), values.max()
    if low < -0.5 / 255 or high > MAX_FLOAT:
        raise ImageError(
            f"{name}: floating-point values must lie between 0 (black) and 1 (white); these lie between "
            f"{low:g} and {high:g}; scale them before saving"
        )


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert an 8-bit image to RGB in sRGB, transparent pixels composited on white."""
    if image.mode == "La":
        image = image.convert("LA")
    alpha = None
    if image.mode in ("RGBA", "LA", "PA", "RGBa") or "transparency" in image.info:
        is_grey = image.mode in ("1", "L", "LA")
        rgba = image.convert("RGBA")
        alpha = rgba.getchannel("A")
        image = image.convert("L") if is_grey else rgba.convert("RGB")
    elif image.mode not in ("L", "CMYK"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    transform = _srgb_transform(profile, image.mode) if profile else None
    image = image.convert("RGB") if transform is None else transform(image)
    if alpha is not None:
        image.putalpha(alpha)
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image


@lru_cache(maxsize=8)
def _srgb_transform(profile: bytes, mode: str) -> Callable[[Image.Image], Image.Image] | None:
    """Return a function that converts images from the colour space of an ICC profile to sRGB.

    Returns None if the profile is damaged, is not one of `mode` ("RGB", "L" or "CMYK"), or is nearly sRGB.
    The intent is relative colorimetric with black point compensation, which keeps white and black.
    """
    flags = ImageCms.Flags.BLACKPOINTCOMPENSATION
    # the 256 grey levels are converted exactly; colours are interpolated in a table
    flags |= ImageCms.Flags.NOOPTIMIZE if mode == "L" else ImageCms.Flags.HIGHRESPRECALC
    try:
        transform = ImageCms.ImageCmsTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")),
            mode,
            "RGB",
            intent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=flags,
        )
        if mode == "CMYK":
            return transform.apply
        if mode == "L":
            probe = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
        else:
            grid = 17 * np.indices((16, 16, 16), dtype=np.uint8)
            probe = Image.fromarray(grid.transpose(1, 2, 3, 0).reshape(256, 16, 3))
        found = np.asarray(transform.apply(probe), dtype=int)
    except Exception:  # PyCMSError, OSError, ...: a damaged profile does not cost the pixels
        return None
    if np.abs(found - np.asarray(probe.convert("RGB"), dtype=int)).max() <= NEAR_SRGB:
        return None
    if mode == "L":
        table = found[0, :, 0].tolist()
        return lambda image: image.point(table).convert("RGB")
    return transform.apply
