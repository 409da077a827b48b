"""Names as plain text: letters and digits of any script, for labels and for files."""

from __future__ import annotations

import unicodedata


def plain_words(text: str, separator: str) -> str:
    """Return a text whose letters and digits stay, and all between them becomes one separator.

    Accents and vowel signs belong to their letters. No file system forbids what stays.
    """
    kept = [char if char.isalnum() or unicodedata.category(char)[0] == "M" else " " for char in text]
    return separator.join(word for word in "".join(kept).split() if any(map(str.isalnum, word)))


def first_bytes(text: str, limit: int) -> str:
    """Return as much of a text as takes at most `limit` bytes in UTF-8."""
    return text.encode("utf-8", "ignore")[:limit].decode("utf-8", "ignore")
