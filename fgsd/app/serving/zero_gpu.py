"""Sampling on a GPU that a Hugging Face Space borrows for each run (ZeroGPU); elsewhere nothing changes.

On such a Space the GPU is seen only by functions that `spaces.GPU` decorates, and they run in a process of
their own: what goes in and comes out is pickled, and what a visitor does meanwhile is not seen in there. So
the page keeps its pipeline on the CPU, which is fast enough for the map and the picture that follows the pin,
and whole sampling loops go to the GPU.
"""

from __future__ import annotations

import copy
import functools
import inspect
import math
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fgsd.app.render.interpolations import weights_of
from fgsd.app.requests.request import SampleRequest
from fgsd.centroids import Centroid
from fgsd.device import best_device
from fgsd.pipeline import Pipeline

# On the safe side rather than measured: only runs that are cut off, or that wait for long, call for others.
START = 10.0  # seconds until the process has its GPU and the network is there
EVALUATION = 0.03  # seconds of one pass of the network, however small
IMAGE = 0.001  # seconds more for each image of 64 x 64 pixels in it
LONGEST = 120.0  # seconds


def on_zero_gpu() -> bool:
    """Whether this is a ZeroGPU Space."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


def lends_gpu() -> bool:
    """Whether the package `spaces` is there, so that `on_gpu` takes runs to a process of their own."""
    try:
        import spaces  # noqa: F401
    except ImportError:
        return False
    return True


def seconds(request: SampleRequest) -> int:
    """For how long a run needs a GPU, generously: one that goes over is ended; a longer one waits longer."""
    images = request.n if request.mode in ("sample", "coarse-fine") else len(weights_of(request))
    evaluations = request.steps * (2 if request.sampler == "heun" else 1)
    each = EVALUATION + IMAGE * images * (request.size / 64) ** 2
    return math.ceil(min(LONGEST, START + evaluations * each))


def on_gpu(run: Callable[..., Any], pipe: Pipeline) -> Callable[..., Any]:
    """`run` with its pipeline given; where `spaces` is installed, inside of `spaces.GPU`.

    Parameters
    ----------
    run : callable
        `run(pipe, request, own=...)`: a function, or a generator that takes `wanted` too (see
        `fgsd.app.render.frames.frames`).

    Returns
    -------
    callable
        `(request, own=...)`, and `wanted` for a generator, which is then asked after each yield.
    """
    if not lends_gpu():
        return functools.partial(run, pipe)
    import spaces

    def lent(request: SampleRequest, own: Mapping[str, Centroid] | None) -> int:
        return seconds(request)

    if not inspect.isgeneratorfunction(run):

        @spaces.GPU(duration=lent)
        def call(request, own):
            return run(_there(pipe), request, own=own)

        return lambda request, *, own=None: call(request, own)

    @spaces.GPU(duration=lent)
    def loop(request, own):
        yield from run(_there(pipe), request, own=own)

    def watched(request, *, own=None, wanted=None) -> Iterator[Any]:
        for part in loop(request, own):
            if wanted is not None and not wanted():
                return
            yield part

    return watched


def _there(pipe: Pipeline) -> Pipeline:
    """The pipeline on the best device of this process."""
    device = best_device()
    if pipe.device.type == device:
        return pipe
    return Pipeline(copy.deepcopy(pipe.network), pipe.table, pipe.info, device, map=pipe.map)
