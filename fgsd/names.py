"""Names of classes: Unicode text in one form, whatever the file system, the locale or the keyboard gave."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path


def normalize_name(name: str) -> str:
    """Return a name in the form in which class names are kept and compared: composed Unicode (NFC).

    "Café" can be typed with one letter é or with e and an accent; macOS and keyboards differ in it.
    """
    return unicodedata.normalize("NFC", name)


def decode_name(name: str) -> str:
    """Return the class name that a file name or an argument of the command line means.

    Their bytes are UTF-8 also where the locale is not, so that Python has decoded them by another encoding.

    Raises
    ------
    UnicodeError
        If the bytes are not UTF-8.
    """
    return normalize_name(os.fsencode(name).decode("utf-8"))


def printable(path: str | Path) -> str:
    """Return a path as text that can be encoded; bytes of a name that are not UTF-8 are escaped."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
