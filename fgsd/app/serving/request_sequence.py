"""The newest request of a visitor wins: a run ends itself once its visitor has asked for something else."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from threading import Lock

MAX_VISITORS = 10_000  # that are remembered; the one who was quiet longest is forgotten first


class RequestSequence:
    """Counts each visitor's save_sequence; safe to call from several threads."""

    def __init__(self, most: int = MAX_VISITORS) -> None:
        self._run_ids: OrderedDict[str, int] = OrderedDict()
        self._client_seqs: dict[
            str, float
        ] = {}  # of those visitors whose page counts, the latest that was met
        # a page takes only what is newer than what it has: also of the server that comes after this one
        self._most, self._last, self._lock = most, time.time_ns() // 1_000_000, Lock()

    def renew(self, visitor: str, client_seq: float | None = None) -> int | None:
        """Make all earlier run_ids of a visitor void, and return the one that now counts.

        Parameters
        ----------
        visitor : str
        client_seq : float, optional
            Number of the visitor's request, see `fgsd.app.web_files.NUMBER_REQUEST`; by default the newest.

        Returns
        -------
        int or None
            None if a later client_seq has been met already: then nothing has changed. A client_seq that is
            met again gets
            its run_id again.
        """
        with self._lock:
            if client_seq is not None:
                latest = self._client_seqs.get(visitor, -math.inf)
                if client_seq <= latest:
                    return self._run_ids[visitor] if client_seq == latest else None
                self._client_seqs[visitor] = client_seq
            self._last += 1
            self._run_ids[visitor] = self._last
            self._run_ids.move_to_end(visitor)
            while len(self._run_ids) > self._most:
                self._client_seqs.pop(self._run_ids.popitem(last=False)[0], None)
            return self._last

    def current(self, visitor: str) -> int:
        """The run_id that counts; 0 if the visitor has asked for nothing yet."""
        with self._lock:
            return self._run_ids.get(visitor, 0)

    def holds(self, visitor: str, run_id: int) -> bool:
        """Whether nothing newer has come from the visitor."""
        with self._lock:
            return self._run_ids.get(visitor, run_id) == run_id
