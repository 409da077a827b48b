"""Which device computes: CUDA, MPS or the CPU."""

from __future__ import annotations

import torch


def best_device() -> str:
    """Name of the device to compute on: "cuda" if there is one, else "mps", else "cpu"."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
