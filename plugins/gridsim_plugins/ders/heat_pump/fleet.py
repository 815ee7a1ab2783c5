"""The DER type `heat_pump`."""

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
    thermal,
)
from gridsim_plugins.ders.heat_pump import building, performance
from gridsim_plugins.ders.heat_pump.settings import HeatPumpSettings

# The controller aims to be at its setpoint after so long.
_AIM_HOURS = 1.0
_LEAST_APART_K = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class _Conditions:
    """What the pumps meet in a tick, float64[n]."""

    index: int
    room: Floats
    holding: Floats
    """kW that hold the room's temperature."""
    heating_cop: Floats
    cooling_cop: Floats | None


@dataclass(frozen=True, slots=True, eq=False)
class _Action:
    """What the pumps do in a tick."""

    heat: Floats
    """Into the room, kW; negative where it is cooled."""
    drawn: Floats
    """Electric kW, not negative."""
    heating: NDArray[np.bool_]
    """Whose thermostat stays on for heating."""
    cooling: NDArray[np.bool_]


class HeatPump(Fleet):
    """A modulating air-source heat pump per building, which is one thermal mass.

    While it runs it gives what brings the room to its setpoint; where that is below the
    compressor's least power it cycles within the deadband. The power is the mean over the
    tick. A negative setpoint is the electric power to run at while the room is within its
    comfort band; below the least power, zero or positive it sheds. Outside the band the
    thermostat takes over, within the limits that are set. It cools, by setpoint too, where
    that is allowed and the room is nearer to the cooling setpoint.

    `room_temperature` is at the start of the tick; `heat_output` is the heat given to the
    room, negative where it cools.
    """

    Settings = HeatPumpSettings
    reported_type = "heat_pump"
    columns = {"room_temperature": "degC", "heat_output": "kW"}  # noqa: RUF012 - the contract's

    @classmethod
    def stage(cls, settings: Any) -> Stage:
        return "flexible" if settings.managed else "free"

    def __init__(self, members: Members[Any]) -> None:
        super().__init__(members)
        column = members.columns
        self._rated = column["nameplate_capacity"]
        self._least_kw = self._rated * column["min_modulation"] / 100.0
        self._ua = column["heat_loss"] / 1000.0
        self._capacity = column["heat_capacity"]
        self._internal_kw = column["internal_gains"] / 1000.0
        # kW per W/m2.
        self._aperture = column["solar_aperture"] / 1000.0
        self._warm = column["room_temperature"]
        cool = column["cooling_temperature"]
        self._cools = ~np.isnan(cool)
        # Samples of two distributions may come closer than the settings allow.
        self._cool = np.where(self._cools, np.maximum(cool, self._warm + _LEAST_APART_K), np.inf)
        self._any_cools = bool(self._cools.any())
        self._open_at = self._warm + building.WINDOWS_OPEN_K
        self._half = column["deadband"] / 2.0
        self._comfort = column["comfort_band"]
        curves = members.choose(lambda s: performance.HEATING_CURVES[s.emitter], np.float64).T
        self._flow_at_zero, self._flow_slope = curves
        self._factor = column["cop_factor"]
        hours = self._hours = members.tick_ms / 3_600_000.0
        self._per_k = thermal.stiffness(self._ua, self._capacity, hours)
        aim_hours = max(hours, _AIM_HOURS)
        self._aim_per_k = thermal.stiffness(self._ua, self._capacity, aim_hours)
        self._room: Floats | None = None
        self._heating = self._cooling = np.zeros(len(members), np.bool_)
        self._met: _Conditions | None = None

    def capability(self, tick: Tick) -> Capability:
        """How much it can draw within the comfort band; it never feeds."""
        met = self._conditions(tick)
        most = self._heat_up_to(met, self._warm + self._comfort) / met.heating_cop
        if met.cooling_cop is not None:
            down = -self._heat_up_to(met, self._cool_or(met.room) - self._comfort)
            most = np.where(self._prefers_cooling(met), down / met.cooling_cop, most)
        able = np.where(most >= self._least_kw, np.clip(most, 0.0, self._rated), 0.0)
        wish = self._thermostats(met, None, 0.0, self._rated).drawn
        least, most = 0.0 - able, np.zeros(len(self.members))
        return Capability(least, most, np.maximum(0.0 - wish, least))

    def step(self, tick: Tick, orders: Orders) -> Telemetry:
        met = self._conditions(tick)
        slack: Floats | float = 0.0
        wish: Floats | None = None
        most = self._rated
        if orders.min_kw is not None:
            most = np.clip(0.0 - orders.min_kw, 0.0, self._rated)
            # Below its least power the compressor cannot run at all.
            most = np.where(most >= self._least_kw, most, 0.0)
        asked = ~np.isnan(orders.setpoint_kw)
        if asked.any():
            slack = np.where(asked, self._comfort, 0.0)
            wish = np.clip(-np.where(asked, orders.setpoint_kw, 0.0), 0.0, most)
            wish = np.where(wish >= self._least_kw, wish, 0.0)
        does = self._thermostats(met, wish, slack, most)
        self._heating, self._cooling = does.heating, does.cooling
        self._room = thermal.temperature_after(met.room, does.heat, met.holding, self._per_k)
        extra = {"room_temperature": met.room, "heat_output": does.heat}
        return Telemetry(0.0 - does.drawn, extra=extra)

    def _thermostats(
        self, met: _Conditions, wish: Floats | None, slack: Floats | float, most: Floats
    ) -> _Action:
        """What the pumps do, by themselves or towards a wish, with at most `most` kW."""
        heat, heating = self._heat(met, wish, slack, most)
        drawn, cooling = heat / met.heating_cop, self._cooling
        if met.cooling_cop is not None:
            cold, cooling = self._cold(met, met.cooling_cop, wish, slack, most)
            drawn = drawn + cold / met.cooling_cop
            heat = heat - cold
        # At most that: a quotient's rounding may exceed it in the last bit.
        return _Action(heat, np.minimum(drawn, most), heating, cooling)

    def _heat(
        self, met: _Conditions, wish: Floats | None, slack: Floats | float, most: Floats
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """Heat into the room, kW: the thermostat's, or that of the wish where it is more.

        With it, whether the thermostat stays on.
        """
        room, cop = met.room, met.heating_cop
        setpoint = self._warm - slack
        on = self._heating | (room <= setpoint - self._half)
        stop = np.maximum(self._heat_up_to(met, setpoint + self._half), 0.0)
        aim = thermal.heat_to_reach(room, setpoint, met.holding, self._aim_per_k)
        given = np.minimum(np.maximum(aim, self._least_kw * cop), most * cop)
        given = np.where(on, np.minimum(given, stop), 0.0)
        stays = on & (given < stop)
        if wish is None:
            return given, stays
        wish = np.where(self._prefers_cooling(met), 0.0, wish)
        room_for = np.maximum(self._heat_up_to(met, self._warm + self._comfort), 0.0)
        return np.maximum(given, np.minimum(wish * cop, room_for)), stays

    def _cold(
        self,
        met: _Conditions,
        cop: Floats,
        wish: Floats | None,
        slack: Floats | float,
        most: Floats,
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """Heat out of the room, kW, not negative: as for heating, upside down."""
        room, cool = met.room, self._cool_or(met.room)
        setpoint = cool + slack
        on = self._cools & (self._cooling | (room >= setpoint + self._half))
        stop = np.maximum(-self._heat_up_to(met, setpoint - self._half), 0.0)
        aim = -thermal.heat_to_reach(room, setpoint, met.holding, self._aim_per_k)
        given = np.minimum(np.maximum(aim, self._least_kw * cop), most * cop)
        given = np.where(on, np.minimum(given, stop), 0.0)
        stays = on & (given < stop)
        if wish is None:
            return given, stays
        wish = np.where(self._prefers_cooling(met), wish, 0.0)
        room_for = np.maximum(-self._heat_up_to(met, cool - self._comfort), 0.0)
        return np.maximum(given, np.minimum(wish * cop, room_for)), stays

    def _heat_up_to(self, met: _Conditions, target: Floats) -> Floats:
        """The pump's heat that ends the tick at `target`, kW."""
        return thermal.heat_to_reach(met.room, target, met.holding, self._per_k)

    def _prefers_cooling(self, met: _Conditions) -> NDArray[np.bool_]:
        nearer: NDArray[np.bool_] = met.room > 0.5 * (self._warm + self._cool)
        return nearer

    def _cool_or(self, other: Floats) -> Floats:
        """The cooling setpoint, or `other` where there is no cooling."""
        return np.where(self._cools, self._cool, other)

    def _conditions(self, tick: Tick) -> _Conditions:
        if self._met is not None and self._met.index == tick.index:
            return self._met
        sky, site = tick.weather, self.members.site
        outdoor = sky.temperature_c[site]
        flow = self._flow_at_zero + self._flow_slope * outdoor
        heating = performance.heating_cop(outdoor, flow, self._factor)
        cooling = performance.cooling_cop(outdoor, self._factor) if self._any_cools else None
        if self._room is None:
            self._room = self._settled(tick, heating)
        gains = self._internal_kw + self._aperture * sky.ghi[site]
        if (self._room > self._open_at).any():
            gains -= building.window_loss(
                self._room, self._open_at, self._ua, outdoor, self._capacity, self._hours
            )
        holding = thermal.holding_heat(self._room, outdoor, self._ua, gains)
        self._met = _Conditions(tick.index, self._room, holding, heating, cooling)
        return self._met

    def _settled(self, tick: Tick, heating_cop: Floats) -> Floats:
        """The room temperature of a house that has stood there for days."""
        members = self.members
        site, draws, keys = members.site, members.draws, members.keys
        day_c = building.day_mean_temperature(
            tick.weather.temperature_c, members.sites, tick.time_ms
        )
        ghi = building.day_mean_ghi(members.sites, tick.time_ms)
        gains = self._internal_kw + self._aperture * ghi[site]
        rest = building.resting_temperature(day_c[site], gains, self._ua, self._open_at)
        demand = self._ua * (self._warm - rest)
        least = self._least_kw * heating_cop
        u = draws.uniform4("heat_pump/phase", keys)
        # A pump that need not run all the time is somewhere in its cycle.
        cycling = (demand > 0.0) & (demand < least)
        self._heating = (demand > 0.0) & (u[1] * least < demand)
        phase = np.where(cycling, (2.0 * u[0] - 1.0) * self._half, 0.0)
        return np.clip(rest, self._warm + phase, np.maximum(self._cool, self._warm + phase))


@hookimpl
def gridsim_register(register: Register) -> None:
    register.der("heat_pump", HeatPump)
