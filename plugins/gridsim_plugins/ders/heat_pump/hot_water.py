"""Hot water from the heat pump: a tank that is tapped and charged.

The taps are those of a load profile of EN 16147, at hours of each home. A charge begins when the
tapped heat has cooled the mixed tank by the switching difference, and ends when all of that heat is
replaced. The losses of the tank are part of the daily heat.
"""

from __future__ import annotations

import numpy as np

from gridsim.api import Floats, Members, Stateful
from gridsim.helpers.tapping import Tapping
from gridsim_plugins.ders.heat_pump.settings import HeatPumpSettings

FLOW_C = 55.0
"""The flow temperature of a charge."""
_MINUTE_MS, _HOUR_MS = 60_000, 3_600_000
# The usual difference between switching on and off of tanks at heat pumps.
_SWITCHING_K = 7.0
_WATER_KWH_PER_L_K = 1.163e-3


class HotWater(Stateful):
    """The tanks of the homes of n heat pumps that have hot water."""

    kept = ("_missing", "_charging")

    def __init__(self, members: Members[HeatPumpSettings]) -> None:
        column, draws = members.columns, members.draws
        self._rows = np.flatnonzero(column["hot_water_kwh"] > 0.0)
        keys, site = members.keys[self._rows], members.site[self._rows]
        profiles = members.choose(lambda settings: settings.hot_water_profile, object)
        self._tapping = Tapping(
            draws,
            keys,
            lambda time_ms: members.sites.local_ms(time_ms)[site],
            profiles[self._rows].tolist(),
            column["hot_water_kwh"][self._rows],
            np.ones(len(keys)),
            members.start_ms,
            purpose="heat_pump/hot_water",
        )
        self._starts_at = np.full(len(members), np.inf)
        volume = column["tank_volume"][self._rows]
        self._starts_at[self._rows] = volume * _WATER_KWH_PER_L_K * _SWITCHING_K
        # The heat drawn from each tank since it was charged, kWh.
        self._missing = np.zeros(len(members))
        phase = draws.uniform("heat_pump/tank", keys)
        self._missing[self._rows] = phase * self._starts_at[self._rows]
        self._charging = np.zeros(len(members), np.bool_)

    def owed(self) -> Floats:
        """Return the heat that the charges under way still need, float64[n], kWh."""
        return np.where(self._charging, self._missing, 0.0)

    def tap(self, from_ms: int, to_ms: int) -> None:
        """Remove the taps of the minutes that begin in [from, to), and start charges."""
        minute = -(-from_ms // _MINUTE_MS) * _MINUTE_MS
        end = -(-to_ms // _MINUTE_MS) * _MINUTE_MS
        while minute < end:
            until = min(minute + _HOUR_MS, end)
            tapped = self._tapping.kw(minute, until) * ((until - minute) / _HOUR_MS)
            self._missing[self._rows] += tapped
            minute = until
        self._charging |= self._missing >= self._starts_at

    def serve(self, heat_kwh: Floats) -> None:
        """Add heat to the tanks; a tank that is full ends its charge."""
        self._missing = np.maximum(self._missing - heat_kwh, 0.0)
        # Rounding of the quotient may leave some nWh.
        self._charging &= self._missing > 1e-9
