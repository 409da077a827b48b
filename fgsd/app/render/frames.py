"""The steps of a run as plain values for a page: two small images of each step, and its measurements."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from fgsd.app.limits import MAX_KEPT_FRAMES, MAX_SAVED_NAME_BYTES, MIN_FRAME_INTERVAL_S
from fgsd.app.render.step_images import StepImages, lossless_picture
from fgsd.app.render.words import first_bytes, plain_words
from fgsd.app.requests.link import to_link
from fgsd.app.requests.paint import PaintRequest
from fgsd.app.requests.request import SampleRequest
from fgsd.app.requests.target import target_centroid
from fgsd.centroids import Centroid
from fgsd.pipeline import Pipeline
from fgsd.steps import PipelineStep


def frames(
    pipe: Pipeline,
    request: SampleRequest | PaintRequest,
    *,
    user_centroids: Mapping[str, Centroid] | None = None,
    interval: float = MIN_FRAME_INTERVAL_S,
    is_cancelled: Callable[[], bool] | None = None,
) -> Iterator[list[dict[str, Any]]]:
    """Run a request and yield the frames of its steps, each time those made since the last time.

    No step is left out. The last frame holds the samples without loss; other frames hold lossy images, which
    are scaled down where encoding them would take longer than the step itself.

    Parameters
    ----------
    user_centroids : mapping of name to Centroid, optional
        Textures of the visitor, besides the classes.
    interval : float
        Minimal time between two yields, in seconds.
    is_cancelled : callable, optional
        Asked after each step; once it returns True, the run ends.

    Yields
    ------
    list of dict
        `src` (data URI of the images after the step, as a grid without gaps), `estimate` (the same of the
        denoised images; None where both are equal), `n`, `columns`, `side` (pixels of one image in both),
        `size` (of the sample), `index`, `steps`, `sigma`, `evaluations`, `ms` (milliseconds a step so far),
        `distance` (mean over the images, to the target; None if unguided), `relative_distance` (the same, see
        `PipelineStep`), `last`, `device`, `label`, `name` (for a file, without suffix), `tileable`, `query`
        (link to the same samples; empty for a painting),
        and `path`: positions on the map, an (x, y) for each image, by projection; None for a painting.
    """
    constants, step_images = _constants(pipe, request), StepImages(request.steps)
    pending: list[dict[str, Any]] = []
    busy, begun, next_time = 0.0, time.perf_counter(), 0.0
    for step in sampling_steps(pipe, request, user_centroids):
        seconds = time.perf_counter() - begun
        busy += seconds
        last = step.index == step.steps
        frame = {
            **constants,
            **_measurements(step),
            "ms": round(1000 * busy / step.index, 1),
            "last": last,
            "path": None if isinstance(request, PaintRequest) else _map_positions(pipe, step),
        }
        if last:
            src, columns, side = lossless_picture(step.images)
            same = torch.equal(step.step.x, step.step.denoised)
            estimate = None if same else lossless_picture(step.denoised)[0]
        else:
            (src, estimate), columns, side = step_images.encode((step.images, step.denoised), seconds=seconds)
        pending.append({**frame, "src": src, "estimate": estimate, "columns": columns, "side": side})
        if is_cancelled is not None and is_cancelled():
            return
        now = time.perf_counter()
        if last or now >= next_time:
            next_time, pending, ready = now + interval, [], pending
            yield ready
        begun = time.perf_counter()


def last_frame(
    pipe: Pipeline, request: SampleRequest, *, user_centroids: Mapping[str, Centroid] | None = None
) -> dict[str, Any]:
    """Return the last of the `frames` of a request, without its `path`; no other step is encoded."""
    begun = time.perf_counter()
    *_, step = sampling_steps(pipe, request, user_centroids)
    ms = round(1000 * (time.perf_counter() - begun) / step.index, 1)
    src, columns, side = lossless_picture(step.images)
    images = {"src": src, "estimate": None, "columns": columns, "side": side, "ms": ms, "last": True}
    return {**_constants(pipe, request), **_measurements(step), **images}


def sampling_steps(
    pipe: Pipeline,
    request: SampleRequest | PaintRequest,
    user_centroids: Mapping[str, Centroid] | None = None,
) -> Iterator[PipelineStep]:
    """Sample or paint a request, and yield each step."""
    if isinstance(request, PaintRequest):
        return pipe.paint_stream(list(zip(request.targets, request.masks, strict=True)), **request.options())
    return pipe.stream(target_centroid(pipe, request, user_centroids), **request.options())


def _constants(pipe: Pipeline, request: SampleRequest | PaintRequest) -> dict[str, Any]:
    """Return the values that all frames of a request share."""
    return {
        "n": request.n,
        "size": request.size,
        "device": pipe.device.type,
        "label": request.label,
        "name": file_name(request),
        "tileable": request.tileable,
        "query": "" if isinstance(request, PaintRequest) else to_link(request),
    }


def _measurements(step: PipelineStep) -> dict[str, Any]:
    return {
        "index": step.index,
        "steps": step.steps,
        "sigma": round(step.sigma, 4),
        "evaluations": step.step.evaluations,
        "distance": _mean(step.distance),
        "relative_distance": _mean(step.relative_distance),
    }


def _mean(values: torch.Tensor | None) -> float | None:
    return None if values is None else round(float(values.mean()), 4)


def _map_positions(pipe: Pipeline, step: PipelineStep) -> dict[str, list[list[float]]]:
    """Return the positions of a step's images on the map, an (x, y) each, by projection.

    Where they are in 3D, an (x, y, z) each, is under "pca-3d" and, once that is fitted, "umap-3d".
    """
    positions = {}
    for projection in pipe.map.projections:
        points = pipe.map.project(projection, step.step.phi, step.sigma)
        positions[projection] = points.astype(float).round(4).tolist()
        if pipe.map.space.is_fitted(projection, step.sigma):
            points = pipe.map.space.project(projection, step.step.phi, step.sigma)
            positions[f"{projection}-3d"] = points.astype(float).round(4).tolist()
    return positions


def frames_to_send(made: Mapping[str, dict[str, Any]], *, last: bool) -> dict[str, dict[str, Any]]:
    """Return the frames, by index, that the value of the page's component holds.

    A browser skips a value that another one follows at once, so the newest frames stay in the value for a
    while. This costs nothing, since Gradio sends differences only. At the end of a run the value holds all
    frames.
    """
    return dict(made) if last else dict(list(made.items())[-MAX_KEPT_FRAMES:])


def file_name(request: SampleRequest | PaintRequest) -> str:
    """Return the class names, heaviest first, and the seed, in letters of any script, digits and hyphens."""
    if isinstance(request, PaintRequest):
        return f"painting-seed-{request.seed}"
    names = sorted(request.weights, key=lambda name: -request.weights[name])
    words = first_bytes(plain_words(" ".join(names), "-"), MAX_SAVED_NAME_BYTES).strip("-")
    return f"{words or 'sample'}-seed-{request.seed}"
