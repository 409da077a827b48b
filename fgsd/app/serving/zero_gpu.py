"""Sampling on a GPU that a Hugging Face Space lends for each run (ZeroGPU); elsewhere nothing changes.

On such a Space only functions decorated with `spaces.GPU` see the GPU, and they run in a process of their
own: arguments and results are pickled, and the process does not see what the visitor does meanwhile. So the
page keeps its pipeline on the CPU, which is fast enough for the map and for previews, and whole sampling
loops run on the GPU.
"""

from __future__ import annotations

import copy
import functools
import inspect
import math
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fgsd.app.limits import MAX_GPU_S
from fgsd.app.render.interpolations import mixtures
from fgsd.app.render.learned import LearnRequest, RunRequest
from fgsd.app.requests.paint import PaintRequest
from fgsd.centroids import Centroid
from fgsd.device import best_device
from fgsd.pipeline import Pipeline

# Estimates on the safe side, not measured: a run that takes longer is killed, a run that asks for more waits.
START_S = 10.0  # seconds until the process has its GPU and the network is on it
EVALUATION_S = 0.03  # seconds of one pass of the network, however small
IMAGE_S = 0.001  # seconds more for each image of 64 x 64 pixels in a pass
LEARNING_STEP_S = 0.2  # seconds of a step of learning


def on_zero_gpu() -> bool:
    """Return whether this is a ZeroGPU Space."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


def lends_gpu() -> bool:
    """Return whether the package `spaces` is installed, so that `on_gpu` runs in a process of its own."""
    try:
        import spaces  # noqa: F401
    except ImportError:
        return False
    return True


def gpu_seconds(request: RunRequest) -> int:
    """Return the seconds for which a run borrows a GPU."""
    if isinstance(request, LearnRequest):
        return math.ceil(min(MAX_GPU_S, START_S + LEARNING_STEP_S * request.steps))
    if isinstance(request, PaintRequest):
        height, width = request.size
        evaluation = EVALUATION_S + IMAGE_S * request.n * height * width / 64**2
        passes = request.steps * (2 if request.sampler == "heun" else 1)
        return math.ceil(min(MAX_GPU_S, START_S + passes * evaluation))
    images = request.n if request.mode in ("sample", "coarse-fine") else len(mixtures(request))
    evaluations = request.steps * (2 if request.sampler == "heun" else 1)
    seconds = EVALUATION_S + IMAGE_S * images * (request.size / 64) ** 2
    return math.ceil(min(MAX_GPU_S, START_S + evaluations * seconds))


def on_gpu(run: Callable[..., Any], pipe: Pipeline) -> Callable[..., Any]:
    """Bind a pipeline to `run`; where `spaces` is installed, run it within `spaces.GPU`.

    Parameters
    ----------
    run : callable
        Function of `(pipe, request, user_centroids=...)`, or a generator that also takes `is_cancelled` (see
        `fgsd.app.render.frames.frames`).

    Returns
    -------
    callable
        Function or generator of `(request, user_centroids=...)`. A generator also takes `is_cancelled`, which
        is asked after each yield.
    """
    if not lends_gpu():
        return functools.partial(run, pipe)
    import spaces

    def duration(request: RunRequest, user_centroids: Mapping[str, Centroid] | None) -> int:
        return gpu_seconds(request)

    if not inspect.isgeneratorfunction(run):

        @spaces.GPU(duration=duration)
        def call(request: RunRequest, user_centroids: Mapping[str, Centroid] | None) -> Any:
            return run(_on_best_device(pipe), request, user_centroids=user_centroids)

        return lambda request, *, user_centroids=None: call(request, user_centroids)

    @spaces.GPU(duration=duration)
    def loop(request: RunRequest, user_centroids: Mapping[str, Centroid] | None) -> Iterator[Any]:
        yield from run(_on_best_device(pipe), request, user_centroids=user_centroids)

    def stream(
        request: RunRequest,
        *,
        user_centroids: Mapping[str, Centroid] | None = None,
        is_cancelled: Callable[[], bool] | None = None,
    ) -> Iterator[Any]:
        for part in loop(request, user_centroids):
            if is_cancelled is not None and is_cancelled():
                return
            yield part

    return stream


def _on_best_device(pipe: Pipeline) -> Pipeline:
    """Return the pipeline on the best device of this process."""
    device = best_device()
    if pipe.device.type == device:
        return pipe
    return Pipeline(copy.deepcopy(pipe.network), pipe.table, pipe.info, device, map=pipe.map)
