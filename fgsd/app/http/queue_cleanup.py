"""Answers that nobody fetches are forgotten; Gradio would keep those of two thousand sessions for ever."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

TIMEOUT_S = 120.0  # seconds that an answer lies unread; whoever waits for one reads it at once


class QueueCleanup:
    """Sweeps the queue of a page now and then, when somebody asks for something.

    Parameters
    ----------
    patience : float
        Seconds between two sweeps; what is unread at both goes, unless its session has something under way.
    """

    def __init__(self, patience: float = TIMEOUT_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience, self._clock = patience, clock
        self._last, self._seen = clock(), set[str]()

    def sweep(self, queue: Any) -> None:
        """Sweep a `gradio.queueing.Queue`, if it is time to; within its event loop."""
        if self._clock() - self._last < self._patience:
            return
        self._last = self._clock()
        busy = {event.session_hash for event in queue.event_ids_to_events.values()}
        messages = queue.pending_messages_per_session
        unread = {session for session, told in messages.items() if told.qsize() and session not in busy}
        for session in unread & self._seen:
            del messages[session]
            queue.pending_event_ids_session.pop(session, None)
        self._seen = unread - self._seen
