"""Images of single steps as data URIs, as large as time and transfer volume allow."""

from __future__ import annotations

import time
from collections.abc import Sequence

from PIL import Image

from fgsd.app.limits import MAX_PREVIEW_CHARACTERS
from fgsd.app.render.encode import data_uri
from fgsd.sheets import grid_columns, image_grid

# widths of a grid in pixels; there are few, so that the size seldom changes while a run is watched
WIDTHS = (512, 384, 256, 192, 128, 96, 64)
QUALITY = 75  # of WebP


class StepImages:
    """Encodes the images of a run's steps within two budgets: time and characters.

    Images are scaled down rather than left out. Encoding a step may take as long as the step itself, and the
    remaining characters are shared among the remaining steps. The smallest size is sent in any case.

    Parameters
    ----------
    steps : int
        Number of steps of the run.
    """

    def __init__(self, steps: int) -> None:
        self._characters_left, self._steps_left = MAX_PREVIEW_CHARACTERS, steps
        self._seconds_per_pixel = self._characters_per_pixel = 0.0  # measured on the last step

    def encode(
        self, sheets: Sequence[Sequence[Image.Image]], *, seconds: float
    ) -> tuple[list[str], int, int]:
        """Encode the images of one step.

        Parameters
        ----------
        sheets : sequence of sequences of square images
            Each sequence becomes a grid without gaps.
        seconds : float
            Duration of the step, which is the time budget.

        Returns
        -------
        tuple of (data URIs, columns of a grid, side of one image in pixels)
        """
        begun = time.perf_counter()
        grids = [_grid(images) for images in sheets]
        columns = grid_columns(len(sheets[-1]))
        side = self._side(sheets[0][0].width, columns, seconds)
        uris = [data_uri(_scaled(grid, columns, side), quality=QUALITY) for grid in grids]
        pixels = len(grids) * grids[0].height / grids[0].width * (columns * side) ** 2
        characters = sum(map(len, uris))
        self._seconds_per_pixel = (time.perf_counter() - begun) / pixels
        self._characters_per_pixel = characters / pixels
        self._characters_left -= characters
        self._steps_left -= 1
        return uris, columns, side

    def _side(self, full_side: int, columns: int, seconds: float) -> int:
        """Return the largest side of one image that both budgets allow."""
        sides = [full_side] if full_side * columns <= WIDTHS[0] else []
        sides += [width // columns for width in WIDTHS if full_side > width // columns >= 1]
        max_characters = max(0, self._characters_left) / max(1, self._steps_left)
        for side in sides:
            pixels = 2 * (columns * side) ** 2
            fits = self._characters_per_pixel * pixels <= max_characters
            if fits and self._seconds_per_pixel * pixels <= seconds:
                return side
        return sides[-1] if sides else 1


def small_picture(images: Sequence[Image.Image]) -> tuple[str, int, int]:
    """Return square images as one lossy grid without gaps: (data URI, columns, side of an image in it)."""
    columns = grid_columns(len(images))
    side = min(images[0].width, max(1, WIDTHS[0] // columns))
    return data_uri(_scaled(_grid(images), columns, side), quality=QUALITY), columns, side


def lossless_picture(images: Sequence[Image.Image]) -> tuple[str, int, int]:
    """Return square images as one lossless grid without gaps: (data URI, columns, side of an image)."""
    return data_uri(_grid(images), lossless=True), grid_columns(len(images)), images[0].width


def _grid(images: Sequence[Image.Image]) -> Image.Image:
    return image_grid(images, gap=0, background="black")


def _scaled(grid: Image.Image, columns: int, side: int) -> Image.Image:
    full_side = grid.width // columns
    size = (columns * side, grid.height // full_side * side)
    return grid if size == grid.size else grid.resize(size, Image.Resampling.BOX)
