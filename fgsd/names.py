"""Class names in one Unicode form, independent of file system, locale and keyboard."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path


def normalize_name(name: str) -> str:
    """Return a name in the Unicode form in which class names are stored and compared, NFC (composed).

    "é" is one code point in NFC, and "e" with a combining accent in NFD, which macOS gives for some files.
    """
    return unicodedata.normalize("NFC", name)


def decode_name(name: str) -> str:
    """Return the class name of a file name or of an argument of the command line.

    The bytes are decoded as UTF-8, whatever the encoding of the locale by which Python has decoded them.

    Raises
    ------
    UnicodeError
        If the bytes are not UTF-8.
    """
    return normalize_name(os.fsencode(name).decode("utf-8"))


def printable(path: str | Path) -> str:
    """Return a path as text for messages; bytes that are not UTF-8 are escaped, as in "caf\\xe9"."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
