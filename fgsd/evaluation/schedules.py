"""How near is a picture of few steps to that of many, from the same noise?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from fgsd.data import to_tensor
from fgsd.evaluation.context import EvaluationContext
from fgsd.model.network import PASS_PIXELS
from fgsd.sampling import centre_corner

# steps of the default sampler, and the noise level at which they begin
SCHEDULES = ((5, 20.0), (5, 10.0), (4, 20.0), (4, 10.0), (3, 6.0), (2, 4.0))
BLUR = 2.0  # pixels, standard deviation: what is coarser is structure, what is finer is detail


def measure_schedules(context: EvaluationContext, *, each: int = 2) -> dict:
    """Compare samples of few steps with those of `context.steps`, from the same noise.

    Parameters
    ----------
    each : int
        Samples per class.
    """
    pipe, size = context.pipe, context.size
    targets = [name for name in context.classes for _ in range(each)]
    seeds = [context.seed + k for k in range(len(targets))]
    batch = max(1, PASS_PIXELS // size**2)
    found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    parts = [slice(k, k + batch) for k in range(0, len(targets), batch)]
    for part in context.progress(parts, desc="schedules"):

        def sampled(steps: int, sigma_max: float, part: slice = part) -> Tensor:
            images = pipe.sample(
                targets[part],
                n=len(targets[part]),
                seed=seeds[part],
                size=size,
                steps=steps,
                sigma_max=min(sigma_max, pipe.info.sigma_max),
            )
            return torch.stack([to_tensor(image) for image in images])

        many = sampled(context.steps, pipe.info.sigma_max)
        for steps, sigma_max in SCHEDULES:
            name = f"{steps} steps from {sigma_max:g}"
            found.setdefault(name, []).append(structure_and_contrast(sampled(steps, sigma_max), many))
    return {
        "each": each,
        "steps": context.steps,
        "schedules": _medians(found),
        "centres": _measure_centres(context),
        "checks": [],
    }


def _measure_centres(context: EvaluationContext) -> dict[str, dict[str, float]]:
    """Compare previews of centres of large pictures, a sample a class, with the pictures in all steps."""
    pipe, whole = context.pipe, 3 * context.size
    (steps, _), sigma_max = SCHEDULES[1], min(SCHEDULES[1][1], pipe.info.sigma_max)
    found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for k, name in enumerate(context.progress(context.classes, desc="centres")):

        def sampled(name: str = name, seed: int = context.seed + k, **options: Any) -> Tensor:
            return to_tensor(pipe.sample(name, seed=seed, **options)[0])[None]

        finished = sampled(size=whole, steps=context.steps)
        for size in (context.size, 2 * context.size, whole):
            preview = sampled(size=size, noise_size=whole, steps=steps, sigma_max=sigma_max)
            multiple = pipe.network.config.multiple
            top, left = centre_corner((whole, whole), (size, size), multiple=multiple)
            centre = finished[:, :, top : top + size, left : left + size]
            found.setdefault(f"{size} of {whole}", []).append(structure_and_contrast(preview, centre))
    return _medians(found)


def _medians(found: dict[str, list[tuple[np.ndarray, np.ndarray]]]) -> dict[str, dict[str, float]]:
    medians = {}
    for name, values in found.items():
        both = [float(np.median(np.concatenate(part))) for part in zip(*values, strict=True)]
        medians[name] = dict(zip(("structure", "contrast"), both, strict=True))
    return medians


def structure_and_contrast(few: Tensor, many: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Compare pictures (N, 3, H, W) of few evaluations with those of many, one by one: (N,) each.

    Structure: root mean square difference of the blurred pictures, in units of the variation of the blurred
    picture of many evaluations; 0 is the same picture. Contrast: that of the fine detail, 1 is the same.
    """
    coarse, blurred = _blurred(many), _blurred(few)
    variation = _rms(coarse - coarse.mean(dim=(2, 3), keepdim=True))
    structure = _rms(blurred - coarse) / variation.clamp(min=1e-6)
    contrast = _rms(few - blurred) / _rms(many - coarse).clamp(min=1e-6)
    return structure.numpy(), contrast.numpy()


def _rms(x: Tensor) -> Tensor:
    """Return the root mean square of each image: (N,)."""
    return x.square().mean(dim=(1, 2, 3)).sqrt()


def _blurred(x: Tensor) -> Tensor:
    """Blur images (N, 3, H, W) by a Gaussian; they continue beyond the edge as they are there."""
    radius = math.ceil(3 * BLUR)
    kernel = torch.exp(-(torch.arange(-radius, radius + 1.0) ** 2) / (2 * BLUR**2))
    kernel = kernel / kernel.sum()
    channels = pad(x, (radius,) * 4, mode="replicate").flatten(0, 1)[:, None]
    rows = conv2d(channels, kernel[None, None, None, :])
    return conv2d(rows, kernel[None, None, :, None])[:, 0].unflatten(0, x.shape[:2])
