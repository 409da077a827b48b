"""Choice of the computing device."""

from __future__ import annotations

import torch


def best_device() -> str:
    """Return the name of the fastest available device: "cuda", else "mps", else "cpu"."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
