"""The steps of diffusion as small pictures for a page, at a bounded rate."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from PIL import Image

from fgsd.app.aim import aim
from fgsd.app.pictures import data_uri, grid
from fgsd.app.request import SampleRequest
from fgsd.centroids import Centroid
from fgsd.pipeline import Pipeline

SHORTEST_INTERVAL = 0.05  # seconds between two frames, unless encoding asks for more
PREVIEW_SIDE = 512  # pixels: grids of unfinished images are scaled down to it


def frames(
    pipe: Pipeline,
    request: SampleRequest,
    *,
    own: Mapping[str, Centroid] | None = None,
    interval: float = SHORTEST_INTERVAL,
    wanted: Callable[[], bool] | None = None,
) -> Iterator[dict]:
    """Run a request, yielding what a page shows of each step, as plain values.

    The last step is always yielded, in full; others are left out when they come faster than `interval`
    seconds, or when encoding them would take more than half of the time. Once `wanted` returns False, no
    further step is made. `own` holds the textures of the visitor's own, by name.

    Yields
    ------
    dict
        `src` (data URI of the images as a grid without gaps), `n`, `columns`, `side` (pixels of one image
        in `src`), `size` (of the sample), `index`, `steps`, `sigma`, `evaluations`, `ms` (milliseconds a
        step so far), `distance` (mean, to the target; None if unguided), `last`, `device`, `label`,
        `name` (for a file, without suffix), `tileable`.
    """
    stream = pipe.stream(
        aim(pipe, request, own),
        n=request.n,
        steps=request.steps,
        size=request.size,
        seed=request.seed,
        strength=request.strength,
        sampler=request.sampler,
        tileable=request.tileable,
    )
    busy, count, begun, next_frame = 0.0, 0, time.perf_counter(), 0.0
    for step in stream:
        busy, count = busy + time.perf_counter() - begun, count + 1
        last, now = step.index == step.steps, time.perf_counter()
        if last or now >= next_frame:
            images = step.images if last or request.view == "noise" else step.denoised
            src, columns, side = picture(images, whole=last)
            took = time.perf_counter() - now
            next_frame = now + max(interval, 2 * took)
            yield {
                "src": src,
                "n": request.n,
                "columns": columns,
                "side": side,
                "size": request.size,
                "index": step.index,
                "steps": step.steps,
                "sigma": round(step.sigma, 4),
                "evaluations": step.step.evaluations,
                "ms": round(1000 * busy / count, 1),
                "distance": None if step.distance is None else round(float(step.distance.mean()), 3),
                "last": last,
                "device": pipe.device.type,
                "label": request.label,
                "name": file_name(request),
                "tileable": request.tileable,
            }
        if wanted is not None and not wanted():
            stream.close()
            return
        begun = time.perf_counter()


def file_name(request: SampleRequest) -> str:
    """Names of the classes, heaviest first, and the seed, in letters, digits and hyphens."""
    names = sorted(request.weights, key=lambda name: -request.weights[name])
    words = re.sub(r"[^A-Za-z0-9]+", "-", "-".join(names)).strip("-") or "sample"
    return f"{words[:80]}-seed-{request.seed}"


def picture(images: Sequence[Image.Image], *, whole: bool) -> tuple[str, int, int]:
    """Square images as one picture without gaps: (data URI, columns, side of one image in it).

    Parameters
    ----------
    whole : bool
        Keep the full size and every bit; else a smaller and coarser preview.
    """
    sheet, columns, rows = grid(images)
    side = images[0].width
    if whole:
        return data_uri(sheet, lossless=True), columns, side
    if sheet.width > PREVIEW_SIDE:
        side = max(1, PREVIEW_SIDE // columns)
        sheet = sheet.resize((columns * side, rows * side), Image.Resampling.BOX)
    return data_uri(sheet, quality=75), columns, side
