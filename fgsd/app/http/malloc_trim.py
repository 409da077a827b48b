"""Memory that is free goes back to the system, which the C library would rather keep.

Pictures are made in many threads, and glibc gives each a heap of its own, of which it returns only what lies
at the end: a server that has had many visitors at once would hold what they needed for ever.
"""

from __future__ import annotations

import ctypes
import functools
import threading
import time

EVERY = 20.0  # seconds


@functools.cache
def start_malloc_trim(every: float = EVERY) -> None:
    """Do so every so many seconds, in a thread that lives as long as the process; nothing without glibc."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):  # another C library; TypeError on Windows
        return

    def sweep() -> None:
        while True:
            time.sleep(every)
            trim(0)

    threading.Thread(target=sweep, name="spare memory", daemon=True).start()
