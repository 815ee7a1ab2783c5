"""The DER type `water_heater`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gridsim.api import Capability, Floats, Managed, Members, Orders, Telemetry, Tick
from gridsim.helpers import thermal
from gridsim.helpers.tapping import Tapping
from gridsim_plugins.ders.water_heater import physics
from gridsim_plugins.ders.water_heater.settings import WaterHeaterSettings

_MINUTE_MS = 60_000
# The initial state is the state after six hours of operation, simulated in coarse steps.
_WARM_UP_MS, _WARM_UP_STEP_MS = 21_600_000, 600_000


class WaterHeater(Managed[WaterHeaterSettings]):
    """Mixed tanks, one per device; draws are a function of (seed, device, local day).

    Without a setpoint the thermostat switches the element fully on and off; the power is the
    mean over the tick. A negative setpoint is the heating power, until the maximum temperature
    is reached; a setpoint of zero or above sheds. Under a setpoint the thermostat only keeps
    the minimum temperature, with the same deadband above it. A limit holds even then.

    `tank_temperature` is at the start of the tick; `hot_water` is the heat drawn, mean over
    the tick.
    """

    Settings = WaterHeaterSettings
    reported_type = "water_heater"
    consumes = True
    kept = ("_now", "_heating")
    columns = {"tank_temperature": "degC", "hot_water": "kW"}  # noqa: RUF012 - the contract's

    def __init__(self, members: Members[WaterHeaterSettings]) -> None:
        super().__init__(members)
        column = members.columns
        self._rated = column["nameplate_capacity"]
        self._capacity = physics.heat_capacity(column["volume"])
        self._ua = column["heat_loss"] / 1000.0
        self._room, self._cold = column["room_temperature"], column["cold_temperature"]
        band = column["deadband"]
        self._off_at = column["temperature"]
        self._on_at = self._off_at - band
        self._min = np.minimum(column["min_temperature"], self._on_at)
        self._min_off = np.minimum(self._min + band, self._off_at)
        highest = np.where(
            np.isnan(column["max_temperature"]), self._off_at, column["max_temperature"]
        )
        self._max = np.maximum(highest, self._off_at)
        self._per_k: tuple[int, Floats] = (0, self._room)
        self._no_gains = np.zeros(len(members))
        phase = members.draws.uniform("water_heater/phase", members.keys)
        self._now = self._on_at + phase * band
        self._heating = np.zeros(len(members), np.bool_)
        no_setpoint = np.full(len(members), np.nan)
        begin = members.start_ms - _WARM_UP_MS
        self._tapping = Tapping(
            members.draws,
            members.keys,
            lambda time_ms: members.sites.local_ms(time_ms)[members.site],
            members.choose(lambda settings: settings.profile, object).tolist(),
            column["daily_draw_kwh"],
            column["draw_variation"],
            begin,
            purpose="water_heater",
        )
        for at in range(begin, members.start_ms, _WARM_UP_STEP_MS):
            tap = self._tapping.kw(at, at + _WARM_UP_STEP_MS)
            self._advance(tap, no_setpoint, self._rated, _WARM_UP_STEP_MS)
        self._minute = -1
        self._tap = np.zeros(len(members))

    def capability(self, tick: Tick) -> Capability:
        """Return the power that heats up to the maximum, without draws; it never exports."""
        per_k = thermal.stiffness(self._ua, self._capacity, tick.dt_s / 3600.0)
        holding = thermal.holding_heat(self._now, self._room, self._ua, self._no_gains)
        room = thermal.heat_to_reach(self._now, self._max, holding, per_k)
        min_kw = 0.0 - np.clip(room, 0.0, self._rated)
        need = thermal.heat_to_reach(self._now, self._off_at, holding, per_k)
        heating = self._heating | (self._now <= self._on_at)
        preferred = np.where(heating, np.minimum(0.0, np.maximum(0.0 - need, min_kw)), 0.0)
        return Capability(min_kw, np.zeros(len(self.members)), preferred)

    def step(self, tick: Tick, orders: Orders) -> Telemetry:
        before = self._now
        max_draw = self._rated
        if orders.min_kw is not None:
            max_draw = np.clip(0.0 - orders.min_kw, 0.0, self._rated)
        power, drawn = np.zeros(len(before)), np.zeros(len(before))
        for at, span in _minutes(tick.time_ms, round(tick.dt_s * 1000)):
            minute = at // _MINUTE_MS
            if minute != self._minute:
                self._tap = self._tapping.kw(minute * _MINUTE_MS, (minute + 1) * _MINUTE_MS)
                self._minute = minute
            heat, out = self._advance(self._tap, orders.setpoint_kw, max_draw, span)
            share = span / (tick.dt_s * 1000.0)
            power += heat * share
            drawn += out * share
        # Cap at the limit: rounding of the sum could exceed it in the last bit.
        output = 0.0 - np.minimum(power, max_draw)
        return Telemetry(output, extra={"tank_temperature": before, "hot_water": drawn})

    def _advance(
        self, tap: Floats, setpoint_kw: Floats, max_kw: Floats, span_ms: int
    ) -> tuple[Floats, Floats]:
        """Advance the tanks; return the heat of the element and the heat drawn, mean kW.

        The element heats with at most `max_kw`.
        """
        now = self._now
        per_k = self._stiffness(span_ms)
        out = physics.drawn(tap, now, self._cold)
        # The heat that holds the temperature includes the heat drawn.
        holding = thermal.holding_heat(now, self._room, self._ua, -out)
        has_setpoint = ~np.isnan(setpoint_kw)
        on_at, off_at = self._on_at, self._off_at
        any_setpoint = has_setpoint.any()
        if any_setpoint:
            on_at = np.where(has_setpoint, self._min, on_at)
            off_at = np.where(has_setpoint, self._min_off, off_at)
        heating = self._heating | (now <= on_at)
        need = thermal.heat_to_reach(now, off_at, holding, per_k)
        heat = np.where(heating, np.minimum(np.maximum(need, 0.0), max_kw), 0.0)
        self._heating = heating & (need > max_kw)
        if any_setpoint:
            target = np.clip(-np.where(has_setpoint, setpoint_kw, 0.0), 0.0, max_kw)
            to_max = thermal.heat_to_reach(now, self._max, holding, per_k)
            heat = np.maximum(heat, np.minimum(target, np.maximum(to_max, 0.0)))
        self._now = thermal.temperature_after(now, heat, holding, per_k)
        return heat, out

    def _stiffness(self, span_ms: int) -> Floats:
        if self._per_k[0] != span_ms:
            per_k = thermal.stiffness(self._ua, self._capacity, span_ms / 3_600_000.0)
            self._per_k = (span_ms, per_k)
        return self._per_k[1]


def _minutes(time_ms: int, length_ms: int) -> Iterator[tuple[int, int]]:
    """Yield the parts of a tick, each within one UTC minute: (start, length), ms."""
    end = time_ms + length_ms
    while time_ms < end:
        span = min((time_ms // _MINUTE_MS + 1) * _MINUTE_MS, end) - time_ms
        yield time_ms, span
        time_ms += span
