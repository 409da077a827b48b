"""Atomic writes: a file, or several files that belong together, are replaced as a whole or not at all."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

Write = Callable[[Path], object]  # creates the file of the given path
REPLACEMENT = ".fgsd-replacement"  # hidden folder of new files, all complete, that are still to be moved
SYSTEM_ERROR = re.compile(r"\(os error (\d+)\)")  # as libraries in Rust, such as safetensors, report it


def write_atomically(path: Path, write: Write) -> None:
    """Write a file through a temporary file beside it, so that `path` never holds a partial file.

    If `write` raises, the temporary file is removed and the previous file stays.

    Parameters
    ----------
    path : Path
        File to write; missing parent folders are created.
    write : callable
        Called with the path of the temporary file, which it creates.

    Raises
    ------
    OSError
        If the system refuses a write; it names `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temp_path = temporary_path(path)
    with errors_name(path):
        try:
            _write_file(temp_path, write)
            os.replace(temp_path, path)
        finally:
            temp_path.unlink(missing_ok=True)


def write_together(folder: Path, files: Mapping[str, Write], *, remove: Iterable[str] = ()) -> None:
    """Replace files of a folder that belong together: all of them or none, even if the process is killed.

    The files are written to a hidden folder inside of `folder`. Renaming it to `REPLACEMENT` makes them valid
    at once; they are then moved to their places. If that is interrupted, `current_path` finds each file, and
    the next call completes it. Other files of the folder stay as they are.

    Parameters
    ----------
    folder : Path
        Created if it does not exist.
    files : dict of file name to callable
        In the order of writing. Each is called as by `write_atomically`; beside the path that it gets are the
        files that were written before it.
    remove : iterable of str
        Names of files that the new ones make obsolete.

    Raises
    ------
    OSError
        If the system refuses a write; it names the file. The previous files are still valid, unless all new
        ones are complete.
    """
    created = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    for name in files:
        if (folder / name).is_dir():
            raise IsADirectoryError(f"{folder / name} is a folder; a file of this name is to be written")
    _move_replacement(folder)
    for leftover in folder.glob(f"{REPLACEMENT}.*.tmp"):  # of a process that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    staging = folder / f"{REPLACEMENT}.{os.getpid()}.tmp"
    try:
        with errors_name(folder):
            staging.mkdir()
        for name, write in files.items():
            with errors_name(folder / name):
                _write_file(staging / name, write)
                _flush_to_disk(staging / name)
        with errors_name(folder):
            os.replace(staging, folder / REPLACEMENT)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        if created:
            with suppress(OSError):
                folder.rmdir()
        raise
    _move_replacement(folder)
    for name in remove:
        (folder / name).unlink(missing_ok=True)


def current_path(folder: Path, name: str) -> Path:
    """Return the path of a file of a folder that `write_together` writes, also after an interruption."""
    replacement = folder / REPLACEMENT / name
    return replacement if replacement.exists() else folder / name


def temporary_path(path: Path) -> Path:
    """Return the path of the temporary file through which `write_atomically` writes `path`."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


@contextmanager
def errors_name(path: Path) -> Iterator[None]:
    """Within this context, refusals of the system are raised as an `OSError` that names `path`."""
    try:
        yield
    except Exception as error:
        number = error.errno if isinstance(error, OSError) else None
        if found := SYSTEM_ERROR.search(str(error)):
            number = int(found[1])
        if number is None:
            raise
        raise OSError(number, os.strerror(number), str(path)) from error


def _write_file(path: Path, write: Write) -> None:
    write(path)
    mask = os.umask(0)
    os.umask(mask)
    path.chmod(0o666 & ~mask)  # some writers create files that only their owner can read


def _flush_to_disk(path: Path) -> None:
    """Wait until the content of a file is on the disk; some file systems report only now that it is full."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _move_replacement(folder: Path) -> None:
    """Move the files of a complete replacement to their places, if there is one."""
    replacement = folder / REPLACEMENT
    if replacement.is_dir():
        for path in sorted(replacement.iterdir()):
            os.replace(path, folder / path.name)
        replacement.rmdir()
