"""One scheduler for the samplers of many visitors: who is evaluated next, and together with whom.

Samplers stay as they are, each in a thread of its own; only their calls of the network come here. One worker
evaluates them, and calls that fit together share a batch, each image with its own noise level and centroid.
So a new request joins at the next step by itself (continuous batching; Yu et al. 2022, Orca), and a request
that is alone goes through precisely the computation of `Pipeline.sample`.

- Previews, the pictures that follow a hand, go before all others.
- Among the rest, whoever has had least network time of late goes first, in units of one small request; among
  equals, who came first. So small requests are finished one after the other rather than all at the end.
- Every fourth turn belongs to the call that has waited longest: nobody starves, whatever the others do.
- A batch grows up to a number of pixels that was measured, see `MAX_SHARED`; what is larger goes alone, and
  comes in passes (see `fgsd.guidance.GuidedDenoiser`), between which others have their turn. Previews share
  with previews only: in company of full renders they would wait for them.
- A request that is no longer wanted is not evaluated again.
"""

from __future__ import annotations

import atexit
import itertools
import logging
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from threading import Condition, Event, Lock, Thread

import torch
from torch import Tensor

from fgsd.guidance import PASS_PIXELS
from fgsd.model.matching import CentroidMatching, Matching
from fgsd.pipeline import Pipeline

log = logging.getLogger(__name__)

MAX_REQUESTS = 64  # requests that are under way at once; each holds a thread
MAX_REQUESTS_EACH = 8  # of one visitor: a page has four at most, and programs of one address count as one
# Pixels of a batch that is shared. One thread of an AMD EPYC takes, in ms an image of 64 pixels, 25 alone,
# 19 of two, 16 of eight, 15 of sixteen; of 96 pixels 38 alone, 34 of two; of 128 pixels 65 and 61; of 192
# pixels and more, company gains nothing. Eight images of 64 pixels have most of the gain at half of the wait.
# On a GPU the limit was not measured: it is that of a pass.
MAX_SHARED = {"cpu": 8 * 64 * 64}
TURN_OF_THE_LONGEST = 4  # every so many admission
SLICE = 16 * 64 * 64  # pixels that a visitor may be ahead of the others: an image of 64 pixels in 16 steps
HALF_LIFE = 30.0  # seconds after which half of a visitor's network time is forgotten
MAX_VISITORS = 10_000  # whose network time is remembered
# Whoever was just served comes back soon, and is waited for: a preview, so that no long call gets between its
# steps, and company, for at most this share of the time that its last call took. Without that wait two
# visitors miss each other at every step (1.0 images a batch against 1.9), and eight are four and four.
PREVIEW_RETURNS = 0.01  # seconds
COMPANY_RETURNS = 0.5


class Busy(RuntimeError):
    """There is no place for a request.

    Attributes
    ----------
    count : int
        Requests that are under way: of all visitors, or of the one who asks if `own`.
    """

    def __init__(self, count: int, *, own: bool) -> None:
        whose = "this visitor" if own else "all visitors"
        super().__init__(f"{count} requests of {whose} are under way; no more are taken")
        self.count, self.own = count, own


class Cancelled(Exception):
    """The request is no longer wanted, or the scheduler was closed: raised within the sampler."""


