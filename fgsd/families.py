"""Families: a name that several classes share, such as "sand" for all kinds of sand.

The table `families.csv` beside the images of a folder names the family of each class. Training copies it into
the checkpoint. Classes without a family belong to none.
"""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Collection, Mapping
from pathlib import Path

from fgsd.names import printable

FAMILIES_FILE = "families.csv"
COLUMNS = ["class", "family"]
MAX_FAMILY_CHARACTERS = 40


def load_families(folder: str | Path) -> dict[str, str]:
    """Return the family of each class that the table of a folder of images names; empty without a table.

    Raises
    ------
    ValueError
        If `families.csv` is not UTF-8, has other columns than "class" and "family", or names a class twice.
    """
    path = Path(folder) / FAMILIES_FILE
    if not path.is_file():
        return {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first, *rows = [row for row in csv.reader(file) if row] or [[]]
    except (UnicodeError, csv.Error) as error:
        raise ValueError(f"{printable(path)}: not a table in UTF-8 with commas ({error})") from None
    if first != COLUMNS or any(len(row) != 2 for row in rows):
        raise ValueError(f"{printable(path)}: its columns must be {', '.join(COLUMNS)}")
    families: dict[str, str] = {}
    for name, family in rows:
        name = unicodedata.normalize("NFC", name)
        if name in families:
            raise ValueError(f"{printable(path)}: {name!r} stands there twice")
        families[name] = family
    check_families(families, families)
    return families


def check_families(families: Mapping[str, str], classes: Collection[str]) -> None:
    """Check a mapping of class names to families.

    Raises
    ------
    ValueError
        If it names a class that is not among `classes`, or a family is empty or longer than
        `MAX_FAMILY_CHARACTERS`.
    """
    known = set(classes)
    for name, family in families.items():
        if name not in known:
            raise ValueError(f"families: {name!r} is not a class")
        if not isinstance(family, str) or not 0 < len(family.strip()) <= MAX_FAMILY_CHARACTERS:
            raise ValueError(
                f"families: {family!r}, of {name!r}, must have 1 to {MAX_FAMILY_CHARACTERS} characters"
            )
