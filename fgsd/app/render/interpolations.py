"""Interpolations between textures: strips, grids, loops, and coarse structure with the detail of another."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

from PIL import Image

from fgsd.app.limits import (
    MAX_LOOP_PASS_PIXELS,
    MAX_POINTS,
    MAX_SERIES_SIDE,
    MIN_FRAME_INTERVAL_S,
    MIN_POINTS,
)
from fgsd.app.render.frames import file_name
from fgsd.app.render.interpolation_files import grid_file, image_file, loop_files, strip_file
from fgsd.app.render.step_images import lossless_picture, small_picture
from fgsd.app.requests.request import RequestError, SampleRequest
from fgsd.app.requests.target import target_centroid
from fgsd.centroids import Centroid, coarse_fine
from fgsd.interpolation import (
    blend_images,
    grid_weights,
    path_weights,
    refining_order,
    valid_point_counts,
)
from fgsd.pipeline import Pipeline
from fgsd.steps import PipelineStep

GRID_SIDE = 5  # points along a side of a grid
LOOP_SECONDS = 0.08  # duration of an image of a loop
MIN_TEXTURES = {"strip": 2, "grid": 4, "loop": 2, "coarse-fine": 2}

Frame = dict[str, Any]


@dataclass(frozen=True)
class MissingTextures:
    """What a mode needs before it can show anything."""

    sentence: str
    button: str  # label of the button that adds textures; empty if the checkpoint has too few
    count: int  # textures that the button adds


def missing_textures(request: SampleRequest, classes: Sequence[str]) -> MissingTextures | None:
    """Return what a visitor is told when too few textures are chosen; None if there are enough."""
    count = MIN_TEXTURES.get(request.mode, 1) - len(request.ends)
    if count <= 0:
        return None
    if count > len(set(classes) - set(request.ends)):
        needed = MIN_TEXTURES[request.mode]
        return MissingTextures(f"This takes {needed} textures, and there are only {len(classes)}.", "", 0)
    if request.mode == "grid":
        more = "one more texture" if count == 1 else f"{count} more textures"
        corners = "the nearest texture" if count == 1 else f"the {count} nearest textures"
        sentence = f"A grid has four corners: choose {more} with Mix or Shift."
        return MissingTextures(sentence, f"Add {corners}", count)
    what = {
        "strip": "A strip leads from one texture to another",
        "loop": "A loop goes from one texture to another and back",
        "coarse-fine": "This takes coarse structure from one texture and detail from another",
    }[request.mode]
    sentence = f"{what}: choose a second one with Mix or Shift."
    return MissingTextures(sentence, "Add the most different texture", count)


def textures_to_add(
    pipe: Pipeline, request: SampleRequest, user_centroids: Mapping[str, Centroid] | None = None
) -> list[str]:
    """Return the classes that `missing_textures` offers to add: for a grid the nearest, else the farthest."""
    missing = missing_textures(request, pipe.classes)
    if missing is None:
        return []
    distances = pipe.table.distances(target_centroid(pipe, request, user_centroids).values)
    order = distances.argsort(descending=request.mode != "grid").tolist()
    free = [pipe.classes[k] for k in order if pipe.classes[k] not in request.ends]
    return free[: missing.count]


def mixtures(request: SampleRequest) -> list[dict[str, float]]:
    """Return the weights of each image of a strip, a grid (row by row) or a loop, without weights of 0."""
    ends = request.ends
    if request.mode == "strip":
        rows = path_weights(len(ends), strip_points(request))
    elif request.mode == "grid":
        ends, rows = ends[:4], grid_weights(GRID_SIDE, GRID_SIDE).reshape(-1, 4)
    else:
        rows = path_weights(len(ends), len(ends) * leg_length(len(ends)), closed=True)
    return [{name: w for name, w in zip(ends, row.tolist(), strict=True) if w > 0} for row in rows]


def strip_points(request: SampleRequest) -> int:
    """Return the number of points nearest to the requested one with which each texture has a point itself."""
    return min(_valid_strip_points(request), key=lambda n: abs(n - request.points))


def _valid_strip_points(request: SampleRequest) -> list[int]:
    return valid_point_counts(len(request.ends), MIN_POINTS, MAX_POINTS)


def leg_length(textures: int) -> int:
    """Return the images of a loop from one texture to the next; few enough that a loop has at most 64."""
    return 12 if textures <= 4 else 8


def interpolation_frames(
    pipe: Pipeline,
    request: SampleRequest,
    *,
    user_centroids: Mapping[str, Centroid] | None = None,
    interval: float = MIN_FRAME_INTERVAL_S,
    is_cancelled: Callable[[], bool] | None = None,
) -> Iterator[Frame]:
    """Run a request of a mode other than "sample" and yield what a page shows, as plain values.

    All images start from the noise of the request's seed. The last frame is always yielded, others at a
    bounded rate.

    Parameters
    ----------
    request : SampleRequest
        Without `missing_textures`.
    user_centroids : mapping of name to Centroid, optional
        Textures of the visitor, besides the classes.
    interval : float
        Minimal time between two yields, in seconds.
    is_cancelled : callable, optional
        Asked before each step; once it returns True, the run ends.

    Yields
    ------
    dict
        `mode`, `ends` (names), `chosen` (the target), `weights` (of each image), `sheets` (list of {"src",
        "columns", "side", "places"}: data URI of a grid without gaps, and the indices of the images that each
        cell shows), `count` (of images; the sheet of a strip has `count` pixel blends and one unguided image
        after them), `fitting` (numbers of points that a strip can have), `index`, `steps`, `sigma`, `ms` (a
        step), `size`, `last`, `device`, `label`, `name` (for a file, without suffix), and in the last frame
        `files` (data URIs by suffix). A loop has `seconds` (duration of an image) and counts the steps of all
        its images; "coarse-fine" has `switch`.
    """
    run = _Run(
        pipe,
        request,
        user_centroids=user_centroids or {},
        interval=interval,
        is_cancelled=is_cancelled or (lambda: False),
    )
    modes = {"strip": run.strip, "grid": run.grid, "loop": run.loop, "coarse-fine": run.coarse_fine}
    yield from modes[request.mode]()


def switch_frame(
    pipe: Pipeline, request: SampleRequest, *, user_centroids: Mapping[str, Centroid] | None = None
) -> Frame:
    """Return the last of the `interpolation_frames` of "coarse-fine", without files, for a dragged slider.

    Raises
    ------
    RequestError
        If the request is of another mode, or textures are missing.
    """
    if request.mode != "coarse-fine":
        raise RequestError("Only the switch between coarse and fine has a preview.")
    if missing := missing_textures(request, pipe.classes):
        raise RequestError(missing.sentence)
    *_, last = interpolation_frames(pipe, request, user_centroids=user_centroids, interval=math.inf)
    return {key: value for key, value in last.items() if key != "files"}


class _Run:
    """The run of one request; each mode is a generator of frames."""

    def __init__(
        self,
        pipe: Pipeline,
        request: SampleRequest,
        *,
        user_centroids: Mapping[str, Centroid],
        interval: float,
        is_cancelled: Callable[[], bool],
    ) -> None:
        self.pipe, self.request, self.user_centroids = pipe, request, user_centroids
        self.interval, self.is_cancelled = interval, is_cancelled
        multiple = pipe.network.config.multiple
        self.size, self.weights = request.size, list[dict[str, float]]()
        if request.mode != "coarse-fine":
            self.size = min(request.size, MAX_SERIES_SIDE // multiple * multiple)
            self.weights = mixtures(request)
        self.busy, self.count, self.now, self.next_frame = 0.0, 0, 0.0, 0.0

    def strip(self) -> Iterator[Frame]:
        n, ends = len(self.weights), self.request.ends
        end_indices = [self.weights.index({name: 1.0}) for name in ends]
        for guided, unguided in self._steps(self._stream(self._centroids(range(n))), self._stream(None)):
            last = guided.index == guided.steps
            if not self._is_due(last):
                continue
            images, unguided_image = self._visible(guided), self._visible(unguided)[0]
            pure = [images[k] for k in end_indices]
            blends = [blend_images(pure, [w.get(name, 0.0) for name in ends]) for w in self.weights]
            frame = self._frame(guided, last, [self._sheet([*images, *blends, unguided_image], last)])
            if last:
                frame["files"] = strip_file(images, blends, unguided_image, ends)
            yield self._scheduled(frame)

    def grid(self) -> Iterator[Frame]:
        for (step,) in self._steps(self._stream(self._centroids(range(len(self.weights))))):
            last = step.index == step.steps
            if not self._is_due(last):
                continue
            images = self._visible(step)
            frame = self._frame(step, last, [self._sheet(images, last)])
            if last:
                frame["files"] = grid_file(images, GRID_SIDE)
            yield self._scheduled(frame)

    def coarse_fine(self) -> Iterator[Frame]:
        ends = self.request.ends[:2]
        coarse, fine = (
            target_centroid(self.pipe, self.request, self.user_centroids, weights={name: 1.0})
            for name in ends
        )
        for (step,) in self._steps(self._stream([coarse_fine(coarse, fine, self.request.switch)])):
            last = step.index == step.steps
            if not self._is_due(last):
                continue
            images = self._visible(step)
            frame = self._frame(step, last, [self._sheet(images, last)])
            frame |= {"switch": self.request.switch, "ends": list(ends), "count": 1}
            if last:
                frame["files"] = image_file(images[0])
            yield self._scheduled(frame)

    def loop(self) -> Iterator[Frame]:
        # with two textures, the way back has the mixtures of the way there: each is sampled once
        first_with: dict[tuple[tuple[str, float], ...], int] = {}
        source = [first_with.setdefault(tuple(sorted(w.items())), k) for k, w in enumerate(self.weights)]
        length = leg_length(len(self.request.ends))
        order = [k for k in refining_order(len(self.weights), length) if source[k] == k]
        batch_size = max(1, MAX_LOOP_PASS_PIXELS // self.size**2)
        images: dict[int, Image.Image] = {}
        sheets: list[dict[str, Any]] = []
        # the first batch holds the textures themselves, or as many of them as fit
        first = min(batch_size, len(self.request.ends))
        for begin, end in pairwise([0, *range(first, len(order), batch_size), len(order)]):
            batch = order[begin:end]
            step: PipelineStep | None = None
            shown_at = [[k for k, other in enumerate(source) if other == index] for index in batch]
            for (step,) in self._steps(self._stream(self._centroids(batch))):
                if step.index < step.steps and self._is_due(False):
                    # the first batch is shown at every step; while later ones are sampled, the loop plays
                    visible = sheets or [self._sheet(self._visible(step), False, shown_at)]
                    yield self._scheduled(self._loop_frame(step, visible, begin, len(batch), len(order)))
            if step is None or step.index < step.steps:
                return
            images |= dict(zip(batch, step.images, strict=True))
            sheets = [*sheets, self._sheet([images[k] for k in batch], True, shown_at)]
            frame = self._loop_frame(step, sheets, begin, len(batch), len(order))
            if frame["last"]:
                frame["files"] = loop_files([images[k] for k in source], LOOP_SECONDS)
            yield self._scheduled(frame)

    def _loop_frame(
        self, step: PipelineStep, sheets: list[dict[str, Any]], finished: int, batch: int, total: int
    ) -> Frame:
        """Return a frame that counts the steps of all images, `finished` and `batch` of `total` so far."""
        steps = self.request.steps
        frame = self._frame(step, finished + batch == total and step.index == step.steps, sheets)
        index = finished * steps + step.index * batch
        return frame | {"index": index, "steps": total * steps, "seconds": LOOP_SECONDS}

    def _centroids(self, indices: Sequence[int]) -> list[Centroid]:
        return [
            target_centroid(self.pipe, self.request, self.user_centroids, weights=self.weights[k])
            for k in indices
        ]

    def _stream(self, centroids: list[Centroid] | None) -> Generator[PipelineStep, None, None]:
        request, n = self.request, 1 if centroids is None else len(centroids)
        steps = self.pipe.stream(
            centroids,
            n=n,
            steps=request.steps,
            size=self.size,
            seed=[request.seed] * n,
            strength=request.strength,
            sampler=request.sampler,
            tileable=request.tileable,
        )
        return cast(Generator[PipelineStep, None, None], steps)  # `stream` is a generator function

    def _steps(self, *streams: Generator[PipelineStep, None, None]) -> Iterator[tuple[PipelineStep, ...]]:
        """Yield the steps of several streams side by side until the run is cancelled."""
        try:
            while not self.is_cancelled():
                begun = time.perf_counter()
                steps = tuple(step for stream in streams if (step := next(stream, None)) is not None)
                if len(steps) < len(streams):
                    return
                self.busy, self.count = self.busy + time.perf_counter() - begun, self.count + 1
                yield steps
        finally:
            for stream in streams:
                stream.close()

    def _is_due(self, last: bool) -> bool:
        self.now = time.perf_counter()
        return last or self.now >= self.next_frame

    def _scheduled(self, frame: Frame) -> Frame:
        """Set the time of the next frame, so that at most a third of all time goes into making frames."""
        self.next_frame = self.now + max(self.interval, 2 * (time.perf_counter() - self.now))
        return frame

    def _visible(self, step: PipelineStep) -> list[Image.Image]:
        done = step.index == step.steps
        return step.images if done or self.request.view != "estimate" else step.denoised

    def _sheet(
        self, images: list[Image.Image], lossless: bool, shown_at: list[list[int]] | None = None
    ) -> dict[str, Any]:
        src, columns, side = (lossless_picture if lossless else small_picture)(images)
        indices = [[k] for k in range(len(images))] if shown_at is None else shown_at
        return {"src": src, "columns": columns, "side": side, "places": indices}

    def _frame(self, step: PipelineStep, last: bool, sheets: list[dict[str, Any]]) -> Frame:
        request = self.request
        return {
            "mode": request.mode,
            "ends": list(request.ends[:4] if request.mode == "grid" else request.ends),
            "chosen": [
                {"name": name, "weight": request.weights.get(name, 0.0)}
                | ({"move": list(request.moves[name])} if name in request.moves else {})
                for name in request.ends
            ],
            "weights": self.weights,
            "fitting": _valid_strip_points(request),
            "count": len(self.weights),
            "sheets": sheets,
            "index": step.index,
            "steps": step.steps,
            "sigma": round(step.sigma, 4),
            "ms": round(1000 * self.busy / max(1, self.count), 1),
            "size": self.size,
            "last": last,
            "device": self.pipe.device.type,
            "label": ", ".join(request.ends),
            "name": f"{file_name(request)}-{request.mode}",
        }