class Scheduler:
    """Evaluates the network of a pipeline for many requests at once.

    >>> scheduler = Scheduler(pipe)
    >>> with scheduler.place("a visitor") as lent:
    ...     images = lent.sample("lava", n=4)

    Parameters
    ----------
    pipe : Pipeline
    share : bool
        Whether calls of several requests may be one batch; without it, they take admission.
    most_shared : int, optional
        Pixels of a shared batch; by default what was measured on the device of `pipe`.
    most, most_each : int
        Requests that are admitted at once, of all visitors and of one; previews are counted apart.
    """

    def __init__(
        self,
        pipe: Pipeline,
        *,
        share: bool = True,
        most_shared: int | None = None,
        most: int = MAX_REQUESTS,
        most_each: int = MAX_REQUESTS_EACH,
    ) -> None:
        for name, value in (("most", most), ("most_each", most_each), ("most_shared", most_shared)):
            if value is not None and value < 1:
                raise ValueError(f"{name}={value} must be at least 1")
        self.pipe, self.share, self.most, self.most_each = pipe, share, most, most_each
        self.most_shared = most_shared or MAX_SHARED.get(pipe.device.type, PASS_PIXELS)
        self.evaluations = self.images = 0  # batches so far, and images in them
        self._changed = Condition(Lock())
        self._places: list[_Place] = []
        self._waiting: list[_Call] = []
        self._expected: set[_Place] = set()  # they were served last, and have not come back
        self._answered, self._took = 0.0, 0.0  # when the last batch was, and for how long
        self._used: dict[Hashable, tuple[float, float]] = {}  # pixels of a visitor, as of a time
        self._numbers, self._turn = itertools.count(), 1
        self._worker: Thread | None = None
        self._closed = False

    @contextmanager
    def place(
        self, visitor: Hashable, *, preview: bool = False, wanted: Callable[[], bool] | None = None
    ) -> Iterator[Pipeline]:
        """Admit a request, and lend it the pipeline through which it samples.

        Parameters
        ----------
        visitor : hashable
            Whose request it is; network time and places are counted by visitor.
        preview : bool
            Whether it goes before all that are not.
        wanted : callable, optional
            Asked before each evaluation, from another thread; once it returns False there is none any more,
            and the sampler ends with `Cancelled`.

        Raises
        ------
        Busy
            If too many requests are under way.
        """
        place = self._admit(visitor, preview, wanted or (lambda: True))
        try:
            yield self.pipe.with_evaluate(place.evaluate)
        finally:
            with self._changed:
                self._places.remove(place)
                self._expected.discard(place)
                self._changed.notify_all()

    def under_way(self) -> int:
        """Requests that are admitted and still wanted, without previews."""
        with self._changed:
            return sum(place.wanted() for place in self._places if not place.preview)

    def close(self) -> None:
        """End the worker after the batch that it is at; calls that wait, and later ones, are `Cancelled`."""
        with self._changed:
            self._closed = True
            worker = self._worker
            self._changed.notify_all()
        if worker is not None:
            worker.join()
        atexit.unregister(self.close)

    def _admit(self, visitor: Hashable, preview: bool, wanted: Callable[[], bool]) -> _Place:
        with self._changed:
            # one that is no longer wanted ends within a step, and must not keep its visitor's next
            # client_seq out
            others = [place for place in self._places if place.preview == preview and place.wanted()]
            own = sum(place.visitor == visitor for place in others)
            if own >= self.most_each:
                raise Busy(own, own=True)
            if len(others) >= self.most:
                raise Busy(len(others), own=False)
            place = _Place(self, visitor, preview, wanted, next(self._numbers))
            self._places.append(place)
            return place

    def _answer(self, call: _Call) -> tuple[Tensor, Tensor]:
        """What the network says to a call, once it is its turn; runs in the thread of the request."""
        with self._changed:
            if self._closed:
                raise Cancelled("the scheduler is closed")
            if self._worker is None:
                self._worker = Thread(target=self._work, name="fgsd scheduler", daemon=True)
                self._worker.start()
                atexit.register(self.close)  # a thread that is inside of torch must not outlive the rest
            call.number = next(self._numbers)
            self._waiting.append(call)
            self._expected.discard(call.place)
            self._changed.notify_all()
        call.done.wait()
        if call.error is not None:
            raise call.error
        assert call.answer is not None
        return call.answer

    # ---- what follows runs in the worker's thread ----

    def _work(self) -> None:
        while True:
            try:
                batch = self._next()
                if batch is None:
                    return
                self._evaluate(batch)
            except Exception as error:  # of the scheduler itself: whoever waits must not wait for ever
                log.exception("the scheduler failed")
                with self._changed:
                    waiting, self._waiting = self._waiting, []
                for call in waiting:
                    call.fail(error)

    def _next(self) -> list[_Call] | None:
        """The calls of the next batch, once there is one; None when all is over."""
        with self._changed:
            while True:
                self._let_go()
                if self._closed:
                    return None
                if not self._waiting:
                    self._changed.wait()
                    continue
                batch = self._pick()
                patience = self._answered + self._patience(batch) - time.monotonic()
                if patience <= 0:
                    self._waiting = [call for call in self._waiting if call not in batch]
                    self._turn += 1
                    return batch
                self._changed.wait(patience)

    def _let_go(self) -> None:
        """Wake whoever is no longer wanted."""
        for call in self._waiting:
            if self._closed or not call.place.wanted():
                call.fail(Cancelled("the request is no longer wanted"))
        self._waiting = [call for call in self._waiting if not call.done.is_set()]

    def _pick(self) -> list[_Call]:
        """The calls that go next: the first of all, and those that may share its batch, in their order."""
        now = time.monotonic()
        used = {call.place.visitor: self._recently(call.place.visitor, now) for call in self._waiting}

        def order(call: _Call) -> tuple:
            return not call.place.preview, used[call.place.visitor] // SLICE, call.place.number

        queue = sorted(self._waiting, key=order)
        if self._turn % TURN_OF_THE_LONGEST == 0:
            longest = min(queue, key=lambda call: call.number)
            queue.sort(key=lambda call: call is not longest)
        first, *rest = queue
        batch, pixels = [first], first.pixels
        for call in rest if self.share and first.kind is not None else ():
            if call.kind == first.kind and pixels + call.pixels <= self.most_shared:
                batch.append(call)
                pixels += call.pixels
        return batch

    def _patience(self, batch: Sequence[_Call]) -> float:
        """Seconds, since the last answer, for which a batch waits for others who are likely to come back."""
        first = batch[0]
        if first.place.preview:
            return 0.0
        if any(place.preview for place in self._expected):
            return PREVIEW_RETURNS
        left = self.most_shared - sum(call.pixels for call in batch)
        if self.share and any(p.kind == first.kind and p.pixels <= left for p in self._expected):
            return COMPANY_RETURNS * self._took
        return 0.0

    def _evaluate(self, batch: Sequence[_Call]) -> None:
        begun = time.monotonic()
        try:
            answers = self._together(batch)
        except Exception as error:
            if len(batch) == 1:
                batch[0].fail(error)
            else:  # one of them may be to blame: the others must not suffer for it
                log.warning("a shared batch failed; its %d calls are made one by one", len(batch))
                for call in batch:
                    if call.place.wanted():
                        self._evaluate([call])
                    else:
                        call.fail(Cancelled("the request is no longer wanted"))
            return
        now = time.monotonic()
        with self._changed:
            self.evaluations += 1
            self.images += sum(len(call.x) for call in batch)
            self._answered, self._took = now, now - begun
            # whoever left meanwhile does not come back
            self._expected = {call.place for call in batch if call.place in self._places}
            for call in batch:
                self._note(call.place.visitor, call.pixels, now)
        for call, answer in zip(batch, answers, strict=True):
            call.succeed(answer)

    @torch.no_grad()
    def _together(self, batch: Sequence[_Call]) -> list[tuple[Tensor, Tensor]]:
        denoise, first = self.pipe.network.denoise, batch[0]
        if len(batch) == 1:
            answers = [denoise(first.x, first.sigma, first.matching, tileable=first.tileable)]
        else:
            x, sizes = torch.cat([call.x for call in batch]), [len(call.x) for call in batch]
            sigma = torch.cat([_each(call.sigma, call) for call in batch])
            denoised, phi = denoise(x, sigma, _matching(batch), tileable=first.tileable)
            answers = list(zip(denoised.split(sizes), phi.split(sizes), strict=True))
        if self.pipe.device.type == "cuda":
            torch.cuda.synchronize(
                self.pipe.device
            )  # for times that are true, and errors of this batch alone
        return answers

    def _recently(self, visitor: Hashable, now: float) -> float:
        pixels, since = self._used.get(visitor, (0.0, now))
        return pixels * 0.5 ** ((now - since) / HALF_LIFE)

    def _note(self, visitor: Hashable, pixels: int, now: float) -> None:
        self._used[visitor] = (self._recently(visitor, now) + pixels, now)
        if len(self._used) > MAX_VISITORS:
            self._used.pop(min(self._used, key=lambda one: self._recently(one, now)))


