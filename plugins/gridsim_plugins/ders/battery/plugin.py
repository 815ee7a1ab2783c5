"""The DER type `battery`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from gridsim.api import (
    Capability,
    DerSettings,
    Fleet,
    Floats,
    Members,
    Orders,
    Register,
    Stage,
    Telemetry,
    Tick,
    Unit,
    hookimpl,
)
from gridsim_plugins.ders.battery import physics
from gridsim_plugins.ders.battery.strategies import (
    BALANCE,
    CHARGE,
    COVER,
    MINUTES_PER_DAY,
    STORE,
    day_plan,
    parse_window,
)

_MINUTE_MS = 60_000
# Charging a, b, c, discharging a, b, c, round trip of the battery itself.
_PRESETS = {
    "generic": (0.0355, -0.0031, 0.0182, 0.0376, -0.0036, 0.0193, 0.95),
    "siemens_junelight": (0.0302, 0.0098, 0.0100, 0.0431, 0.0065, 0.0107, 0.9687),
    "ideal": (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0),
}


class BatterySettings(DerSettings):
    """Settings of the DER type `battery`; `nameplate_capacity` is the rated AC power."""

    energy_capacity_kwh: Annotated[float, Unit("kWh")] = Field(
        13.5, gt=0.0, description="usable energy between 0 and 100 % state of charge"
    )
    charge_power: Annotated[float | None, Unit("kW")] = Field(
        None, gt=0.0, description="most AC power to charge with; unset: the nameplate capacity"
    )
    initial_soc: Annotated[float, Unit("%")] = Field(
        50.0, ge=0.0, le=100.0, description="state of charge at the start"
    )
    min_soc: Annotated[float, Unit("%")] = Field(
        10.0,
        ge=0.0,
        le=100.0,
        description="backup reserve: never discharged below, not by a setpoint either",
    )
    losses: Literal["generic", "siemens_junelight", "ideal"] = Field(
        "generic",
        description="measured loss curve: generic AC-coupled, Siemens Junelight, or none",
    )
    strategy: Literal["self_consumption", "idle", "time_of_use"] = Field(
        "self_consumption",
        description="without a setpoint: bring the site's net consumption to zero; nothing; or "
        "charge in the charge windows, cover the site's consumption in the discharge windows, "
        "and store the site's surplus in between",
    )
    charge_windows: tuple[str, ...] = Field(
        ("00:00-06:00",), description="for time_of_use, by the site's clock: HH:MM-HH:MM"
    )
    discharge_windows: tuple[str, ...] = Field(
        ("16:00-21:00",),
        description="for time_of_use, by the site's clock; they go before charge windows",
    )

    @field_validator("charge_windows", "discharge_windows")
    @classmethod
    def _windows_are_times(cls, windows: tuple[str, ...]) -> tuple[str, ...]:
        for window in windows:
            parse_window(window)
        return windows


class Battery(Fleet):
    """Integrates the state of charge with losses; power is limited near full and reserve.

    A setpoint replaces the strategy; the limits and the backup reserve hold for both, so that
    what `capability` promises is what a setpoint gets. A battery that starts below its
    reserve does not discharge, and charges when its strategy would.
    """

    Settings = BatterySettings
    reported_type = "battery_storage"

    @classmethod
    def stage(cls, settings: Any) -> Stage:
        return "flexible"

    def __init__(self, members: Members[Any]) -> None:
        super().__init__(members)
        column = members.columns
        self._rated = column["nameplate_capacity"]
        most = column["charge_power"]
        self._most_charge = np.fmin(self._rated, np.where(np.isnan(most), self._rated, most))
        self._energy = column["energy_capacity_kwh"]
        self._reserve = column["min_soc"] / 100.0
        self._soc = column["initial_soc"] / 100.0
        curves = members.choose(lambda settings: _PRESETS[settings.losses], np.float64).T
        self._charging = physics.LossCurve(*curves[0:3])
        self._discharging = physics.LossCurve(*curves[3:6])
        self._cell = curves[6]
        self._one_way = np.sqrt(self._cell)
        plans = [
            day_plan(s.strategy, s.charge_windows, s.discharge_windows) for s in members.settings
        ]
        self._plans = np.array(plans)
        self._mode = np.empty(len(members), np.int8)
        self._mode_minute = -1
        self._all_balance = bool((self._plans[members.stanza] == BALANCE).all())
        self._able: tuple[int, Capability] | None = None

    def balances(self) -> NDArray[np.bool_]:
        """All but idle batteries take a share in balancing their site."""
        return self.members.choose(lambda settings: settings.strategy != "idle", np.bool_)

    def capability(self, tick: Tick) -> Capability:
        """The limits of power and what the energy allows over the whole tick."""
        if self._able is not None and self._able[0] == tick.index:
            return self._able[1]
        hours = tick.dt_s / 3600.0
        room, stock = 1.0 - self._soc, np.maximum(self._soc - self._reserve, 0.0)
        charge = self._most_charge * np.minimum(room / physics.CHARGE_TAPER, 1.0)
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
        self._able = (tick.index, able)
        return able

    def step(self, tick: Tick, orders: Orders) -> Telemetry:
        able = self.capability(tick)
        asked = orders.setpoint_kw
        wanted = np.where(np.isnan(asked), self._own_wish(tick, orders.balance_kw), asked)
        power = np.minimum(np.maximum(wanted, able.min_kw), able.max_kw)
        charge = physics.dc_charging(np.maximum(-power, 0.0), self._rated, self._charging)
        give = physics.dc_discharging(np.maximum(power, 0.0), self._rated, self._discharging)
        stored = physics.energy_stored(charge, give, tick.dt_s / 3600.0, self._cell)
        before = self._soc
        # The clip only takes off rounding: the capability holds the energy in bounds.
        self._soc = np.minimum(np.maximum(before + stored / self._energy, 0.0), 1.0)
        return Telemetry(power, before * 100.0)

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
