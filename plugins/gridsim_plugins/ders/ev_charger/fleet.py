"""The DER type `ev_charger`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridsim.api import (
    Capability,
    Fleet,
    Floats,
    Members,
    Orders,
    Register,
    Stage,
    Telemetry,
    Tick,
    hookimpl,
)
from gridsim_plugins.ders.ev_charger.charging import charged, hours_from_empty
from gridsim_plugins.ders.ev_charger.sessions import DAY_MS, LOOK_BACK_DAYS, sessions_of
from gridsim_plugins.ders.ev_charger.settings import EvChargerSettings
from gridsim_plugins.ders.ev_charger.smart import CheapHours, least_soc

_LEAST_AMPERES = 6.0
_LEAST_ARRIVAL_SOC = 0.05
_HOUR_MS = 3_600_000


def pilot_power(limit_kw: Floats, volts: Floats, phases: Floats) -> Floats:
    """The power of the pilot current that keeps within `limit_kw`: whole amperes, at least 6.

    SAE J1772: below 6 A the car pauses. float64[n], kW.
    """
    amperes = np.floor(limit_kw * 1000.0 / (volts * phases) + 1e-9)
    return np.where(amperes >= _LEAST_AMPERES, amperes * volts * phases / 1000.0, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class _Able:
    """What the cars of a managed fleet can do in a tick, float64[cars]."""

    tick: int
    car: NDArray[np.intp]
    """The devices with a car."""
    full_power: Floats
    """The state of charge after the tick at full power."""
    charge_kw: Floats
    discharge_kw: Floats
    must: NDArray[np.bool_]
    """Which have to charge now, to be at their least state of charge when they leave."""
    wish: Floats
    """The state of charge after the tick if nobody asks for anything."""


class EvCharger(Fleet):
    """One plug per device. A car charges on arrival, tapers off, and stays until it leaves.

    The sessions are a function of (seed, device, local day). A negative setpoint throttles to
    that power by whole amperes; zero or a positive one pauses.

    A managed charger follows its strategy where no setpoint is given, and feeds back on a
    positive setpoint if it may. A setpoint of all that `capability` offers is met as it is,
    one in between by whole amperes; discharging is not bound to amperes (ISO 15118-20). One
    thing goes before setpoints: a car from which energy may be taken charges in time to leave
    with its least state of charge; nothing but that charging is then on offer. Limits go before
    that too; one that binds is kept by whole amperes, even if the car then leaves with less.
    """

    Settings = EvChargerSettings
    reported_type = "ev_charger"
    stores = True

    @classmethod
    def stage(cls, settings: Any) -> Stage:
        return "flexible" if settings.managed else "free"

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
        self._managed = any(settings.managed for settings in members.settings)
        self._smart = members.choose(lambda settings: settings.strategy == "smart", np.bool_)
        self._cheap = CheapHours([settings.cheap_windows for settings in members.settings])
        self._v2g = members.choose(lambda settings: settings.v2g, np.bool_)
        self._min_soc = column["min_soc"] / 100.0
        self._min_leaving = np.minimum(column["min_soc_at_departure"] / 100.0, self._full)
        self._able: _Able | None = None

    def capability(self, tick: Tick) -> Capability:
        """What the cars take at full power, and what they may give; zero without a car."""
        able = self._able_in(tick)
        least, most = np.zeros(len(self.members)), np.zeros(len(self.members))
        least[able.car] -= able.charge_kw
        most[able.car] = able.discharge_kw
        wish, car = np.zeros(len(self.members)), able.car
        wished = (able.wish - self._soc[car]) / (self._speed[car] * (tick.dt_s / 3600.0))
        wish[car] -= np.minimum(wished, able.charge_kw)
        return Capability(least, most, wish)

    def step(self, tick: Tick, orders: Orders) -> Telemetry:
        if self._managed:
            return self._step_managed(tick, orders)
        self._come_and_go(tick.time_ms)
        power, before = np.zeros(len(self.members)), self._soc.copy()
        which = self._charging
        if len(which):
            limit = self._throttled(which, orders.setpoint_kw[which])
            if orders.min_kw is not None:
                bound = self._most_pilot(which, orders.min_kw)
                limit = np.where(limit > 0.0 - orders.min_kw[which], bound, limit)
            soc, speed, hours = before[which], self._speed[which], tick.dt_s / 3600.0
            after = charged(soc, self._target[which], limit * speed, hours)
            # At most the limit: the quotient's rounding may exceed it in the last bit.
            power[which] = -np.minimum((after - soc) / (speed * hours), limit)
            self._soc[which] = after
            full = after >= self._target[which]
            if full.any():
                self._charging = which[~full]
        return Telemetry(power, before * 100.0)

    def _step_managed(self, tick: Tick, orders: Orders) -> Telemetry:
        able = self._able_in(tick)
        car, hours = able.car, tick.dt_s / 3600.0
        power, before = np.zeros(len(self.members)), self._soc.copy()
        soc, limit, speed = before[car], self._limit[car], self._speed[car]
        asked = orders.setpoint_kw[car]
        given = ~np.isnan(asked) & ~able.must
        after = able.wish
        out = np.zeros(len(car))
        if given.any():
            some = np.minimum(self._throttled(car, asked), limit)
            partly = np.minimum(
                charged(soc, self._target[car], some * speed, hours), able.full_power
            )
            whole = -asked >= able.charge_kw * (1.0 - 1e-12)
            obeyed = np.where(whole & (asked < 0.0), able.full_power, partly)
            out = np.where(given & (asked > 0.0), np.minimum(asked, able.discharge_kw), 0.0)
            after = np.where(given, obeyed, after)
        if orders.max_kw is not None:
            out = np.minimum(out, np.maximum(orders.max_kw[car], 0.0))
        if orders.min_kw is not None:
            over = after - soc > (0.0 - orders.min_kw[car]) * (1.0 + 1e-12) * speed * hours
            pilot = np.minimum(self._most_pilot(car, orders.min_kw), limit)
            after = np.where(over, charged(soc, self._target[car], pilot * speed, hours), after)
        # At most the limit: the quotient's rounding may exceed it in the last bit.
        drawn = np.minimum((after - soc) / (speed * hours), limit)
        power[car] = np.where(out > 0.0, out, 0.0 - drawn)
        taken = out * hours / (self._efficiency[car] * self._capacity[car])
        self._soc[car] = np.where(out > 0.0, soc - taken, after)
        return Telemetry(power, before * 100.0)

    def _able_in(self, tick: Tick) -> _Able:
        if self._able is not None and self._able.tick == tick.index:
            return self._able
        self._come_and_go(tick.time_ms)
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
            # A tick early, as a later tick could not begin before its time.
            must = v2g & (soc < leaving) & (need_h >= left_h - hours - 1e-9)
            floor = np.maximum(self._min_soc[car], least_soc(leaving, rate, left_h - 2.0 * hours))
            spare = (soc - floor) * self._capacity[car] * self._efficiency[car] / hours
            discharge_kw = np.where(v2g, np.clip(spare, 0.0, limit), 0.0)
        wish = self._wish(tick, car, full_power, must)
        self._able = _Able(tick.index, car, full_power, charge_kw, discharge_kw, must, wish)
        return self._able

    def _wish(
        self, tick: Tick, cars: NDArray[np.intp], full_power: Floats, must: NDArray[np.bool_]
    ) -> Floats:
        """The cars' states of charge after the tick if nobody asks for anything."""
        rows = np.flatnonzero(self._smart[cars] & ~must)
        wish = full_power
        if not len(rows):
            return wish
        car, dt_ms = cars[rows], round(tick.dt_s * 1000)
        start = self.members.sites.local_ms(tick.time_ms)[self.members.site[car]]
        cheap_h = self._cheap.between(self.members.stanza[car], start, start + dt_ms)
        rate, goal = self._limit[car] * self._speed[car], self._target[car]
        left_h = (self._next[car] - (tick.time_ms + dt_ms)) / _HOUR_MS
        late = np.minimum(least_soc(goal, rate, left_h), wish[rows])
        wish = wish.copy()
        wish[rows] = np.maximum(charged(self._soc[car], goal, rate, cheap_h), late)
        return wish

    def _come_and_go(self, time_ms: int) -> None:
        due = np.flatnonzero(self._next <= time_ms)
        if len(due):
            self._meet(due, time_ms)

    def _throttled(self, which: NDArray[np.intp], asked: Floats) -> Floats:
        limit = self._limit[which]
        given = ~np.isnan(asked)
        if not given.any():
            return limit
        most = np.minimum(limit, np.maximum(-asked, 0.0))
        pilot = pilot_power(most, self._volts[which], self._phases[which])
        return np.where(given, pilot, limit)

    def _most_pilot(self, which: NDArray[np.intp], min_kw: Floats) -> Floats:
        """The power of the highest pilot current within the limits, float64[which]."""
        allowed = np.clip(0.0 - min_kw[which], 0.0, self._limit[which])
        return pilot_power(allowed, self._volts[which], self._phases[which])

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
