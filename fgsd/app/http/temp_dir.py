"""A private folder for the temporary files of a server, which is removed with the server.

Files that programs upload, and images that they download, stay on the disk for a while. A server removes its
folder when it ends; the folder of a killed server is removed by the next server that starts. A lock in each
folder tells whether its server is alive: the system releases the locks of a process that is gone. Process ids
cannot tell, since they are reused and mean nothing to another container on the same disk.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

VARIABLE = "GRADIO_TEMP_DIR"
LOCK = ".lock"  # file in each folder, locked while its server is alive
MAX_TRIES = 100  # to remove a folder (not in `fgsd.app.limits`: this module imports nothing of fgsd)
_held: list[BaseFileLock] = []  # until this process ends


@functools.cache
def use_private_temp_dir() -> Path | None:
    """Make Gradio write to a folder of this process alone; the first call creates it.

    Returns
    -------
    Path or None
        None if the environment names a folder (`GRADIO_TEMP_DIR`): then that folder is used, and kept.
    """
    if os.environ.get(VARIABLE):
        return None
    from fgsd.app.gradio_internals import set_temp_dir

    folder = create(Path(tempfile.gettempdir()))
    atexit.register(remove, folder)
    os.environ[VARIABLE] = str(folder)
    set_temp_dir(folder)  # parts of Gradio have read the variable when they were imported
    return folder


def remove(folder: Path | None) -> None:
    """Remove a folder with its contents, if it exists, even while late responses still write to it."""
    for _ in range(MAX_TRIES):
        if folder is None or not folder.exists():
            return
        shutil.rmtree(folder, ignore_errors=True)


def create(parent: Path) -> Path:
    """Create a folder below `parent`, locked until this process ends; remove those of dead servers."""
    home = _home(parent.resolve())
    for old in home.glob("server-*"):
        if old.is_dir() and not old.is_symlink():
            _remove_unless_locked(old)
    # renamed once it is locked, so that a server that starts meanwhile does not take it for a leftover
    folder = Path(tempfile.mkdtemp(prefix="new-", dir=home))
    lock = FileLock(folder / LOCK, thread_local=False)
    lock.acquire()
    _held.append(lock)
    return folder.rename(home / folder.name.replace("new-", "server-", 1))


def _remove_unless_locked(folder: Path) -> None:
    with suppress(Timeout, OSError), FileLock(folder / LOCK, timeout=0):
        shutil.rmtree(folder, ignore_errors=True)


def _home(parent: Path) -> Path:
    """Return the user's folder below `parent`; a new one if another user has put something else there."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    home = parent / f"fgsd-{user}"
    with suppress(FileExistsError):
        home.mkdir(mode=0o700)
    status = home.lstat()
    if not stat.S_ISDIR(status.st_mode) or (hasattr(os, "getuid") and status.st_uid != user):
        return Path(tempfile.mkdtemp(prefix="fgsd-", dir=parent))
    return home
