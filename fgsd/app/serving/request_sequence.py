"""Each request of a visitor cancels the earlier ones: a run ends itself once its number is not current."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from threading import Lock

from fgsd.app.limits import MAX_VISITORS


class RequestSequence:
    """Numbers the runs of each visitor; safe to call from several threads.

    Parameters
    ----------
    max_visitors : int
        Beyond it, the visitor who has started nothing for longest is dropped, which cancels none of their
        runs.
    """

    def __init__(self, max_visitors: int = MAX_VISITORS) -> None:
        self._run_ids: OrderedDict[str, int] = OrderedDict()
        self._client_seqs: dict[
            str, float
        ] = {}  # the highest that has arrived, of visitors who number requests
        self._max_visitors, self._lock = max_visitors, Lock()
        # Run ids start from the clock, since a page ignores those that are lower than the last it saw: also
        # after the server was restarted.
        self._last = time.time_ns() // 1_000_000

    def start(self, visitor: str, client_seq: float | None = None) -> int | None:
        """Start a run, which cancels all earlier runs of a visitor, and return its id.

        Parameters
        ----------
        visitor : str
        client_seq : float, optional
            Number that the page gave to the request, see `fgsd.app.web_files.NUMBER_REQUEST`: two requests of
            a page may arrive in the other order, and the older one must not cancel the newer. By default the
            request is the newest.

        Returns
        -------
        int or None
            None if a higher `client_seq` has arrived; then nothing changes. A `client_seq` that arrives again
            gets the same id again.
        """
        with self._lock:
            if client_seq is not None:
                highest = self._client_seqs.get(visitor, -math.inf)
                if client_seq <= highest:
                    return self._run_ids[visitor] if client_seq == highest else None
                self._client_seqs[visitor] = client_seq
            self._last += 1
            self._run_ids[visitor] = self._last
            self._run_ids.move_to_end(visitor)
            while len(self._run_ids) > self._max_visitors:
                self._client_seqs.pop(self._run_ids.popitem(last=False)[0], None)
            return self._last

    def current(self, visitor: str) -> int:
        """Return the id of a visitor's newest run; 0 if there is none."""
        with self._lock:
            return self._run_ids.get(visitor, 0)

    def is_current(self, visitor: str, run_id: int) -> bool:
        """Return whether a visitor has started nothing since a run."""
        with self._lock:
            return self._run_ids.get(visitor, run_id) == run_id
