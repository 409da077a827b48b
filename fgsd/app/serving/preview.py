"""Previews: the picture that follows the pin while it is dragged.

A preview bypasses Gradio's queue, which would take longer than the sampling. The page asks for one picture at
a time, always for the newest position of the pin, so nothing waits in line. The scheduler serves previews
before all full renders.

A preview has the noise of the picture that the release finishes, so that it looks like it. Where that
picture is too large to follow the hand, the preview is its centre (see `picture_sizes`). Once the hand rests,
the page asks for the whole picture, which its next preview cancels.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr

from fgsd.app.render.frames import last_frame
from fgsd.app.render.user_textures import UserTextureStore, centroids
from fgsd.app.requests.errors import errors_as_sentences
from fgsd.app.requests.request import SETTINGS, parse_request, repr_short, sizes, whole
from fgsd.app.requests.target import nearest_class
from fgsd.app.serving.admission import Admission, BusyError, preview_visitor
from fgsd.app.serving.picture_sizes import preview_part
from fgsd.app.serving.request_sequence import RequestSequence
from fgsd.pipeline import Pipeline
from fgsd.student import SAMPLER as DISTILLED

MAX_NUMBER = 2**53  # of a query: what JavaScript counts exactly
STEPS = 5  # the fewest that look like 16; with the same noise, the picture changes smoothly with the target
# Noise level at which a picture of few steps begins: above it only colours form, and a step is better spent
# below. Measured by `fgsd.evaluation.schedules`
SIGMA_MAX = 10.0


def preview_sigma_max(pipe: Pipeline) -> float:
    """Return the noise level at which previews begin."""
    return min(SIGMA_MAX, pipe.info.sigma_max)


def preview_settings(pipe: Pipeline, strength: float, *, steps: int = STEPS) -> dict[str, Any]:
    """Return steps, sampler and initial noise level of previews, as fields of a request.

    The student of the checkpoint makes them, if it has one: it was distilled at full strength. Otherwise they
    have `steps`.
    """
    if pipe.student is not None and strength == 1:
        return {"steps": len(pipe.student.sigmas), "sampler": DISTILLED, "sigma_max": None}
    return {"steps": steps, "sampler": "dpm2m", "sigma_max": preview_sigma_max(pipe)}


def preview_function(
    admission: Admission,
    store: UserTextureStore | None = None,
    *,
    multiple: int,
    seconds_per_pixel: float = math.inf,
    make: Callable[..., dict[str, Any]] = last_frame,
    nearest: bool = False,
) -> Callable[..., dict[str, Any]]:
    """Make a function for the page to call; `preview({"target": [...], "settings": [...]})` is one frame.

    The settings are the values of `SETTINGS`, some of which the preview overrides. Optional are
    "interpolation", see `parse_request`; "visitor", whose textures count; "number", by which the page counts
    its queries, so that each cancels the one before, with "page", a word that no other page of the address
    has; and "whole", where the hand rests.

    Parameters
    ----------
    store : UserTextureStore, optional
        The textures of the visitors.
    multiple : int
        Sides are multiples of this number of pixels.
    seconds_per_pixel : float
        Of an evaluation of the network, by which the size of previews is chosen; infinite: the smallest that
        the page offers, which that of an interpolation always has.
    make : callable
        Makes the frame of a request, as `last_frame` does; may raise `RequestError`.
    nearest : bool
        Whether the function also returns the nearest class of the target, so that a drag needs one call.

    Returns
    -------
    callable
        It returns {"frame": ..., "times": milliseconds} (see `fgsd.app.render.frames`; the frame's "finished"
        says where the part lies that it shows, see `PreviewPart`; `fgsd.benchmarks.breakdown` reads the
        times), without both if too many previews are under way, a later query has arrived, or whole pictures
        take too long; or {"error": sentence}; with `nearest` also {"nearest": {"name", "distance"}}, see
        `nearest_class`.
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
        settings |= {"steps": STEPS, "sampler": "dpm2m"}
        if settings["interpolation"] is not None:
            settings |= {"n": 1, "size": sizes(multiple)[0]}
        user_centroids = centroids(store.of(query.get("visitor"))) if store else {}
        classes = [*pipe.classes, *user_centroids]
        request = parse_request(query.get("target"), classes=classes, multiple=multiple, **settings)
        is_whole = query.get("whole") is True
        made_by = preview_settings(pipe, request.strength)
        part = preview_part(
            request,
            steps=made_by["steps"],
            seconds_per_pixel=seconds_per_pixel,
            multiple=multiple,
            whole=is_whole,
        )
        result: dict[str, Any] = {}
        if nearest and not is_whole:
            result["nearest"] = nearest_class(pipe, request, user_centroids)
        is_cancelled, is_late = begin(query, visitor)
        if part is None or is_late:
            return result
        sampled = part.preview(made_by)
        checked, evaluated = time.perf_counter(), admission.scheduler.evaluated_s
        try:
            # whole pictures take long, and the previews of others come first
            with admission.admit(
                preview_visitor(visitor), preview=not is_whole, is_cancelled=is_cancelled
            ) as lent:
                frame = make(lent, sampled, user_centroids=user_centroids)
                result["frame"] = {**frame, "finished": part.finished()}
        except BusyError:
            return result  # the page asks again for the next position of the pin
        if "frame" not in result:  # cancelled by a later query
            return result
        seconds = {
            "all": time.perf_counter() - begun,
            "checks": checked - begun,
            "sampling": frame["ms"] * frame["index"] / 1000,
            "evaluations": admission.scheduler.evaluated_s - evaluated,  # and those of others meanwhile
        }
        result["times"] = {name: round(1000 * value, 1) for name, value in seconds.items()}
        return result

    sequence = RequestSequence()

    def begin(query: Mapping[str, Any], visitor: gr.Request | None) -> tuple[Callable[[], bool] | None, bool]:
        """Cancel the earlier queries of a page; return whether a query is cancelled, and whether at once."""
        if query.get("number") is None:
            return None, False
        page = f"{repr_short(query.get('page'))} {preview_visitor(visitor)}"
        run = sequence.start(page, whole(query["number"], "number", 0, MAX_NUMBER))
        return (None, True) if run is None else (lambda: not sequence.is_current(page, run), False)

    return preview