class _Place:
    """A request that is under way."""

    def __init__(
        self, scheduler: Scheduler, visitor: Hashable, preview: bool, wanted: Callable[[], bool], number: int
    ) -> None:
        self.scheduler, self.visitor, self.preview, self._wanted = scheduler, visitor, preview, wanted
        self.number = number  # counts the requests
        self.kind: Hashable = None  # of its last call
        self.pixels = 0

    def wanted(self) -> bool:
        try:
            return self._wanted()
        except Exception:  # it is asked where an error would end other requests
            log.exception("it is not known whether a request is still wanted")
            return False

    def evaluate(
        self, x: Tensor, sigma: float | Tensor, matching: Matching = None, *, tileable: bool = False
    ) -> tuple[Tensor, Tensor]:
        """As `Denoiser.denoise`."""
        call = _Call(self, x, sigma, matching, tileable)
        self.kind, self.pixels = call.kind, call.pixels
        return self.scheduler._answer(call)


class _Call:
    """A call of the network, and its answer."""

    def __init__(
        self, place: _Place, x: Tensor, sigma: float | Tensor, matching: Matching, tileable: bool
    ) -> None:
        self.place, self.x, self.sigma, self.matching, self.tileable = place, x, sigma, matching, tileable
        self.pixels = len(x) * x.shape[-2] * x.shape[-1]
        self.kind: Hashable = None  # of those that can share a batch; None goes alone
        if matching is None or isinstance(matching, CentroidMatching):
            # a preview in company of others would wait for them
            guided = matching is not None
            self.kind = (*x.shape[1:], x.dtype, x.device, guided, tileable, place.preview)
        self.number = 0  # counts the calls
        self.answer: tuple[Tensor, Tensor] | None = None
        self.error: Exception | None = None
        self.done = Event()

    def succeed(self, answer: tuple[Tensor, Tensor]) -> None:
        self.answer = answer
        self.done.set()

    def fail(self, error: Exception) -> None:
        self.error = error
        self.done.set()


def _matching(batch: Sequence[_Call]) -> Matching:
    """The matchings of several calls as one, with a centroid and a strength an image."""
    centroids, strengths, read = [], [], []
    for call in batch:
        if not isinstance(call.matching, CentroidMatching):
            return None
        centroids.append(call.matching.centroid.expand(len(call.x), -1))
        strengths.append(_each(call.matching.strength, call)[:, None])
        if call.matching.coordinates is not None:
            read.append(call.matching.coordinates.expand(len(call.x), -1))
    return CentroidMatching(torch.cat(centroids), torch.cat(strengths), torch.cat(read) if read else None)


def _each(value: float | Tensor, call: _Call) -> Tensor:
    """A number, or one an image, as a tensor of one an image (B,)."""
    return torch.as_tensor(value, dtype=call.x.dtype, device=call.x.device).reshape(-1).expand(len(call.x))
