"""Cost of guidance, and time of a sample."""

from __future__ import annotations

import time

import numpy as np
import torch

from fgsd.evaluation.checks import check
from fgsd.pipeline import Pipeline

COST_TARGET = 1.10  # time of a guided step / of an unguided one
SECONDS_TARGET = 0.3  # of one sample of 64 pixels and 16 steps
SIZE = 64  # pixels
STEPS = 16


def _seconds_of(pipe: Pipeline, action) -> float:
    """Seconds that a call takes, GPU work included."""
    if pipe.device.type == "cuda":
        torch.cuda.synchronize(pipe.device)
    began = time.perf_counter()
    action()
    if pipe.device.type == "cuda":
        torch.cuda.synchronize(pipe.device)
    return time.perf_counter() - began


def step_costs(
    pipe: Pipeline, name: str, *, runs: int, n: int = 1, size: int = SIZE
) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of guided and of unguided steps, timed alternately in one run.

    Two samplings of the same size advance in turn, one step each, so that both steps of a pair meet the same
    load of the machine. The order alternates between pairs. The first run is a warm-up and is not counted.

    Returns
    -------
    guided, unguided : arrays of shape (runs * STEPS,)
    """
    seconds: dict[str, list[float]] = {"guided": [], "unguided": []}
    for run in range(runs + 1):
        streams = {
            "guided": pipe.stream(name, n=n, steps=STEPS, size=size, seed=run),
            "unguided": pipe.stream(None, n=n, steps=STEPS, size=size, seed=run),
        }
        for k in range(STEPS):
            order = ("guided", "unguided") if k % 2 == run % 2 else ("unguided", "guided")
            for kind in order:
                stream = streams[kind]
                elapsed = _seconds_of(pipe, lambda stream=stream: next(stream))
                if run > 0:
                    seconds[kind].append(elapsed)
    return np.array(seconds["guided"]), np.array(seconds["unguided"])


def measure_speed(pipe: Pipeline, name: str, *, runs: int = 12, size: int = SIZE, progress=None) -> dict:
    """Measure the cost of guidance per step, and the seconds of one sample of class `name`; batch size 1.

    The checks use medians, because other processes on the machine delay single steps.

    Parameters
    ----------
    runs : int
        Timed samplings, after one that warms up.
    size : int
        Side of a sample in pixels.
    progress : callable, optional
        Wraps the loop over samples; called like `tqdm`.
    """
    guided, unguided = step_costs(pipe, name, runs=runs, size=size)
    samples = []
    for seed in progress(range(runs + 1), desc="timing samples") if progress else range(runs + 1):
        samples.append(
            _seconds_of(pipe, lambda seed=seed: pipe.sample(name, n=1, steps=STEPS, size=size, seed=seed))
        )
    samples = samples[1:]  # the first is a warm-up
    return {
        "pairs": len(guided),
        "milliseconds_guided": float(1000 * np.median(guided)),
        "milliseconds_unguided": float(1000 * np.median(unguided)),
        "seconds": [round(s, 4) for s in samples],
        "seconds_fastest": float(min(samples)),
        "size": size,
        "steps": STEPS,
        "checks": [
            check("guided step / unguided step", float(np.median(guided / unguided)), at_most=COST_TARGET),
            check(
                f"one sample, {size} px, {STEPS} steps",
                float(np.median(samples)),
                at_most=SECONDS_TARGET,
                unit="s",
            ),
        ],
    }
