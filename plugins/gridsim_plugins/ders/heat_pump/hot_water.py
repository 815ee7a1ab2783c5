"""Hot water from the heat pump: charges of a tank, at hours of each home.

A tank is charged twice a day, with 40 % in the morning and 60 % in the afternoon, at hours that
scatter by home, and with sizes that scatter by day; both are assumptions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats, Members
from gridsim_plugins.ders.heat_pump.settings import HeatPumpSettings

FLOW_C = 55.0
"""The flow temperature of a charge."""
_DAY_MS = 86_400_000
_HOUR_MS = 3_600_000
_CHARGES = ((4.5, 0.4), (15.0, 0.6))
_HABIT_H, _SIGMA = 1.0, 0.35


class HotWater:
    """The heat that the tanks of n homes have been due."""

    def __init__(self, members: Members[HeatPumpSettings]) -> None:
        self._members = members
        self._daily = members.columns["hot_water_kwh"]
        habit = np.clip(members.draws.normal("heat_pump/hot_water", members.keys), -2.0, 2.0)
        self._habit_ms = (habit * _HABIT_H * _HOUR_MS).astype(np.int64)

    def due(self, from_ms: int, to_ms: int) -> Floats:
        """Return the heat of the charges that begin in [from, to), float64[n], kWh."""
        members, total = self._members, np.zeros(len(self._members))
        local = members.sites.local_ms(from_ms)[members.site]
        for charge, (hour, part) in enumerate(_CHARGES):
            at = np.int64(hour * _HOUR_MS) + self._habit_ms
            first = -((at - local) // _DAY_MS)
            last = -((at - local - (to_ms - from_ms)) // _DAY_MS)
            for day in range(int(first.min()), int(last.max())):
                rows = np.flatnonzero((first <= day) & (day < last))
                if len(rows):
                    total[rows] += self._daily[rows] * part * self._size(rows, day * 2 + charge)
        return total

    def _size(self, rows: NDArray[np.intp], slot: int) -> Floats:
        normal = self._members.draws.normal("heat_pump/charge", self._members.keys[rows], slot)
        size: Floats = np.exp(_SIGMA * normal - 0.5 * _SIGMA**2)
        return size
