"""The steps of diffusion as plain values for a page: two small pictures of each, and what was measured."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from fgsd.app.render.step_images import Previews, whole_picture
from fgsd.app.requests.link import to_link
from fgsd.app.requests.request import SampleRequest
from fgsd.app.requests.target import target_centroid
from fgsd.centroids import Centroid
from fgsd.pipeline import Pipeline, PipelineStep

SHORTEST_INTERVAL = 0.05  # seconds between two messages to the page
KEPT = 16  # newest frames that stay in the value of a page's component while a run goes on


def frames(
    pipe: Pipeline,
    request: SampleRequest,
    *,
    own: Mapping[str, Centroid] | None = None,
    interval: float = SHORTEST_INTERVAL,
    wanted: Callable[[], bool] | None = None,
) -> Iterator[list[dict[str, Any]]]:
    """Run a request, yielding what a page shows of its steps: each time those made since the last time.

    No step is left out. The last one's picture is the samples themselves, whole and without loss; the others
    have previews, which are smaller where encoding them would else take more than half of the time. Once
    `wanted` returns False, no further step is made. `own` holds the textures of the visitor's own, by name.

    Parameters
    ----------
    interval : float
        Seconds between two yields, at least.

    Yields
    ------
    list of dict
        `src` (data URI of the images after the step, as a grid without gaps), `estimate` (of what the network
        took them to be; None where that is the same picture), `n`, `columns`, `side` (pixels of one image in
        both), `size` (of the sample), `index`, `steps`, `sigma`, `evaluations`, `ms` (milliseconds a step so
        far), `distance` (mean, to the target; None if unguided), `last`, `device`, `label`, `name` (for a
        file, without suffix), `tileable`, `query` (the link that gives the same samples), and `path`: the
        places on the map, an (x, y) an image, by projection.
    """
    centroid = target_centroid(pipe, request, own)
    about, previews = _about(pipe, request), Previews(request.steps)
    waiting: list[dict[str, Any]] = []
    busy, begun, next_time = 0.0, time.perf_counter(), 0.0
    for step in pipe.stream(centroid, **request.options()):
        took = time.perf_counter() - begun
        busy += took
        last = step.index == step.steps
        frame = {
            **about,
            **_measured(step),
            "ms": round(1000 * busy / step.index, 1),
            "last": last,
            "path": _places(pipe, step),
        }
        if last:
            src, columns, side = whole_picture(step.images)
            same = torch.equal(step.step.x, step.step.denoised)
            estimate = None if same else whole_picture(step.denoised)[0]
        else:
            (src, estimate), columns, side = previews.encode((step.images, step.denoised), seconds=took)
        waiting.append({**frame, "src": src, "estimate": estimate, "columns": columns, "side": side})
        if wanted is not None and not wanted():
            return
        now = time.perf_counter()
        if last or now >= next_time:
            next_time, waiting, ready = now + interval, [], waiting
            yield ready
        begun = time.perf_counter()


def last_frame(
    pipe: Pipeline, request: SampleRequest, *, own: Mapping[str, Centroid] | None = None
) -> dict[str, Any]:
    """The last of a request's frames alone; the steps before it are made, but not encoded."""
    centroid = target_centroid(pipe, request, own)
    begun = time.perf_counter()
    *_, step = pipe.stream(centroid, **request.options())
    ms = round(1000 * (time.perf_counter() - begun) / step.index, 1)
    src, columns, side = whole_picture(step.images)
    shown = {"src": src, "estimate": None, "columns": columns, "side": side, "ms": ms, "last": True}
    return {**_about(pipe, request), **_measured(step), **shown}


def _about(pipe: Pipeline, request: SampleRequest) -> dict[str, Any]:
    """What all frames of a request share."""
    return {
        "n": request.n,
        "size": request.size,
        "device": pipe.device.type,
        "label": request.label,
        "name": file_name(request),
        "tileable": request.tileable,
        "query": to_link(request),
    }


def _measured(step: PipelineStep) -> dict[str, Any]:
    return {
        "index": step.index,
        "steps": step.steps,
        "sigma": round(step.sigma, 4),
        "evaluations": step.step.evaluations,
        "distance": None if step.distance is None else round(float(step.distance.mean()), 3),
    }


def _places(pipe: Pipeline, step: PipelineStep) -> dict[str, list[list[float]]]:
    """Where the images of a step are on the map: an (x, y) each, by projection."""
    places = {}
    for projection in pipe.map.projections:
        found = pipe.map.project(projection, step.step.phi, step.sigma)
        places[projection] = [[round(float(x), 4), round(float(y), 4)] for x, y in found]
    return places


def to_send(made: Mapping[str, dict[str, Any]], *, last: bool) -> dict[str, dict[str, Any]]:
    """Of the frames made so far, by index, those that the value of the page's component holds.

    A browser passes over a value that is followed at once by another: the newest few therefore stay in it
    for a while, which costs nothing, since only differences travel. All are in it at the end of a run.
    """
    return dict(made) if last else dict(list(made.items())[-KEPT:])


def file_name(request: SampleRequest) -> str:
    """Names of the classes, heaviest first, and the seed, in letters, digits and hyphens."""
    names = sorted(request.weights, key=lambda name: -request.weights[name])
    words = re.sub(r"[^A-Za-z0-9]+", "-", "-".join(names)).strip("-") or "sample"
    return f"{words[:80]}-seed-{request.seed}"
