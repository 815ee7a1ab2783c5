"""The measurands of chargers: the session of the car that is connected."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats, Members, Stateful
from gridsim_plugins.ders.ev_charger.settings import EvChargerSettings

MEASURANDS = ("session_id", "session_kwh", "connected_since", "state", "energy_available_kwh")
# Statuses of OCPP 1.6, section 7.7: 100 and the place in its list.
AVAILABLE, CHARGING, SUSPENDED_BY_CHARGER, SUSPENDED_BY_CAR = 101.0, 103.0, 104.0, 105.0
# Hundredths of a kW times milliseconds in a kWh.
_PER_KWH = 360_000_000
# The largest number of a transaction in OCPP 1.6, a positive 32-bit integer.
_LARGEST_ID = 2**31 - 1


class SessionReport(Stateful):
    """The measurands that the run wants, and the energy of each session.

    The energy is that of the register `energy_import_kwh` since the first tick of the session: the
    power of each tick, rounded to 0.01 kW as it is reported, counted in whole numbers.
    """

    kept = ("_counted", "_ids")

    def __init__(self, members: Members[EvChargerSettings]) -> None:
        self._members = members
        self._wanted = members.wanted
        self._counts = "session_kwh" in members.wanted
        self._counted = np.zeros(len(members) if self._counts else 0, np.int64)
        self._numbers = "session_id" in members.wanted
        self._ids = np.zeros(len(members) if self._numbers else 0)

    def begin(self, rows: NDArray[np.intp], arrival_ms: NDArray[np.int64], kwh: Floats) -> None:
        """Begin the sessions of the chargers `rows`, which may have drawn `kwh` so far.

        That counts for arrivals before the simulation. A car that arrives within a tick charges
        from the next tick on, for the meter.
        """
        members = self._members
        if self._counts:
            early = arrival_ms < members.start_ms
            self._counted[rows] = np.rint(np.where(early, kwh, 0.0) * _PER_KWH).astype(np.int64)
        if self._numbers:
            second = (arrival_ms // 1000).astype(np.uint64)
            drawn = members.draws.uniform("ev_charger/id", members.keys[rows], second)
            self._ids[rows] = 1.0 + np.floor(drawn * _LARGEST_ID)

    def take(
        self,
        soc: Floats,
        target: Floats,
        capacity_kwh: Floats,
        since_ms: NDArray[np.int64],
        power_kw: Floats,
    ) -> dict[str, Floats]:
        """Return the columns at the start of a tick, float64[n], then count its power.

        `soc`, 0 to 1, is NaN for chargers without a car, which have no session. A car is full at
        `target`.
        """
        columns: dict[str, Floats] = {}
        if not self._wanted:
            return columns
        here = ~np.isnan(soc)
        if self._numbers:
            columns["session_id"] = np.where(here, self._ids, np.nan)
        if "connected_since" in self._wanted:
            columns["connected_since"] = np.where(here, since_ms / 1000.0, np.nan)
        if "energy_available_kwh" in self._wanted:
            columns["energy_available_kwh"] = soc * capacity_kwh
        if "state" in self._wanted:
            idle = np.where(soc >= target, SUSPENDED_BY_CAR, SUSPENDED_BY_CHARGER)
            columns["state"] = np.where(power_kw != 0.0, CHARGING, np.where(here, idle, AVAILABLE))
        if self._counts:
            columns["session_kwh"] = np.where(here, self._counted / _PER_KWH, np.nan)
            drawn_kw = np.rint(np.maximum(0.0 - power_kw, 0.0) * 100.0).astype(np.int64)
            self._counted += drawn_kw * self._members.tick_ms
        return columns
