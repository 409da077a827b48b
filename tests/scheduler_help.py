"""What tests of the scheduler share: a network that records its batches, and calls that wait in line."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

SMALL = {"size": 16, "steps": 6}


class RecordedNetwork:
    """Replaces the engines of a pipeline: records the batches, and holds them back as a test needs it.

    `batches` has the number of images of each batch, `marks` the first pixel of each image. While the event
    `gate` is cleared, a batch waits inside of the network. A batch for which `fails` returns True raises an
    error.
    """

    def __init__(self, monkeypatch, pipe) -> None:
        self.batches: list[int] = []
        self.marks: list[list[float]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.fails: Callable[[torch.Tensor], bool] = lambda x: False
        self._denoise = pipe.network.denoise
        monkeypatch.setattr(pipe.network, "denoise", self)  # which gradients call
        monkeypatch.setattr(pipe.engines, "exact", self)
        monkeypatch.setattr(pipe.engines, "quick", self)

    def __call__(self, x, *arguments, **options):
        self.batches.append(len(x))
        self.marks.append(x[:, 0, 0, 0].tolist())
        self.entered.set()
        assert self.gate.wait(30)
        if self.fails(x):
            raise ArithmeticError("a bad batch")
        return self._denoise(x, *arguments, **options)


def pixels(images) -> list[np.ndarray]:
    return [np.asarray(image).astype(int) for image in images]


def sampled(scheduler, target, *, visitor="a", preview=False, is_cancelled=lambda: False, **options):
    """The images of a request that goes through the scheduler."""
    with scheduler.lend(visitor, preview=preview, is_cancelled=is_cancelled) as lent:
        return lent.sample(target, **{**SMALL, **options})


def run_together(calls: Sequence[Callable]) -> list:
    """Results of functions that begin at once, each in a thread."""
    ready = threading.Barrier(len(calls))

    def begin(call):
        ready.wait(30)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result(60) for future in [pool.submit(begin, call) for call in calls]]


def call_network(lent, mark: float, n: int = 1, size: int = 16, **options):
    """One call of the network, whose images have the mark as their first pixel."""
    x = torch.zeros(n, 3, size, size)
    x[:, 0, 0, 0] = mark
    return lent._evaluate(x, 1.0, None, **options)


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def queue_calls(scheduler, network: RecordedNetwork, *calls) -> list[threading.Thread]:
    """Let calls wait in this order behind one that is held inside of the network; return their threads.

    Each call is (mark, visitor) or (mark, visitor, preview).
    """
    network.gate.clear()
    network.entered.clear()
    threads = []
    for mark, visitor, *preview in [(0.0, "first"), *calls]:

        def run(mark=mark, visitor=visitor, preview=bool(preview and preview[0])):
            with scheduler.lend(visitor, preview=preview) as lent:
                call_network(lent, mark)

        thread = threading.Thread(target=run)
        thread.start()
        threads.append(thread)
        if len(threads) == 1:
            assert network.entered.wait(30)
        wait_for(lambda: len(scheduler._waiting) == len(threads) - 1)
    return threads


def finish(network: RecordedNetwork, threads: Sequence[threading.Thread]) -> list[list[float]]:
    """Open the gate and wait for all threads; return the marks of the batches that followed, to a decimal."""
    network.gate.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    return [[round(mark, 1) for mark in marks] for marks in network.marks[1:]]
