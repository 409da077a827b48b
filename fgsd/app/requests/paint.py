"""A request to paint: another target in each region of an image."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from fgsd.app.limits import MAX_IMAGES, MAX_PAINT_PIXELS, MAX_REGIONS, MAX_SEED, MAX_STEPS, MAX_STRENGTH
from fgsd.app.requests.request import PAGE_SAMPLERS, VIEWS, RequestError, number, one_of, whole
from fgsd.centroids import Centroid
from fgsd.regions import FEATHER, MAX_FEATHER, linear_gradient, plan_masks

MAX_ANGLE = 360.0  # degrees


@dataclass(frozen=True, eq=False)
class PaintRequest:
    """A validated request; `parse_paint` builds it."""

    targets: tuple[Mapping[str, float] | Centroid, ...]  # of each region; weights by class sum to 1
    masks: tuple[np.ndarray, ...]  # (height, width) of each region: booleans, or weights that sum to 1
    feather: float = FEATHER  # pixels
    n: int = 1  # images
    seed: int = 0  # image k has the noise of seed + k
    steps: int = 16
    strength: float = 1.0  # of the guidance, 0 to 2
    sampler: str = "dpm2m"
    tileable: bool = False
    sigma_max: float | None = None  # noise level at which sampling begins; None: that of the checkpoint
    view: str = "noise"  # what the page shows of each step, as `SampleRequest.view`

    @property
    def label(self) -> str:
        """The painting in words, for screen readers."""
        count = len(self.targets)
        return f"a painting with {count} {'texture' if count == 1 else 'textures'}"

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.masks[0].shape
        return height, width

    @property
    def work(self) -> float:
        """Work of the request, in steps of one image of 64 pixels."""
        height, width = self.size
        return self.n * self.steps * height * width / 64**2 * (2 if self.sampler == "heun" else 1)

    def options(self) -> dict[str, Any]:
        """Return the arguments of `Pipeline.paint` other than the regions."""
        names = ("feather", "n", "seed", "steps", "strength", "sampler", "tileable")
        options = {name: getattr(self, name) for name in names}
        return options if self.sigma_max is None else options | {"sigma_max": self.sigma_max}


def parse_paint(
    targets: Sequence[Mapping[str, float] | Centroid],
    masks: Sequence[np.ndarray],
    *,
    feather: Any,
    n: Any,
    seed: Any,
    steps: Any,
    strength: Any,
    sampler: Any,
    tileable: Any,
    view: Any = "noise",
) -> PaintRequest:
    """Validate the settings of a painting.

    `check_paint_size` has checked the masks, which `plan_regions` and `gradient_regions` make.

    Raises
    ------
    RequestError
        If a value is missing, of another type, or out of range; the message says what would be right.
    """
    if len(targets) > MAX_REGIONS:
        raise RequestError(f"At most {MAX_REGIONS} regions can be painted; {len(targets)} came.")
    return PaintRequest(
        tuple(targets),
        tuple(masks),
        feather=number(feather, "feather", 0.0, MAX_FEATHER),
        n=whole(n, "n", 1, MAX_IMAGES),
        seed=whole(seed, "seed", 0, MAX_SEED),
        steps=whole(steps, "steps", 1, MAX_STEPS),
        strength=number(strength, "strength", 0.0, MAX_STRENGTH),
        sampler=one_of(sampler, "sampler", PAGE_SAMPLERS.values()),
        tileable=one_of(tileable, "tileable", (False, True)),
        view=one_of(view, "view", VIEWS.values()),
    )


def check_paint_size(height: int, width: int, multiple: int, max_pixels: int = MAX_PAINT_PIXELS) -> None:
    """Raise a `RequestError` unless an image of this size can be painted."""
    if height % multiple or width % multiple or not (height and width):
        raise RequestError(
            f"Height and width must be multiples of {multiple} pixels; {height} x {width} pixels came."
        )
    if height * width > max_pixels:
        side = math.isqrt(max_pixels) // multiple * multiple
        raise RequestError(
            f"At most {max_pixels:,} pixels can be painted, such as {side} x {side}; {height} x {width} came."
        )


def plan_regions(
    plan: Image.Image, legend: Mapping[str, Mapping[str, float]]
) -> tuple[list[Mapping[str, float]], list[np.ndarray]]:
    """Return targets and masks of a plan; see `fgsd.regions.plan_masks`.

    Raises
    ------
    RequestError
        If the plan has colours that the legend lacks, or one of these is no colour.
    """
    targets = list(legend.values())
    try:
        found = plan_masks(plan, {colour: str(k) for k, colour in enumerate(legend)})
    except ValueError as error:
        raise RequestError(f"{error}.") from None
    return [targets[int(k)] for k, _ in found], [mask for _, mask in found]


def gradient_regions(count: int, height: Any, width: Any, angle: Any, multiple: int) -> list[np.ndarray]:
    """Return the masks of a gradient between `count` targets.

    Raises
    ------
    RequestError
        If a number is out of range, or there are fewer than two targets.
    """
    if not 2 <= count <= MAX_REGIONS:
        raise RequestError(f"gradient must name 2 to {MAX_REGIONS} textures; {count} came.")
    height = whole(height, "height", multiple, MAX_PAINT_PIXELS)
    width = whole(width, "width", multiple, MAX_PAINT_PIXELS)
    check_paint_size(height, width, multiple)
    return linear_gradient(count, (height, width), angle=number(angle, "angle", -MAX_ANGLE, MAX_ANGLE))
