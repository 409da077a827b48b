"""Freed memory goes back to the system."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# Many small blocks, freed but for the last: glibc returns only what lies at the end of a heap.
PROGRAM = """
import time
from fgsd.app.http.malloc_trim import start_malloc_trim

def held():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024

blocks = [bytearray(2000) for _ in range(100_000)]
last = blocks.pop()
full = held()
del blocks
kept = held()
start_malloc_trim(interval=0.1)
time.sleep(1)
print(full - kept, full - held())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps such memory")
def test_freed_memory_below_a_used_block_is_returned():
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    by_itself, trimmed = map(float, ran.stdout.split())
    assert trimmed > 100 > 50 > by_itself  # MB, of 200
