"""Small pictures of unfinished images, made as large as time and the visitor's line allow."""

from __future__ import annotations

import time
from collections.abc import Sequence

from PIL import Image

from fgsd.app.render.pictures import data_uri, grid

# pixels across of a sheet: few sizes, so that a film does not shimmer
SIDES = (512, 384, 256, 192, 128, 96, 64)
MAX_CHARACTERS = 2_000_000  # of all previews of a run together, about
QUALITY = 75  # of WebP


class Previews:
    """Encodes the pictures of a run's steps, each step within what is left of two budgets.

    Pictures get smaller rather than fewer: encoding shall take no more time than the network, and the
    characters that are left are shared among the steps to come. Only the smallest size is sent in any case.

    Parameters
    ----------
    steps : int
        That the run will have.
    """

    def __init__(self, steps: int) -> None:
        self._left, self._steps = MAX_CHARACTERS, steps
        self._seconds = self._characters = 0.0  # a pixel, as the last step has cost

    def encode(
        self, sheets: Sequence[Sequence[Image.Image]], *, seconds: float
    ) -> tuple[list[str], int, int]:
        """The pictures of one step: (data URIs, columns, side in pixels of one image in them).

        Parameters
        ----------
        sheets : sequence of sequences of square images
            Each becomes a picture without gaps.
        seconds : float
            What the step itself took: encoding may take about as long.
        """
        begun = time.perf_counter()
        columns = 1
        grids = []
        for images in sheets:
            sheet, columns, _ = grid(images)
            grids.append(sheet)
        side = self._side(sheets[0][0].width, columns, seconds)
        uris = [data_uri(_scaled(sheet, columns, side), quality=QUALITY) for sheet in grids]
        area = len(grids) * grids[0].height / grids[0].width * (columns * side) ** 2
        spent = sum(map(len, uris))
        self._seconds, self._characters = (time.perf_counter() - begun) / area, spent / area
        self._left, self._steps = self._left - spent, self._steps - 1
        return uris, columns, side

    def _side(self, whole: int, columns: int, seconds: float) -> int:
        """Of one image: the largest of which all that is left can be paid."""
        sides = [whole] if whole * columns <= SIDES[0] else []
        sides += [side // columns for side in SIDES if whole > side // columns >= 1]
        for side in sides:
            area = 2 * (columns * side) ** 2
            pays = self._characters * area <= max(0, self._left) / max(1, self._steps)
            if pays and self._seconds * area <= seconds:
                return side
        return sides[-1] if sides else 1


def small_picture(images: Sequence[Image.Image]) -> tuple[str, int, int]:
    """Square images as one preview without gaps: (data URI, columns, side of an image in it)."""
    sheet, columns, _ = grid(images)
    side = min(images[0].width, max(1, SIDES[0] // columns))
    return data_uri(_scaled(sheet, columns, side), quality=QUALITY), columns, side


def whole_picture(images: Sequence[Image.Image]) -> tuple[str, int, int]:
    """Square images as one picture without gaps, every bit of it: (data URI, columns, side of an image)."""
    sheet, columns, _ = grid(images)
    return data_uri(sheet, lossless=True), columns, images[0].width


def _scaled(sheet: Image.Image, columns: int, side: int) -> Image.Image:
    whole = sheet.width // columns
    size = (columns * side, sheet.height // whole * side)
    return sheet if size == sheet.size else sheet.resize(size, Image.Resampling.BOX)
