"""Atomic file writes: a file is replaced as a whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file through a temporary file beside it, so that `path` never holds a partial file.

    If `write` raises, the temporary file is removed and the previous file stays.

    Parameters
    ----------
    path : Path
        File to write; missing parent folders are created.
    write : callable
        Called with the path of the temporary file, which it creates.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temp_path = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temp_path)
        mask = os.umask(0)
        os.umask(mask)
        temp_path.chmod(0o666 & ~mask)  # some writers create files that only their owner can read
        os.replace(temp_path, path)
    finally:
        temp_path.unlink(missing_ok=True)
