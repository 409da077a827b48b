"""What a visitor asks for, checked in one place: everything that arrives from a page may be forged."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MAX_CLASSES = 8  # in one mixture
MAX_IMAGES = 16
MAX_SIDE = 256  # pixels
MAX_STEPS = 100
MAX_SEED = 2**31 - 1
MAX_STRENGTH = 2.0
MAX_MOVE = 2.0  # of a centroid over the map, in map widths and heights
# The reference ascent is left out: its thousands of evaluations are for the command line, not for a server.
PAGE_SAMPLERS = {
    "DPM-Solver++ 2M": "dpm2m",
    "Ancestral": "ancestral",
    "Heun": "heun",
}
SIZES = (64, 96, 128, 192, 256)
# what `parse_request` calls them, in the order in which the page sends them
SETTINGS = ("n", "size", "seed", "steps", "strength", "sampler", "view", "tileable")
VIEWS = {"Noise": "noise", "Estimate": "estimate", "Both": "both"}
# what the page calls its controls in front of visitors; programs know them by the names of the arguments
LABELS = {
    "n": "Images",
    "size": "Size",
    "seed": "Seed",
    "steps": "Steps",
    "strength": "Guidance strength",
    "sampler": "Sampler",
    "tileable": "Seamless tile",
    "view": "Watch",
    "places": "Places",
}
# what is made of several textures: their mixture, or what lies between them (see
# `fgsd.app.render.interpolations`)
MODES = {
    "Sample": "sample",
    "Strip": "strip",
    "Grid": "grid",
    "Loop": "loop",
    "Coarse/fine": "coarse-fine",
}
MIN_PLACES, MAX_PLACES = 5, 11  # of a strip
MIN_SWITCH, MAX_SWITCH = 1e-3, 1e3  # noise levels
SHORT = reprlib.Repr()
SHORT.maxlevel, SHORT.maxlong, SHORT.maxstring, SHORT.maxother = 3, 60, 60, 60


def sizes(multiple: int) -> list[int]:
    """Sides of images, in pixels, that are offered: multiples of `multiple`, at least one."""
    return [side for side in SIZES if side % multiple == 0] or [multiple * max(1, MAX_SIDE // multiple)]


class RequestError(ValueError):
    """A request that cannot be served; the message is one sentence for the visitor."""


@dataclass(frozen=True)
class SampleRequest:
    """One press of the button; build it from a page's values with `parse_request`."""

    weights: Mapping[str, float]  # class to weight, in whole millionths, sum 1
    n: int = 4  # images
    size: int = 64  # side, in pixels
    seed: int = 0  # image k is the picture of seed + k
    steps: int = 16
    strength: float = 1.0  # of the guidance, 0 to 2
    sampler: str = "dpm2m"
    tileable: bool = False
    view: str = "noise"  # what is watched: "noise" (the image itself), "estimate" (denoised) or "both"
    # how far a centroid was dragged over the PCA map: class to (dx, dy), see `FeatureMap.moved`
    moves: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    ends: tuple[str, ...] = ()  # all that are chosen, in the order of choice, those without weight too
    mode: str = "sample"  # one of `MODES`
    switch: float = 0.5  # noise level at which "coarse-fine" goes over from the first texture to the second
    places: int = 7  # pictures of a strip
    label: str = field(init=False, default="")  # in words, for screen readers

    def __post_init__(self) -> None:
        parts = [name if w == 1 else f"{w:.0%} {name}" for name, w in self.weights.items()]
        object.__setattr__(self, "label", ", ".join(parts))

    def options(self) -> dict[str, Any]:
        """The arguments of `Pipeline.stream` besides the target."""
        names = ("n", "steps", "size", "seed", "strength", "sampler", "tileable")
        return {name: getattr(self, name) for name in names}


