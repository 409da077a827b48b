"""Choice of the computing device."""

from __future__ import annotations

import torch


def best_device() -> str:
    """Return the name of the fastest available device: "cuda", else "mps", else "cpu"."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def has_bfloat16(device_type: str) -> bool:
    """Return whether a "cuda" or "cpu" device of this machine has instructions for bfloat16."""
    if device_type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    features = torch.cpu.get_capabilities() if device_type == "cpu" else {}
    return bool(features.get("amx_bf16") or features.get("avx512_bf16"))
