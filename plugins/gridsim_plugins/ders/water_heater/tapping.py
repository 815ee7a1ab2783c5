"""The times and sizes of hot water draws.

The draws of a day are those of the tapping profile M of EN 16147 and of Commission
Regulation (EU) 812/2013, annex VII: 23 draws, 5.845 kWh, a family without baths. Each home has
its own hours; minute and size vary from day to day. The scatter is an assumption. Weekends are
like weekdays.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats, Members

DAY_MS = 86_400_000
PROFILE_KWH = 5.845
# Minute of the day and energy in kWh of each draw.
# fmt: off
_PROFILE = np.array([
    (420, .105), (425, 1.4), (450, .105), (481, .105), (495, .105), (510, .105), (525, .105),
    (540, .105), (570, .105), (630, .105), (690, .105), (705, .105), (765, .315), (870, .105),
    (930, .105), (990, .105), (1080, .105), (1095, .105), (1110, .105), (1140, .105),
    (1230, .735), (1275, .105), (1290, 1.4),
])
# fmt: on
_KINDS = len(_PROFILE)
_NOMINAL_MS = _PROFILE[:, 0] * 60_000.0
# The profile's flows at its temperatures: 3 l/min for the basin, 6 l/min for the shower and
# 4 l/min, but hotter, for the dishes; heated by 30 K and 45 K.
_KW = np.where(_PROFILE[:, 1] > 0.2, 12.56, 6.28)
_DURATION_MS = _PROFILE[:, 1] / _KW * 3_600_000.0
_HABIT_MS, _MAX_HABIT = 45 * 60_000.0, 2.0
_DAILY_MS, _MAX_DAILY = 20 * 60_000.0, 3.0
_SIZE_SIGMA = 0.35
_SLOTS_PER_DAY = 32


class Tapping:
    """The draws of n homes, a function of (seed, device, local day, draw of the day)."""

    def __init__(self, members: Members[Any], daily_kwh: Floats, from_ms: int) -> None:
        """Plan the draws from UTC `from_ms` on."""
        self._members = members
        self._scale = daily_kwh / PROFILE_KWH
        habit = members.draws.normal("water_heater/habit", members.keys)
        self._habit_ms = np.clip(habit, -_MAX_HABIT, _MAX_HABIT) * _HABIT_MS
        n = len(members)
        self._day = np.empty(_KINDS * n, np.int64)
        self._start = np.empty(_KINDS * n, np.int64)
        """The start of the current or next draw of each kind, UTC ms; kind by kind, all homes."""
        self._end = np.empty(_KINDS * n, np.int64)
        # A late draw of the previous day may still run.
        yesterday = members.sites.local_ms(from_ms)[members.site] // DAY_MS - 1
        for kind in range(_KINDS):
            self._plan(np.arange(kind * n, (kind + 1) * n), yesterday)
        self._skip_to(from_ms)

    def kw(self, from_ms: int, to_ms: int) -> Floats:
        """Return the mean power, float64[n], kW, over a few hours at most; times must increase."""
        self._skip_to(from_ms)
        n = len(self._members)
        which = np.flatnonzero(self._start < to_ms)
        overlap = np.minimum(self._end[which], to_ms) - np.maximum(self._start[which], from_ms)
        power = _KW[which // n] * overlap / (to_ms - from_ms)
        mean: Floats = np.bincount(which % n, power, n).astype(np.float64, copy=False)
        return mean

    def _skip_to(self, time_ms: int) -> None:
        """Replace draws that are over by those of the next day."""
        while len(over := np.flatnonzero(self._end <= time_ms)):
            self._plan(over, self._day[over] + 1)

    def _plan(self, which: NDArray[np.intp], day: NDArray[np.int64]) -> None:
        members, n = self._members, len(self._members)
        kind, device = which // n, which % n
        u = members.draws.uniform4(
            "water_heater/draw", members.keys[device], day * _SLOTS_PER_DAY + kind
        )
        radius, angle = np.sqrt(-2.0 * np.log(u[0])), 2.0 * np.pi * u[1]
        late = np.clip(radius * np.cos(angle), -_MAX_DAILY, _MAX_DAILY) * _DAILY_MS
        size = np.exp(_SIZE_SIGMA * radius * np.sin(angle) - 0.5 * _SIZE_SIGMA**2)
        of_day = (_NOMINAL_MS[kind] + self._habit_ms[device] + late).astype(np.int64)
        duration = (_DURATION_MS[kind] * self._scale[device] * size).astype(np.int64)
        start = day * DAY_MS + of_day - self._offset(day, device)
        self._day[which], self._start[which], self._end[which] = day, start, start + duration

    def _offset(self, day: NDArray[np.int64], device: NDArray[np.intp]) -> NDArray[np.int64]:
        """Return the offset from UTC at about noon of each day, ms."""
        offset = np.empty(len(day), np.int64)
        for each in np.unique(day):
            noon = int(each) * DAY_MS + DAY_MS // 2
            ahead = (self._members.sites.local_ms(noon) - noon)[self._members.site]
            here = day == each
            offset[here] = ahead[device[here]]
        return offset
