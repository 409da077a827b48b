"""Sizes of pictures by the speed of the device: the first one, and those that follow a drag."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from fgsd.app.limits import MAX_FIRST_S, MAX_PREVIEW_S, MAX_WHOLE_PREVIEW_S
from fgsd.app.requests.request import SampleRequest, sizes
from fgsd.sampling import centre_corner
from fgsd.sheets import grid_columns

FIRST_STEPS = 16  # of the first picture


def first_size(seconds_per_pixel: float, multiple: int) -> int:
    """Return the side of the picture that a visitor sees first: the largest that takes `MAX_FIRST_S`.

    Parameters
    ----------
    seconds_per_pixel : float
        Of an evaluation of the network, see `fgsd.app.serving.painting.measure_evaluation`.
    multiple : int
        Sides are multiples of this number of pixels.
    """
    offered = sizes(multiple)
    fitting = [side for side in offered if FIRST_STEPS * side**2 * seconds_per_pixel <= MAX_FIRST_S]
    return max(fitting, default=offered[0])


@dataclass(frozen=True)
class PreviewPart:
    """The part of the finished pictures that a preview shows, in the same place and of the same noise."""

    n: int  # pictures: all, or the first
    size: int  # side in pixels: of the whole picture, or of its centre
    request: SampleRequest  # of the finished pictures
    multiple: int  # sides are multiples of this number of pixels

    @property
    def whole(self) -> bool:
        return (self.n, self.size) == (self.request.n, self.request.size)

    def preview(self, settings: Mapping[str, Any]) -> SampleRequest:
        """Return the request that samples the part, with other steps, sampler and noise level."""
        request = replace(self.request, n=self.n, **settings)
        if self.size == request.size:
            return request
        # the centre of a seamless picture is not seamless
        return replace(request, size=self.size, noise_size=request.size, tileable=False)

    def finished(self) -> dict[str, Any]:
        """Return where the part lies: in the first of `n` pictures of `size` pixels, at `corner`."""
        n, size = self.request.n, self.request.size
        corner, _ = centre_corner((size, size), (self.size, self.size), multiple=self.multiple)
        return {"n": n, "columns": grid_columns(n), "size": size, "corner": corner}


def preview_part(
    request: SampleRequest, *, steps: int, seconds_per_pixel: float, multiple: int, whole: bool
) -> PreviewPart | None:
    """Return the part that a preview of a request shows: as much as fits into the time.

    Parameters
    ----------
    steps : int
        Of the preview.
    seconds_per_pixel : float
        See `first_size`.
    multiple : int
        Sides are multiples of this number of pixels.
    whole : bool
        Whether the hand rests, so that there is time for whole pictures: `MAX_WHOLE_PREVIEW_S` instead of
        `MAX_PREVIEW_S`.

    Returns
    -------
    PreviewPart or None
        None if whole pictures were asked for, and take longer.
    """
    seconds = MAX_WHOLE_PREVIEW_S if whole else MAX_PREVIEW_S
    pixels = seconds / (steps * seconds_per_pixel)
    if request.n * request.size**2 <= pixels:
        return PreviewPart(request.n, request.size, request, multiple)
    if whole:
        return None
    smallest, *larger = [side for side in sizes(multiple) if side < request.size] or [request.size]
    fitting = [side for side in (*larger, request.size) if side**2 <= pixels]
    return PreviewPart(1, max(fitting, default=smallest), request, multiple)
