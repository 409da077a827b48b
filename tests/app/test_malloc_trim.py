"""Freed memory goes back to the system."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# Many small blocks, freed but for the last: glibc returns only what lies at the end of a heap.
PROGRAM = """
import sys, time
from fgsd.app.http.malloc_trim import start_malloc_trim

def held():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024

blocks = [bytearray(2000) for _ in range(100_000)]
last = blocks.pop()
full = held()
del blocks
if sys.argv[1] == "return":
    start_malloc_trim(interval=0.1)
time.sleep(1)
print(full - held())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps such memory")
def test_freed_memory_below_a_used_block_is_returned():
    freed = {}
    for what in ("keep", "return"):
        ran = subprocess.run(
            [sys.executable, "-c", PROGRAM, what], capture_output=True, text=True, check=True
        )
        freed[what] = float(ran.stdout)
    assert freed["return"] > 100 > 50 > freed["keep"]  # MB, of 200
