"""The DER type `battery`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gridsim.api import (
    Capability,
    Fleet,
    Floats,
    GridSupport,
    Members,
    Orders,
    Stage,
    Telemetry,
    Tick,
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
# The range of the random initial charge, as a share of the capacity above the reserve.
_LEAST_DRAWN, _DRAWN_RANGE = 0.3, 0.3
# Operating states of SunSpec model 103, `St`.
_RUNNING, _STANDBY = 4.0, 8.0


class Battery(Fleet[BatterySettings]):
    """Batteries with losses, whose power is reduced near full and near the reserve.

    A setpoint replaces the strategy. The limits of the battery, external limits and the backup
    reserve hold for both. The strategy follows the site's meter after a dead time and a few time
    constants, so that the grid sees each change of the load for a moment. Setpoints within
    `capability` and charge windows have the same lag if it is set, or if that of a measured system
    is used. The output is the mean over the tick; the losses are those at this mean, so that the
    energy balance holds. At rest, the system draws its standby power from the site, not from the
    cells.

    A battery that starts below its reserve does not discharge; it charges when its strategy
    charges. The state of charge refers to the remaining capacity.
    """

    Settings = BatterySettings
    reported_type = "battery_storage"
    stores = True
    kept = ("_soc", "_cycles", "_energy", "_health_percent", "_response", "_support")
    columns = {"state_of_health": "%"}  # noqa: RUF012 - the contract's ClassVar
    measurands = ("state", "dc_power_kw", "energy_available_kwh")

    @classmethod
    def stage(cls, settings: BatterySettings) -> Stage:
        return "flexible"

    def __init__(self, members: Members[BatterySettings]) -> None:
        super().__init__(members)
        column = members.columns
        self._rated = column["nameplate_capacity"]
        charge = column["charge_power"]
        self._max_charge = np.fmin(self._rated, np.where(np.isnan(charge), self._rated, charge))
        self._support = GridSupport.of(members)
        self._reserve = column["min_soc"] / 100.0
        u = members.draws.uniform("battery/initial_soc", members.keys)
        drawn = self._reserve + (1.0 - self._reserve) * (_LEAST_DRAWN + _DRAWN_RANGE * u)
        initial = column["initial_soc"] / 100.0
        self._soc = np.where(np.isnan(initial), drawn, initial)
        curves = members.choose(lambda settings: sum(settings.curves, ()), np.float64).T
        self._charging = physics.LossCurve(*curves[0:3])
        # Where the charge limit is below the conversion loss, the battery would draw power
        # without storing any: treat it as unable to charge.
        arrives = physics.dc_charging(self._max_charge, self._rated, self._charging) > 0.0
        self._max_charge = np.where(arrives, self._max_charge, 0.0)
        last = physics.LAST_CHARGE * self._rated
        last = physics.ac_for_charging(last, self._rated, self._charging)
        self._last_charge = np.minimum(last, self._max_charge)
        self._discharging = physics.LossCurve(*curves[3:6])
        self._cell = self._figure("cell_efficiency", lambda preset: 100.0 * preset.efficiency)
        self._cell /= 100.0
        self._one_way = np.sqrt(self._cell)
        self._standby_full = self._figure("standby_full", lambda preset: preset.standby_full_w)
        self._standby_empty = self._figure("standby_empty", lambda preset: preset.standby_empty_w)
        self._has_standby = bool((self._standby_full + self._standby_empty).any())
        dead = self._figure("dead_time", lambda preset: preset.dead_time_s)
        tau = self._figure("time_constant", lambda preset: preset.time_constant_s)
        self._response: Response | None = None
        if (dead + tau).any():
            self._response = Response(self._rated, dead, tau, members.tick_ms / 1000.0)
        given = ~(np.isnan(column["dead_time"]) & np.isnan(column["time_constant"]))
        lags = members.choose(lambda settings: settings.preset.lags_setpoints, np.bool_)
        self._lags_by_meter_alone = ~(given | lags)
        self._any_lags_by_meter_alone = bool(self._lags_by_meter_alone.any())
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
        """Return true for all batteries but those with the strategy `idle`."""
        return self.members.choose(lambda settings: settings.strategy != "idle", np.bool_)

    @classmethod
    def excludes(cls, settings: BatterySettings) -> tuple[str, ...]:
        return settings.exclude

    def capability(self, tick: Tick) -> Capability:
        """Return the power that the limits and the stored energy allow over the whole tick."""
        limits = self._limits_in(tick)
        min_kw, preferred = limits.min_kw, None
        if self._any_windows:
            charges = self._mode_at(tick.time_ms) == CHARGE
            preferred = np.where(charges, np.maximum(-self._max_charge, min_kw), 0.0)
        if self._has_standby:
            min_kw = np.minimum(min_kw, -self._standby())
        return Capability(min_kw, limits.max_kw, preferred)

    def step(self, tick: Tick, orders: Orders) -> Telemetry:
        limits = self._limits_in(tick)
        setpoint = orders.setpoint_kw
        target = np.where(np.isnan(setpoint), self._by_strategy(tick, orders.balance_kw), setpoint)
        target = orders.within(target)
        power = np.minimum(np.maximum(target, limits.min_kw), limits.max_kw)
        if self._response is not None:
            power = self._response.follow(power, self._at_once(tick, orders))
            power = np.minimum(np.maximum(power, limits.min_kw), limits.max_kw)
            self._response.limit(limits.min_kw, limits.max_kw)
        reactive = None
        if self._support is not None:
            power, reactive = self._support.apply(
                tick, power, orders.within(limits.min_kw), orders.within(limits.max_kw)
            )
        output = power
        if self._has_standby:
            standby = self._standby()
            rests = (power <= 0.0) & (power >= -standby)
            # With import limited to 0, standby power comes from the cells; it is neglected.
            output = np.where(rests, self._drawn_at_rest(standby, orders), power)
            power = np.where(rests, 0.0, power)
        charge = physics.dc_charging(np.maximum(-power, 0.0), self._rated, self._charging)
        give = physics.dc_discharging(np.maximum(power, 0.0), self._rated, self._discharging)
        hours = tick.dt_s / 3600.0
        stored = physics.energy_stored(charge, give, hours, self._cell)
        before = self._soc
        # The limits keep the energy within bounds; clip rounding errors only.
        self._soc = np.minimum(np.maximum(before + stored / self._energy, 0.0), 1.0)
        extra = {"state_of_health": self._health_percent}
        if "energy_available_kwh" in self.members.wanted:
            extra["energy_available_kwh"] = before * self._energy
        if "dc_power_kw" in self.members.wanted:
            extra["dc_power_kw"] = give - charge
        if "state" in self.members.wanted:
            extra["state"] = np.where(power != 0.0, _RUNNING, _STANDBY)
        telemetry = Telemetry(output, before * 100.0, extra, reactive)
        if self._fades:
            self._cycles += np.abs(stored) / (2.0 * self._new_energy)
            self._age()
        return telemetry

    def _at_once(self, tick: Tick, orders: Orders) -> NDArray[np.bool_] | None:
        """Return which batteries reach their target without a lag, bool[n]; None: none does. These
        are the batteries whose target does not come from the site's meter.
        """
        if not self._any_lags_by_meter_alone:
            return None
        known = ~np.isnan(orders.setpoint_kw)
        if orders.min_kw is not None:
            known |= np.isfinite(orders.min_kw)
        if orders.max_kw is not None:
            known |= np.isfinite(orders.max_kw)
        if not self._all_balance:
            known |= ~np.isin(self._mode_at(tick.time_ms), (BALANCE, COVER, STORE))
        at_once: NDArray[np.bool_] = known & self._lags_by_meter_alone
        return at_once

    def _limits_in(self, tick: Tick) -> Capability:
        if self._limits is not None and self._limits[0] == tick.index:
            return self._limits[1]
        hours = tick.dt_s / 3600.0
        room, stock = 1.0 - self._soc, np.maximum(self._soc - self._reserve, 0.0)
        room = np.where(room > physics.FULL, room, 0.0)
        charge = self._max_charge * np.minimum(room / physics.CHARGE_TAPER, 1.0)
        charge = np.maximum(charge, self._last_charge)
        discharge = self._rated * np.minimum(stock / physics.DISCHARGE_TAPER, 1.0)
        into = room * self._energy / (hours * self._one_way)
        out = stock * self._energy / hours * self._one_way
        # Only where the energy of the tick could bind: inverting the loss curve is slow.
        if (into < self._max_charge).any():
            allowed = physics.ac_for_charging(into, self._rated, self._charging)
            charge = np.minimum(charge, np.where(into < self._max_charge, allowed, charge))
        # Twice the rated power, because losses add to it.
        if (out < 2.0 * self._rated).any():
            allowed = physics.ac_for_discharging(out, self._rated, self._discharging)
            discharge = np.minimum(discharge, np.where(out < 2.0 * self._rated, allowed, discharge))
        limits = Capability(0.0 - charge, discharge)
        self._limits = (tick.index, limits)
        return limits

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
        """Return a setting, or the value of the measured system where it is unset, float64[n]."""
        given = self.members.columns[name]
        preset = self.members.choose(lambda settings: of(settings.preset), np.float64)
        return np.where(np.isnan(given), preset, given)

    def _by_strategy(self, tick: Tick, balance_kw: Floats) -> Floats:
        if self._all_balance:
            return balance_kw
        mode = self._mode_at(tick.time_ms)
        power = np.where(mode == BALANCE, balance_kw, 0.0)
        power = np.where(mode == CHARGE, -self._max_charge, power)
        power = np.where(mode == COVER, np.maximum(balance_kw, 0.0), power)
        return np.where(mode == STORE, np.minimum(balance_kw, 0.0), power)

    def _mode_at(self, time_ms: int) -> NDArray[np.int8]:
        """Return the mode in the plan of each battery, which changes at whole minutes only."""
        minute = time_ms // _MINUTE_MS
        if minute != self._mode_minute:
            local = self.members.sites.local_ms(time_ms)[self.members.site]
            of_day = local // _MINUTE_MS % MINUTES_PER_DAY
            self._mode = self._plans[self.members.stanza, of_day]
            self._mode_minute = minute
        return self._mode
