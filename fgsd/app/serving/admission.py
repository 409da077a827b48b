"""Admission: how many requests may be under way, and when a request is cancelled."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any

import gradio as gr

from fgsd.app.gradio_internals import current_request, event_is_alive
from fgsd.app.limits import MAX_ADDRESS_CHARACTERS, MAX_GPU_RUNS, MAX_REQUESTS, MAX_REQUESTS_EACH
from fgsd.app.render.learned import RunRequest
from fgsd.app.requests.request import RequestError
from fgsd.app.serving.batch import guarded
from fgsd.app.serving.scheduler import Cancelled, Scheduler
from fgsd.app.serving.zero_gpu import lends_gpu, on_gpu
from fgsd.pipeline import Pipeline


class BusyError(RequestError):
    """Too many requests are under way; the message is one sentence for the visitor."""


@dataclass(frozen=True, eq=False)
class _Admitted:
    """A request that is under way."""

    visitor: Hashable
    preview: bool
    is_cancelled: Callable[[], bool]


class Admission:
    """Admits requests up to a limit, and runs them through a scheduler or on a lent GPU.

    Parameters
    ----------
    scheduler : Scheduler
        Not used on ZeroGPU, where each run has a process of its own.
    max_requests, max_requests_each : int
        Requests under way at once, of all visitors and of one; previews are counted apart.

    Raises
    ------
    ValueError
        If a limit is below 1.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        *,
        max_requests: int = MAX_REQUESTS,
        max_requests_each: int = MAX_REQUESTS_EACH,
    ) -> None:
        for name, value in (("max_requests", max_requests), ("max_requests_each", max_requests_each)):
            if value < 1:
                raise ValueError(f"{name}={value} must be at least 1")
        self.scheduler = scheduler
        self.max_requests, self.max_requests_each = max_requests, max_requests_each
        # elsewhere Gradio must not limit concurrency, since the scheduler chooses among all requests
        self.concurrency_limit = MAX_GPU_RUNS if lends_gpu() else None
        self._lock = Lock()
        self._admitted: list[_Admitted] = []

    @contextmanager
    def admit(
        self, visitor: Hashable, *, preview: bool = False, is_cancelled: Callable[[], bool] | None = None
    ) -> Iterator[Pipeline]:
        """Admit a request and lend it the pipeline through which it samples.

        The request is also cancelled once its client is gone (see `event_is_alive`). A cancelled request ends
        the block without an error.

        Raises
        ------
        BusyError
            If too many requests are under way.
        """
        is_alive = event_is_alive()
        is_over = guarded(lambda: (is_cancelled is not None and is_cancelled()) or not is_alive())
        request = _Admitted(visitor, preview, is_over)
        with self._lock:
            self._check_limits(request)
            self._admitted.append(request)
        try:
            with self.scheduler.lend(visitor, preview=preview, is_cancelled=is_over) as pipe:
                yield pipe
        except Cancelled:
            pass
        finally:
            with self._lock:
                self._admitted.remove(request)

    def active_requests(self) -> int:
        """Return the number of admitted requests that are not cancelled, without previews."""
        with self._lock:
            return sum(not request.is_cancelled() for request in self._admitted if not request.preview)

    def stream(self, run: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        """Make a generator that admits each request before it runs.

        Parameters
        ----------
        run : callable
            Generator of `(pipe, request, user_centroids=..., is_cancelled=...)`.

        Returns
        -------
        callable
            Generator of `(visitor, request, user_centroids=..., is_cancelled=...)`. It ends once
            `is_cancelled` returns True, and raises `BusyError` if too many requests are under way.
        """
        run_on_gpu = on_gpu(run, self.scheduler.pipe) if lends_gpu() else None

        def admitted(
            visitor: str, request: RunRequest, *, user_centroids: Any = None, is_cancelled: Any = None
        ) -> Iterator[Any]:
            options = {"user_centroids": user_centroids, "is_cancelled": is_cancelled}
            with self.admit(visitor, is_cancelled=is_cancelled) as pipe:
                if run_on_gpu is None:
                    yield from run(pipe, request, **options)
                else:
                    yield from run_on_gpu(request, **options)

        return admitted

    def call(self, run: Callable[..., Any]) -> Callable[..., Any]:
        """Make a function that admits each request before it runs.

        Parameters
        ----------
        run : callable
            Function of `(pipe, request, user_centroids=...)`.

        Returns
        -------
        callable
            Function of `(visitor, request, user_centroids=...)`; it returns None if the request is cancelled.
        """
        run_on_gpu = on_gpu(run, self.scheduler.pipe) if lends_gpu() else None

        def admitted(visitor: str, request: RunRequest, *, user_centroids: Any = None) -> Any:
            with self.admit(visitor) as pipe:
                if run_on_gpu is None:
                    return run(pipe, request, user_centroids=user_centroids)
                return run_on_gpu(request, user_centroids=user_centroids)

        return admitted

    def _check_limits(self, request: _Admitted) -> None:
        # a cancelled request ends within a step, and must not keep out the next request of its visitor
        others = [r for r in self._admitted if r.preview == request.preview and not r.is_cancelled()]
        count = sum(other.visitor == request.visitor for other in others)
        if count >= self.max_requests_each:
            raise BusyError(f"{count} requests of yours are under way; try again when one of them is done.")
        if len(others) >= self.max_requests:
            raise BusyError(f"Many visitors are here: {len(others)} requests wait; try again in a moment.")


def program_visitor() -> str:
    """Return who calls the API, by address: a program may start a new session for each call."""
    return f"programs at {_address(current_request())}"


def preview_visitor(request: gr.Request | None) -> str:
    """Return who asks for a preview, by address: outside of the queue, the session may be forged."""
    return f"previews at {_address(request)}"


def _address(request: Any) -> str:
    """Return the address of a client; behind a proxy, as on a Space, the one that the proxy reports."""
    headers = getattr(request, "headers", None) or {}
    forwarded = str(headers.get("x-forwarded-for", "")).rpartition(",")[2].strip()
    return forwarded[:MAX_ADDRESS_CHARACTERS] or str(getattr(getattr(request, "client", None), "host", None))
