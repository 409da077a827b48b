"""Configuration dataclasses from JSON: unknown fields, and values of other types, are refused."""

from __future__ import annotations

import types
import typing
from dataclasses import fields, is_dataclass
from typing import Any


def built(kind: type, values: object, name: str):
    """Build a dataclass from an object of JSON, and check the type of every field.

    Parameters
    ----------
    kind : type
        The dataclass.
    values : object
        Of JSON; lists become tuples.
    name : str
        Of the object, for messages.

    Raises
    ------
    ValueError
        If it is no object, a field is unknown or of another type, or the dataclass refuses its values.
    """
    if not isinstance(values, dict):
        raise ValueError(f"{name!r} must be an object")
    if unknown := values.keys() - {f.name for f in fields(kind)}:
        raise ValueError(f"{name!r} has unknown entries {sorted(unknown)}")
    hints, arguments = typing.get_type_hints(kind), {}
    for key, value in values.items():
        if isinstance(value, list):
            value = tuple(value)
        if not _fits(value, hints[key]):
            raise ValueError(f"{name}.{key}={value!r} is not of type {hints[key]}")
        arguments[key] = float(value) if hints[key] is float else value
    try:
        return kind(**arguments)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name!r}: {error}") from None


def _fits(value: object, hint: Any) -> bool:
    """Whether a value of JSON is of the annotated type."""
    if isinstance(hint, types.UnionType):
        return any(_fits(value, option) for option in typing.get_args(hint))
    if typing.get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(_fits(v, typing.get_args(hint)[0]) for v in value)
    if hint is float:  # the bound exceeds any sensible value, and its square is finite in float32
        return isinstance(value, (int, float)) and not isinstance(value, bool) and not abs(value) > 1e9
    if is_dataclass(hint):
        return False
    return isinstance(value, hint) and (hint is bool or not isinstance(value, bool))
