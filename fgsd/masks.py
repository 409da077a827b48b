"""Read a mask, which says where in an image something is, from an array, an image or a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fgsd.images import load_image

Mask = np.ndarray | Tensor | Image.Image | str | Path


def read_mask(mask: Mask, name: str) -> Tensor:
    """Return the values of a mask, from 0 outside to 1 inside: (H, W), float32.

    Parameters
    ----------
    mask : array or Tensor of shape (H, W), image or path
        White of an image is 1. Floats and booleans are from 0 to 1; integers too if none is above 1, and
        otherwise from 0 to 255.
    name : str
        What error messages call it.

    Raises
    ------
    ValueError
        If an array has another shape, type or range.
    ImageError
        If an image cannot be loaded.
    """
    if not isinstance(mask, (np.ndarray, Tensor)):
        return torch.from_numpy(np.array(load_image(mask).convert("L"), dtype=np.float32)) / 255
    values = np.asarray(mask)
    if values.ndim != 2 or values.dtype.kind not in "biuf":
        raise ValueError(
            f"{name} has shape {values.shape} and type {values.dtype}, expected numbers of shape (H, W)"
        )
    white = 255.0 if values.dtype.kind in "iu" and values.max(initial=0) > 1 else 1.0
    weights = torch.from_numpy(values.astype(np.float32) / white)
    if not bool(((weights >= 0) & (weights <= 1)).all()):
        raise ValueError(f"{name} must hold values from 0 to {white:g}, got {values.min()} to {values.max()}")
    return weights
