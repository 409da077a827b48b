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


def gif_bytes(frames: Sequence[Image.Image], fps: float) -> bytes:
    """Images of one size as a GIF that repeats for ever, with a palette of 256 colours a frame.

    A GIF counts hundredths of a second: frames last the nearest number of them, at least 2.
    """
    _check(frames, fps)
    paletted = [f.convert("RGB").quantize(256, dither=Image.Dither.FLOYDSTEINBERG) for f in frames]
    buffer = io.BytesIO()
    paletted[0].save(
        buffer,
        "GIF",
        save_all=True,
        append_images=paletted[1:],
        duration=10 * max(2, round(100 / fps)),
        loop=0,
    )
    return buffer.getvalue()


def mp4_bytes(frames: Sequence[Image.Image], fps: float, *, crf: int = 18) -> bytes:
    """Images of one size as an MP4 that every browser and phone plays (H.264, yuv420p).

    The format wants even sides: an odd one loses its last pixel.

    Parameters
    ----------
    crf : int
        Quality, from 0 (lossless) to 51; 18 looks like the original.
    """
    import av  # here, since it loads many libraries that only this function needs

    _check(frames, fps)
    width, height = (side - side % 2 for side in frames[0].size)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        rate = Fraction(fps).limit_denominator(1000)
        stream = container.add_stream("libx264", rate=rate, options={"crf": str(crf), "preset": "fast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for image in frames:
            pixels = np.asarray(image.convert("RGB"))[:height, :width]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()


def file_uri(content: bytes, kind: str) -> str:
    """The bytes of a file as an address that a page can offer for download; `kind` is its media type."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _check(frames: Sequence[Image.Image], fps: float) -> None:
    if not frames:
        raise ValueError("frames is empty; an animation needs at least one image")
    if any(frame.size != frames[0].size for frame in frames):
        raise ValueError(f"frames: all images must be {frames[0].width} x {frames[0].height} pixels")
    if not 0 < fps <= 100:
        raise ValueError(f"fps={fps} must be above 0 and at most 100")
