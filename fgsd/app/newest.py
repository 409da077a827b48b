"""The newest wish of a visitor wins: a run ends itself once its visitor has asked for something else."""

from __future__ import annotations

import time
from collections import OrderedDict
from threading import Lock

MOST_VISITORS = 10_000  # that are remembered; the one who was quiet longest is forgotten first


class Newest:
    """Counts each visitor's wishes; safe to call from several threads."""

    def __init__(self, most: int = MOST_VISITORS) -> None:
        self._tickets: OrderedDict[str, int] = OrderedDict()
        # a page takes only what is newer than what it has: also of the server that comes after this one
        self._most, self._last, self._lock = most, time.time_ns() // 1_000_000, Lock()

    def renew(self, visitor: str) -> int:
        """Make all earlier tickets of a visitor void, and return the one that now counts."""
        with self._lock:
            self._last += 1
            self._tickets[visitor] = self._last
            self._tickets.move_to_end(visitor)
            while len(self._tickets) > self._most:
                self._tickets.popitem(last=False)
            return self._last

    def current(self, visitor: str) -> int:
        """The ticket that counts; 0 if the visitor has asked for nothing yet."""
        with self._lock:
            return self._tickets.get(visitor, 0)

    def holds(self, visitor: str, ticket: int) -> bool:
        """Whether nothing newer has come from the visitor."""
        with self._lock:
            return self._tickets.get(visitor, ticket) == ticket
