"""What the browser half has to know to sample: the table's constants, and the bounds of requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fgsd.app.limits import MAX_CLASSES, MAX_MOVE, MAX_REGIONS, MAX_SEED, MAX_STEPS, MAX_STRENGTH
from fgsd.app.requests.request import PAGE_SAMPLERS, SETTINGS
from fgsd.app.serving import painting
from fgsd.app.serving.preview import STEPS, preview_sigma_max
from fgsd.class_spacing import class_spacing
from fgsd.pipeline import Pipeline
from fgsd.regions import MAX_FEATHER


def worker_config(pipe: Pipeline, *, sizes: Sequence[int], counts: Sequence[int]) -> dict[str, Any]:
    """Return the part of `Config` of `web/site/worker.js` that no file holds, and `Bounds` of `request.js`.

    Parameters
    ----------
    sizes : sequence of int
        Sides of pictures that may be asked for, in pixels.
    counts : sequence of int
        Pictures of a run.
    """
    return {
        "classes": pipe.classes,
        "sigmas": pipe.table.sigmas.tolist(),
        "spacing": class_spacing(pipe.table)[:, 0].tolist(),
        "sizes": list(sizes),
        "counts": list(counts),
        "samplers": list(PAGE_SAMPLERS.values()),
        "settings": SETTINGS,
        "multiple": pipe.network.config.multiple,
        "maxClasses": MAX_CLASSES,
        "maxMove": MAX_MOVE,
        "maxSeed": MAX_SEED,
        "maxSteps": MAX_STEPS,
        "maxStrength": MAX_STRENGTH,
        "sigmaMin": pipe.info.sigma_min,
        "sigmaMax": pipe.info.sigma_max,
        "studentSigmas": None if pipe.student is None else list(pipe.student.sigmas),
        "preview": {"steps": STEPS, "sigmaMax": preview_sigma_max(pipe)},
    }


def paint_config() -> dict[str, Any]:
    """Return what paintings need of `Config` of `web/site/worker.js`, and `PaintBounds`."""
    return {
        "steps": painting.STEPS,
        "previewSteps": painting.PREVIEW_STEPS,
        "maxRegions": MAX_REGIONS,
        "maxFeather": MAX_FEATHER,
    }
