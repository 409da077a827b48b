"""What is on the screen as the query of a web address, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlencode

from fgsd.app.requests.request import SampleRequest

MAX_CHARACTERS = 2000  # of a query that is read; ours are far shorter
# name in the address, of the request's field, and how it is read
FIELDS = {
    "images": ("n", int),
    "size": ("size", int),
    "seed": ("seed", int),
    "steps": ("steps", int),
    "strength": ("strength", float),
    "sampler": ("sampler", str),
    "watch": ("view", str),
}
PARAMETERS = {"strip": "places", "coarse-fine": "switch"}  # of the modes that have one
BETWEEN = {"places": int, "switch": float}  # how they are read


def to_link(request: SampleRequest) -> str:
    """The query, "?mix=lava:0.5,glacier:0.5&images=4&...": opened anywhere, it gives the same picture.

    A texture that was moved over the map has its move behind its weight: "lava:0.5:0.1:-0.05".
    """
    mix = ",".join(
        ":".join(
            [
                quote(name, safe=""),
                repr(request.weights.get(name, 0.0)),
                *map(repr, request.moves.get(name, ())),
            ]
        )
        for name in request.ends
    )
    values = {"mix": mix}
    values |= {key: f"{getattr(request, field)}" for key, (field, _) in FIELDS.items()}
    if request.tileable:
        values["tile"] = "1"
    if request.mode != "sample":
        values["mode"] = request.mode
    if parameter := PARAMETERS.get(request.mode):
        values[parameter] = f"{getattr(request, parameter)}"
    return "?" + urlencode(values, safe=":,")


def from_link(query: Any) -> tuple[list[dict], dict[str, Any]] | None:
    """The target and the settings that a query names, as `parse_request` takes them; it checks them.

    None if the query names no mixture, so that what the address of another page holds changes nothing.
    Settings that are missing or cannot be read are left out.
    """
    if isinstance(query, Mapping):
        values = {key: value for key, value in query.items() if isinstance(value, str)}
    elif isinstance(query, str) and len(query) <= MAX_CHARACTERS:
        values = {key: several[-1] for key, several in parse_qs(query.removeprefix("?")).items()}
    else:
        return None
    if not values.get("mix") or len(values["mix"]) > MAX_CHARACTERS:
        return None
    target = []
    for part in values["mix"].split(","):
        name, *numbers = part.split(":")
        weight, *move = [_read(text, float) for text in numbers] or [None]
        entry = {"name": unquote(name), "weight": None if weight is None else 100 * weight}
        target.append({**entry, "move": move} if move else entry)
    settings: dict[str, Any] = {}
    for key, (field, kind) in FIELDS.items():
        if key in values and (value := _read(values[key], kind)) is not None:
            settings[field] = value
    settings["tileable"] = values.get("tile") == "1"
    if "mode" in values:
        read = {key: _read(values[key], kind) for key, kind in BETWEEN.items() if key in values}
        settings["interpolation"] = {"mode": values["mode"], **read}
    return target, settings


def _read(text: str, kind) -> Any:
    try:
        return kind(text)
    except ValueError:
        return None
