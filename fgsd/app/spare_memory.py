"""Memory that is free goes back to the system, which the C library would rather keep.

Pictures are made in many threads, and glibc gives each a heap of its own, of which it returns only what lies
at the end: a server that has had many visitors at once would hold what they needed for ever.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from contextlib import suppress

EVERY = 20.0  # seconds; a call takes some milliseconds, and other threads go on meanwhile


def return_spare_memory(every: float = EVERY) -> bool:
    """Do so now and then, in a thread that ends with the process.

    Returns
    -------
    bool
        Whether this system has glibc; nothing is done elsewhere.
    """
    trim = None
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            trim = ctypes.CDLL(None).malloc_trim
    if trim is None:
        return False

    def sweep() -> None:
        while True:
            pause.wait(every)
            trim(ctypes.c_size_t(0))

    pause = threading.Event()
    threading.Thread(target=sweep, name="spare memory", daemon=True).start()
    return True
