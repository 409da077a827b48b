"""A request as the query string of a link, and back."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlencode

from fgsd.app.limits import MAX_LINK_CHARACTERS, MAX_URL_CHARACTERS
from fgsd.app.requests.request import SampleRequest
from fgsd.names import normalize_name

# name in the link: (name of the setting, parser)
FIELDS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "images": ("n", int),
    "size": ("size", int),
    "seed": ("seed", int),
    "steps": ("steps", int),
    "strength": ("strength", float),
    "sampler": ("sampler", str),
    "watch": ("view", str),
}
# the parameter of a mode that has one: (name in the link, field of the request)
MODE_FIELDS = {"strip": ("places", "points"), "coarse-fine": ("switch", "switch")}
MODE_PARSERS: dict[str, Callable[[str], Any]] = {"places": int, "switch": float}


def to_link(request: SampleRequest) -> str:
    """Return the query, "?mix=lava:0.5,glacier:0.5&images=4&..."; opened anywhere, it gives the same picture.

    A texture that was moved over the map has its move after its weight: "lava:0.5:0.1:-0.05". Signs in a
    name, which could be taken for those between names, are quoted once more than the rest.
    """
    mix = ",".join(
        ":".join(
            [
                _quote(name),
                repr(request.weights.get(name, 0.0)),
                *map(repr, request.moves.get(name, ())),
            ]
        )
        for name in request.ends
    )
    values = {"mix": mix}
    values |= {key: f"{getattr(request, setting)}" for key, (setting, _) in FIELDS.items()}
    if request.tileable:
        values["tile"] = "1"
    if request.mode != "sample":
        values["mode"] = request.mode
    if request.mode in MODE_FIELDS:
        key, field = MODE_FIELDS[request.mode]
        values[key] = f"{getattr(request, field)}"
    return "?" + urlencode(values, safe=":,")


def from_link(query: Any) -> tuple[list[dict[str, Any]], dict[str, Any]] | None:
    """Return the target and the settings of a link, as `parse_request` takes and validates them.

    Settings that are missing or not readable are left out.

    Parameters
    ----------
    query : str or mapping of str to str
        Anything else, and a query of more than `MAX_LINK_CHARACTERS` as the visitor sees it, is no link.

    Returns
    -------
    tuple of (target, settings), or None
        None if the query names no mixture; then the caller changes nothing.
    """
    if isinstance(query, Mapping):
        values = {key: value for key, value in query.items() if isinstance(value, str)}
    elif isinstance(query, str) and len(query) <= MAX_URL_CHARACTERS:
        values = {key: repeated[-1] for key, repeated in parse_qs(query.removeprefix("?")).items()}
    else:
        return None
    if not values.get("mix") or sum(len(unquote(text)) for text in values.values()) > MAX_LINK_CHARACTERS:
        return None
    target: list[dict[str, Any]] = []
    for part in values["mix"].split(","):
        name, *numbers = part.split(":")
        weight, *move = [_parse(text, float) for text in numbers] or [None]
        entry = {"name": normalize_name(unquote(name)), "weight": None if weight is None else 100 * weight}
        target.append({**entry, "move": move} if move else entry)
    settings: dict[str, Any] = {}
    for key, (setting, parser) in FIELDS.items():
        if key in values and (value := _parse(values[key], parser)) is not None:
            settings[setting] = value
    settings["tileable"] = values.get("tile") == "1"
    if "mode" in values:
        parameters = {
            key: _parse(values[key], parser) for key, parser in MODE_PARSERS.items() if key in values
        }
        settings["interpolation"] = {"mode": values["mode"], **parameters}
    return target, settings


def _quote(name: str) -> str:
    return re.sub(r"[\x00-\x7f]+", lambda found: quote(found[0], safe=""), name)


def _parse(text: str, parser: Callable[[str], Any]) -> Any:
    try:
        return parser(text)
    except ValueError:
        return None
