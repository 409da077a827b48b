"""Tensors in the files of a checkpoint: read with checks of names, shapes and values."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from fgsd.former_names import current_tensors


class CheckpointError(ValueError):
    """A checkpoint cannot be used; the message names the file and the reason."""


def stored(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a tensor as it goes into a file: on the CPU, contiguous, in `dtype`."""
    return tensor.detach().cpu().to(dtype).contiguous()


def file_digest(path: Path) -> str:
    """Return the SHA-256 digest of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_tensors(path: Path, shapes: Mapping[str, tuple[int, ...] | None]) -> dict[str, Tensor]:
    """Load the tensors of a file as finite float32; names and shapes (None: any) must be those given.

    Raises
    ------
    CheckpointError
        If they are not, or as `load_tensor_file`.
    """
    tensors = current_tensors(load_tensor_file(path))
    check_names(path, tensors, shapes.keys())
    for name, shape in shapes.items():
        tensor = tensors[name]
        if shape is not None and tuple(tensor.shape) != shape:
            raise CheckpointError(f"{path}: {name} has shape {tuple(tensor.shape)}, expected {shape}")
        if not tensor.is_floating_point() or not bool(tensor.isfinite().all()):
            raise CheckpointError(f"{path}: {name} must hold finite floating-point numbers")
        tensors[name] = tensor.float()
    return tensors


def load_tensor_file(path: Path) -> dict[str, Tensor]:
    """Load the tensors of a safetensors file.

    Raises
    ------
    CheckpointError
        If there is no such file, or it is damaged.
    """
    try:
        return load_file(path)
    except FileNotFoundError:
        raise CheckpointError(f"{path.parent} is not a checkpoint: it has no {path.name}") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: damaged, or not a safetensors file ({error})") from None


def check_names(path: Path, tensors: Iterable[str], expected: Iterable[str]) -> None:
    """Raise `CheckpointError` if a file lacks tensors, or has others than those expected."""
    if missing := set(expected) - set(tensors):
        raise CheckpointError(f"{path}: lacks {', '.join(sorted(missing)[:3])}")
    if extra := set(tensors) - set(expected):
        raise CheckpointError(f"{path}: has tensors of another network: {', '.join(sorted(extra)[:3])}")
