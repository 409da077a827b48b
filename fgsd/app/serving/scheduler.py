"""Batching: one scheduler evaluates the network for the samplers of many visitors.

Each sampler runs unchanged in a thread of its own; only its calls of the network come here. One worker thread
evaluates them, and compatible calls share a batch, each image with its own noise level and centroid. A new
request thus joins at the next step (continuous batching; Yu et al. 2022, Orca), and a request that is alone
goes through exactly the computation of `Pipeline.sample`.

- Previews, which follow a dragged pin, are served before all other requests.
- Among the rest, the visitor with the least recent network time is served first, in units of one small
  request; among equals, the request that came first. Small requests are thus finished one after the other.
- Every fourth batch begins with the call that has waited longest, so that no call starves.
- A batch grows up to a measured number of pixels, see `MAX_BATCH_PIXELS`. A larger call is alone, and comes
  in passes (see `fgsd.guidance.GuidedDenoiser`), between which other calls are served.
- A cancelled request is not evaluated again.
- Gradients, by which a texture is learned, are calls like the others. They share no batch, and come in parts.
  While a preview is under way, also between its steps, and for `DRAG_PAUSE` after it, in which the next one
  of a drag comes, there is a part every `MAX_LEARNING_DELAY` at most.
"""

from __future__ import annotations

import atexit
import itertools
import logging
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from threading import Condition, Lock, Thread

from torch import Tensor

from fgsd.app.limits import (
    DRAG_PAUSE,
    MAX_BATCH_PIXELS,
    MAX_BATCHING_DELAY,
    MAX_LEARNING_DELAY,
    TIMEOUT_PREVIEW_S,
)
from fgsd.app.serving.batch import Call, GradientCall, Output, Request, evaluate_batch
from fgsd.app.serving.fair_share import RecentUse
from fgsd.learning import join_gradients
from fgsd.model.matching import Matching
from fgsd.model.network import PASS_PIXELS
from fgsd.pipeline import Pipeline

log = logging.getLogger(__name__)

LONGEST_WAIT_EVERY = 4  # batches; one of them begins with the call that has waited longest
# crops of learning in one call on a CPU, by which a preview may be late: with 6 a drag took 1.6 times as long
GRADIENT_CROPS = 4
FAIR_SHARE_PIXELS = 16 * 64 * 64  # unit in which visitors are compared: an image of 64 pixels in 16 steps


class Cancelled(Exception):
    """The request is cancelled, or the scheduler is closed: raised within the sampler."""


