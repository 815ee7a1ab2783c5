"""The DER type `battery`."""

from __future__ import annotations

from collections.abc import Callable
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
from gridsim_plugins.ders.battery import physics
from gridsim_plugins.ders.battery.losses import System
from gridsim_plugins.ders.battery.response import Response
from gridsim_plugins.ders.battery.settings import BatterySettings
from gridsim_plugins.ders.battery.strategies import (
    BALANCE,
    CHARGE,
    COVER,
    MINUTES_PER_DAY,
    STORE,
    day_plan,
)

_MINUTE_MS = 60_000


class Battery(Fleet):
    """Integrates the state of charge with losses; power is limited near full and reserve.

    A setpoint replaces the strategy; the battery's own limits, those that are set and the
    backup reserve hold for both.
    `capability` is what the power is held to in the tick: a setpoint within it is reached
    after the system's dead time and a few time constants, at once where it has none. The
    output is the mean over the tick; the losses are those at this mean, so that energy adds
    up. At rest, the system draws its standby power from the site, none from the cells.

    A battery that starts below its reserve does not discharge, and charges when its strategy
    would. The state of charge refers to the capacity that is left.
    """

    Settings = BatterySettings
    reported_type = "battery_storage"
    stores = True
    columns = {"state_of_health": "%"}  # noqa: RUF012 - the contract's ClassVar

    @classmethod
    def stage(cls, settings: Any) -> Stage:
        return "flexible"

    def __init__(self, members: Members[Any]) -> None:
        super().__init__(members)
        column = members.columns
        self._rated = column["nameplate_capacity"]
        most = column["charge_power"]
        self._most_charge = np.fmin(self._rated, np.where(np.isnan(most), self._rated, most))
        self._reserve = column["min_soc"] / 100.0
        self._soc = column["initial_soc"] / 100.0
        curves = members.choose(lambda settings: sum(settings.curves, ()), np.float64).T
        self._charging = physics.LossCurve(*curves[0:3])
        # Who has less to charge with than is lost would draw, but never charge.
        arrives = physics.dc_charging(self._most_charge, self._rated, self._charging) > 0.0
        self._most_charge = np.where(arrives, self._most_charge, 0.0)
        last = physics.LAST_CHARGE * self._rated
        last = physics.ac_for_charging(last, self._rated, self._charging)
        self._last_charge = np.minimum(last, self._most_charge)
        self._discharging = physics.LossCurve(*curves[3:6])
        self._cell = self._figure("cell_efficiency", lambda preset: 100.0 * preset.efficiency)
        self._cell /= 100.0
        self._one_way = np.sqrt(self._cell)
        self._standby_full = self._figure("standby_full", lambda preset: preset.standby_full_w)
        self._standby_empty = self._figure("standby_empty", lambda preset: preset.standby_empty_w)
        self._stands_by = bool((self._standby_full + self._standby_empty).any())
        dead = self._figure("dead_time", lambda preset: preset.dead_time_s)
        tau = self._figure("time_constant", lambda preset: preset.time_constant_s)
        self._response: Response | None = None
        if (dead + tau).any():
            self._response = Response(self._rated, dead, tau, members.tick_ms / 1000.0)
        self._new_energy = column["energy_capacity_kwh"]
        life = column["cycle_life"]
        self._fades = not np.isnan(life).all()
        self._life = np.where(np.isnan(life), np.inf, life)
        self._cycles = column["initial_cycles"].copy()
        self._age()
        self._plans = np.array(
            [day_plan(s.strategy, s.charge_windows, s.discharge_windows) for s in members.settings]
        )
        self._mode = np.empty(len(members), np.int8)
        self._mode_minute = -1
        self._all_balance = bool((self._plans == BALANCE).all())
        self._any_windows = bool((self._plans == CHARGE).any())
        self._limits: tuple[int, Capability] | None = None

    def balances(self) -> NDArray[np.bool_]:
        """All but idle batteries take a share in balancing their site."""
        return self.members.choose(lambda settings: settings.strategy != "idle", np.bool_)

    def capability(self, tick: Tick) -> Capability:
        """The limits of power and what the energy allows over the whole tick."""
        able = self._limits_in(tick)
        least, wish = able.min_kw, None
        if self._any_windows:
            charges = self._mode_at(tick.time_ms) == CHARGE
            wish = np.where(charges, np.maximum(-self._most_charge, least), 0.0)
        if self._stands_by:
            least = np.minimum(least, -self._standby())
        return Capability(least, able.max_kw, wish)

    def step(self, tick: Tick, orders: Orders) -> Telemetry:
        able = self._limits_in(tick)
        asked = orders.setpoint_kw
        wanted = np.where(np.isnan(asked), self._own_wish(tick, orders.balance_kw), asked)
        wanted = orders.within(wanted)
        power = np.minimum(np.maximum(wanted, able.min_kw), able.max_kw)
        if self._response is not None:
            power = self._response.follow(power)
            power = np.minimum(np.maximum(power, able.min_kw), able.max_kw)
            self._response.limit(able.min_kw, able.max_kw)
        output = power
        if self._stands_by:
            standby = self._standby()
            rests = (power <= 0.0) & (power >= -standby)
            # Who may draw nothing lives on its cells; that little is not counted.
            output = np.where(rests, self._drawn_at_rest(standby, orders), power)
            power = np.where(rests, 0.0, power)
        charge = physics.dc_charging(np.maximum(-power, 0.0), self._rated, self._charging)
        give = physics.dc_discharging(np.maximum(power, 0.0), self._rated, self._discharging)
        hours = tick.dt_s / 3600.0
        stored = physics.energy_stored(charge, give, hours, self._cell)
        before = self._soc
        # The clip only takes off rounding: the limits hold the energy in bounds.
        self._soc = np.minimum(np.maximum(before + stored / self._energy, 0.0), 1.0)
        told = Telemetry(output, before * 100.0, {"state_of_health": self._health_percent})
        if self._fades:
            self._cycles += np.abs(stored) / (2.0 * self._new_energy)
            self._age()
        return told

    def _limits_in(self, tick: Tick) -> Capability:
        if self._limits is not None and self._limits[0] == tick.index:
            return self._limits[1]
        hours = tick.dt_s / 3600.0
        room, stock = 1.0 - self._soc, np.maximum(self._soc - self._reserve, 0.0)
        room = np.where(room > physics.FULL, room, 0.0)
        charge = self._most_charge * np.minimum(room / physics.CHARGE_TAPER, 1.0)
        charge = np.maximum(charge, self._last_charge)
        discharge = self._rated * np.minimum(stock / physics.DISCHARGE_TAPER, 1.0)
        into = room * self._energy / (hours * self._one_way)
        out = stock * self._energy / hours * self._one_way
        # Only where a tick's energy could bind; the inverse of the loss curve costs time.
        if (into < self._most_charge).any():
            most = physics.ac_for_charging(into, self._rated, self._charging)
            charge = np.minimum(charge, np.where(into < self._most_charge, most, charge))
        # Twice: losses may come on top of the rated power.
        if (out < 2.0 * self._rated).any():
            most = physics.ac_for_discharging(out, self._rated, self._discharging)
            discharge = np.minimum(discharge, np.where(out < 2.0 * self._rated, most, discharge))
        able = Capability(0.0 - charge, discharge)
        self._limits = (tick.index, able)
        return able

    def _drawn_at_rest(self, standby: Floats, orders: Orders) -> Floats:
        if orders.min_kw is None:
            return -standby
        return np.maximum(-standby, np.minimum(orders.min_kw, 0.0))

    def _standby(self) -> Floats:
        draw = physics.standby_kw(self._soc, self._standby_full, self._standby_empty)
        return np.minimum(draw, self._rated)

    def _age(self) -> None:
        health = physics.faded(self._cycles, self._life)
        self._energy = self._new_energy * health
        self._health_percent = health * 100.0

    def _figure(self, name: str, of: Callable[[System], float]) -> Floats:
        """A setting where it is given, else the measured system's, float64[n]."""
        given = self.members.columns[name]
        preset = self.members.choose(lambda settings: of(settings.preset), np.float64)
        return np.where(np.isnan(given), preset, given)

    def _own_wish(self, tick: Tick, balance_kw: Floats) -> Floats:
        if self._all_balance:
            return balance_kw
        mode = self._mode_at(tick.time_ms)
        wish = np.where(mode == BALANCE, balance_kw, 0.0)
        wish = np.where(mode == CHARGE, -self._most_charge, wish)
        wish = np.where(mode == COVER, np.maximum(balance_kw, 0.0), wish)
        return np.where(mode == STORE, np.minimum(balance_kw, 0.0), wish)

    def _mode_at(self, time_ms: int) -> NDArray[np.int8]:
        """What each battery's plan says; zones are whole minutes apart, so once a minute."""
        minute = time_ms // _MINUTE_MS
        if minute != self._mode_minute:
            local = self.members.sites.local_ms(time_ms)[self.members.site]
            of_day = local // _MINUTE_MS % MINUTES_PER_DAY
            self._mode = self._plans[self.members.stanza, of_day]
            self._mode_minute = minute
        return self._mode


@hookimpl
def gridsim_register(register: Register) -> None:
    register.der("battery", Battery)
