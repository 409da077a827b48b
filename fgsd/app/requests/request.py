"""A request for images, validated in one place: everything that arrives from a page may be forged."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fgsd.app.limits import (
    MAX_CLASSES,
    MAX_IMAGES,
    MAX_MOVE,
    MAX_POINTS,
    MAX_QUOTED_CHARACTERS,
    MAX_SEED,
    MAX_SIDE,
    MAX_STEPS,
    MAX_STRENGTH,
    MAX_SWITCH,
    MIN_POINTS,
    MIN_SWITCH,
)
from fgsd.names import normalize_name

# The reference ascent is left out: its thousands of evaluations are for the command line, not for a server.
PAGE_SAMPLERS = {
    "DPM-Solver++ 2M": "dpm2m",
    "Ancestral": "ancestral",
    "Heun": "heun",
}
SIZES = (64, 96, 128, 192, 256)
# names of the page's settings as `parse_request` takes them, in the order in which the page sends them
SETTINGS = ("n", "size", "seed", "steps", "strength", "sampler", "view", "tileable")
VIEWS = {"Noise": "noise", "Estimate": "estimate", "Both": "both"}
# labels of the page's controls, used in error messages; programs read the names of the arguments instead
LABELS = {
    "n": "Images",
    "size": "Size",
    "seed": "Seed",
    "steps": "Steps",
    "strength": "Guidance strength",
    "sampler": "Sampler",
    "tileable": "Seamless tile",
    "view": "Watch",
    "points": "Places",
}
# one mixture of the textures, or an interpolation between them: see `fgsd.app.render.interpolations`
MODES = {
    "Sample": "sample",
    "Strip": "strip",
    "Grid": "grid",
    "Loop": "loop",
    "Coarse/fine": "coarse-fine",
}

Choice = TypeVar("Choice")

_repr = reprlib.Repr()  # bounds the work for values that are long or deeply nested
_repr.maxlevel, _repr.maxlong, _repr.maxstring, _repr.maxother = 3, 60, 60, 60


def sizes(multiple: int) -> list[int]:
    """Return the image sides in pixels that the page offers: multiples of `multiple`, at least one."""
    return [side for side in SIZES if side % multiple == 0] or [multiple * max(1, MAX_SIDE // multiple)]


class RequestError(ValueError):
    """A request that cannot be served; the message is one sentence for the visitor."""


@dataclass(frozen=True)
class SampleRequest:
    """A validated request; `parse_request` builds it from the values of a page or a program."""

    weights: Mapping[str, float]  # class to weight, in whole millionths, sum 1
    n: int = 4  # images
    size: int = 64  # side, in pixels
    seed: int = 0  # image k has the noise of seed + k
    steps: int = 16
    strength: float = 1.0  # of the guidance, 0 to 2
    sampler: str = "dpm2m"
    tileable: bool = False
    view: str = "noise"  # what the page shows: "noise" (the image itself), "estimate" (denoised) or "both"
    # displacement of a class over the PCA map: class to (dx, dy), see `FeatureMap.moved`
    moves: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    ends: tuple[str, ...] = ()  # all chosen classes in the order of choice, those of weight 0 too
    mode: str = "sample"  # one of `MODES`
    switch: float = 0.5  # noise level below which "coarse-fine" targets the second texture
    points: int = 7  # images of a strip
    sigma_max: float | None = None  # noise level at which sampling begins; None: that of the checkpoint
    noise_size: int | None = None  # side of the picture of which this is the centre; None: the whole picture
    label: str = field(init=False, default="")  # the mixture in words, for screen readers

    def __post_init__(self) -> None:
        parts = [name if w == 1 else f"{w:.0%} {name}" for name, w in self.weights.items()]
        object.__setattr__(self, "label", ", ".join(parts))

    def options(self) -> dict[str, Any]:
        """Return the arguments of `Pipeline.stream` other than the target."""
        names = ("n", "steps", "size", "seed", "strength", "sampler", "tileable")
        options = {name: getattr(self, name) for name in names}
        optional = {"sigma_max": self.sigma_max, "noise_size": self.noise_size}
        return options | {name: value for name, value in optional.items() if value is not None}


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
    """Validate the values of the page's controls or of a program's call.

    Parameters
    ----------
    target : list of {"name": str, "weight": number, "move": [dx, dy]}
        The chosen classes. Weights are not negative; they are scaled to sum 1. A move, in widths and heights
        of the PCA map, is optional.
    classes : sequence of str
        Known names, textures of the visitor among them, normalized; those of the target may have any form.
    multiple : int
        Sides must be multiples of this number of pixels.
    interpolation : mapping with "mode", "switch" and "places", or None
        One of `MODES` and its parameter; "places" is the number of points of a strip. Missing values take
        their defaults.
    labels : mapping
        What error messages call the values.

    Raises
    ------
    RequestError
        If a value is missing, of another type, or out of range; the message says what would be right.
    """
    size = whole(size, labels["size"], multiple, MAX_SIDE)
    if size % multiple:
        raise RequestError(
            f"{labels['size']} must be a multiple of {multiple} pixels; the nearest to {size} is "
            f"{min(MAX_SIDE // multiple, max(1, round(size / multiple))) * multiple}."
        )
    weights = _weights(target, classes)
    ends = tuple(normalize_name(entry["name"]) for entry in target)
    return SampleRequest(
        weights=weights,
        moves=_moves(target),
        ends=ends,
        **_interpolation(interpolation, labels),
        n=whole(n, labels["n"], 1, MAX_IMAGES),
        size=size,
        seed=whole(seed, labels["seed"], 0, MAX_SEED),
        steps=whole(steps, labels["steps"], 1, MAX_STEPS),
        strength=number(strength, labels["strength"], 0.0, MAX_STRENGTH),
        sampler=one_of(sampler, labels["sampler"], PAGE_SAMPLERS.values()),
        tileable=one_of(tileable, labels["tileable"], (False, True)),
        view=one_of(view, labels["view"], VIEWS.values()),
    )


def _weights(target: Any, classes: Sequence[str]) -> dict[str, float]:
    if not isinstance(target, (list, tuple)) or not target:
        raise RequestError("Choose at least one texture on the map.")
    if len(target) > MAX_CLASSES:
        raise RequestError(f"At most {MAX_CLASSES} textures can be mixed; {len(target)} came.")
    weights: dict[str, float] = {}
    for entry in target:
        name = entry.get("name") if isinstance(entry, Mapping) else None
        if not isinstance(name, str) or normalize_name(name) not in classes:
            raise RequestError(f"There is no texture named {repr_short(name)}.")
        name = normalize_name(name)
        if name in weights:
            raise RequestError(f"The texture {name} came twice.")
        weights[name] = number(entry.get("weight"), f"The weight of {name}", 0.0, 100.0)
    total = sum(weights.values())
    if total <= 0:
        raise RequestError("Give at least one texture a weight above 0.")
    # whole millionths, so that a link holds the weights exactly
    shares = {name: round(1e6 * w / total) for name, w in weights.items()}
    shares[max(shares, key=shares.__getitem__)] += 1_000_000 - sum(shares.values())
    return {name: share / 1e6 for name, share in shares.items() if share > 0}


def _interpolation(values: Any, labels: Mapping[str, str]) -> dict[str, Any]:
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise RequestError(f"An interpolation must name a mode; {repr_short(values)} came.")
    fields: dict[str, Any] = {"mode": one_of(values.get("mode", "sample"), "Mode", MODES.values())}
    if values.get("switch") is not None:
        fields["switch"] = number(values["switch"], "The switch", MIN_SWITCH, MAX_SWITCH)
    if values.get("places") is not None:
        fields["points"] = whole(values["places"], labels["points"], MIN_POINTS, MAX_POINTS)
    return fields


def _moves(target: Sequence[Mapping[str, Any]]) -> dict[str, tuple[float, float]]:
    moves = {}
    for entry in target:
        name, move = normalize_name(entry["name"]), entry.get("move")
        if move is None:
            continue
        if not isinstance(move, (list, tuple)) or len(move) != 2:
            raise RequestError(f"The move of {name} must be two numbers; {repr_short(move)} came.")
        # four decimals, so that a link holds the move exactly
        dx, dy = (round(number(v, f"The move of {name}", -MAX_MOVE, MAX_MOVE), 4) for v in move)
        if dx or dy:
            moves[name] = (dx, dy)
    return moves


def number(value: Any, name: str, low: float, high: float) -> float:
    """Return a finite number from `low` to `high`; raise a `RequestError` that names it otherwise."""
    # the comparison is False for NaN, and exact for integers too large for a float
    if not (_is_number(value) and low <= value <= high):
        raise RequestError(f"{name} must be a number from {low:g} to {high:g}; {repr_short(value)} came.")
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def whole(value: Any, name: str, low: int, high: int) -> int:
    """Return a whole number from `low` to `high`; raise a `RequestError` that names it otherwise."""
    if not (_is_number(value) and low <= value <= high and value == int(value)):
        raise RequestError(f"{name} must be a whole number from {low} to {high}; {repr_short(value)} came.")
    return int(value)


def one_of(value: Any, name: str, choices: Iterable[Choice]) -> Choice:
    """Return a value that is one of the choices, and of its type; raise a `RequestError` otherwise."""
    choices = list(choices)
    for choice in choices:
        if type(value) is type(choice) and value == choice:
            return choice
    words = " or ".join(str(choice) for choice in choices)
    raise RequestError(f"{name} must be {words}; {repr_short(value)} came.")


def repr_short(value: Any) -> str:
    """Return the first characters of a value's repr, for an error message; None is "nothing"."""
    if value is None:
        return "nothing"
    text = repr(value[:MAX_QUOTED_CHARACTERS]) if isinstance(value, str) else _repr.repr(value)
    return text if len(text) <= MAX_QUOTED_CHARACTERS else text[: MAX_QUOTED_CHARACTERS - 1] + "…"
