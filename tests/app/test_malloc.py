"""The C library has few heaps, and freed memory goes back to the system."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# Many small blocks, freed but for the last: glibc returns only what lies at the end of a heap.
PROGRAM = """
import time
from fgsd.app.http.malloc import bound_heaps

def held():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024

blocks = [bytearray(2000) for _ in range(100_000)]
last = blocks.pop()
full = held()
del blocks
kept = held()
bound_heaps(interval=0.1)
time.sleep(1)
print(full - kept, full - held())
"""


# Every thread allocates while the others do, which makes glibc give each a heap; malloc_info lists the heaps.
THREADS = """
import ctypes
import threading
from fgsd.app.http.malloc import bound_heaps

bound_heaps()
together = threading.Barrier(8)

def allocate():
    together.wait()
    blocks = [bytearray(2000) for _ in range(1000)]
    together.wait()

threads = [threading.Thread(target=allocate) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc = ctypes.CDLL(None)
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""
needs_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc")


@needs_glibc
@pytest.mark.parametrize("bounded", [True, False])
def test_many_threads_share_two_heaps(bounded):
    """Without the limit there are more, or the test would show nothing."""
    program = THREADS if bounded else THREADS.replace("\nbound_heaps()", "")
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    heaps = ran.stdout.count("<heap nr=")
    assert 1 <= heaps <= 2 if bounded else heaps > 2


@needs_glibc
def test_freed_memory_below_a_used_block_is_returned():
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    by_itself, trimmed = map(float, ran.stdout.split())
    assert trimmed > 100 > 50 > by_itself  # MB, of 200
