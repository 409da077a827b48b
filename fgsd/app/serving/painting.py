"""Painting on the page: a picture of the plan that the visitor paints, in few steps or in all.

The picture that follows the hand bypasses Gradio's queue, like previews. Each picture that a page asks for
cancels its earlier ones, so that a stroke does not wait for all steps of the one before.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import gradio as gr
import numpy as np
import torch

from fgsd.app.limits import (
    MAX_EVALUATION_S,
    MAX_PAINT_PIXELS,
    MAX_PLAN_CHARACTERS,
    MAX_REGIONS,
    PAINT_SIDES,
)
from fgsd.app.render.encode import data_uri
from fgsd.app.render.frames import frames, frames_to_send
from fgsd.app.render.user_textures import UserTextureStore, centroids
from fgsd.app.requests.errors import errors_as_sentences
from fgsd.app.requests.paint import PaintRequest, check_paint_size, parse_paint
from fgsd.app.requests.python_code import painting_to_python
from fgsd.app.requests.request import RequestError, SampleRequest, parse_request, repr_short, whole
from fgsd.app.requests.target import target_centroid
from fgsd.app.serving.admission import Admission, BusyError, preview_visitor
from fgsd.app.serving.preview import preview_settings
from fgsd.app.serving.request_sequence import RequestSequence
from fgsd.centroids import Centroid
from fgsd.guidance import GuidedDenoiser
from fgsd.pipeline import Pipeline
from fgsd.regions import FEATHER

MAX_NUMBER = 2**53  # of a query: what JavaScript counts exactly
MEASURED_SIDE = {"cpu": 128}  # pixels of the image by which evaluations are timed
MEASURED_SIDE_ELSEWHERE = 256  # a smaller one leaves a GPU idle
STEPS = 16  # of the picture that is taken home
PREVIEW_STEPS = 4  # of the one that follows the hand, if the checkpoint has no student


class Painter:
    """Paints what the pages of all visitors ask for.

    A query has these values:

    - "plan": base64 of the deflated plan, a byte for each pixel, row by row: the number of its region in
      "targets"; "width" in pixels, of the plan and of the picture;
    - "targets": a target for each region, as `parse_request` takes it;
    - "seed", "tileable", "feather", "view" as `parse_paint` takes them; "visitor": the session;
    - "number" of the query, by which the page counts its queries.

    Parameters
    ----------
    admission : Admission
    store : UserTextureStore
        Textures of the visitors.
    seconds_per_pixel : float
        Of an evaluation of the network, as `measure_evaluation` returns it; it limits the size of paintings.
    """

    def __init__(self, admission: Admission, store: UserTextureStore, seconds_per_pixel: float) -> None:
        self._admission, self._store = admission, store
        self.seconds_per_pixel = seconds_per_pixel
        self._sequence = RequestSequence()
        self._stream = admission.stream(frames)

    def sides(self) -> list[int]:
        """Return the sides of pictures that can be painted, in pixels."""
        multiple = self._admission.scheduler.pipe.network.config.multiple
        longest = math.sqrt(max(MAX_PAINT_PIXELS, MAX_EVALUATION_S / self.seconds_per_pixel))
        fitting = [side for side in PAINT_SIDES if side % multiple == 0 and side <= longest]
        return fitting or [multiple * max(1, PAINT_SIDES[0] // multiple)]

    def request(self, query: Mapping[str, Any], session: Any, *, steps: int = STEPS) -> PaintRequest:
        """Validate a query of a session; raise `RequestError` if a value of it is forged."""
        pipe, textures = self._admission.scheduler.pipe, centroids(self._store.of(session))
        largest = max(MAX_PAINT_PIXELS, self.sides()[-1] ** 2)
        return plan_request(pipe, query, textures, steps=steps, max_pixels=largest)

    def preview_function(self) -> Callable[..., dict[str, Any]]:
        """Return a function for the page to call with a query.

        It returns {"src": data URI of a lossless WebP}; {} once the page has asked for another picture;
        {"busy": True} if too many requests are under way; or {"error": sentence}.
        """

        @errors_as_sentences()
        def preview_painting(query: Any, visitor: gr.Request | None = None) -> dict[str, Any]:
            query = query if isinstance(query, Mapping) else {}
            request = self.request(query, query.get("visitor"), steps=PREVIEW_STEPS)
            pipe = self._admission.scheduler.pipe
            request = replace(request, **preview_settings(pipe, request.strength, steps=PREVIEW_STEPS))
            is_cancelled = self._begin(query, query.get("visitor"), visitor)
            if is_cancelled is None:
                return {}
            regions = list(zip(request.targets, request.masks, strict=True))
            result: dict[str, Any] = {}
            try:
                with self._admission.admit(
                    preview_visitor(visitor), preview=True, is_cancelled=is_cancelled
                ) as lent:
                    [image] = lent.paint(regions, **request.options())
                    result["src"] = data_uri(image, lossless=True)
            except BusyError:
                result["busy"] = True
            return result

        return preview_painting

    def steps(self, query: Mapping[str, Any], visitor: gr.Request) -> Iterator[dict[str, Any]]:
        """Paint a query in all steps.

        Yields
        ------
        dict
            {"number", "frames"} as `frames_to_send` returns them; {"number", "busy"} if too many requests are
            under way. It ends once the page has asked for another picture.

        Raises
        ------
        RequestError
            If a value of the query is forged.
        """
        session, made = visitor.session_hash, dict[str, dict[str, Any]]()
        request = self.request(query, session)
        is_cancelled = self._begin(query, session, visitor)
        if is_cancelled is None:
            return
        number = query["number"]
        try:
            for new in self._stream(session, request, is_cancelled=is_cancelled):
                made |= {str(frame["index"]): frame for frame in new}
                yield {"number": number, "frames": frames_to_send(made, last=new[-1]["last"])}
        except BusyError:
            yield {"number": number, "busy": True}

    def _begin(
        self, query: Mapping[str, Any], session: Any, visitor: gr.Request | None
    ) -> Callable[[], bool] | None:
        """Cancel the earlier pictures of a page; None if it has asked for a later one already.

        Returns
        -------
        callable
            Whether the page has asked for another one since.
        """
        painter = repr_short(session) + preview_visitor(visitor)
        run = self._sequence.start(painter, whole(query.get("number"), "number", 0, MAX_NUMBER))
        return None if run is None else lambda: not self._sequence.is_current(painter, run)


def measure_evaluation(pipe: Pipeline, *, preview: bool = False) -> float:
    """Return the seconds that an evaluation of the network takes for each pixel, in an image of some size.

    Parameters
    ----------
    preview : bool
        Whether it is one for a preview, else for a finished picture.
    """
    engines = pipe.preview_engines if preview else pipe.engines
    engines.wait()
    side = MEASURED_SIDE.get(pipe.device.type, MEASURED_SIDE_ELSEWHERE)
    side = side // pipe.network.config.multiple * pipe.network.config.multiple
    evaluate = engines.quick if preview else engines.exact
    denoiser = GuidedDenoiser(pipe.network, pipe.table.of(pipe.classes[0]), evaluate=evaluate)
    x = torch.zeros(1, 3, side, side, device=pipe.device)
    seconds = math.inf
    for _ in range(3):  # the first one warms up, and other work on the machine may disturb one
        began = time.perf_counter()
        denoiser(x, 1.0)[0].cpu()  # which waits for an accelerator
        seconds = min(seconds, time.perf_counter() - began)
    return seconds / side**2


def textures_of_colours_function(pipe: Pipeline) -> Callable[[Any], dict[str, Any]]:
    """Return a function for the page to call with colours "#rrggbb", most important first.

    It returns {"names"}: for each colour the class whose mean colour is nearest, of those that no colour
    before has; or {"error": sentence}.
    """

    @errors_as_sentences()
    def textures_of_colours(colours: Any) -> dict[str, Any]:
        if not isinstance(colours, list) or not 1 <= len(colours) <= min(MAX_REGIONS, len(pipe.classes)):
            raise RequestError(f"Give 1 to {MAX_REGIONS} colours; {repr_short(colours)} came.")
        free, names = list(pipe.classes), []
        for colour in colours:
            wanted = torch.tensor(list(bytes.fromhex(checked_colour(colour)[1:]))) / 127.5 - 1
            names.append(min(free, key=lambda name: float((pipe.table.of(name).colour - wanted).norm())))
            free.remove(names[-1])
        return {"names": names}

    return textures_of_colours


def plan_request(
    pipe: Pipeline,
    query: Mapping[str, Any],
    user_centroids: Mapping[str, Centroid],
    *,
    steps: int,
    max_pixels: int,
) -> PaintRequest:
    """Validate a query of the page; see `Painter`.

    Raises
    ------
    RequestError
        If a value is missing, of another type, or out of range.
    """
    classes = [*pipe.classes, *user_centroids]
    regions = query_regions(query, classes, pipe.network.config.multiple, max_pixels)
    return _request_of(pipe, query, regions, user_centroids, steps=steps)


Region = tuple[int, SampleRequest, np.ndarray]  # number, target, and mask (height, width)


def _request_of(
    pipe: Pipeline,
    query: Mapping[str, Any],
    regions: Sequence[Region],
    user_centroids: Mapping[str, Centroid],
    *,
    steps: int,
) -> PaintRequest:
    """Return the request of a query whose plan has these regions."""
    return parse_paint(
        [target_centroid(pipe, request, user_centroids) for _, request, _ in regions],
        [mask for *_, mask in regions],
        feather=query.get("feather", FEATHER),
        n=1,
        seed=query.get("seed", 0),
        steps=steps,
        strength=1.0,
        sampler="dpm2m",
        tileable=query.get("tileable", False),
        view=query.get("view", "noise"),
    )


def query_regions(
    query: Mapping[str, Any], classes: Sequence[str], multiple: int, max_pixels: int
) -> list[Region]:
    """Return each region that occurs in the plan of a query.

    Raises
    ------
    RequestError
        As `plan_request`.
    """
    targets = query.get("targets")
    if not isinstance(targets, list) or not 1 <= len(targets) <= MAX_REGIONS:
        raise RequestError(f"Paint with 1 to {MAX_REGIONS} textures; {repr_short(targets)} came.")
    plan = _plan(query.get("plan"), query.get("width"), multiple, max_pixels)
    used = sorted(set(np.unique(plan).tolist()))
    if used[-1] >= len(targets):
        raise RequestError(f"The plan names texture {used[-1] + 1}, but {len(targets)} came.")
    requests = [parse_request(targets[index], classes=classes, multiple=multiple) for index in used]
    return [(index, request, plan == index) for index, request in zip(used, requests, strict=True)]


def painting_lines(pipe: Pipeline, query: Mapping[str, Any], checkpoint: str) -> str:
    """Return Python code that paints a query of the page, whose plan has "colours", one for each target.

    Raises
    ------
    RequestError
        As `plan_request`; or if a texture is not one of the checkpoint.
    """
    entries = [entry for target in _as_list(query.get("targets")) for entry in _as_list(target)]
    names = {entry.get("name") for entry in entries if isinstance(entry, Mapping)}
    if unknown := sorted(str(name) for name in names - set(pipe.classes)):
        raise RequestError(f"The lines know the checkpoint's textures only, and not {', '.join(unknown)}.")
    largest = max(MAX_PAINT_PIXELS, PAINT_SIDES[-1] ** 2)
    regions = query_regions(query, pipe.classes, pipe.network.config.multiple, largest)
    colours = [checked_colour(colour) for colour in _as_list(query.get("colours"))]
    if len(colours) <= regions[-1][0]:
        raise RequestError(f"The plan has {regions[-1][0] + 1} colours; {len(colours)} came.")
    request = _request_of(pipe, query, regions, {}, steps=STEPS)
    return painting_to_python({colours[k]: target for k, target, _ in regions}, request, checkpoint)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def checked_colour(colour: Any) -> str:
    """Return a colour "#rrggbb" as it is; raise `RequestError` if it is none."""
    if not isinstance(colour, str) or not re.fullmatch("#[0-9a-fA-F]{6}", colour):
        raise RequestError(f"A colour is # and six hexadecimal digits; {repr_short(colour)} came.")
    return colour


def _plan(encoded: Any, width: Any, multiple: int, max_pixels: int) -> np.ndarray:
    """Return the numbers (height, width) of the regions of all pixels."""
    width = whole(width, "The width", multiple, max_pixels)
    try:
        if not isinstance(encoded, str) or len(encoded) > MAX_PLAN_CHARACTERS:
            raise ValueError
        inflate = zlib.decompressobj()
        content = inflate.decompress(base64.b64decode(encoded, validate=True), max_pixels + 1)
        if not inflate.eof:
            raise ValueError
    except (ValueError, binascii.Error, zlib.error):
        raise RequestError(
            f"The plan must be a byte for each of at most {max_pixels:,} pixels, deflated, as base64."
        ) from None
    numbers = np.frombuffer(content, dtype=np.uint8)
    if not len(numbers) or len(numbers) % width:
        raise RequestError(f"A plan of {len(numbers)} pixels has no rows of {width}.")
    plan = numbers.reshape(-1, width)
    check_paint_size(*plan.shape, multiple=multiple, max_pixels=max_pixels)
    return plan
