"""The pairs of averaged and learned centroids that a calibration is fitted to; see `fgsd.calibration`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from fgsd.calibration import Calibration, check_count, fit_calibration
from fgsd.data import TextureFolder, to_images
from fgsd.pipeline import Pipeline
from fgsd.training.extension import learned_table


def calibrate(
    pipe: Pipeline,
    data: TextureFolder,
    folder: Path,
    *,
    steps: int = 40,
    seed: int = 0,
    progress: Callable[..., Any] | None = None,
) -> tuple[Calibration, float]:
    """Fit a calibration to textures; centroids of those that are no classes of the checkpoint are learned.

    Parameters
    ----------
    pipe : Pipeline
    data : TextureFolder
        Images of classes of the checkpoint, whose centroids are taken as they are, and of other textures.
    folder : Path
        Where learned centroids are kept; those that are there are not learned again.
    steps : int
        Of learning. Noise of single textures averages out, so few will do.
    seed : int
        Of crops, noise and the parts of the cross-validation.
    progress : callable, optional
        Called like `tqdm`.

    Returns
    -------
    As `fgsd.calibration.fit_calibration`.

    Raises
    ------
    ValueError
        If there are too few textures.
    """
    check_count(len(data.classes))
    new = [name for name in data.classes if name not in pipe.classes]
    options: dict[str, Any] = {"steps": steps, "seed": seed, "progress": progress}
    table = learned_table(pipe, data.only(new), folder, **options) if new else pipe.table
    averaged = []
    for name in progress(data.classes, desc="averaging") if progress else data.classes:
        images = [to_images(region[None])[0] for region in data.regions(name)]
        averaged.append(pipe.centroid_of(images, scale=1.0, seed=seed, calibrated=False).values)
    learned = torch.stack([table.of(name).values for name in data.classes])
    return fit_calibration(torch.stack(averaged), learned, pipe.table.scales, seed=seed)
