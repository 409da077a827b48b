"""Network time that each visitor has used of late, for fair scheduling."""

from __future__ import annotations

from collections.abc import Hashable

from fgsd.app.limits import MAX_VISITORS

HALF_LIFE_S = 30.0  # seconds after which half of the used network time is forgotten


class RecentUse:
    """Exponentially decaying sum of the pixels that were evaluated for each visitor.

    Times are seconds of one monotonic clock.
    """

    def __init__(self) -> None:
        self._sums: dict[Hashable, tuple[float, float]] = {}  # pixels, and the time at which they were valid

    def add(self, visitor: Hashable, pixels: int, now: float) -> None:
        """Count evaluated pixels; of too many visitors the one with the least is dropped."""
        self._sums[visitor] = (self.of(visitor, now) + pixels, now)
        if len(self._sums) > MAX_VISITORS:
            self._sums.pop(min(self._sums, key=lambda other: self.of(other, now)))

    def of(self, visitor: Hashable, now: float) -> float:
        """Return the decayed sum of a visitor, in pixels."""
        pixels, since = self._sums.get(visitor, (0.0, now))
        return pixels * 0.5 ** ((now - since) / HALF_LIFE_S)
