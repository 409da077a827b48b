"""The steps of a run as files to take home: a contact sheet, a GIF, a film. All is made in memory."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fgsd.app.aim import aim
from fgsd.app.frames import file_name
from fgsd.app.pictures import grid
from fgsd.app.request import SampleRequest
from fgsd.centroids import Centroid
from fgsd.pipeline import Pipeline, PipelineStep
from fgsd.sheets import image_grid, write_animation

SECONDS = 0.12  # that a step is shown in an animation
HOLD = 10  # times as long for the last one
SMALLEST = 256  # pixels: animations of smaller pictures are enlarged by a whole number
GAP = 4  # pixels between the noisy image and the estimate
LABEL = 14  # pixels of height for the words under each step of a contact sheet
LINES = {"noise": ("images",), "estimate": ("denoised",), "both": ("images", "denoised")}


@dataclass(frozen=True)
class Kind:
    """A kind of file."""

    suffix: str
    media_type: str
    most_pixels: int  # of all steps together: what is larger is scaled down
    enlarged: bool  # small pictures are


KINDS = {
    "sheet": Kind("-steps.png", "image/png", 16_000_000, False),
    "gif": Kind(".gif", "image/gif", 12_000_000, True),
    "mp4": Kind(".mp4", "video/mp4", 50_000_000, True),
}


@dataclass(frozen=True)
class ExportedFile:
    """A file for the visitor, never on the disk of the server."""

    name: str
    media_type: str
    data: bytes


def exported(
    pipe: Pipeline,
    request: SampleRequest,
    kind: str,
    *,
    own: Mapping[str, Centroid] | None = None,
    wanted: Callable[[], bool] | None = None,
) -> Iterator[float | ExportedFile]:
    """Run a request again, and make a file of its steps.

    Parameters
    ----------
    kind : one of `KINDS`
        Each step is the picture that `request.view` names.
    own : mapping of name to Centroid, optional
        Textures of the visitor's own, besides the classes.
    wanted : callable, optional
        Once it returns False, the run ends and there is no file.

    Yields
    ------
    float or ExportedFile
        The share of the steps that are made, after each; at last the file.
    """
    pictures, labels = [], []
    for step in pipe.stream(aim(pipe, request, own), **request.options()):
        picture = step_picture(step, request.view)
        pictures.append(_resized(picture, KINDS[kind], step.steps))
        labels.append((f"{step.index}, noise {step.sigma:.3g}", f"{step.index}"))
        if wanted is not None and not wanted():
            return
        yield step.index / step.steps
    data = {
        "sheet": lambda: png_bytes(contact_sheet(pictures, labels)),
        "gif": lambda: gif_bytes(pictures),
        "mp4": lambda: mp4_bytes(pictures),
    }[kind]()
    yield ExportedFile(file_name(request) + KINDS[kind].suffix, KINDS[kind].media_type, data)


def step_picture(step: PipelineStep, view: str) -> Image.Image:
    """A step's images as one picture; in the view "both", what the network took them to be on the right."""
    sheets = [grid(getattr(step, line))[0] for line in LINES[view]]
    return sheets[0] if len(sheets) == 1 else image_grid(sheets, columns=2, gap=GAP)


def contact_sheet(pictures: Sequence[Image.Image], labels: Sequence[Sequence[str]]) -> Image.Image:
    """Pictures of one size, row by row, each with words beneath: the first of its labels that fits."""
    font, tiles = ImageFont.load_default(size=10), []
    for picture, several in zip(pictures, labels, strict=True):
        tile = Image.new("RGB", (picture.width, picture.height + LABEL), "white")
        tile.paste(picture, (0, 0))
        words = next((one for one in several if font.getlength(one) < picture.width - 2), several[-1])
        ImageDraw.Draw(tile).text((1, picture.height), words, fill="#222222", font=font)
        tiles.append(tile)
    return image_grid(tiles, gap=GAP)


def png_bytes(image: Image.Image) -> bytes:
    """An image as PNG, every bit of it."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def gif_bytes(pictures: Sequence[Image.Image], *, seconds: float = SECONDS) -> bytes:
    """An animation that loops, the last picture held."""
    buffer = io.BytesIO()
    write_animation(pictures, buffer, "GIF", seconds=seconds)
    return buffer.getvalue()


def mp4_bytes(pictures: Sequence[Image.Image], *, seconds: float = SECONDS, hold: int = HOLD) -> bytes:
    """A film as H.264 in 4:2:0, which every browser plays.

    Parameters
    ----------
    pictures : sequence of images of one size
        An odd side loses its last row or column, as 4:2:0 wants it.
    seconds : float
        That each is shown.
    hold : int
        How often the last one comes.
    """
    import av

    width, height = (side - side % 2 for side in pictures[0].size)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as film:
        rate = round(1 / seconds)
        stream = film.add_stream("libx264", rate=rate, options={"crf": "14", "preset": "fast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context = stream.codec_context
        # BT.709 in the usual range: said in the file, for else players guess by the size of the picture
        context.colorspace = context.color_primaries = context.color_trc = 1
        context.color_range = 1
        for picture in [*pictures, *[pictures[-1]] * (hold - 1)]:
            pixels = np.asarray(picture.crop((0, 0, width, height)))
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=1, dst_color_range=1)
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
    return buffer.getvalue()


def _resized(picture: Image.Image, kind: Kind, steps: int) -> Image.Image:
    """Small enough that all steps together stay in bounds; else, for animations, no smaller than a stamp."""
    most, (width, height) = kind.most_pixels / steps, picture.size
    scale = min(1.0, math.sqrt(most / (width * height)))
    if scale == 1 and kind.enlarged:
        scale = min(-(-SMALLEST // height), max(1, math.isqrt(int(most / (width * height)))))
    if scale == 1:
        return picture
    size = (max(2, int(width * scale)), max(2, int(height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS)
