"""Drops the answers that no client fetches; Gradio would keep those of two thousand sessions for ever."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from fgsd.app.gradio_internals import busy_sessions, forget_session, unread_sessions

TIMEOUT_S = 120.0  # seconds that an answer may stay unread; a client that waits reads it at once


class QueueCleanup:
    """Sweeps the queue of a page from time to time, whenever a request comes in.

    Parameters
    ----------
    interval : float
        Seconds between two sweeps. A session that has unread messages at both, and no event under way, is
        dropped.
    clock : callable
        Seconds of a monotonic clock.
    """

    def __init__(self, interval: float = TIMEOUT_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval, self._clock = interval, clock
        self._last_sweep, self._unread_then = clock(), set[str]()

    def sweep(self, queue: Any) -> None:
        """Sweep a `gradio.queueing.Queue` if the interval has passed; call it in the queue's event loop."""
        if self._clock() - self._last_sweep < self._interval:
            return
        self._last_sweep = self._clock()
        unread_now = unread_sessions(queue) - busy_sessions(queue)
        for session in unread_now & self._unread_then:
            forget_session(queue, session)
        self._unread_then = unread_now - self._unread_then
