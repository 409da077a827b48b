"""The newest wish of a visitor wins: a run ends itself once its visitor has asked for something else."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from threading import Lock

MAX_VISITORS = 10_000  # that are remembered; the one who was quiet longest is forgotten first

# The page numbers what its visitor wishes, in the last input of each event: two requests that leave it one
# after the other may be met in the other order, and the older one must then not end the newer.
COUNT_WISH = "(...values) => [...values.slice(0, -1), (window.fgsdWish = (window.fgsdWish ?? 0) + 1)]"


class Newest:
    """Counts each visitor's wishes; safe to call from several threads."""

    def __init__(self, most: int = MAX_VISITORS) -> None:
        self._tickets: OrderedDict[str, int] = OrderedDict()
        self._wishes: dict[str, float] = {}  # of those visitors whose page counts, the latest that was met
        # a page takes only what is newer than what it has: also of the server that comes after this one
        self._most, self._last, self._lock = most, time.time_ns() // 1_000_000, Lock()

    def renew(self, visitor: str, wish: float | None = None) -> int | None:
        """Make all earlier tickets of a visitor void, and return the one that now counts.

        Parameters
        ----------
        visitor : str
        wish : float, optional
            Which of the visitor's wishes this is, see `COUNT_WISH`; by default the newest.

        Returns
        -------
        int or None
            None if a later wish has been met already: then nothing has changed. A wish that is met again gets
            its ticket again.
        """
        with self._lock:
            if wish is not None:
                latest = self._wishes.get(visitor, -math.inf)
                if wish <= latest:
                    return self._tickets[visitor] if wish == latest else None
                self._wishes[visitor] = wish
            self._last += 1
            self._tickets[visitor] = self._last
            self._tickets.move_to_end(visitor)
            while len(self._tickets) > self._most:
                self._wishes.pop(self._tickets.popitem(last=False)[0], None)
            return self._last

    def current(self, visitor: str) -> int:
        """The ticket that counts; 0 if the visitor has asked for nothing yet."""
        with self._lock:
            return self._tickets.get(visitor, 0)

    def holds(self, visitor: str, ticket: int) -> bool:
        """Whether nothing newer has come from the visitor."""
        with self._lock:
            return self._tickets.get(visitor, ticket) == ticket
