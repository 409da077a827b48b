"""Figures that were measured already, so that a report that was cut off goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from fgsd.atomic import write_atomically


class Units:
    """The smallest pieces of a report, each kept as soon as it is measured.

    Parameters
    ----------
    path : Path
        JSON file; what is in it of other `facts` is left out.
    facts : dict
        Whatever decides the figures: seeds, checkpoints, numbers of samples.
    """

    def __init__(self, path: Path, facts: dict) -> None:
        self._path, self._facts = path, json.loads(json.dumps(facts))
        self._kept: dict[str, dict] = {}
        if path.exists():
            try:
                found = json.loads(path.read_text(encoding="utf-8"))
                self._kept = found["units"] if found["facts"] == self._facts else {}
            except (ValueError, KeyError, TypeError):
                pass  # cut off or foreign: measure anew

    def get(self, key: str, measure: Callable[[], dict]) -> dict:
        """What was kept under `key`, or else what `measure()` gives, which is then kept."""
        if key not in self._kept:
            self._kept[key] = json.loads(json.dumps(measure()))
            text = json.dumps({"facts": self._facts, "units": self._kept})
            write_atomically(self._path, lambda p: p.write_text(text, encoding="utf-8"))
        return self._kept[key]

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._kept)
