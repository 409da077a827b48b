"""How the threads of PyTorch wait for each other. It imports no torch: torch reads the setting on import."""

from __future__ import annotations

import os

# How often a waiting thread of OpenMP looks for work before it sleeps. By default it looks 300,000 times, and
# keeps the core from the thread that it waits for: beside a busy process on the same cores, evaluations of
# the network at 64 px took forty times as long as with this value.
SPINS = 1000


def limit_spinning() -> None:
    """Let waiting threads sleep soon, unless the environment says otherwise; before torch is imported."""
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", str(SPINS))
