"""The steps of a run as files to take home: a contact sheet, a GIF, a film. All is made in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from fgsd.app.render.encode import gif_bytes, mp4_bytes, png_bytes
from fgsd.app.render.frames import file_name
from fgsd.app.render.pictures import grid
from fgsd.app.requests.request import SampleRequest
from fgsd.app.requests.target import target_centroid
from fgsd.centroids import Centroid
from fgsd.pipeline import Pipeline, PipelineStep
from fgsd.sheets import image_grid

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
    for step in pipe.stream(target_centroid(pipe, request, own), **request.options()):
        picture = step_picture(step, request.view)
        pictures.append(_resized(picture, KINDS[kind], step.steps))
        labels.append((f"{step.index}, noise {step.sigma:.3g}", f"{step.index}"))
        if wanted is not None and not wanted():
            return
        yield step.index / step.steps
    data = {
        "sheet": lambda: png_bytes(contact_sheet(pictures, labels)),
        "gif": lambda: gif_bytes(pictures, seconds=SECONDS, hold=HOLD),
        "mp4": lambda: mp4_bytes(pictures, seconds=SECONDS, hold=HOLD),
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
