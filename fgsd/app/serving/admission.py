"""How whatever samples on the page and for programs comes to its turn: admitted, in line, and only while
somebody waits for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr
from gradio.context import LocalContext

from fgsd.app.requests.request import RequestError, SampleRequest
from fgsd.app.serving.scheduler import MAX_REQUESTS, Busy, Cancelled, Scheduler
from fgsd.app.serving.zero_gpu import lends_gpu, on_gpu
from fgsd.pipeline import Pipeline

RUNS_ON_ZERO_GPU = 2  # at once; each waits for a GPU, and the others for them
# Each request under way holds a thread, and what else the server does needs some too.
THREADS = 2 * MAX_REQUESTS + 40


class BusyError(RequestError):
    """Too many requests are under way; the message is one sentence for the visitor."""


class Admission:
    """Runs functions of `(pipe, request, own=..., wanted=...)` through a scheduler, or on a lent GPU.

    Parameters
    ----------
    scheduler : Scheduler
        On ZeroGPU, where runs have processes of their own, it only counts who is under way.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        # elsewhere it is the scheduler that has all who wait, to choose among them
        self.at_once = RUNS_ON_ZERO_GPU if lends_gpu() else None

    def loop(self, run: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        """A generator as one of `(visitor, request, own=..., wanted=...)`.

        It ends once `wanted` returns False, and raises `BusyError` if there is no place.
        """
        lent = on_gpu(run, self.scheduler.pipe) if lends_gpu() else None

        def admitted(visitor: str, request: SampleRequest, *, own=None, wanted=None) -> Iterator[Any]:
            with self.place(visitor, wanted=wanted) as pipe:
                if lent is None:
                    yield from run(pipe, request, own=own, wanted=wanted)
                else:
                    yield from lent(request, own=own, wanted=wanted)

        return admitted

    def call(self, run: Callable[..., Any]) -> Callable[..., Any]:
        """The same of a function, as one of `(visitor, request, own=...)`; None if nobody waits any more."""
        lent = on_gpu(run, self.scheduler.pipe) if lends_gpu() else None

        def admitted(visitor: str, request: SampleRequest, *, own=None) -> Any:
            with self.place(visitor) as pipe:
                return run(pipe, request, own=own) if lent is None else lent(request, own=own)

        return admitted

    @contextmanager
    def place(self, visitor: str, *, preview: bool = False, wanted=None) -> Iterator[Pipeline]:
        """As `Scheduler.place`, but the request is wanted only while somebody waits (see `still_there`).

        It ends in silence once it is not, and in a sentence, `BusyError`, if there is no place.
        """
        there = still_there()
        both = there if wanted is None else lambda: wanted() and there()
        try:
            with self.scheduler.place(visitor, preview=preview, wanted=both) as pipe:
                yield pipe
        except Cancelled:
            pass
        except Busy as busy:
            raise BusyError(_sentence(busy)) from None


def _sentence(busy: Busy) -> str:
    if busy.own:
        return f"{busy.count} requests of yours are under way; try again when one of them is done."
    return f"Many visitors are here: {busy.count} requests wait; try again in a moment."


def still_there() -> Callable[[], bool]:
    """A function that says whether somebody still waits for the event that is under way in this thread.

    Gradio drops an event that was cancelled, and marks one whose client has hung up: a page that was closed,
    a program that has ended its stream. Not seen is that a program has never opened its stream, nor that an
    agent went away, whose tools the server itself calls.
    """
    blocks, event_id = LocalContext.blocks.get(None), LocalContext.event_id.get(None)
    if blocks is None or event_id is None:  # it came past the queue, as what follows the pin does
        return lambda: True
    events = blocks._queue.event_ids_to_events
    return lambda: (event := events.get(event_id)) is not None and event.alive


def program() -> str:
    """Who calls the API in this thread, by address: a program may give itself a new session for each call."""
    return f"programs at {_address(LocalContext.request.get(None))}"


def hand(request: gr.Request | None) -> str:
    """Whose picture follows the pin, by address: what a page says of itself on that way may be forged."""
    return f"hands at {_address(request)}"


def _address(request: Any) -> str:
    """Behind a proxy, as on a Space, the address of which the proxy speaks."""
    headers = getattr(request, "headers", None) or {}
    told = str(headers.get("x-forwarded-for", "")).rpartition(",")[2].strip()
    return told[:64] or str(getattr(getattr(request, "client", None), "host", None))