def parse_request(
    target: Any,
    *,
    classes: Sequence[str],
    multiple: int,
    n: Any = 4,
    size: Any = 64,
    seed: Any = 0,
    steps: Any = 16,
    strength: Any = 1.0,
    sampler: Any = "dpm2m",
    tileable: Any = False,
    view: Any = "noise",
    interpolation: Any = None,
    labels: Mapping[str, str] = LABELS,
) -> SampleRequest:
    """Check the values of the page's controls, or of a program's call.

    Parameters
    ----------
    target : list of {"name": str, "weight": number, "move": [dx, dy]}
        The chosen classes; weights are not negative and are scaled to sum 1. Only those that were dragged
        away from their own place have a move, in widths and heights of the PCA map.
    classes : sequence of str
        The names that there are, own textures among them.
    multiple : int
        Sides are multiples of this number of pixels.
    interpolation : mapping with "mode", "switch" and "places", or None
        What is made of several textures; what is missing takes its default.
    labels : mapping
        What the sentences of errors call the values.

    Raises
    ------
    RequestError
        If a value is missing, of another kind, or out of range; says what would be right.
    """
    size = _whole(size, labels["size"], multiple, MAX_SIDE)
    if size % multiple:
        raise RequestError(
            f"{labels['size']} must be a multiple of {multiple} pixels; the nearest to {size} is "
            f"{min(MAX_SIDE // multiple, max(1, round(size / multiple))) * multiple}."
        )
    weights = _weights(target, classes)
    ends = tuple(entry["name"] for entry in target)
    return SampleRequest(
        weights=weights,
        moves=_moves(target),
        ends=ends,
        **_interpolation(interpolation, labels),
        n=_whole(n, labels["n"], 1, MAX_IMAGES),
        size=size,
        seed=_whole(seed, labels["seed"], 0, MAX_SEED),
        steps=_whole(steps, labels["steps"], 1, MAX_STEPS),
        strength=number(strength, labels["strength"], 0.0, MAX_STRENGTH),
        sampler=_one_of(sampler, labels["sampler"], PAGE_SAMPLERS.values()),
        tileable=_one_of(tileable, labels["tileable"], (False, True)),
        view=_one_of(view, labels["view"], VIEWS.values()),
    )


def _weights(target: Any, classes: Sequence[str]) -> dict[str, float]:
    if not isinstance(target, (list, tuple)) or not target:
        raise RequestError("Choose at least one texture on the map.")
    if len(target) > MAX_CLASSES:
        raise RequestError(f"At most {MAX_CLASSES} textures can be mixed; {len(target)} came.")
    weights: dict[str, float] = {}
    for entry in target:
        name = entry.get("name") if isinstance(entry, Mapping) else None
        if not isinstance(name, str) or name not in classes:
            raise RequestError(f"There is no texture named {repr_short(name)}.")
        if name in weights:
            raise RequestError(f"The texture {name} came twice.")
        weights[name] = number(entry.get("weight"), f"The weight of {name}", 0.0, 100.0)
    total = sum(weights.values())
    if total <= 0:
        raise RequestError("Give at least one texture a weight above 0.")
    # in millionths, so that a link holds them to the last digit
    shares = {name: round(1e6 * w / total) for name, w in weights.items()}
    shares[max(shares, key=shares.__getitem__)] += 1_000_000 - sum(shares.values())
    return {name: share / 1e6 for name, share in shares.items() if share > 0}


def _interpolation(values: Any, labels: Mapping[str, str]) -> dict[str, Any]:
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise RequestError(f"What lies between must name a mode; {repr_short(values)} came.")
    found: dict[str, Any] = {"mode": _one_of(values.get("mode", "sample"), "Mode", MODES.values())}
    if values.get("switch") is not None:
        found["switch"] = number(values["switch"], "The switch", MIN_SWITCH, MAX_SWITCH)
    if values.get("places") is not None:
        found["places"] = _whole(values["places"], labels["places"], MIN_PLACES, MAX_PLACES)
    return found


def _moves(target: Sequence[Mapping]) -> dict[str, tuple[float, float]]:
    moves = {}
    for entry in target:
        name, move = entry["name"], entry.get("move")
        if move is None:
            continue
        if not isinstance(move, (list, tuple)) or len(move) != 2:
            raise RequestError(f"The move of {name} must be two numbers; {repr_short(move)} came.")
        # in ten-thousandths, so that a link holds them to the last digit
        dx, dy = (round(number(v, f"The move of {name}", -MAX_MOVE, MAX_MOVE), 4) for v in move)
        if dx or dy:
            moves[name] = (dx, dy)
    return moves


def number(value: Any, name: str, low: float, high: float) -> float:
    """A finite number from `low` to `high`, or a `RequestError` that calls it `name`."""
    # what is no number at all, or is too large for a float, is outside of every range
    if not (_is_number(value) and low <= value <= high):
        raise RequestError(f"{name} must be a number from {low:g} to {high:g}; {repr_short(value)} came.")
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _whole(value: Any, name: str, low: int, high: int) -> int:
    if not (_is_number(value) and low <= value <= high and value == int(value)):
        raise RequestError(f"{name} must be a whole number from {low} to {high}; {repr_short(value)} came.")
    return int(value)


def _one_of(value: Any, name: str, known: Iterable[Any]) -> Any:
    known = list(known)
    if type(value) is not type(known[0]) or value not in known:
        words = " or ".join(str(one) for one in known)
        raise RequestError(f"{name} must be {words}; {repr_short(value)} came.")
    return value


def repr_short(value: Any) -> str:
    """A forged value may be long, or lie in itself many times: the first 40 characters of it."""
    if value is None:
        return "nothing"
    text = repr(value[:40]) if isinstance(value, str) else SHORT.repr(value)
    return text if len(text) <= 40 else text[:39] + "…"
