"""Returns freed memory to the system with glibc's `malloc_trim`.

Images are made in many threads. glibc gives each thread a heap of its own, and returns only memory at the end
of a heap: without trimming, a server keeps for ever what many visitors at once have needed.
"""

from __future__ import annotations

import ctypes
import functools
import threading
import time

from fgsd.app.limits import TRIM_INTERVAL_S


@functools.cache
def start_malloc_trim(interval: float = TRIM_INTERVAL_S) -> None:
    """Start a daemon thread that trims the heap at an interval in seconds; does nothing without glibc."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):  # another C library; TypeError on Windows
        return

    def trim_repeatedly() -> None:
        while True:
            time.sleep(interval)
            trim(0)

    threading.Thread(target=trim_repeatedly, name="malloc_trim", daemon=True).start()
