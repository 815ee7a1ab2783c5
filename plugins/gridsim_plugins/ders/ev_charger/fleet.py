"""The DER type `ev_charger`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Capability, Floats, Managed, Members, Orders, Telemetry, Tick
from gridsim_plugins.ders.ev_charger.physics import (
    charged,
    hours_from_empty,
    least_soc,
    pilot_power,
)
from gridsim_plugins.ders.ev_charger.sessions import DAY_MS, LOOK_BACK_DAYS, sessions_of
from gridsim_plugins.ders.ev_charger.settings import EvChargerSettings
from gridsim_plugins.ders.ev_charger.smart import CheapHours

_MIN_ARRIVAL_SOC = 0.05
_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True, eq=False)
class _Possible:
    """The possible charging and discharging of a managed fleet in a tick, float64[cars]."""

    tick: int
    car: NDArray[np.intp]
    """The devices with a car."""
    full_power: Floats
    """The state of charge after the tick at full power."""
    charge_kw: Floats
    discharge_kw: Floats
    must: NDArray[np.bool_]
    """True where the car has to charge now to leave with its minimum state of charge."""
    preferred: Floats
    """The state of charge after the tick without a setpoint."""


class EvCharger(Managed[EvChargerSettings]):
    """Chargers with one plug each. A car charges on arrival, tapers, and stays until it leaves.

    The sessions are a function of (seed, device, local day). A negative setpoint limits the
    power in whole amperes; a setpoint of zero or above pauses charging.

    A managed charger without a setpoint follows its strategy. With `v2g`, a positive setpoint
    discharges the car. A setpoint at the full capability is met exactly, one below it in whole
    amperes; discharging needs no whole amperes (ISO 15118-20). A `v2g` car that has to charge
    to leave with its minimum state of charge ignores setpoints; `capability` then offers that
    charging alone. A limit takes precedence over all of this: it is kept in whole amperes, even
    if the car then leaves with less.
    """

    Settings = EvChargerSettings
    reported_type = "ev_charger"
    stores = True
    consumes = True
    kept = ("_soc", "_target", "_charging", "_next")

    def __init__(self, members: Members[EvChargerSettings]) -> None:
        super().__init__(members)
        column, n = members.columns, len(members)
        self._per_day = column["sessions_per_day"]
        self._capacity = column["battery_capacity_kwh"]
        self._efficiency = column["efficiency"] / 100.0
        self._full = column["target_soc"] / 100.0
        self._limit = np.minimum(column["nameplate_capacity"], column["onboard_limit"])
        self._volts, self._phases = column["volts"], column["phases"]
        # Converts AC power to capacities per hour.
        self._speed = self._efficiency / self._capacity
        self._soc = np.full(n, np.nan)
        self._target = np.full(n, np.nan)
        self._charging = np.empty(0, np.intp)
        self._next = np.full(n, np.iinfo(np.int64).min)
        self._offsets: dict[int, NDArray[np.int64]] = {}
        self._managed = any(settings.managed for settings in members.settings)
        self._smart = members.choose(lambda settings: settings.strategy == "smart", np.bool_)
        self._cheap = CheapHours([settings.cheap_windows for settings in members.settings])
        self._v2g = members.choose(lambda settings: settings.v2g, np.bool_)
        self._min_soc = column["min_soc"] / 100.0
        self._min_leaving = np.minimum(column["min_soc_at_departure"] / 100.0, self._full)
        self._possible: _Possible | None = None

    def capability(self, tick: Tick) -> Capability:
        """Return the power of charging and discharging at full power; zero without a car."""
        possible = self._possible_in(tick)
        car, n = possible.car, len(self.members)
        min_kw, max_kw, preferred_kw = np.zeros(n), np.zeros(n), np.zeros(n)
        min_kw[car] -= possible.charge_kw
        max_kw[car] = possible.discharge_kw
        power = (possible.preferred - self._soc[car]) / (self._speed[car] * (tick.dt_s / 3600.0))
        preferred_kw[car] -= np.minimum(power, possible.charge_kw)
        return Capability(min_kw, max_kw, preferred_kw)

    def step(self, tick: Tick, orders: Orders) -> Telemetry:
        if self._managed:
            return self._step_managed(tick, orders)
        self._advance_sessions(tick.time_ms)
        power, before = np.zeros(len(self.members)), self._soc.copy()
        which = self._charging
        if len(which):
            limit = self._throttled(which, orders.setpoint_kw[which])
            if orders.min_kw is not None:
                bound = self._max_pilot(which, orders.min_kw)
                limit = np.where(limit > 0.0 - orders.min_kw[which], bound, limit)
            soc, speed, hours = before[which], self._speed[which], tick.dt_s / 3600.0
            after = charged(soc, self._target[which], limit * speed, hours)
            # Cap at the limit: rounding of the quotient could exceed it in the last bit.
            power[which] = -np.minimum((after - soc) / (speed * hours), limit)
            self._soc[which] = after
            full = after >= self._target[which]
            if full.any():
                self._charging = which[~full]
        return Telemetry(power, before * 100.0)

    def _step_managed(self, tick: Tick, orders: Orders) -> Telemetry:
        possible = self._possible_in(tick)
        car, hours = possible.car, tick.dt_s / 3600.0
        power, before = np.zeros(len(self.members)), self._soc.copy()
        soc, limit, speed = before[car], self._limit[car], self._speed[car]
        setpoint = orders.setpoint_kw[car]
        controlled = ~np.isnan(setpoint) & ~possible.must
        after = possible.preferred
        out = np.zeros(len(car))
        if controlled.any():
            pilot = np.minimum(self._throttled(car, setpoint), limit)
            partly = np.minimum(
                charged(soc, self._target[car], pilot * speed, hours), possible.full_power
            )
            is_full = (setpoint < 0.0) & (-setpoint >= possible.charge_kw * (1.0 - 1e-12))
            charging = np.where(is_full, possible.full_power, partly)
            discharges = controlled & (setpoint > 0.0)
            out = np.where(discharges, np.minimum(setpoint, possible.discharge_kw), 0.0)
            after = np.where(controlled, charging, after)
        if orders.max_kw is not None:
            out = np.minimum(out, np.maximum(orders.max_kw[car], 0.0))
        if orders.min_kw is not None:
            over = after - soc > (0.0 - orders.min_kw[car]) * (1.0 + 1e-12) * speed * hours
            pilot = np.minimum(self._max_pilot(car, orders.min_kw), limit)
            after = np.where(over, charged(soc, self._target[car], pilot * speed, hours), after)
        # Cap at the limit: rounding of the quotient could exceed it in the last bit.
        drawn = np.minimum((after - soc) / (speed * hours), limit)
        power[car] = np.where(out > 0.0, out, 0.0 - drawn)
        taken = out * hours / (self._efficiency[car] * self._capacity[car])
        self._soc[car] = np.where(out > 0.0, soc - taken, after)
        return Telemetry(power, before * 100.0)

    def _possible_in(self, tick: Tick) -> _Possible:
        if self._possible is not None and self._possible.tick == tick.index:
            return self._possible
        self._advance_sessions(tick.time_ms)
        car, hours = np.flatnonzero(~np.isnan(self._soc)), tick.dt_s / 3600.0
        soc, limit, speed = self._soc[car], self._limit[car], self._speed[car]
        rate = limit * speed
        full_power = charged(soc, self._target[car], rate, hours)
        charge_kw = np.minimum((full_power - soc) / (speed * hours), limit)
        must = np.zeros(len(car), np.bool_)
        discharge_kw = np.zeros(len(car))
        if self._v2g[car].any():
            left_h = (self._next[car] - tick.time_ms) / _HOUR_MS
            leaving, v2g = self._min_leaving[car], self._v2g[car]
            need_h = hours_from_empty(leaving, rate) - hours_from_empty(soc, rate)
            # Start a tick early, because charging can start at a tick only.
            must = v2g & (soc < leaving) & (need_h >= left_h - hours - 1e-9)
            floor = np.maximum(self._min_soc[car], least_soc(leaving, rate, left_h - 2.0 * hours))
            spare = (soc - floor) * self._capacity[car] * self._efficiency[car] / hours
            discharge_kw = np.where(v2g, np.clip(spare, 0.0, limit), 0.0)
        preferred = self._preferred(tick, car, full_power, must)
        self._possible = _Possible(
            tick.index, car, full_power, charge_kw, discharge_kw, must, preferred
        )
        return self._possible

    def _preferred(
        self, tick: Tick, cars: NDArray[np.intp], full_power: Floats, must: NDArray[np.bool_]
    ) -> Floats:
        """Return the states of charge after the tick without a setpoint, float64[cars]."""
        rows = np.flatnonzero(self._smart[cars] & ~must)
        if not len(rows):
            return full_power
        car, dt_ms = cars[rows], round(tick.dt_s * 1000)
        start = self.members.sites.local_ms(tick.time_ms)[self.members.site[car]]
        cheap_h = self._cheap.between(self.members.stanza[car], start, start + dt_ms)
        rate, goal = self._limit[car] * self._speed[car], self._target[car]
        left_h = (self._next[car] - (tick.time_ms + dt_ms)) / _HOUR_MS
        late = np.minimum(least_soc(goal, rate, left_h), full_power[rows])
        preferred = full_power.copy()
        preferred[rows] = np.maximum(charged(self._soc[car], goal, rate, cheap_h), late)
        return preferred

    def _advance_sessions(self, time_ms: int) -> None:
        due = np.flatnonzero(self._next <= time_ms)
        if len(due):
            self._begin_or_end(due, time_ms)

    def _throttled(self, which: NDArray[np.intp], setpoint: Floats) -> Floats:
        limit = self._limit[which]
        has_setpoint = ~np.isnan(setpoint)
        if not has_setpoint.any():
            return limit
        highest = np.minimum(limit, np.maximum(-setpoint, 0.0))
        pilot = pilot_power(highest, self._volts[which], self._phases[which])
        return np.where(has_setpoint, pilot, limit)

    def _max_pilot(self, which: NDArray[np.intp], min_kw: Floats) -> Floats:
        """Return the power of the highest pilot current within the limits, float64[which]."""
        allowed = np.clip(0.0 - min_kw[which], 0.0, self._limit[which])
        return pilot_power(allowed, self._volts[which], self._phases[which])

    def _begin_or_end(self, due: NDArray[np.intp], time_ms: int) -> None:
        """Start or end the sessions of the devices `due`; set the time of the next change."""
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
        # Without a session in these days, look again when they are over.
        horizon = (days[-1] - 1) * DAY_MS - offset[:, -1] + DAY_MS
        self._next[due] = np.where(here, departure[row, slot], np.minimum(coming, horizon))

        full, speed = self._full[due], self._speed[due]
        stored = found.energy_kwh[row, slot] * speed
        arrived = np.maximum(full - stored, np.minimum(_MIN_ARRIVAL_SOC, full))
        since, until = arrival[row, slot], departure[row, slot]
        hours = np.maximum((time_ms - since) / _HOUR_MS, 0.0)
        rate = self._limit[due] * speed
        now = charged(arrived, full, rate, hours)
        if self._smart[due].any():
            local = self.members.sites.local_ms(time_ms)[self.members.site[due]]
            stanza = self.members.stanza[due]
            cheap_h = self._cheap.between(stanza, local - time_ms + since, local)
            late = np.minimum(now, least_soc(full, rate, (until - time_ms) / _HOUR_MS))
            cheaply = charged(arrived, full, rate, np.clip(cheap_h, 0.0, hours))
            now = np.where(self._smart[due], np.maximum(cheaply, late), now)
        self._soc[due] = np.where(here, now, np.nan)
        self._target[due] = np.where(here, full, np.nan)
        gone = np.isin(self._charging, due)
        starting = due[here & (now < full)]
        self._charging = np.union1d(self._charging[~gone], starting)

    def _local_day(self, which: NDArray[np.intp], time_ms: int) -> NDArray[np.int64]:
        local = self.members.sites.local_ms(time_ms)[self.members.site[which]]
        return local // DAY_MS

    def _offset(self, day: int) -> NDArray[np.int64]:
        """Return the offset from UTC at about noon of a local day, int64[n], ms.

        One offset per day gives the same session at any time of the day.
        """
        offset = self._offsets.get(day)
        if offset is None:
            noon = day * DAY_MS + DAY_MS // 2
            offset = (self.members.sites.local_ms(noon) - noon)[self.members.site]
            self._offsets[day] = offset
            for old in [known for known in self._offsets if known < day - 2 * LOOK_BACK_DAYS]:
                del self._offsets[old]
        return offset
