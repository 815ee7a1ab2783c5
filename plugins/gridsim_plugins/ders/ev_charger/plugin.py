"""The DER type `ev_charger`."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gridsim.api import (
    DerSettings,
    Fleet,
    Floats,
    Members,
    Orders,
    Register,
    Telemetry,
    Tick,
    Unit,
    hookimpl,
)
from gridsim_plugins.ders.ev_charger.charging import charged
from gridsim_plugins.ders.ev_charger.sessions import DAY_MS, LOOK_BACK_DAYS, sessions_of

_LEAST_AMPERES = 6.0
_LEAST_ARRIVAL_SOC = 0.05


class EvChargerSettings(DerSettings):
    """Settings of the DER type `ev_charger`; `nameplate_capacity` limits the AC power."""

    sessions_per_day: Annotated[float, Unit("1/d")] = Field(
        0.58, ge=0.0, le=0.8, description="how often a car is plugged in, on average"
    )
    battery_capacity_kwh: Annotated[float, Unit("kWh")] = Field(
        60.0, gt=0.0, description="the car's battery"
    )
    onboard_limit: Annotated[float, Unit("kW")] = Field(
        11.0, gt=0.0, description="most AC power that the car's own charger takes"
    )
    target_soc: Annotated[float, Unit("%")] = Field(
        100.0, gt=10.0, le=100.0, description="state of charge at which the car is done"
    )
    efficiency: Annotated[float, Unit("%")] = Field(
        90.0, ge=50.0, le=100.0, description="from the meter into the car's battery"
    )
    volts: Annotated[float, Unit("V")] = Field(
        240.0, gt=0.0, description="voltage of a phase, for the pilot's amperes"
    )
    phases: Annotated[int, Unit("1")] = Field(1, ge=1, le=3, description="number of phases")


def pilot_power(limit_kw: Floats, volts: Floats, phases: Floats) -> Floats:
    """The power of the pilot current that keeps within `limit_kw`: whole amperes, at least 6.

    SAE J1772: below 6 A the car pauses. float64[n], kW.
    """
    amperes = np.floor(limit_kw * 1000.0 / (volts * phases) + 1e-9)
    return np.where(amperes >= _LEAST_AMPERES, amperes * volts * phases / 1000.0, 0.0)


class EvCharger(Fleet):
    """One plug per device. A car charges on arrival, tapers off, and stays until it leaves.

    The sessions are a function of (seed, device, local day). A negative setpoint throttles to
    that power by whole amperes; zero or a positive one pauses: a car feeds nothing back.
    """

    Settings = EvChargerSettings
    reported_type = "ev_charger"

    def __init__(self, members: Members[Any]) -> None:
        super().__init__(members)
        column, n = members.columns, len(members)
        self._per_day = column["sessions_per_day"]
        self._capacity = column["battery_capacity_kwh"]
        self._efficiency = column["efficiency"] / 100.0
        self._full = column["target_soc"] / 100.0
        self._limit = np.minimum(column["nameplate_capacity"], column["onboard_limit"])
        self._volts, self._phases = column["volts"], column["phases"]
        # AC power to capacities per hour.
        self._speed = self._efficiency / self._capacity
        self._soc = np.full(n, np.nan)
        self._target = np.full(n, np.nan)
        self._charging = np.empty(0, np.intp)
        self._next = np.full(n, np.iinfo(np.int64).min)
        self._offsets: dict[int, NDArray[np.int64]] = {}

    def step(self, tick: Tick, orders: Orders) -> Telemetry:
        due = np.flatnonzero(self._next <= tick.time_ms)
        if len(due):
            self._meet(due, tick.time_ms)
        power, before = np.zeros(len(self.members)), self._soc.copy()
        which = self._charging
        if len(which):
            limit = self._throttled(which, orders.setpoint_kw[which])
            soc, speed, hours = before[which], self._speed[which], tick.dt_s / 3600.0
            after = charged(soc, self._target[which], limit * speed, hours)
            # At most the limit: the quotient's rounding may exceed it in the last bit.
            power[which] = -np.minimum((after - soc) / (speed * hours), limit)
            self._soc[which] = after
            full = after >= self._target[which]
            if full.any():
                self._charging = which[~full]
        return Telemetry(power, before * 100.0)

    def _throttled(self, which: NDArray[np.intp], asked: Floats) -> Floats:
        limit = self._limit[which]
        given = ~np.isnan(asked)
        if not given.any():
            return limit
        most = np.minimum(limit, np.maximum(-asked, 0.0))
        pilot = pilot_power(most, self._volts[which], self._phases[which])
        return np.where(given, pilot, limit)

    def _meet(self, due: NDArray[np.intp], time_ms: int) -> None:
        """Lets the cars of the devices `due` come or go, and finds when to look again."""
        today = int(self._local_day(due, time_ms).min())
        latest = int(self._local_day(due, time_ms).max())
        days = np.arange(today - LOOK_BACK_DAYS, latest + 2)
        grid = np.broadcast_to(days, (len(due), len(days)))
        keys = self.members.keys[due]
        found = sessions_of(self.members.draws, keys, grid, self._per_day[due])
        offset = np.stack([self._offset(int(day))[due] for day in days], axis=1)
        arrival, departure = found.arrival_ms - offset, found.departure_ms - offset
        never = np.iinfo(np.int64).max
        present = found.takes_place & (arrival <= time_ms) & (time_ms < departure)
        here, row = present.any(axis=1), np.arange(len(due))
        slot = present.argmax(axis=1)
        coming = np.where(found.takes_place & (arrival > time_ms), arrival, never).min(axis=1)
        # If nobody comes within the days looked at, look again when they are over.
        horizon = (days[-1] - 1) * DAY_MS - offset[:, -1] + DAY_MS
        self._next[due] = np.where(here, departure[row, slot], np.minimum(coming, horizon))

        full, speed = self._full[due], self._speed[due]
        stored = found.energy_kwh[row, slot] * speed
        arrived = np.maximum(full - stored, np.minimum(_LEAST_ARRIVAL_SOC, full))
        hours = (time_ms - arrival[row, slot]) / 3_600_000
        now = charged(arrived, full, self._limit[due] * speed, np.maximum(hours, 0.0))
        self._soc[due] = np.where(here, now, np.nan)
        self._target[due] = np.where(here, full, np.nan)
        gone = np.isin(self._charging, due)
        starting = due[here & (now < full)]
        self._charging = np.union1d(self._charging[~gone], starting)

    def _local_day(self, which: NDArray[np.intp], time_ms: int) -> NDArray[np.int64]:
        local = self.members.sites.local_ms(time_ms)[self.members.site[which]]
        return local // DAY_MS

    def _offset(self, day: int) -> NDArray[np.int64]:
        """Each device's offset from UTC on a local day: int64[n], ms; that of about noon.

        One offset a day keeps a session the same whenever it is looked at.
        """
        offset = self._offsets.get(day)
        if offset is None:
            noon = day * DAY_MS + DAY_MS // 2
            offset = (self.members.sites.local_ms(noon) - noon)[self.members.site]
            self._offsets[day] = offset
            for old in [known for known in self._offsets if known < day - 2 * LOOK_BACK_DAYS]:
                del self._offsets[old]
        return offset


@hookimpl
def gridsim_register(register: Register) -> None:
    register.der("ev_charger", EvCharger)
