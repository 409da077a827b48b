"""Classes as they are named on the command line."""

from __future__ import annotations

import re

from fgsd.names import decode_name

PART = re.compile(r"\s*((?:\\.|[^\\])*?)\s*=\s*([^=\\]*?)\s*", re.DOTALL)  # name, last equals sign, weight


def class_argument(text: str) -> str:
    """Return the class name that an argument means, whatever the locale has made of its bytes."""
    try:
        return decode_name(text)
    except UnicodeError:
        return text  # no class has such a name; the error names it


def parse_mix(text: str) -> dict[str, float]:
    r"""Return the weights of a mixture: {"lava": 0.5, "glacier": 0.5} of "lava=0.5,glacier=0.5".

    The weight stands after the last equals sign of a part. In a name, a comma is written as "\,", a backslash
    before one of these as "\\", and a space at its beginning or end as "\ ".

    Raises
    ------
    ValueError
        If a part is malformed, or a class is named twice.
    """
    weights: dict[str, float] = {}
    # no argument holds a null character: it marks the commas that separate parts
    for part in re.sub(r"\\.|,", _mark_comma, text, flags=re.DOTALL).split("\0"):
        found = PART.fullmatch(part)
        name = class_argument(re.sub(r"\\([\\,= ])", r"\1", found[1])) if found else ""
        try:
            weight = float(found[2]) if found else None
        except ValueError:
            weight = None
        if not name or weight is None:
            raise ValueError(
                rf"mix={text!r}: {part.strip()!r} should look like lava=0.5; a comma in a name is written \,"
            )
        if name in weights:
            raise ValueError(f"mix={text!r}: {name!r} is named twice")
        weights[name] = weight
    return weights


def _mark_comma(found: re.Match[str]) -> str:
    return "\0" if found[0] == "," else found[0]