class Scheduler:
    """Evaluates the network of a pipeline for many requests at once.

    >>> scheduler = Scheduler(pipe)
    >>> with scheduler.lend("a visitor") as lent:
    ...     images = lent.sample("lava", n=4)

    Parameters
    ----------
    pipe : Pipeline
    share : bool
        Whether calls of several requests may share a batch; otherwise they take turns.
    max_batch_pixels : int, optional
        Limit of a shared batch; by default what was measured on the device of `pipe`.

    Raises
    ------
    ValueError
        If `max_batch_pixels` is below 1.
    """

    def __init__(self, pipe: Pipeline, *, share: bool = True, max_batch_pixels: int | None = None) -> None:
        if max_batch_pixels is not None and max_batch_pixels < 1:
            raise ValueError(f"max_batch_pixels={max_batch_pixels} must be at least 1")
        self.pipe, self.share = pipe, share
        self.max_batch_pixels = max_batch_pixels or MAX_BATCH_PIXELS.get(pipe.device.type, PASS_PIXELS)
        self.evaluations = self.images = 0  # batches so far, and images in them
        self.evaluated_s = 0.0  # seconds that they took
        self.gradient_s = 0.0  # seconds of it that gradients took
        self._changed = Condition(Lock())
        self._requests: list[Request] = []
        self._waiting: list[Call] = []
        self._expected: set[Request] = set()  # served by the last batch, and not yet back with another call
        self._last_end, self._last_seconds = 0.0, 0.0  # end and duration of the last batch
        self._last_gradient = self._last_preview = 0.0  # ends of the last gradient, of the last preview
        self._recent_use = RecentUse()
        self._numbers, self._next_batch = itertools.count(), 1
        self._worker: Thread | None = None
        self._closed = False

    @contextmanager
    def lend(
        self, visitor: Hashable, *, preview: bool = False, is_cancelled: Callable[[], bool] = lambda: False
    ) -> Iterator[Pipeline]:
        """Lend a pipeline whose samplers call the network through this scheduler.

        Parameters
        ----------
        visitor : hashable
            Whose recent network time counts.
        preview : bool
            Whether the request is served before all that are none.
        is_cancelled : callable
            Asked before each evaluation, from another thread; once it returns True, there is no further
            evaluation, and the sampler ends with `Cancelled`.
        """
        with self._changed:
            number = next(self._numbers)
            request = Request(visitor, preview=preview, is_cancelled=is_cancelled, number=number)
            self._requests.append(request)
        try:
            yield self.pipe.with_calls(partial(self._evaluate, request), partial(self._gradient, request))
        finally:
            with self._changed:
                self._requests.remove(request)
                self._expected.discard(request)
                if preview:
                    self._last_preview = time.monotonic()
                self._changed.notify_all()

    def close(self) -> None:
        """End the worker after its current batch; calls that wait, and later ones, raise `Cancelled`."""
        with self._changed:
            self._closed = True
            worker = self._worker
            self._changed.notify_all()
        if worker is not None:
            worker.join()
        atexit.unregister(self.close)

    def _evaluate(
        self,
        request: Request,
        x: Tensor,
        sigma: float | Tensor,
        matching: Matching = None,
        *,
        tileable: bool = False,
        student: bool = False,
    ) -> Output:
        """Evaluate as `Denoiser.denoise` does: wait, in the thread of the sampler, for the worker."""
        return self._wait_for(Call(request, x, sigma, matching, tileable, student=student))

    def _gradient(
        self, request: Request, x0: Tensor, x: Tensor, sigma: Tensor, centroid: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Compute as `fgsd.learning.centroid_gradient`: in parts, between which other calls are served."""
        size = GRADIENT_CROPS if x.device.type == "cpu" else len(x)
        parts = zip(*(value.split(size) for value in (x0, x, sigma, centroid)), strict=True)
        return join_gradients([self._wait_for(GradientCall(request, *part)) for part in parts])

    def _wait_for(self, call: Call) -> Output:
        """Hand a call to the worker, and wait for its output."""
        request = call.request
        with self._changed:
            if self._closed:
                raise Cancelled("the scheduler is closed")
            if self._worker is None:
                self._worker = Thread(target=self._work, name="fgsd scheduler", daemon=True)
                self._worker.start()
                atexit.register(self.close)  # a thread inside of torch must not outlive the interpreter
            call.number = next(self._numbers)
            self._waiting.append(call)
            self._expected.discard(request)
            self._changed.notify_all()
        call.done.wait()
        if call.error is not None:
            raise call.error
        assert call.output is not None
        return call.output

    # ---- the methods below run in the worker thread ----

    def _work(self) -> None:
        while True:
            try:
                batch = self._wait_for_batch()
                if batch is None:
                    return
                self._run_batch(batch)
            except Exception as error:  # a bug of the scheduler: no sampler may wait for ever
                log.exception("the scheduler failed")
                with self._changed:
                    waiting, self._waiting = self._waiting, []
                for call in waiting:
                    call.fail(error)

    def _wait_for_batch(self) -> list[Call] | None:
        """Return the calls of the next batch; None once the scheduler is closed."""
        with self._changed:
            while True:
                self._drop_cancelled()
                if self._closed:
                    return None
                ready = self._ready()
                if not ready:
                    self._changed.wait(DRAG_PAUSE if self._waiting else None)
                    continue
                batch = self._choose_batch(ready)
                delay = self._last_end + self._batching_delay(batch) - time.monotonic()
                if delay <= 0:
                    self._waiting = [call for call in self._waiting if call not in batch]
                    self._next_batch += 1
                    return batch
                self._changed.wait(delay)

    def _drop_cancelled(self) -> None:
        """End the calls of cancelled requests, and all calls once the scheduler is closed."""
        for call in self._waiting:
            if self._closed or call.request.is_cancelled():
                call.fail(Cancelled("the request is cancelled"))
        self._waiting = [call for call in self._waiting if not call.done.is_set()]

    def _ready(self) -> list[Call]:
        """Return the calls that may be evaluated now: gradients wait for previews."""
        now = time.monotonic()
        previews = any(request.preview for request in self._requests)
        waits = previews or now < self._last_preview + DRAG_PAUSE
        if not waits or now >= self._last_gradient + MAX_LEARNING_DELAY:
            return self._waiting
        return [call for call in self._waiting if not isinstance(call, GradientCall)]

    def _choose_batch(self, ready: Sequence[Call]) -> list[Call]:
        """Return the call of highest priority and those that may share its batch, by priority."""
        now = time.monotonic()
        used = {call.request.visitor: self._recent_use.of(call.request.visitor, now) for call in ready}

        def priority(call: Call) -> tuple[bool, float, int]:
            request = call.request
            return not request.preview, used[request.visitor] // FAIR_SHARE_PIXELS, request.number

        queue = sorted(ready, key=priority)
        if self._next_batch % LONGEST_WAIT_EVERY == 0:
            longest = min(queue, key=lambda call: call.number)
            queue.sort(key=lambda call: call is not longest)
        first, *rest = queue
        batch, pixels = [first], first.pixels
        for call in rest if self.share and first.batch_key is not None else ():
            if call.batch_key == first.batch_key and pixels + call.pixels <= self.max_batch_pixels:
                batch.append(call)
                pixels += call.pixels
        return batch

    def _batching_delay(self, batch: Sequence[Call]) -> float:
        """Return the seconds after the last batch for which a batch waits for calls that are about to come.

        Batching delay: samplers call again at once, so wait briefly for them before starting the next batch.
        A full render waits for the next step of a preview, so that no long call gets between the steps of a
        preview; otherwise it waits for calls that may share its batch. Without this delay two visitors miss
        each other at every step (1.0 images in a batch against 1.9), and eight become four and four.
        """
        first = batch[0]
        if first.request.preview:
            return 0.0
        if any(request.preview for request in self._expected):
            return TIMEOUT_PREVIEW_S
        left = self.max_batch_pixels - sum(call.pixels for call in batch)
        shares = self.share and first.batch_key is not None
        if shares and any(r.batch_key == first.batch_key and r.pixels <= left for r in self._expected):
            return MAX_BATCHING_DELAY * self._last_seconds
        return 0.0

    def _run_batch(self, batch: Sequence[Call]) -> None:
        begun = time.monotonic()
        try:
            outputs = evaluate_batch(self.pipe, batch)
        except Exception as error:
            if len(batch) == 1:
                batch[0].fail(error)
            else:  # one call may have caused it: the others must not fail with it
                log.warning("a shared batch failed; its %d calls are evaluated one by one", len(batch))
                for call in batch:
                    if call.request.is_cancelled():
                        call.fail(Cancelled("the request is cancelled"))
                    else:
                        self._run_batch([call])
            return
        now = time.monotonic()
        with self._changed:
            self.evaluations += 1
            self.images += sum(len(call.x) for call in batch)
            self.evaluated_s += now - begun
            self._last_end, self._last_seconds = now, now - begun
            if isinstance(batch[0], GradientCall):
                self._last_gradient = now
                self.gradient_s += now - begun
            # a request that has ended meanwhile does not call again
            self._expected = {call.request for call in batch if call.request in self._requests}
            for call in batch:
                self._recent_use.add(call.request.visitor, call.pixels, now)
        for call, output in zip(batch, outputs, strict=True):
            call.succeed(output)
