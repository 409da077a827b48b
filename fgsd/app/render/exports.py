"""The steps of a run as files: a contact sheet, a GIF, an MP4. All are made in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from fgsd.app.limits import MAX_GIF_PIXELS, MAX_MP4_PIXELS, MAX_SHEET_PIXELS, MIN_ANIMATED_SIDE
from fgsd.app.render.encode import GIF, MP4, PNG, gif_bytes, mp4_bytes, png_bytes
from fgsd.app.render.frames import file_name, sampling_steps
from fgsd.app.requests.paint import PaintRequest
from fgsd.app.requests.request import SampleRequest
from fgsd.centroids import Centroid
from fgsd.pipeline import Pipeline
from fgsd.sheets import image_grid
from fgsd.steps import PipelineStep

SECONDS = 0.12  # duration of a step in an animation
HOLD = 10  # duration of the last step, in steps
GAP = 4  # pixels between the noisy image and the estimate, and between tiles of a contact sheet
LABEL = 14  # pixels of height for the label under each step of a contact sheet
# attributes of `PipelineStep` that a view shows, from left to right
VIEW_IMAGES = {"noise": ("images",), "estimate": ("denoised",), "both": ("images", "denoised")}


@dataclass(frozen=True)
class ExportFormat:
    """A file format of an export."""

    suffix: str
    media_type: str
    max_pixels: int  # of all steps together; larger steps are scaled down
    enlarged: bool  # whether small steps are enlarged


FORMATS = {
    "sheet": ExportFormat("-steps.png", PNG, MAX_SHEET_PIXELS, False),
    "gif": ExportFormat(".gif", GIF, MAX_GIF_PIXELS, True),
    "mp4": ExportFormat(".mp4", MP4, MAX_MP4_PIXELS, True),
}


@dataclass(frozen=True)
class ExportedFile:
    """A file for the visitor, in memory."""

    name: str
    media_type: str
    data: bytes


def export(
    pipe: Pipeline,
    request: SampleRequest | PaintRequest,
    kind: str,
    *,
    user_centroids: Mapping[str, Centroid] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> Iterator[float | ExportedFile]:
    """Run a request again and make a file of its steps.

    Parameters
    ----------
    kind : one of `FORMATS`
        Each step is shown in the view `request.view`.
    user_centroids : mapping of name to Centroid, optional
        Textures of the visitor, besides the classes.
    is_cancelled : callable, optional
        Asked after each step; once it returns True, the run ends without a file.

    Yields
    ------
    float or ExportedFile
        After each step the share of steps that are done; at the end the file.
    """
    file_format = FORMATS[kind]
    pictures, labels = [], []
    for step in sampling_steps(pipe, request, user_centroids):
        picture = step_picture(step, request.view)
        pictures.append(_resized(picture, file_format, step.steps))
        labels.append((f"{step.index}, noise {step.sigma:.3g}", f"{step.index}"))
        if is_cancelled is not None and is_cancelled():
            return
        yield step.index / step.steps
    encoders: dict[str, Callable[[], bytes]] = {
        "sheet": lambda: png_bytes(contact_sheet(pictures, labels)),
        "gif": lambda: gif_bytes(pictures, seconds=SECONDS, hold=HOLD),
        "mp4": lambda: mp4_bytes(pictures, seconds=SECONDS, hold=HOLD),
    }
    yield ExportedFile(file_name(request) + file_format.suffix, file_format.media_type, encoders[kind]())


def step_picture(step: PipelineStep, view: str) -> Image.Image:
    """Return the images of a step as one picture; in the view "both", the denoised estimates on the right."""
    sheets = [
        image_grid(getattr(step, attribute), gap=0, background="black") for attribute in VIEW_IMAGES[view]
    ]
    return sheets[0] if len(sheets) == 1 else image_grid(sheets, columns=2, gap=GAP)


def contact_sheet(pictures: Sequence[Image.Image], labels: Sequence[Sequence[str]]) -> Image.Image:
    """Arrange pictures of one size in a grid, each above the first of its labels that fits, or the last."""
    font, tiles = ImageFont.load_default(size=10), []
    for picture, texts in zip(pictures, labels, strict=True):
        tile = Image.new("RGB", (picture.width, picture.height + LABEL), "white")
        tile.paste(picture, (0, 0))
        label = next((text for text in texts if font.getlength(text) < picture.width - 2), texts[-1])
        ImageDraw.Draw(tile).text((1, picture.height), label, fill="#222222", font=font)
        tiles.append(tile)
    return image_grid(tiles, gap=GAP)


def _resized(picture: Image.Image, file_format: ExportFormat, steps: int) -> Image.Image:
    """Scale a step down so that all steps stay within the limit, or up by a whole number for an animation."""
    max_pixels, (width, height) = file_format.max_pixels / steps, picture.size
    scale = min(1.0, math.sqrt(max_pixels / (width * height)))
    if scale == 1 and file_format.enlarged:
        scale = min(-(-MIN_ANIMATED_SIDE // height), max(1, math.isqrt(int(max_pixels / (width * height)))))
    if scale == 1:
        return picture
    size = (max(2, int(width * scale)), max(2, int(height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS)
