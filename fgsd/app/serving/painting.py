"""Painting on the page: a picture of the plan that the visitor paints, in few steps or in all.

Like previews, this bypasses Gradio's queue. Each picture that a page asks for cancels its earlier ones, so
that a stroke does not wait for all steps of the one before.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr
import numpy as np

from fgsd.app.limits import MAX_PAINT_PIXELS, MAX_PLAN_CHARACTERS, MAX_REGIONS
from fgsd.app.render.encode import data_uri
from fgsd.app.render.user_textures import UserTextureStore, centroids
from fgsd.app.requests.errors import errors_as_sentences
from fgsd.app.requests.paint import PaintRequest, check_paint_size, parse_paint
from fgsd.app.requests.request import RequestError, parse_request, repr_short, whole
from fgsd.app.requests.target import target_centroid
from fgsd.app.serving.admission import Admission, BusyError, preview_visitor
from fgsd.app.serving.request_sequence import RequestSequence
from fgsd.centroids import Centroid
from fgsd.pipeline import Pipeline
from fgsd.regions import FEATHER

MAX_NUMBER = 2**53  # of a query: what JavaScript counts exactly
STEPS = {"preview": 4, "full": 16}  # of the picture that follows the hand, and of the one after it


def paint_function(
    admission: Admission, store: UserTextureStore, *, multiple: int
) -> Callable[..., dict[str, Any]]:
    """Make a function for the page to call, with a query of these values:

    - "plan": base64 of a byte for each pixel, row by row: the number of its region in "targets";
    - "width" in pixels, of the plan and of the picture;
    - "targets": a target for each region, as `parse_request` takes it;
    - "seed", "tileable", "feather" as `parse_paint` takes them; "quality": one of `STEPS`; "visitor";
    - "number" of the query, by which the page counts its queries.

    Returns
    -------
    callable
        It returns {"src": data URI of a lossless WebP}; {} once the page has asked for another picture;
        {"busy": True} if too many requests are under way; or {"error": sentence}.
    """
    pipe, sequence = admission.scheduler.pipe, RequestSequence()

    @errors_as_sentences()
    def paint(query: Any, visitor: gr.Request | None = None) -> dict[str, Any]:
        query = query if isinstance(query, Mapping) else {}
        quality = query.get("quality")
        if quality not in STEPS:
            raise RequestError(f"quality must be one of {', '.join(STEPS)}; {repr_short(quality)} came.")
        user_centroids = centroids(store.of(query.get("visitor")))
        request = plan_request(pipe, query, user_centroids, multiple=multiple, steps=STEPS[quality])
        address = preview_visitor(visitor)
        painter = repr_short(query.get("visitor")) + address
        run = sequence.start(painter, whole(query.get("number"), "number", 0, MAX_NUMBER))
        if run is None:
            return {}  # a newer query has overtaken this one
        is_preview = quality == "preview"
        regions = list(zip(request.targets, request.masks, strict=True))
        result: dict[str, Any] = {}
        try:
            with admission.admit(
                address, preview=is_preview, is_cancelled=lambda: not sequence.is_current(painter, run)
            ) as lent:
                [image] = lent.paint(regions, **request.options())
                result["src"] = data_uri(image, lossless=True)
        except BusyError:
            result["busy"] = True
        return result

    return paint


def plan_request(
    pipe: Pipeline,
    query: Mapping[str, Any],
    user_centroids: Mapping[str, Centroid],
    *,
    multiple: int,
    steps: int,
) -> PaintRequest:
    """Validate a query of the page; see `paint_function`.

    Raises
    ------
    RequestError
        If a value is missing, of another type, or out of range.
    """
    targets = query.get("targets")
    if not isinstance(targets, list) or not 1 <= len(targets) <= MAX_REGIONS:
        raise RequestError(f"Paint with 1 to {MAX_REGIONS} textures; {repr_short(targets)} came.")
    plan = _plan(query.get("plan"), query.get("width"), multiple)
    used = sorted(set(np.unique(plan).tolist()))
    if used[-1] >= len(targets):
        raise RequestError(f"The plan names texture {used[-1] + 1}, but {len(targets)} came.")
    classes = [*pipe.classes, *user_centroids]
    chosen = []
    for index in used:
        request = parse_request(targets[index], classes=classes, multiple=multiple)
        chosen.append(target_centroid(pipe, request, user_centroids))
    return parse_paint(
        chosen,
        [plan == index for index in used],
        feather=query.get("feather", FEATHER),
        n=1,
        seed=query.get("seed", 0),
        steps=steps,
        strength=1.0,
        sampler="dpm2m",
        tileable=query.get("tileable", False),
    )


def _plan(encoded: Any, width: Any, multiple: int) -> np.ndarray:
    """Return the numbers (height, width) of the regions of all pixels."""
    width = whole(width, "The width", multiple, MAX_PAINT_PIXELS)
    try:
        if not isinstance(encoded, str) or len(encoded) > MAX_PLAN_CHARACTERS:
            raise ValueError
        numbers = np.frombuffer(base64.b64decode(encoded, validate=True), dtype=np.uint8)
    except (ValueError, binascii.Error):
        raise RequestError("The plan must be a byte for each pixel, as base64.") from None
    if not len(numbers) or len(numbers) % width:
        raise RequestError(f"A plan of {len(numbers)} pixels has no rows of {width}.")
    plan = numbers.reshape(-1, width)
    check_paint_size(*plan.shape, multiple=multiple)
    return plan
