"""The DER type `water_heater`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
from pydantic import Field

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
    thermal,
)
from gridsim_plugins.ders.water_heater import tank
from gridsim_plugins.ders.water_heater.tapping import PROFILE_KWH, Tapping

_MINUTE_MS = 60_000
# What a run starts from: the last six hours, gone through in coarse steps.
_BEFORE_MS, _COARSE_MS = 21_600_000, 600_000


class WaterHeaterSettings(DerSettings):
    """Settings of the DER type `water_heater`; `nameplate_capacity` is the element's power."""

    volume: Annotated[float, Unit("l")] = Field(
        200.0, ge=10.0, description="water in the tank, taken to be mixed"
    )
    heat_loss: Annotated[float, Unit("W/K")] = Field(
        1.6,
        gt=0.01,
        le=50.0,
        description="standing loss per K above the room; 200 l in the middle of the energy "
        "class C of Regulation (EU) 812/2013 lose 1.6",
    )
    temperature: Annotated[float, Unit("degC")] = Field(
        55.0, ge=40.0, le=90.0, description="temperature at which the thermostat switches off"
    )
    deadband: Annotated[float, Unit("K")] = Field(
        5.0, ge=0.5, le=20.0, description="how far it cools before the thermostat switches on"
    )
    min_temperature: Annotated[float, Unit("degC")] = Field(
        45.0,
        ge=20.0,
        le=90.0,
        description="comfort: below this it heats whatever a setpoint says",
    )
    max_temperature: Annotated[float | None, Unit("degC")] = Field(
        None,
        ge=40.0,
        le=95.0,
        description="how far a setpoint may heat; unset: no further than the thermostat",
    )
    daily_draw_kwh: Annotated[float, Unit("kWh")] = Field(
        PROFILE_KWH,
        ge=0.0,
        le=60.0,
        description="mean heat drawn as hot water in a day: profile S 2.1, M 5.845 (a family), "
        "L 11.655, XL 19.07 of EN 16147",
    )
    cold_temperature: Annotated[float, Unit("degC")] = Field(
        10.0, ge=0.0, le=30.0, description="of the water that comes in"
    )
    room_temperature: Annotated[float, Unit("degC")] = Field(
        20.0, ge=-20.0, le=40.0, description="around the tank"
    )
    managed: bool = Field(
        False, description="whether events and commands may dispatch it within its comfort bounds"
    )


