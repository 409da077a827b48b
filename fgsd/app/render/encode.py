"""Pictures and animations as the bytes of files, made in memory: nothing is left on the disk."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from PIL import Image

PNG, GIF, MP4 = "image/png", "image/gif", "video/mp4"


def png_bytes(image: Image.Image) -> bytes:
    """An image as PNG, to the last bit."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def gif_bytes(pictures: Sequence[Image.Image], *, seconds: float, hold: int = 1) -> bytes:
    """Pictures of one size as a GIF that repeats for ever, with a palette of 256 colours each.

    Parameters
    ----------
    seconds : float
        That each is shown, to the hundredth; at least 0.02.
    hold : int
        How many times as long the last one is shown.
    """
    _check(pictures, seconds)
    paletted = [p.convert("RGB").quantize(256, dither=Image.Dither.FLOYDSTEINBERG) for p in pictures]
    each = 10 * max(2, round(100 * seconds))
    buffer = io.BytesIO()
    paletted[0].save(
        buffer,
        "GIF",
        save_all=True,
        append_images=paletted[1:],
        duration=[each] * (len(pictures) - 1) + [hold * each],
        loop=0,
    )
    return buffer.getvalue()


def mp4_bytes(pictures: Sequence[Image.Image], *, seconds: float, hold: int = 1, crf: int = 16) -> bytes:
    """Pictures of one size as an MP4 that every browser and phone plays (H.264, 4:2:0).

    The format wants even sides: an odd one loses its last row or column.

    Parameters
    ----------
    seconds : float
        That each is shown.
    hold : int
        How often the last one comes.
    crf : int
        Quality, from 0 (lossless) to 51; below 18 it looks like the original.
    """
    import av  # here, since it loads many libraries that only this function needs

    _check(pictures, seconds)
    width, height = (side - side % 2 for side in pictures[0].size)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as film:
        rate = Fraction(1 / seconds).limit_denominator(100)
        stream = film.add_stream("libx264", rate=rate, options={"crf": str(crf), "preset": "fast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context = stream.codec_context
        # BT.709 in the usual range: said in the file, for else players guess by the size of the picture
        context.colorspace = context.color_primaries = context.color_trc = 1
        context.color_range = 1
        for picture in [*pictures, *[pictures[-1]] * (hold - 1)]:
            pixels = np.asarray(picture.convert("RGB").crop((0, 0, width, height)))
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=1, dst_color_range=1)
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
    return buffer.getvalue()


def file_uri(content: bytes, kind: str) -> str:
    """The bytes of a file as an address that a page can offer for download; `kind` is its media type."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _check(pictures: Sequence[Image.Image], seconds: float) -> None:
    if not pictures:
        raise ValueError("pictures is empty; an animation needs at least one")
    if any(picture.size != pictures[0].size for picture in pictures):
        size = f"{pictures[0].width} x {pictures[0].height}"
        raise ValueError(f"pictures: all must be of the size of the first, {size} pixels")
    if not 0.01 <= seconds <= 60:
        raise ValueError(f"seconds={seconds} must be from 0.01 to 60")
