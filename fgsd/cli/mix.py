"""Class names and mixtures in arguments of the command line."""

from __future__ import annotations

import re

from fgsd.names import decode_name

PART = re.compile(r"\s*((?:\\.|[^\\])*?)\s*=\s*([^=\\]*?)\s*", re.DOTALL)  # name=weight, at the last "="


def class_argument(text: str) -> str:
    """Return the class name of an argument, which is UTF-8 in every locale."""
    try:
        return decode_name(text)
    except UnicodeError:
        return text  # no class has such a name; the error for an unknown class shows it


def parse_mix(text: str) -> dict[str, float]:
    r"""Parse the weights of a mixture: "lava=0.5,glacier=0.5" becomes {"lava": 0.5, "glacier": 0.5}.

    The weight follows the last equals sign of a part. In a name, "\," is a comma, "\ " a space at its
    beginning or end, and "\\" a backslash (needed before a comma, a space, an equals sign or a backslash).

    Raises
    ------
    ValueError
        If a part is malformed, or a class appears twice.
    """
    weights: dict[str, float] = {}
    for part in _parts(text):
        found = PART.fullmatch(part)
        name = _unescaped(found[1]) if found else ""
        try:
            weight = float(found[2]) if found else None
        except ValueError:
            weight = None
        if not name or weight is None:
            raise ValueError(
                rf"mix={text!r}: {part.strip()!r} should look like lava=0.5; write a comma in a name as \,"
            )
        if name in weights:
            raise ValueError(f"mix={text!r}: {name!r} appears twice")
        weights[name] = weight
    return weights


def split_list(text: str) -> list[str]:
    r"""Return the class names of a list: "lava,glacier" becomes ["lava", "glacier"].

    In a name, commas, spaces and backslashes are written as in a mixture.

    Raises
    ------
    ValueError
        If a name is empty.
    """
    names = [_unescaped(part.strip()) for part in _parts(text)]
    if not all(names):
        raise ValueError(rf"{text!r}: an empty name; it should look like lava,glacier")
    return names


def _parts(text: str) -> list[str]:
    """Split a list at its commas."""
    # an argument cannot hold a null character, so it can mark the commas between parts
    return re.sub(r"\\.|,", _mark_comma, text, flags=re.DOTALL).split("\0")


def _unescaped(name: str) -> str:
    return class_argument(re.sub(r"\\([\\,= ])", r"\1", name))


def _mark_comma(found: re.Match[str]) -> str:
    return "\0" if found[0] == "," else found[0]
