"""Values that ramp linearly and then stay constant, as columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats, Stateful

Places = NDArray[np.intp] | slice
EVERYWHERE = slice(None)


class Lines(Stateful):
    """The lines of n places; a place has one line or none."""

    kept = ("_from", "_to", "_begin_ms", "_ramp_ms", "_settled_ms")

    def __init__(self, n: int) -> None:
        self._from = np.full(n, np.nan)
        self._to = np.full(n, np.nan)
        self._begin_ms = np.zeros(n)
        self._ramp_ms = np.ones(n)
        self._settled_ms = 0.0
        """The time from which all lines are constant."""

    def moves_at(self, time_ms: float) -> bool:
        return time_ms < self._settled_ms

    def put(
        self, places: NDArray[np.intp], start: Floats, value: Floats, begin_ms: int, ramp_ms: float
    ) -> None:
        """Set a line from `start` to `value` over `ramp_ms` at each of the places."""
        self._from[places] = start
        self._to[places] = value
        self._begin_ms[places] = begin_ms
        self._ramp_ms[places] = max(ramp_ms, 1e-3)
        if ramp_ms:
            self._settled_ms = max(self._settled_ms, begin_ms + ramp_ms)

    def clear(self, places: NDArray[np.intp]) -> None:
        self._to[places] = np.nan

    def at(self, time_ms: float, places: Places = EVERYWHERE) -> Floats:
        """Return float64[places], NaN where there is no line. The caller must not change it."""
        start, end = self._from[places], self._to[places]
        if not self.moves_at(time_ms):
            return end
        passed_ms = time_ms - self._begin_ms[places]
        share = np.minimum(np.maximum(passed_ms / self._ramp_ms[places], 0.0), 1.0)
        # After the ramp the value is exactly its end.
        return np.where(share < 1.0, start + (end - start) * share, end)
