"""What training with given centroids needs: learned centroids, and images of the known classes.

To add classes to a checkpoint, their centroids are learned first, with the network as it is. The images of
the known classes, which training rehearses, are those that the checkpoint was trained on, or else its own
samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from fgsd.atomic import write_atomically
from fgsd.centroids import CentroidTable
from fgsd.data import DataConfig, TextureFolder, to_images
from fgsd.pipeline import Pipeline
from fgsd.texture import SUFFIX, Texture, TextureError
from fgsd.training.batch import seed_of

SAMPLES = 2  # images of a class


def learned_table(
    pipe: Pipeline,
    data: TextureFolder,
    folder: Path,
    *,
    steps: int = 60,
    seed: int = 0,
    progress: Callable[..., Any] | None = None,
) -> CentroidTable:
    """Return learned centroids of the classes of the data, and those of a checkpoint for its other classes.

    Parameters
    ----------
    pipe : Pipeline
    data : TextureFolder
        Images of classes that the checkpoint has, or of new ones.
    folder : Path
        Where what is learned is kept, a texture file for each class. Those that are there are not learned
        again, unless they were made with another network.
    steps : int
        Of learning.
    seed : int
        Of crops and noise.
    progress : callable, optional
        Called like `tqdm`.
    """
    learned = {}
    folder.mkdir(parents=True, exist_ok=True)
    for name in progress(data.classes, desc="learning") if progress else data.classes:
        path = folder / f"{name}{SUFFIX}"
        try:
            learned[name] = pipe.centroid(Texture.load(path))
        except (TextureError, ValueError):  # none yet, or one of another network
            images = [to_images(region[None])[0] for region in data.regions(name)]
            start = pipe.table.of(name) if name in pipe.classes else None
            *_, step = pipe.learn(images, steps=steps, name=name, scale=1.0, start=start, seed=seed)
            step.texture.save(path)
            learned[name] = step.texture.centroid
    classes = sorted({*pipe.classes, *data.classes})
    centroids = [learned.get(name) or pipe.table.of(name) for name in classes]
    values, colours = (torch.stack([getattr(c, part) for c in centroids]) for part in ("values", "colour"))
    return CentroidTable(classes, pipe.table.sigmas, values, pipe.table.scales, colours)


def known_images(
    pipe: Pipeline, data: TextureFolder | None, folder: Path, progress: Callable[..., Any] | None = None
) -> TextureFolder:
    """Return images of all classes of a checkpoint.

    Parameters
    ----------
    data : TextureFolder, optional
        Images that it was trained on; other classes in it are left out.
    folder : Path
        Where samples of the classes that `data` lacks are kept: `SAMPLES` each. Those that are there stay.
    progress : callable, optional
        Called like `tqdm`.
    """
    found = [name for name in pipe.classes if data is not None and name in data.classes]
    missing = [name for name in pipe.classes if name not in found]
    known = data.only(found) if data is not None and found else None
    if not missing:
        assert known is not None
        return known
    side = _smallest_side(pipe.info.data, pipe.network.config.multiple)
    for name in progress(missing, desc="samples") if progress else missing:
        for k in range(SAMPLES):
            path = folder / name / f"{k}.png"
            if not path.exists():
                seed = seed_of(pipe.classes.index(name), k) % 2**31
                [image] = pipe.sample(name, size=side, seed=seed)
                write_atomically(path, partial(image.save, format="PNG"))
    sampled = TextureFolder(folder, pipe.info.data).only(missing)
    return sampled if known is None else known.joined(sampled)


def _smallest_side(config: DataConfig, multiple: int) -> int:
    """Return the side of the smallest image that has crops for training and for testing, in pixels."""
    share = min(config.test_share, 1 - config.test_share) if config.test_share else 1
    return math.ceil(math.ceil(config.patch_size / share) / multiple) * multiple
