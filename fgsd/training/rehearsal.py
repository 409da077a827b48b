"""Rehearsal: images of the classes that a checkpoint knows, so that further training does not forget them.

The images that it was trained on are best; where they are not at hand, the network samples its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from fgsd.atomic import write_atomically
from fgsd.data import DataConfig, TextureFolder
from fgsd.pipeline import Pipeline
from fgsd.training.batch import seed_of

SAMPLES = 2  # images of a class


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
