"""Smart charging: in the cheap hours, otherwise as late as possible.

The rule is exact for any tick: the state of charge is the higher of two: the one from charging in
the cheap hours, and the lowest one from which full power still makes the car ready in time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats
from gridsim.helpers import windows

_MINUTE_MS = 60_000
_HOUR_MS = 3_600_000
_DAY_MS = windows.MINUTES_PER_DAY * _MINUTE_MS


class CheapHours:
    """The cheap windows of some tariffs, and the time within them."""

    def __init__(self, tariffs: list[tuple[str, ...]]) -> None:
        inside = np.array([windows.in_windows(tariff) for tariff in tariffs])
        start = np.zeros((len(inside), 1), np.int64)
        self._before = np.concatenate((start, np.cumsum(inside, axis=1)), axis=1) * _MINUTE_MS
        self._inside = inside

    def between(
        self, tariff: NDArray[np.intp], start_ms: NDArray[np.int64], end_ms: NDArray[np.int64]
    ) -> Floats:
        """Return the hours in cheap windows between two local times, float64[k]."""
        inside = self._since_1970(tariff, end_ms) - self._since_1970(tariff, start_ms)
        hours: Floats = inside / _HOUR_MS
        return hours

    def _since_1970(
        self, tariff: NDArray[np.intp], local_ms: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        day, of_day = local_ms // _DAY_MS, local_ms % _DAY_MS
        minute = of_day // _MINUTE_MS
        part = self._inside[tariff, minute] * (of_day % _MINUTE_MS)
        inside: NDArray[np.int64] = day * self._before[tariff, -1] + self._before[tariff, minute]
        return inside + part
