"""Previews: the picture that follows the pin while it is dragged.

A preview bypasses Gradio's queue, which would take longer than the sampling. The page asks for one picture at
a time, always for the newest position of the pin, so nothing waits in line. The scheduler serves previews
before all full renders.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import gradio as gr

from fgsd.app.render.frames import last_frame
from fgsd.app.render.user_textures import UserTextureStore, centroids
from fgsd.app.requests.errors import errors_as_sentences
from fgsd.app.requests.request import SETTINGS, parse_request, sizes
from fgsd.app.requests.target import nearest_class
from fgsd.app.serving.admission import Admission, BusyError, preview_visitor
from fgsd.pipeline import Pipeline

STEPS = 5  # the fewest that look like 16; with the same noise, the picture changes smoothly with the target
# Noise level at which a picture of few steps begins: above it only colours form, and a step is better spent
# below. Measured by `fgsd.evaluation.schedules`
SIGMA_MAX = 10.0


def preview_sigma_max(pipe: Pipeline) -> float:
    """Return the noise level at which previews begin."""
    return min(SIGMA_MAX, pipe.info.sigma_max)


def preview_function(
    admission: Admission,
    store: UserTextureStore | None = None,
    *,
    multiple: int,
    make: Callable[..., dict[str, Any]] = last_frame,
    nearest: bool = False,
) -> Callable[..., dict[str, Any]]:
    """Make a function for the page to call; `preview({"target": [...], "settings": [...]})` is one frame.

    The settings are the values of `SETTINGS`, some of which the preview overrides. "interpolation" is
    optional, see `parse_request`, and so is "visitor", whose textures count.

    Parameters
    ----------
    store : UserTextureStore, optional
        The textures of the visitors.
    multiple : int
        Sides are multiples of this number of pixels; the preview has the smallest size that the page offers.
    make : callable
        Makes the frame of a request, as `last_frame` does; may raise `RequestError`.
    nearest : bool
        Whether the function also returns the nearest class of the target, so that a drag needs one call.

    Returns
    -------
    callable
        It returns {"frame": ..., "times": milliseconds} (see `fgsd.app.render.frames`, and
        `fgsd.benchmarks.breakdown`, which reads the times), without both if too many previews are under way,
        or {"error": sentence}; with `nearest` also {"nearest": {"name", "distance"}}, see `nearest_class`.
    """
    pipe = admission.scheduler.pipe

    @errors_as_sentences()
    def preview(query: Any, visitor: gr.Request | None = None) -> dict[str, Any]:
        begun = time.perf_counter()
        query = query if isinstance(query, Mapping) else {}
        values = query.get("settings")
        is_complete = isinstance(values, list) and len(values) == len(SETTINGS)
        settings: dict[str, Any] = dict(zip(SETTINGS, values, strict=True)) if is_complete else {}
        settings["interpolation"] = query.get("interpolation")
        settings |= {"n": 1, "size": sizes(multiple)[0], "steps": STEPS, "sampler": "dpm2m"}
        user_centroids = centroids(store.of(query.get("visitor"))) if store else {}
        classes = [*pipe.classes, *user_centroids]
        request = parse_request(query.get("target"), classes=classes, multiple=multiple, **settings)
        request = replace(request, sigma_max=preview_sigma_max(pipe))
        result: dict[str, Any] = {}
        if nearest:
            result["nearest"] = nearest_class(pipe, request, user_centroids)
        checked, evaluated = time.perf_counter(), admission.scheduler.evaluated_s
        try:
            with admission.admit(preview_visitor(visitor), preview=True) as lent:
                frame = result["frame"] = make(lent, request, user_centroids=user_centroids)
        except BusyError:
            return result  # the page asks again for the next position of the pin
        seconds = {
            "all": time.perf_counter() - begun,
            "checks": checked - begun,
            "sampling": frame["ms"] * frame["index"] / 1000,
            "evaluations": admission.scheduler.evaluated_s - evaluated,  # and those of others meanwhile
        }
        result["times"] = {name: round(1000 * value, 1) for name, value in seconds.items()}
        return result

    return preview
