"""The DER type `ev_charger`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Capability, Floats, Managed, Members, Orders, State, Telemetry, Tick
from gridsim_plugins.ders.ev_charger.cars import drawn_cars
from gridsim_plugins.ders.ev_charger.connection import Connectors, connection
from gridsim_plugins.ders.ev_charger.physics import charged, hours_from_empty, least_soc
from gridsim_plugins.ders.ev_charger.present import Possible, Present
from gridsim_plugins.ders.ev_charger.ramp import hours_at_full, waves_of
from gridsim_plugins.ders.ev_charger.reporting import MEASURANDS, Charge, SessionReport
from gridsim_plugins.ders.ev_charger.schedule import PresentCars
from gridsim_plugins.ders.ev_charger.schedules import Schedules
from gridsim_plugins.ders.ev_charger.settings import EvChargerSettings
from gridsim_plugins.ders.ev_charger.smart import CheapHours
from gridsim_plugins.ders.ev_charger.support import CarSupport

_MIN_ARRIVAL_SOC = 0.05
_HOUR_MS = 3_600_000
_FAST_TARGET = 0.8


class EvCharger(Managed[EvChargerSettings]):
    """Chargers with one plug each. A car charges on arrival, tapers, and stays until it leaves.

    The sessions are a function of (seed, device, local day). A negative setpoint limits the
    power in whole amperes; a setpoint of zero or above pauses charging.

    A managed charger without a setpoint follows its strategy. With `v2g`, a positive setpoint
    discharges the car. A setpoint at the full capability is met exactly, a lower one in whole
    amperes; discharging is not limited to whole amperes (ISO 15118-20). A `v2g` car that has to
    charge to leave with its minimum state of charge ignores setpoints; `capability` then offers
    that charging alone. A limit takes precedence over all of this: it is met in whole amperes, even
    if the car then leaves with less.
    """

    Settings = EvChargerSettings
    reported_type = "ev_charger"
    stores = True
    consumes = True
    power_factor = 0.99
    measurands = MEASURANDS
    kept = (
        *("_soc", "_target", "_charging", "_next", "_capacity", "_speed", "_since", "_waves"),
        *("_report", "_support"),
    )
    indices = ("_charging",)

    def __init__(self, members: Members[EvChargerSettings]) -> None:
        super().__init__(members)
        column, n = members.columns, len(members)
        self._efficiency = column["efficiency"] / 100.0
        self._set_capacity = column["battery_capacity_kwh"]
        fast = members.choose(lambda settings: settings.kind == "fast", np.bool_)
        target = column["target_soc"] / 100.0
        self._set_full = np.where(np.isnan(target) & fast, _FAST_TARGET, target)
        capacity, _ = drawn_cars(members.draws, members.keys, 0)
        self._capacity = np.where(np.isnan(self._set_capacity), capacity, self._set_capacity)
        self._connectors = Connectors(members)
        self._limit = self._connectors.limit
        # Converts AC power to capacities per hour.
        self._speed = self._efficiency / self._capacity
        self._mean_below = column["fluctuation"] / 100.0
        self._schedules = Schedules(members, self._capacity)
        self._soc, self._target = np.full(n, np.nan), np.full(n, np.nan)
        self._since = np.zeros(n, np.int64)
        self._waves = np.zeros((3, n))
        self._charging = np.empty(0, np.intp)
        self._next = np.full(n, np.iinfo(np.int64).min)
        self._managed = any(settings.managed for settings in members.settings)
        self._smart = members.choose(lambda settings: settings.strategy == "smart", np.bool_)
        self._cheap = CheapHours([settings.cheap_windows for settings in members.settings])
        self._v2g = members.choose(lambda settings: settings.v2g, np.bool_)
        self._min_soc = column["min_soc"] / 100.0
        self._min_leaving = column["min_soc_at_departure"] / 100.0
        self._steady = self._smart | (self._mean_below == 0.0)
        self._support = CarSupport.of(members)
        self._present: Present | None = None
        self._possible: Possible | None = None
        self._report = SessionReport(members)

    @classmethod
    def phases(cls, members: Members[EvChargerSettings]) -> Floats:
        return connection(members)[1]

    def restore(self, state: State) -> None:
        super().restore(state)
        self._present = self._possible = None

    def capability(self, tick: Tick) -> Capability:
        """Return the power of charging and discharging at full power; zero without a car."""
        possible = self._possible_in(tick)
        car, n = possible.present.car, len(self.members)
        min_kw, max_kw, preferred_kw = np.zeros(n), np.zeros(n), np.zeros(n)
        min_kw[car] -= possible.charge_kw
        max_kw[car] = possible.discharge_kw
        power = (possible.preferred - possible.soc) / (self._speed[car] * (tick.dt_s / 3600.0))
        preferred_kw[car] -= np.minimum(power, possible.charge_kw)
        return Capability(min_kw, max_kw, preferred_kw)

    def step(self, tick: Tick, orders: Orders) -> Telemetry:
        step = self._step_managed if self._managed else self._step_unmanaged
        power, soc = step(tick, orders)
        charge = Charge(soc, self._target, self._capacity, self._since, power)
        extra = self._report.take(tick.time_ms, charge, orders, self._connectors)
        reactive = None if self._support is None else self._support.kvar
        return Telemetry(power, soc * 100.0, extra, reactive)

    def _step_unmanaged(self, tick: Tick, orders: Orders) -> tuple[Floats, Floats]:
        """Return the power and the state of charge before the tick, 0 to 1, float64[n]."""
        self._advance_sessions(tick.time_ms)
        power, before = np.zeros(len(self.members)), self._soc.copy()
        which = self._charging
        if len(which):
            limit = self._connectors.throttled(which, orders.setpoint_kw[which])
            if orders.min_kw is not None:
                bound = self._connectors.max_pilot(which, orders.min_kw)
                limit = np.where(limit > 0.0 - orders.min_kw[which], bound, limit)
            soc, speed, hours = before[which], self._speed[which], tick.dt_s / 3600.0
            free = limit >= self._limit[which]
            free &= np.isnan(orders.setpoint_kw[which])
            worth = np.where(free, self._free_hours(which, tick), hours)
            after = self._connectors.charged(which, soc, self._target[which], limit * speed, worth)
            # Cap at the limit: rounding of the quotient could exceed it in the last bit.
            power[which] = -np.minimum((after - soc) / (speed * hours), limit)
            self._soc[which] = after
            full = after >= self._target[which]
            if full.any():
                self._charging = which[~full]
        return power, before

    def _step_managed(self, tick: Tick, orders: Orders) -> tuple[Floats, Floats]:
        """Return the power and the state of charge before the tick, 0 to 1, float64[n]."""
        possible, hours = self._possible_in(tick), tick.dt_s / 3600.0
        present, soc = possible.present, possible.soc
        car, limit, speed, target = present.car, present.limit, present.speed, present.target
        power, before = np.zeros(len(self.members)), self._soc.copy()
        setpoint = orders.setpoint_kw[car]
        controlled = ~np.isnan(setpoint) & ~possible.must
        after, out = possible.preferred, None
        if controlled.any():
            pilot = np.minimum(self._connectors.throttled(car, setpoint), limit)
            partly = np.minimum(
                self._connectors.charged(car, soc, target, pilot * speed, hours),
                possible.full_power,
            )
            is_full = (setpoint < 0.0) & (-setpoint >= possible.charge_kw * (1.0 - 1e-12))
            charging = np.where(is_full, possible.full_power, partly)
            discharges = controlled & (setpoint > 0.0)
            out = np.where(discharges, np.minimum(setpoint, possible.discharge_kw), 0.0)
            after = np.where(controlled, charging, after)
        if out is not None and orders.max_kw is not None:
            out = np.minimum(out, np.maximum(orders.max_kw[car], 0.0))
        if orders.min_kw is not None:
            over = after - soc > (0.0 - orders.min_kw[car]) * (1.0 + 1e-12) * speed * hours
            pilot = np.minimum(self._connectors.max_pilot(car, orders.min_kw), limit)
            bound = self._connectors.charged(car, soc, target, pilot * speed, hours)
            after = np.where(over, bound, after)
        # Cap at the limit: rounding of the quotient could exceed it in the last bit.
        drawn = np.minimum((after - soc) / (speed * hours), limit)
        net = 0.0 - drawn
        if out is not None:
            net = np.where(out > 0.0, out, net)
        if self._support is not None:
            # A car that has to charge now does so.
            most = np.where(possible.must, np.minimum(net, 0.0), possible.discharge_kw)
            alone, net = net, self._support.apply(tick, orders, car, net, possible.charge_kw, most)
            moved = net != alone
            out = np.where(moved, np.maximum(net, 0.0), 0.0 if out is None else out)
            after = np.where(moved, soc - np.minimum(net, 0.0) * speed * hours, after)
        power[car] = net
        if out is not None:
            taken = out * hours / (self._efficiency[car] * self._capacity[car])
            after = np.where(out > 0.0, soc - taken, after)
        self._soc[car] = after
        return power, before

    def _possible_in(self, tick: Tick) -> Possible:
        if self._possible is not None and self._possible.tick == tick.index:
            return self._possible
        self._advance_sessions(tick.time_ms)
        if self._present is None:
            columns = (self._limit, self._speed, self._target, self._steady, self._smart, self._v2g)
            self._present = Present.of(self._soc, *columns)
        present = self._present
        car, hours, limit, speed = present.car, tick.dt_s / 3600.0, present.limit, present.speed
        rate, target, soc = present.rate, present.target, self._soc[present.car]
        full_power, open_ = soc.copy(), np.flatnonzero(soc < target)
        full_power[open_] = self._connectors.charged(
            car[open_], soc[open_], target[open_], rate[open_], hours
        )
        charge_kw = np.minimum((full_power - soc) / (speed * hours), limit)
        must = np.zeros(len(car), np.bool_)
        discharge_kw = np.zeros(len(car))
        if present.has_v2g:
            left_h = (self._next[car] - tick.time_ms) / _HOUR_MS
            leaving, v2g = np.minimum(self._min_leaving[car], target), self._v2g[car]
            need_h = hours_from_empty(leaving, rate) - hours_from_empty(soc, rate)
            # Start a tick early, because charging can start at a tick only.
            must = v2g & (soc < leaving) & (need_h >= left_h - hours - 1e-9)
            floor = np.maximum(self._min_soc[car], least_soc(leaving, rate, left_h - 2.0 * hours))
            spare = (soc - floor) * self._capacity[car] * self._efficiency[car] / hours
            discharge_kw = np.where(v2g, np.clip(spare, 0.0, limit), 0.0)
            open_ = open_[~must[open_]]
        preferred = self._preferred(tick, present, soc, open_, full_power, must)
        self._possible = Possible(
            tick.index, present, soc, full_power, charge_kw, discharge_kw, must, preferred
        )
        return self._possible

    def _preferred(
        self,
        tick: Tick,
        present: Present,
        soc: Floats,
        open_: NDArray[np.intp],
        full_power: Floats,
        must: NDArray[np.bool_],
    ) -> Floats:
        """Return the states of charge after the tick without a setpoint; `open_` may charge."""
        preferred, cars = full_power.copy(), present.car
        free = open_ if present.free is None else open_[present.free[open_]]
        if len(free):
            car, worth = cars[free], self._free_hours(cars[free], tick)
            after = self._connectors.charged(
                car, soc[free], present.target[free], present.rate[free], worth
            )
            preferred[free] = np.minimum(after, full_power[free])
        rows = present.smart[~must[present.smart]]
        if not len(rows):
            return preferred
        car, dt_ms = cars[rows], round(tick.dt_s * 1000)
        start = self.members.sites.local_ms(tick.time_ms)[self.members.site[car]]
        cheap_h = self._cheap.between(self.members.stanza[car], start, start + dt_ms)
        rate, goal = present.rate[rows], present.target[rows]
        left_h = (self._next[car] - (tick.time_ms + dt_ms)) / _HOUR_MS
        late = np.minimum(least_soc(goal, rate, left_h), full_power[rows])
        preferred[rows] = np.maximum(charged(soc[rows], goal, rate, cheap_h), late)
        return preferred

    def _advance_sessions(self, time_ms: int) -> None:
        """Begin and end sessions that are due; set the time of the next change."""
        due = np.flatnonzero(self._next <= time_ms)
        if not len(due):
            return
        self._present = None
        for rows, plugged in self._schedules.at(due, time_ms):
            self._plug(rows, plugged, time_ms)
        charging = np.zeros(len(self.members), np.bool_)
        charging[self._charging] = True
        charging[due] = self._soc[due] < self._target[due]
        self._charging = np.flatnonzero(charging)

    def _plug(self, rows: NDArray[np.intp], plugged: PresentCars, time_ms: int) -> None:
        """Set the cars of the devices `rows`, and their states of charge."""
        here, draws, keys = plugged.here, self.members.draws, self.members.keys[rows]
        self._next[rows] = plugged.next_ms
        capacity, full = drawn_cars(draws, keys, plugged.car.astype(np.uint64))
        full = np.where(np.isnan(self._set_full[rows]), full, self._set_full[rows])
        efficiency = self._efficiency[rows]
        energy = plugged.energy_kwh * self._schedules.energy_factor[rows]
        # At a shared charger, a session that needs more than the drawn car holds has a larger car.
        needed = np.where(plugged.car > 0, energy * efficiency / (full - _MIN_ARRIVAL_SOC), 0.0)
        own = self._set_capacity[rows]
        capacity = np.where(np.isnan(own), np.maximum(capacity, needed), own)
        speed, since = efficiency / capacity, plugged.arrival_ms
        waves = waves_of(draws, keys, (since // 60_000).astype(np.uint64))
        self._capacity[rows], self._speed[rows] = capacity, speed
        self._since[rows], self._waves[:, rows] = since, waves

        arrived = np.maximum(full - energy * speed, np.minimum(_MIN_ARRIVAL_SOC, full))
        rate = self._limit[rows] * speed
        hours = np.maximum((time_ms - since) / _HOUR_MS, 0.0)
        worth = hours_at_full(np.zeros(len(rows)), hours * 3600.0, self._mean_below[rows], waves)
        now = self._connectors.charged(
            rows, arrived, full, rate, np.where(self._steady[rows], hours, worth)
        )
        if self._smart[rows].any():
            local = self.members.sites.local_ms(time_ms)[self.members.site[rows]]
            cheap_h = self._cheap.between(self.members.stanza[rows], local - time_ms + since, local)
            left_h = (plugged.departure_ms - time_ms) / _HOUR_MS
            late = np.minimum(now, least_soc(full, rate, left_h))
            cheaply = charged(arrived, full, rate, np.clip(cheap_h, 0.0, hours))
            now = np.where(self._smart[rows], np.maximum(cheaply, late), now)
        self._soc[rows] = np.where(here, now, np.nan)
        self._target[rows] = np.where(here, full, np.nan)
        self._report.begin(rows, plugged, (now - arrived) / speed)

    def _free_hours(self, which: NDArray[np.intp], tick: Tick) -> Floats:
        """Return the hours at full power of the devices that charge freely, float64[which]."""
        hours = tick.dt_s / 3600.0
        since_s = (tick.time_ms - self._since[which]) / 1000.0
        below, waves = self._mean_below[which], self._waves[:, which]
        worth = np.minimum(hours_at_full(since_s, tick.dt_s, below, waves), hours)
        return np.where(self._steady[which], hours, worth)