class WaterHeater(Fleet):
    """One mixed tank per device; draws are a function of (seed, device, local day).

    Without a setpoint the thermostat switches the element fully on and off; the power is the
    mean over the tick. A negative setpoint is the power to heat with, up to the maximum
    temperature; zero or a positive one sheds. Under a setpoint the thermostat only guards the
    minimum temperature, with the same deadband above it; a limit holds even then.

    `tank_temperature` is at the start of the tick; `hot_water` is the heat drawn, a mean over
    the tick.
    """

    Settings = WaterHeaterSettings
    reported_type = "water_heater"
    columns = {"tank_temperature": "degC", "hot_water": "kW"}  # noqa: RUF012 - the contract's

    @classmethod
    def stage(cls, settings: Any) -> Stage:
        return "flexible" if settings.managed else "free"

    def __init__(self, members: Members[Any]) -> None:
        super().__init__(members)
        column = members.columns
        self._rated = column["nameplate_capacity"]
        self._capacity = tank.heat_capacity(column["volume"])
        self._ua = column["heat_loss"] / 1000.0
        self._room, self._cold = column["room_temperature"], column["cold_temperature"]
        band = column["deadband"]
        self._off_at = column["temperature"]
        self._on_at = self._off_at - band
        self._least = np.minimum(column["min_temperature"], self._on_at)
        self._least_off = np.minimum(self._least + band, self._off_at)
        most = np.where(
            np.isnan(column["max_temperature"]), self._off_at, column["max_temperature"]
        )
        self._most = np.maximum(most, self._off_at)
        self._per_k: tuple[int, Floats] = (0, self._room)
        self._nothing = np.zeros(len(members))
        phase = members.draws.uniform("water_heater/phase", members.keys)
        self._now = self._on_at + phase * band
        self._heating = np.zeros(len(members), np.bool_)
        nobody = np.full(len(members), np.nan)
        begin = members.start_ms - _BEFORE_MS
        self._tapping = Tapping(members, column["daily_draw_kwh"], begin)
        for at in range(begin, members.start_ms, _COARSE_MS):
            tap = self._tapping.kw(at, at + _COARSE_MS)
            self._advance(tap, nobody, self._rated, _COARSE_MS)
        self._minute = -1
        self._tap = np.zeros(len(members))

    def capability(self, tick: Tick) -> Capability:
        """How much it can heat before it is at its maximum, if nobody draws; it never feeds."""
        per_k = thermal.stiffness(self._ua, self._capacity, tick.dt_s / 3600.0)
        holding = thermal.holding_heat(self._now, self._room, self._ua, self._nothing)
        room = thermal.heat_to_reach(self._now, self._most, holding, per_k)
        least = 0.0 - np.clip(room, 0.0, self._rated)
        need = thermal.heat_to_reach(self._now, self._off_at, holding, per_k)
        heating = self._heating | (self._now <= self._on_at)
        wish = np.where(heating, np.minimum(0.0, np.maximum(0.0 - need, least)), 0.0)
        return Capability(least, np.zeros(len(self.members)), wish)

    def step(self, tick: Tick, orders: Orders) -> Telemetry:
        before = self._now
        most = self._rated
        if orders.min_kw is not None:
            most = np.clip(0.0 - orders.min_kw, 0.0, self._rated)
        power, drawn = np.zeros(len(before)), np.zeros(len(before))
        for at, span in _minutes(tick.time_ms, round(tick.dt_s * 1000)):
            minute = at // _MINUTE_MS
            if minute != self._minute:
                self._tap = self._tapping.kw(minute * _MINUTE_MS, (minute + 1) * _MINUTE_MS)
                self._minute = minute
            heat, out = self._advance(self._tap, orders.setpoint_kw, most, span)
            share = span / (tick.dt_s * 1000.0)
            power += heat * share
            drawn += out * share
        # At most that: a sum's rounding may exceed it in the last bit.
        output = 0.0 - np.minimum(power, most)
        return Telemetry(output, extra={"tank_temperature": before, "hot_water": drawn})

    def _advance(
        self, tap: Floats, setpoint_kw: Floats, max_kw: Floats, span_ms: int
    ) -> tuple[Floats, Floats]:
        """Moves the tanks on; returns the heat of the element and that drawn, mean kW.

        The element heats with `max_kw` at most.
        """
        now = self._now
        per_k = self._stiffness(span_ms)
        out = tank.drawn(tap, now, self._cold)
        # To hold the temperature, the element makes up for what is drawn.
        holding = thermal.holding_heat(now, self._room, self._ua, -out)
        asked = ~np.isnan(setpoint_kw)
        on_at, off_at = self._on_at, self._off_at
        ordered = asked.any()
        if ordered:
            on_at = np.where(asked, self._least, on_at)
            off_at = np.where(asked, self._least_off, off_at)
        heating = self._heating | (now <= on_at)
        need = thermal.heat_to_reach(now, off_at, holding, per_k)
        heat = np.where(heating, np.minimum(np.maximum(need, 0.0), max_kw), 0.0)
        self._heating = heating & (need > max_kw)
        if ordered:
            wish = np.clip(-np.where(asked, setpoint_kw, 0.0), 0.0, max_kw)
            room_for = thermal.heat_to_reach(now, self._most, holding, per_k)
            heat = np.maximum(heat, np.minimum(wish, np.maximum(room_for, 0.0)))
        self._now = thermal.temperature_after(now, heat, holding, per_k)
        return heat, out

    def _stiffness(self, span_ms: int) -> Floats:
        if self._per_k[0] != span_ms:
            per_k = thermal.stiffness(self._ua, self._capacity, span_ms / 3_600_000.0)
            self._per_k = (span_ms, per_k)
        return self._per_k[1]


def _minutes(time_ms: int, length_ms: int) -> Iterator[tuple[int, int]]:
    """The parts of a tick that lie in one UTC minute each: start and length, ms."""
    end = time_ms + length_ms
    while time_ms < end:
        span = min((time_ms // _MINUTE_MS + 1) * _MINUTE_MS, end) - time_ms
        yield time_ms, span
        time_ms += span


@hookimpl
def gridsim_register(register: Register) -> None:
    register.der("water_heater", WaterHeater)
