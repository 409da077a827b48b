"""What guidance costs, and how long a sample takes."""

from __future__ import annotations

import time

import numpy as np
import torch

from fgsd.evaluation.checks import check
from fgsd.pipeline import Pipeline

COST_TARGET = 1.10  # a guided step in units of an unguided one
SECONDS_TARGET = 0.3  # for a sample of 64 pixels and 16 steps, batch of one
SIZE = 64  # pixels
STEPS = 16


def _timed(pipe: Pipeline, action) -> float:
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
    """Seconds of guided and of unguided steps, taken by turns in one run.

    Two samplings of the same size go on side by side, a step of the one, a step of the other, so that a
    pair meets the same load of the machine; which is first alternates from pair to pair. The first run
    warms up and is not counted.

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
                taken = _timed(pipe, lambda stream=stream: next(stream))
                if run > 0:
                    seconds[kind].append(taken)
    return np.array(seconds["guided"]), np.array(seconds["unguided"])


def speed(pipe: Pipeline, name: str, *, runs: int = 12, size: int = SIZE, progress=None) -> dict:
    """Cost of guidance by step, and seconds of one sample of a class, with a batch of one.

    Medians are checked: what else runs on the machine at times makes single steps late.
    """
    guided, unguided = step_costs(pipe, name, runs=runs, size=size)
    samples = []
    for seed in progress(range(runs + 1), desc="timing samples") if progress else range(runs + 1):
        samples.append(
            _timed(pipe, lambda seed=seed: pipe.sample(name, n=1, steps=STEPS, size=size, seed=seed))
        )
    samples = samples[1:]  # the first one warms up
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
