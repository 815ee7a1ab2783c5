"""The measurands of chargers: the session of the car that is connected."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats, Members, Orders, Stateful
from gridsim_plugins.ders.ev_charger.connection import Connectors
from gridsim_plugins.ders.ev_charger.schedule import LONG_AGO, NEVER, PresentCars
from gridsim_plugins.ders.ev_charger.settings import EvChargerSettings

MEASURANDS = ("session_id", "session_kwh", "connected_since", "state", "energy_available_kwh")
# Statuses of OCPP 1.6, sections 4.9 and 7.7: 100 and the place in the list.
AVAILABLE, PREPARING, CHARGING = 101.0, 102.0, 103.0
SUSPENDED_BY_CHARGER, SUSPENDED_BY_CAR, FINISHING = 104.0, 105.0, 106.0
# Hundredths of a kW times milliseconds in a kWh.
_PER_KWH = 360_000_000
# The largest number of a transaction in OCPP 1.6, a positive 32-bit integer.
_LARGEST_ID = 2**31 - 1


@dataclass(frozen=True, slots=True, eq=False)
class Charge:
    """The charging of all cars in a tick, [n]."""

    soc: Floats
    """The state of charge before the tick, 0 to 1; NaN without a car."""
    target: Floats
    """The state of charge of a full car."""
    capacity_kwh: Floats
    since_ms: NDArray[np.int64]
    """The times of arrival, UTC."""
    power_kw: Floats


class SessionReport(Stateful):
    """The measurands that the run wants, and the energy of each session.

    The energy is that of the register `energy_import_kwh` since the first tick of the session: the
    power of each tick, rounded to 0.01 kW as it is reported, counted in whole numbers.
    """

    kept = ("_counted", "_ids", "_left_ms", "_coming_ms")

    def __init__(self, members: Members[EvChargerSettings]) -> None:
        self._members = members
        self._wanted = members.wanted
        self._counts = "session_kwh" in members.wanted
        self._counted = np.zeros(len(members) if self._counts else 0, np.int64)
        self._numbers = "session_id" in members.wanted
        self._ids = np.zeros(len(members) if self._numbers else 0)
        self._has_state = "state" in members.wanted
        n = len(members) if self._has_state else 0
        self._left_ms, self._coming_ms = np.full(n, LONG_AGO), np.full(n, NEVER)
        """The last departure and the next arrival at each charger, UTC."""
        self._preparing_ms = np.rint(members.columns["preparing_s"] * 1000.0).astype(np.int64)
        self._finishing_ms = np.rint(members.columns["finishing_s"] * 1000.0).astype(np.int64)

    def begin(self, rows: NDArray[np.intp], plugged: PresentCars, kwh: Floats) -> None:
        """Begin or end the sessions of the chargers `rows`; a car may have drawn `kwh` so far.

        That counts for arrivals before the simulation. A car that arrives within a tick charges
        from the next tick on, for the meter.
        """
        members, arrival_ms = self._members, plugged.arrival_ms
        if self._has_state:
            self._left_ms[rows], self._coming_ms[rows] = plugged.left_ms, plugged.coming_ms
        if self._counts:
            early = arrival_ms < members.start_ms
            self._counted[rows] = np.rint(np.where(early, kwh, 0.0) * _PER_KWH).astype(np.int64)
        if self._numbers:
            second = (arrival_ms // 1000).astype(np.uint64)
            drawn = members.draws.uniform("ev_charger/id", members.keys[rows], second)
            self._ids[rows] = 1.0 + np.floor(drawn * _LARGEST_ID)

    def take(
        self, time_ms: int, charge: Charge, orders: Orders, connectors: Connectors
    ) -> dict[str, Floats]:
        """Return the columns at the start of a tick, float64[n], then count its power."""
        columns: dict[str, Floats] = {}
        if not self._wanted:
            return columns
        soc, power_kw = charge.soc, charge.power_kw
        here = ~np.isnan(soc)
        if self._numbers:
            columns["session_id"] = np.where(here, self._ids, np.nan)
        if "connected_since" in self._wanted:
            columns["connected_since"] = np.where(here, charge.since_ms / 1000.0, np.nan)
        if "energy_available_kwh" in self._wanted:
            columns["energy_available_kwh"] = soc * charge.capacity_kwh
        if self._has_state:
            columns["state"] = self._state(time_ms, charge, orders, connectors)
        if self._counts:
            columns["session_kwh"] = np.where(here, self._counted / _PER_KWH, np.nan)
            drawn_kw = np.rint(np.maximum(0.0 - power_kw, 0.0) * 100.0).astype(np.int64)
            self._counted += drawn_kw * self._members.tick_ms
        return columns

    def _state(
        self, time_ms: int, charge: Charge, orders: Orders, connectors: Connectors
    ) -> Floats:
        """Return the status of each connector in a tick, float64[n].

        If charger and car both suspend charging, the charger's status has precedence. A direct
        current session ends when the car is full, an alternating current one when it leaves.
        """
        here, full = ~np.isnan(charge.soc), charge.soc >= charge.target
        state = np.where(here, SUSPENDED_BY_CHARGER, AVAILABLE)
        if full.any():
            state[full & connectors.offers(orders)] = SUSPENDED_BY_CAR
        state[full & connectors.dc] = FINISHING
        state[charge.power_kw != 0.0] = CHARGING
        free = np.flatnonzero(~here)
        coming = self._coming_ms[free] - self._preparing_ms[free] <= time_ms
        state[free[coming]] = PREPARING
        leaving = time_ms - self._finishing_ms[free] < self._left_ms[free]
        state[free[leaving]] = FINISHING
        return state
