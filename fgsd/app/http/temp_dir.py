"""The folder for a server's temporary files: its own, and gone once the server is.

What programs upload and the pictures that they fetch lie on the disk for a while. A server that ends removes
its folder; of one that was killed, the next server to start does. Which of the folders are in use is told by
locks, which the system lifts when a process is gone, however it went: numbers of processes are used again,
and mean nothing to another container that shares the disk.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: folders are removed at the end only
    fcntl = None

VARIABLE = "GRADIO_TEMP_DIR"
MAX_TRIES = 100  # to remove a folder
_locks: list[int] = []  # open as long as this process lives


@functools.cache
def use_private_temp_dir() -> Path | None:
    """Have Gradio write to a folder of this process alone, made at the first call.

    Returns
    -------
    Path or None
        None if the environment names a folder already (`GRADIO_TEMP_DIR`): then that is used, and kept.
    """
    if os.environ.get(VARIABLE):
        return None
    folder = claim(Path(tempfile.gettempdir()))
    atexit.register(remove, folder)
    os.environ[VARIABLE] = str(folder)
    for name, module in list(sys.modules.items()):
        # parts of Gradio have read the variable when they were imported
        if name.startswith("gradio") and "DEFAULT_TEMP_DIR" in vars(module):
            module.DEFAULT_TEMP_DIR = str(folder)
    return folder


def remove(folder: Path | None) -> None:
    """Remove a folder with all that is in it, if it is there, also while late answers still write to it."""
    for _ in range(MAX_TRIES):
        if folder is None or not folder.exists():
            return
        shutil.rmtree(folder, ignore_errors=True)


def claim(place: Path) -> Path:
    """Make a new folder below `place`, in use until this process ends; remove those in use no more."""
    home = _home(place.resolve())
    with _alone(home):  # nobody takes a folder that is made, but not locked yet, for one that was left behind
        for old in home.glob("server-*"):
            if (lock := _lock(old)) is not None:
                shutil.rmtree(old, ignore_errors=True)
                os.close(lock)
        folder = Path(tempfile.mkdtemp(prefix="server-", dir=home))
        if (lock := _lock(folder)) is not None:
            _locks.append(lock)
    return folder


def _home(place: Path) -> Path:
    """The user's folder below `place`. Others may write there too: one that is not the user's own is left."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    home = place / f"fgsd-{user}"
    with suppress(FileExistsError):
        home.mkdir(mode=0o700)
    found = home.lstat()
    if not stat.S_ISDIR(found.st_mode) or (hasattr(os, "getuid") and found.st_uid != user):
        return Path(tempfile.mkdtemp(prefix="fgsd-", dir=place))
    return home


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Only one process at a time is in here."""
    lock = _lock(home, wait=True)
    try:
        yield
    finally:
        if lock is not None:
            os.close(lock)


def _lock(folder: Path, *, wait: bool = False) -> int | None:
    """A lock on a folder, or None if another process has it (or there are no locks on this disk)."""
    if fcntl is None:
        return None
    with suppress(OSError):
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            return opened
        except OSError:
            os.close(opened)
    return None
