"""Feature-guided score diffusion: sample a class by steering the feature vector of a denoiser."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or os.environ.get("EAGER_IMPORT"):  # pdoc resolves no name of `__getattr__`
    from fgsd.centroids import Centroid, CentroidTable, coarse_fine
    from fgsd.pipeline import Pipeline
    from fgsd.run_figure import figure_of_mixture, figure_of_run
    from fgsd.texture import Texture

__all__ = [
    "Centroid",
    "CentroidTable",
    "Pipeline",
    "Texture",
    "coarse_fine",
    "figure_of_mixture",
    "figure_of_run",
]
__version__ = "0.1.0"

_MODULES = {
    "Centroid": "fgsd.centroids",
    "CentroidTable": "fgsd.centroids",
    "Pipeline": "fgsd.pipeline",
    "Texture": "fgsd.texture",
    "coarse_fine": "fgsd.centroids",
    "figure_of_mixture": "fgsd.run_figure",
    "figure_of_run": "fgsd.run_figure",
}


def __getattr__(name: str) -> Any:
    """Import the public names when they are first used: what needs no torch does not wait for it."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
