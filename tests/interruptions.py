"""Writes that are cut off: at any change of the disk, by an error of the system or by a kill."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path

import pytest

CHANGES = ("chmod", "fsync", "mkdir", "rename", "replace", "rmdir", "unlink")  # functions of `os`


class Killed(BaseException):
    """Stands in for a kill: after it nothing changes the disk any more."""


class Interruption:
    """Lets `number` changes of the disk happen; the next one raises, and after a kill all others too."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, number: int, *, kill: bool) -> None:
        self.number, self.kill, self.happened = number, kill, False
        for name in CHANGES:
            monkeypatch.setattr(os, name, self._counted(getattr(os, name)))

    def _counted(self, change):
        def counted(*arguments, **options):
            self.number -= 1
            if self.number == -1 or (self.number < 0 and self.kill):
                self.happened = True
                raise Killed if self.kill else OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return change(*arguments, **options)

        return counted


def sign(folder: Path) -> None:
    """Give a changed checkpoint the digests of its files, as one who forges it would."""
    path = folder / "config.json"
    description = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(description.get("sha256"), dict):
        for name in description["sha256"]:
            description["sha256"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        path.write_text(json.dumps(description), encoding="utf-8")
