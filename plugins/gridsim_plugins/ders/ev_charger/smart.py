"""Smart charging: in the cheap hours, and else as late as possible.

The rule is exact at any tick: the state of charge is that of charging in the cheap hours, or
the least from which full power still makes the car ready in time, whichever is more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats, windows
from gridsim_plugins.ders.ev_charger.charging import hours_from_empty, soc_after

_MINUTE_MS = 60_000
_HOUR_MS = 3_600_000
_DAY_MS = windows.MINUTES_PER_DAY * _MINUTE_MS


class CheapHours:
    """How much of a span of time lies in the cheap windows of each of some tariffs."""

    def __init__(self, tariffs: list[tuple[str, ...]]) -> None:
        inside = np.array([windows.in_windows(tariff) for tariff in tariffs])
        start = np.zeros((len(inside), 1), np.int64)
        self._before = np.concatenate((start, np.cumsum(inside, axis=1)), axis=1) * _MINUTE_MS
        self._inside = inside

    def between(
        self, tariff: NDArray[np.intp], start_ms: NDArray[np.int64], end_ms: NDArray[np.int64]
    ) -> Floats:
        """Hours in cheap windows between times of the site's clock, float64[k]."""
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


def least_soc(goal: Floats, rate: Floats, hours_left: Floats) -> Floats:
    """The least state of charge from which `hours_left` at full power reach `goal`."""
    return soc_after(hours_from_empty(goal, rate) - np.maximum(hours_left, 0.0), rate)
