"""Images and animations as files in memory, and as data URIs for the page: nothing is written to the disk."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from PIL import Image

PNG, GIF, MP4, WEBP = "image/png", "image/gif", "video/mp4", "image/webp"
BT709 = 1  # colour space of HD video, as FFmpeg numbers it
LOW, HIGH = -0.25, 1.25  # positions are sent as 16-bit fractions of this range of the unit box
LIMITED_RANGE = 1  # luma from 16 to 235, as FFmpeg numbers it


def png_bytes(image: Image.Image) -> bytes:
    """Return an image as PNG, without loss."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def webp_bytes(image: Image.Image, *, quality: int = 85, lossless: bool = False) -> bytes:
    """Return an image as WebP; lossless ones ignore `quality`."""
    buffer = io.BytesIO()
    if lossless:
        image.save(buffer, "WEBP", lossless=True, quality=20, method=0)  # here quality is effort
    else:
        image.save(buffer, "WEBP", quality=quality, method=1)
    return buffer.getvalue()


def gif_bytes(images: Sequence[Image.Image], *, seconds: float, hold: int = 1) -> bytes:
    """Return images of one size as a looping GIF with a palette of 256 colours each.

    Parameters
    ----------
    seconds : float
        Duration of each frame, rounded to hundredths; at least 0.02.
    hold : int
        Duration of the last frame, in frames.

    Raises
    ------
    ValueError
        If there are no images, their sizes differ, or `seconds` is out of range.
    """
    _check(images, seconds)
    paletted = [p.convert("RGB").quantize(256, dither=Image.Dither.FLOYDSTEINBERG) for p in images]
    milliseconds = 10 * max(2, round(100 * seconds))
    buffer = io.BytesIO()
    paletted[0].save(
        buffer,
        "GIF",
        save_all=True,
        append_images=paletted[1:],
        duration=[milliseconds] * (len(images) - 1) + [hold * milliseconds],
        loop=0,
    )
    return buffer.getvalue()


def mp4_bytes(images: Sequence[Image.Image], *, seconds: float, hold: int = 1, crf: int = 16) -> bytes:
    """Return images of one size as an MP4 that browsers and phones play (H.264, 4:2:0).

    The format requires even sides: an odd side loses its last row or column.

    Parameters
    ----------
    seconds : float
        Duration of each frame.
    hold : int
        Duration of the last frame, in frames.
    crf : int
        Quality, from 0 (lossless) to 51; below 18 losses are hard to see.

    Raises
    ------
    ValueError
        If there are no images, their sizes differ, or `seconds` is out of range.
    """
    import av  # slow to import, and only this function needs it

    _check(images, seconds)
    width, height = (side - side % 2 for side in images[0].size)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        rate = Fraction(1 / seconds).limit_denominator(100)
        stream = container.add_stream("libx264", rate=rate, options={"crf": str(crf), "preset": "fast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context = stream.codec_context
        # written into the file, since players otherwise guess the colour space from the size
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = LIMITED_RANGE
        for image in [*images, *[images[-1]] * (hold - 1)]:
            pixels = np.asarray(image.convert("RGB").crop((0, 0, width, height)))
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=BT709, dst_color_range=LIMITED_RANGE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def file_uri(content: bytes, media_type: str) -> str:
    """Return the bytes of a file as a data URI."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def data_uri(image: Image.Image, *, quality: int = 85, lossless: bool = False) -> str:
    """Return an image as the data URI of a WebP; lossless ones ignore `quality`."""
    return file_uri(webp_bytes(image, quality=quality, lossless=lossless), WEBP)


def packed(positions: np.ndarray) -> str:
    """Return positions as base64 of little-endian 16-bit fractions of the range from `LOW` to `HIGH`."""
    fractions = (np.asarray(positions, dtype=np.float64) - LOW) / (HIGH - LOW)
    return base64_of(np.rint(65535 * fractions.clip(0, 1)).astype("<u2"))


def base64_of(values: np.ndarray) -> str:
    """Return the bytes of an array as base64."""
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def _check(images: Sequence[Image.Image], seconds: float) -> None:
    if not images:
        raise ValueError("images is empty; an animation needs at least one")
    if any(image.size != images[0].size for image in images):
        size = f"{images[0].width} x {images[0].height}"
        raise ValueError(f"images: all must have the size of the first, {size} pixels")
    if not 0.01 <= seconds <= 60:
        raise ValueError(f"seconds={seconds} must be from 0.01 to 60")
