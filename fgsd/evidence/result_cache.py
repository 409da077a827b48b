"""Results that are measured already, so that an interrupted report resumes where it stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from fgsd.atomic import write_atomically

Result = TypeVar("Result")


class ResultCache:
    """Intermediate results by key, each written to a file as soon as it is measured.

    Parameters
    ----------
    path : Path, optional
        JSON file. Results in it that were measured under other `facts` are ignored. None keeps results in
        memory only.
    facts : dict, optional
        Everything that determines the results: seeds, checkpoints, numbers of samples.
    """

    def __init__(self, path: Path | None = None, facts: dict[str, Any] | None = None) -> None:
        self._path = path
        self._facts = json.loads(json.dumps(facts or {}))
        self._results: dict[str, Any] = {}
        if path is not None and path.exists():
            try:
                stored = json.loads(path.read_text(encoding="utf-8"))
                self._results = stored["results"] if stored["facts"] == self._facts else {}
            except (ValueError, KeyError, TypeError):
                pass  # the file is cut off or not ours: measure again

    def get(self, key: str, measure: Callable[[], Result]) -> Result:
        """The result under `key`; if there is none, call `measure()` and store what it returns.

        The result comes back as from JSON, also the first time: tuples are lists.
        """
        if key not in self._results:
            self._results[key] = json.loads(json.dumps(measure()))
            if self._path is not None:
                text = json.dumps({"facts": self._facts, "results": self._results})
                write_atomically(self._path, lambda p: p.write_text(text, encoding="utf-8"))
        return self._results[key]

    def __len__(self) -> int:
        return len(self._results)
