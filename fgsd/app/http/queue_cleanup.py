"""Drops messages that no client fetches, and sessions that have ended.

Gradio would keep the messages of two thousand sessions, and the names of all sessions, for ever.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from fgsd.app.gradio_internals import busy_sessions, finished_sessions, forget_session, unread_messages
from fgsd.app.limits import TIMEOUT_UNREAD_S


class QueueCleanup:
    """Sweeps the queue of a page now and then, when a request comes in.

    Parameters
    ----------
    interval : float
        Seconds between two sweeps. A session without an event under way is dropped if at two sweeps in a row
        its oldest unread message is the same one, or if at both it waits for no message.
    clock : callable
        Returns seconds of a monotonic clock.
    """

    def __init__(
        self, interval: float = TIMEOUT_UNREAD_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._interval, self._clock = interval, clock
        self._last_sweep = clock()
        self._unread_before, self._finished_before = dict[str, Any](), set[str]()

    def sweep(self, queue: Any) -> None:
        """Sweep a `gradio.queueing.Queue` if the interval has passed; call this in the queue's event loop."""
        if self._clock() - self._last_sweep < self._interval:
            return
        self._last_sweep = self._clock()
        busy, unread, finished = busy_sessions(queue), unread_messages(queue), finished_sessions(queue)
        # a visitor who comes back after a pause may at this very moment have an answer on its way
        stale = {name for name, message in unread.items() if self._unread_before.get(name) is message}
        stale |= (finished - unread.keys()) & self._finished_before
        for session in stale - busy:
            forget_session(queue, session)
        self._unread_before, self._finished_before = unread, finished
