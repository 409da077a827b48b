"""What lies between several textures: strips, grids, loops, and coarse structure with other detail."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from PIL import Image

from fgsd.app.render.frames import SHORTEST_INTERVAL, file_name
from fgsd.app.render.interpolation_files import animations, grid_file, picture_file, strip_file
from fgsd.app.render.step_images import small_picture, whole_picture
from fgsd.app.requests.request import MAX_PLACES, MIN_PLACES, RequestError, SampleRequest
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

MAX_SIDE = 128  # pixels of one picture of many
GRID = 5  # places along a side
LOOP_PIXELS = 8 * 64 * 64  # that are denoised in one pass, so that the loop grows as one watches
LOOP_SECONDS = 0.08  # that a picture of a loop is shown
MIN_TEXTURES = {"strip": 2, "grid": 4, "loop": 2, "coarse-fine": 2}  # textures


@dataclass(frozen=True)
class Need:
    """What is missing before a mode can show anything."""

    sentence: str
    button: str  # what the button offers; nothing if there are too few textures
    count: int  # of textures that it adds


def missing(request: SampleRequest, classes: Sequence[str]) -> Need | None:
    """What a visitor is told when too few of the classes are chosen; None if there are enough."""
    lack = MIN_TEXTURES.get(request.mode, 1) - len(request.ends)
    if lack <= 0:
        return None
    if lack > len(set(classes) - set(request.ends)):
        return Need(
            f"This takes {MIN_TEXTURES[request.mode]} textures, and there are only {len(classes)}.", "", 0
        )
    if request.mode == "grid":
        more = "one more texture" if lack == 1 else f"{lack} more textures"
        corners = "the nearest texture" if lack == 1 else f"the {lack} nearest textures"
        return Need(f"A grid has four corners: choose {more} with Mix or Shift.", f"Add {corners}", lack)
    what = {
        "strip": "A strip leads from one texture to another",
        "loop": "A loop goes from one texture to another and back",
        "coarse-fine": "This takes coarse structure from one texture and detail from another",
    }[request.mode]
    return Need(f"{what}: choose a second one with Mix or Shift.", "Add the most different texture", lack)


def filled(pipe: Pipeline, request: SampleRequest, own: Mapping[str, Centroid] | None = None) -> list[str]:
    """The classes that `missing` offers to add: the most different ones, or for a grid the nearest."""
    need = missing(request, pipe.classes)
    if need is None:
        return []
    distances = pipe.table.distances(target_centroid(pipe, request, own).values)
    order = distances.argsort(descending=request.mode != "grid").tolist()
    free = [pipe.classes[k] for k in order if pipe.classes[k] not in request.ends]
    return free[: need.count]


def weights_of(request: SampleRequest) -> list[dict[str, float]]:
    """The mixture of each picture of a strip, a grid (row by row) or a loop; the ends have no other in it."""
    ends = request.ends
    if request.mode == "strip":
        rows = path_weights(len(ends), strip_places(request))
    elif request.mode == "grid":
        ends, rows = ends[:4], grid_weights(GRID, GRID).reshape(-1, 4)
    else:
        rows = path_weights(len(ends), len(ends) * leg_length(len(ends)), closed=True)
    return [{name: w for name, w in zip(ends, row.tolist(), strict=True) if w > 0} for row in rows]


def strip_places(request: SampleRequest) -> int:
    """The number of places, near what is asked for, at which each texture of a strip has one of its own."""
    fitting = valid_point_counts(len(request.ends), MIN_PLACES, MAX_PLACES)
    return min(fitting, key=lambda n: abs(n - request.places))


def leg_length(textures: int) -> int:
    """Pictures of a loop from one texture to the next: fewer if there are many, so that all stay bounded."""
    return 12 if textures <= 4 else 8


def interpolation_frames(
    pipe: Pipeline,
    request: SampleRequest,
    *,
    own: Mapping[str, Centroid] | None = None,
    interval: float = SHORTEST_INTERVAL,
    wanted: Callable[[], bool] | None = None,
) -> Iterator[dict]:
    """Run a request of another mode than "sample", yielding what a page shows, as plain values.

    All pictures begin at the noise of the request's seed. The last frame is always yielded, others at a
    bounded rate; once `wanted` returns False, no further step is made. The request must not be `missing`
    anything. `own` holds the textures of the visitor's own, by name.

    Yields
    ------
    dict
        `mode`, `ends` (names), `chosen` (the target), `weights` (of each
        picture), `sheets` (list of {"src", "columns", "side", "places"}: data URI of a grid without gaps,
        and which pictures each of its cells is), `count` (of the pictures; a strip has `count` blends of
        pixels after them, and a single unguided picture), `fitting` (numbers of places that a strip can
        have), `index`, `steps`, `sigma`, `ms` (a step), `size`, `last`, `device`, `label`, `name` (for a
        file, without suffix), and in the last frame `files` (data URIs by suffix). A loop has `seconds`
        (that a picture is shown) and counts steps over all of its pictures; "coarse-fine" has `switch`.
    """
    small = min(request.size, MAX_SIDE // pipe.network.config.multiple * pipe.network.config.multiple)
    run = _Run(pipe, request, small, own or {}, interval, wanted or (lambda: True))
    yield from {"strip": run.strip, "grid": run.grid, "loop": run.loop, "coarse-fine": run.switch}[
        request.mode
    ]()


def switch_frame(
    pipe: Pipeline, request: SampleRequest, *, own: Mapping[str, Centroid] | None = None
) -> dict:
    """What follows the slider of coarse and fine: the last of `interpolation_frames`, without files.

    Raises
    ------
    RequestError
        If the request is of another mode, or `missing` something.
    """
    if request.mode != "coarse-fine":
        raise RequestError("Only the switch between coarse and fine can be followed.")
    if need := missing(request, pipe.classes):
        raise RequestError(need.sentence)
    *_, last = interpolation_frames(pipe, request, own=own, interval=math.inf)
    return {key: value for key, value in last.items() if key != "files"}


class _Run:
    def __init__(self, pipe, request, size, own, interval, wanted) -> None:
        self.pipe, self.request, self.own = pipe, request, own
        self.size = request.size if request.mode == "coarse-fine" else size
        self.interval, self.wanted = interval, wanted
        self.weights = [] if request.mode == "coarse-fine" else weights_of(request)
        self.busy, self.count, self.now, self.next_frame = 0.0, 0, 0.0, 0.0

    def strip(self) -> Iterator[dict]:
        n, ends = len(self.weights), self.request.ends
        at_end = [self.weights.index({name: 1.0}) for name in ends]
        for guided, unguided in self._steps(self._stream(self._centroids(range(n))), self._stream(None)):
            last = guided.index == guided.steps
            if not self._due(last):
                continue
            images, free = self._shown(guided), self._shown(unguided)[0]
            pure = [images[k] for k in at_end]
            blends = [blend_images(pure, [w.get(name, 0.0) for name in ends]) for w in self.weights]
            frame = self._frame(guided, last, [self._sheet([*images, *blends, free], last)])
            if last:
                frame["files"] = strip_file(images, blends, free, ends)
            yield self._sent(frame)

    def grid(self) -> Iterator[dict]:
        for (step,) in self._steps(self._stream(self._centroids(range(len(self.weights))))):
            last = step.index == step.steps
            if not self._due(last):
                continue
            images = self._shown(step)
            frame = self._frame(step, last, [self._sheet(images, last)])
            if last:
                frame["files"] = grid_file(images, GRID)
            yield self._sent(frame)

    def switch(self) -> Iterator[dict]:
        first, second = (
            target_centroid(self.pipe, self.request, self.own, weights={name: 1.0}) for name in self._two
        )
        centroid = coarse_fine(first, second, self.request.switch)
        for (step,) in self._steps(self._stream([centroid])):
            last = step.index == step.steps
            if not self._due(last):
                continue
            images = self._shown(step)
            frame = self._frame(step, last, [self._sheet(images, last)])
            frame |= {"switch": self.request.switch, "ends": list(self._two), "count": 1}
            if last:
                frame["files"] = picture_file(images[0])
            yield self._sent(frame)

    def loop(self) -> Iterator[dict]:
        # with two textures the way back meets the same mixtures again: each is made once
        known: dict[tuple, int] = {}
        same = [known.setdefault(tuple(sorted(w.items())), k) for k, w in enumerate(self.weights)]
        length = leg_length(len(self.request.ends))
        todo = [k for k in refining_order(len(self.weights), length) if same[k] == k]
        batch = max(1, LOOP_PIXELS // self.size**2)
        images: dict[int, Image.Image] = {}
        sheets: list[dict] = []
        # first the textures alone, or as many of them as go into one pass
        first = min(batch, len(self.request.ends))
        for begin, end in pairwise([0, *range(first, len(todo), batch), len(todo)]):
            part, step = todo[begin:end], None
            places = [[k for k, other in enumerate(same) if other == place] for place in part]
            for (step,) in self._steps(self._stream(self._centroids(part))):
                if step.index < step.steps and self._due(False):
                    # they are seen as they condense; later ones only when they are done, as the others play
                    now = sheets or [self._sheet(self._shown(step), False, places)]
                    yield self._sent(self._loop_frame(step, now, begin, len(part), len(todo)))
            if step is None or step.index < step.steps:
                return
            images |= dict(zip(part, step.images, strict=True))
            sheets = [*sheets, self._sheet([images[k] for k in part], True, places)]
            frame = self._loop_frame(step, sheets, begin, len(part), len(todo))
            if frame["last"]:
                frame["files"] = animations([images[k] for k in same], LOOP_SECONDS)
            yield self._sent(frame)

    def _loop_frame(self, step, sheets, begin: int, now: int, todo: int) -> dict:
        steps = self.request.steps
        frame = self._frame(step, begin + now == todo and step.index == step.steps, sheets)
        done = begin * steps + step.index * now
        return frame | {"index": done, "steps": todo * steps, "seconds": LOOP_SECONDS}

    @property
    def _two(self) -> tuple[str, str]:
        return self.request.ends[:2]

    def _centroids(self, places: Sequence[int]) -> list[Centroid]:
        return [target_centroid(self.pipe, self.request, self.own, weights=self.weights[k]) for k in places]

    def _stream(self, centroids: list[Centroid] | None):
        request, n = self.request, 1 if centroids is None else len(centroids)
        return self.pipe.stream(
            centroids,
            n=n,
            steps=request.steps,
            size=self.size,
            seed=[request.seed] * n,
            strength=request.strength,
            sampler=request.sampler,
            tileable=request.tileable,
        )

    def _steps(self, *streams) -> Iterator[tuple]:
        """The steps of several streams side by side, for as long as they are wanted."""
        try:
            while self.wanted():
                begun = time.perf_counter()
                steps = tuple(next(stream, None) for stream in streams)
                if steps[0] is None:
                    return
                self.busy, self.count = self.busy + time.perf_counter() - begun, self.count + 1
                yield steps
        finally:
            for stream in streams:
                stream.close()

    def _due(self, last: bool) -> bool:
        self.now = time.perf_counter()
        return last or self.now >= self.next_frame

    def _sent(self, frame: dict) -> dict:
        """Leave at least as much time for computing as making this frame took."""
        self.next_frame = self.now + max(self.interval, 2 * (time.perf_counter() - self.now))
        return frame

    def _shown(self, step) -> list[Image.Image]:
        done = step.index == step.steps
        return step.images if done or self.request.view != "estimate" else step.denoised

    def _sheet(self, images: list[Image.Image], whole: bool, places: list | None = None) -> dict:
        src, columns, side = (whole_picture if whole else small_picture)(images)
        places = [[k] for k in range(len(images))] if places is None else places
        return {"src": src, "columns": columns, "side": side, "places": places}

    def _frame(self, step, last: bool, sheets: list[dict]) -> dict:
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
            "fitting": valid_point_counts(len(request.ends), MIN_PLACES, MAX_PLACES),
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
