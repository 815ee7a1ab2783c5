"""The DER type `heat_pump`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Capability, Floats, Managed, Members, Orders, Telemetry, Tick
from gridsim_plugins.ders.heat_pump import defrost, physics
from gridsim_plugins.ders.heat_pump.buildings import Buildings
from gridsim_plugins.ders.heat_pump.hot_water import FLOW_C, HotWater
from gridsim_plugins.ders.heat_pump.settings import HeatPumpSettings


@dataclass(frozen=True, slots=True, eq=False)
class _Conditions:
    """The conditions of the heat pumps in a tick, float64[n]."""

    index: int
    room: Floats
    holding: Floats
    """The heat that holds the room temperature, kW."""
    heating_cop: Floats
    cooling_cop: Floats | None
    warm: Floats
    """The heating setpoint."""
    backup: Floats
    """The power of the backup heater where it may run, kW."""
    frosting: Floats
    """The share of the operation that is defrosting."""
    cycles: Floats
    """The defrosts in a tick of operation."""
    outdoor: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Action:
    """The operation of the heat pumps in a tick, [n]."""

    heat: Floats
    """The heat into the room, kW; negative for cooling."""
    drawn: Floats
    """The electric power, kW, not negative."""
    heating: NDArray[np.bool_]
    """True where the thermostat stays on for heating."""
    cooling: NDArray[np.bool_]


class HeatPump(Managed[HeatPumpSettings]):
    """Modulating air-source heat pumps, each in a building with one thermal mass.

    A running heat pump delivers the heat that brings the room to its setpoint. Where that is below
    the minimum power of the compressor, it cycles within the deadband. The power is the mean over
    the tick. A negative setpoint is the electric power while the room is within its comfort band; a
    setpoint that is zero, positive or below the minimum power sheds. Outside the comfort band the
    thermostat takes over, within the limits. With a cooling setpoint, the pump cools while the room
    is nearer to that setpoint, also under a power setpoint.

    `room_temperature` is at the start of the tick; `heat_output` is the heat delivered to the
    room, negative for cooling. Without a setpoint, a pump stops heating while its outdoor unit is
    defrosted, and while it charges the hot water tank; under a setpoint both wait.
    """

    Settings = HeatPumpSettings
    reported_type = "heat_pump"
    consumes = True
    power_factor = 0.95
    kept = ("_room", "_heating", "_cooling", "_frost", "_water")
    columns = {"room_temperature": "degC", "heat_output": "kW"}  # noqa: RUF012 - the contract's

    def __init__(self, members: Members[HeatPumpSettings]) -> None:
        super().__init__(members)
        column = members.columns
        self._rated = column["nameplate_capacity"]
        self._backup = np.minimum(column["backup_heater"], 0.9 * self._rated)
        self._compressor = self._rated - self._backup
        self._bivalence = column["bivalence_temperature"]
        self._min_kw = self._compressor * column["min_modulation"] / 100.0
        self._defrosts = members.choose(lambda settings: settings.defrost, np.bool_)
        self._frost = members.draws.uniform("heat_pump/frost", members.keys)
        self._water = HotWater(members) if (column["hot_water_kwh"] > 0.0).any() else None
        self._buildings = Buildings(members)
        self._any_cools = bool(self._buildings.cools.any())
        curves = members.choose(lambda s: physics.HEATING_CURVES[s.emitter], np.float64).T
        self._flow_at_zero, self._flow_slope = curves
        self._factor = column["cop_factor"]
        self._hours = members.tick_ms / 3_600_000.0
        self._room: Floats | None = None
        self._heating = self._cooling = np.zeros(len(members), np.bool_)
        self._latest: _Conditions | None = None

    def capability(self, tick: Tick) -> Capability:
        """Return the power it can draw within the comfort band; it never exports."""
        now, own = self._conditions(tick), self._buildings
        highest = self._drawn(now, self._heat_up_to(now, now.warm + own.comfort))
        if now.cooling_cop is not None:
            down = -self._heat_up_to(now, own.cool_or(now.room) - own.comfort)
            cools = own.prefers_cooling(now.room, now.warm)
            highest = np.where(cools, down / now.cooling_cop, highest)
        most = self._compressor + now.backup
        possible = np.where(highest >= self._min_kw, np.clip(highest, 0.0, most), 0.0)
        asked, room_draw = np.zeros(len(possible), np.bool_), self._rated
        water_draw: Floats | float = 0.0
        if self._water is not None:
            water_draw = self._tank_draw(now, self._water.owed(), self._rated, asked)
            room_draw = self._left_of(self._rated, water_draw)
        action = self._thermostats(now, None, 0.0, room_draw)
        preferred = self._defrosted(now, action, asked, advance=False)[1] + water_draw
        min_kw = 0.0 - possible
        return Capability(min_kw, np.zeros(len(preferred)), np.maximum(0.0 - preferred, min_kw))

    def step(self, tick: Tick, orders: Orders) -> Telemetry:
        now = self._conditions(tick)
        slack: Floats | float = 0.0
        target: Floats | None = None
        max_draw = self._rated
        if orders.min_kw is not None:
            max_draw = np.clip(0.0 - orders.min_kw, 0.0, self._rated)
            # The compressor cannot run below its minimum power.
            max_draw = np.where(max_draw >= self._min_kw, max_draw, 0.0)
        has_setpoint = ~np.isnan(orders.setpoint_kw)
        if has_setpoint.any():
            slack = np.where(has_setpoint, self._buildings.comfort, 0.0)
            target = np.clip(-np.where(has_setpoint, orders.setpoint_kw, 0.0), 0.0, max_draw)
            target = np.where(target >= self._min_kw, target, 0.0)
        room_draw, water_draw = max_draw, None
        if self._water is not None:
            self._water.tap(tick.time_ms, tick.time_ms + self.members.tick_ms)
            water_draw = self._tank_draw(now, self._water.owed(), max_draw, has_setpoint)
            self._water.serve(water_draw * self._tank_cop(now) * self._hours)
            room_draw = self._left_of(max_draw, water_draw)
        action = self._thermostats(now, target, slack, room_draw)
        heat, drawn = self._defrosted(now, action, has_setpoint)
        self._heating, self._cooling = action.heating, action.cooling
        self._room = self._buildings.after(now.room, heat, now.holding)
        extra = {"room_temperature": now.room, "heat_output": heat}
        if water_draw is not None:
            drawn = np.minimum(drawn + water_draw, max_draw)
        return Telemetry(0.0 - drawn, extra=extra)

    def _tank_draw(
        self, now: _Conditions, owed: Floats, max_draw: Floats, has_setpoint: NDArray[np.bool_]
    ) -> Floats:
        """Return the mean power that serves the hot water tanks, kW; `owed` is in kWh."""
        most = np.where(has_setpoint, 0.0, np.minimum(max_draw, self._compressor))
        return np.minimum(owed / (self._tank_cop(now) * self._hours), most)

    def _left_of(self, max_draw: Floats, water_draw: Floats) -> Floats:
        """Return the mean power that is left for the room, kW: the compressor's share, if any."""
        left = np.maximum(np.minimum(max_draw, self._compressor) - water_draw, 0.0)
        return np.where(water_draw > 0.0, left, max_draw)

    def _tank_cop(self, now: _Conditions) -> Floats:
        return physics.heating_cop(now.outdoor, np.full_like(now.outdoor, FLOW_C), self._factor)

    def _defrosted(
        self,
        now: _Conditions,
        action: _Action,
        has_setpoint: NDArray[np.bool_],
        *,
        advance: bool = True,
    ) -> tuple[Floats, Floats]:
        """Return heat and power of a tick with its defrosts; with `advance`, let the frost grow."""
        runs = (action.heat > 0.0) & (now.cycles > 0.0)
        if not runs.any():
            return action.heat, action.drawn
        # A pump that cycles within the tick runs for a part of it.
        part = np.minimum(action.drawn / np.maximum(self._min_kw, 1e-9), 1.0)
        cycles = np.where(runs, now.cycles * part, 0.0)
        waits = runs & has_setpoint
        share = defrost.defrosting(self._frost, np.where(waits, 0.0, cycles), now.frosting)
        if advance:
            # A setpoint postpones the defrost, and the frost stops growing when it is due.
            due = np.minimum(self._frost + cycles, np.maximum(1.0 - now.frosting, self._frost))
            self._frost = np.where(waits, due, self._frost + cycles) % 1.0
        heat = np.where(runs, action.heat * (1.0 - share), action.heat)
        drawn = np.where(runs, action.drawn * (1.0 - share * (1.0 - defrost.POWER)), action.drawn)
        return heat, drawn

    def _drawn(self, now: _Conditions, heat: Floats) -> Floats:
        """Return the power for a heat, kW: of the compressor, then of the backup heater."""
        most = self._compressor * now.heating_cop
        return np.minimum(heat, most) / now.heating_cop + np.maximum(heat - most, 0.0)

    def _heat_of(self, now: _Conditions, drawn: Floats) -> Floats:
        """Return the highest heat for a power, kW; the inverse of `_drawn`."""
        backup = np.clip(drawn - self._compressor, 0.0, now.backup)
        return np.minimum(drawn, self._compressor) * now.heating_cop + backup

    def _thermostats(
        self, now: _Conditions, target: Floats | None, slack: Floats | float, max_draw: Floats
    ) -> _Action:
        """Return the operation by thermostat, or towards `target` kW; draws at most `max_draw`."""
        heat, heating = self._heat(now, target, slack, max_draw)
        drawn, cooling = self._drawn(now, heat), self._cooling
        if now.cooling_cop is not None:
            cold, cooling = self._cold(now, now.cooling_cop, target, slack, max_draw)
            drawn = drawn + cold / now.cooling_cop
            heat = heat - cold
        # Cap at the limit: rounding of the quotient could exceed it in the last bit.
        return _Action(heat, np.minimum(drawn, max_draw), heating, cooling)

    def _heat(
        self, now: _Conditions, target: Floats | None, slack: Floats | float, max_draw: Floats
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """Return the heat into the room, kW, and a mask of the thermostats that stay on. The heat
        is the thermostat's, or `target` where that is more.
        """
        room, cop = now.room, now.heating_cop
        setpoint = now.warm - slack
        on = self._heating | (room <= setpoint - self._buildings.half)
        stop = np.maximum(self._heat_up_to(now, setpoint + self._buildings.half), 0.0)
        aim = self._buildings.aim(room, setpoint, now.holding)
        given = np.minimum(np.maximum(aim, self._min_kw * cop), self._heat_of(now, max_draw))
        given = np.where(on, np.minimum(given, stop), 0.0)
        stays = on & (given < stop)
        if target is None:
            return given, stays
        target = np.where(self._buildings.prefers_cooling(now.room, now.warm), 0.0, target)
        to_limit = np.maximum(self._heat_up_to(now, now.warm + self._buildings.comfort), 0.0)
        return np.maximum(given, np.minimum(self._heat_of(now, target), to_limit)), stays

    def _cold(
        self,
        now: _Conditions,
        cop: Floats,
        target: Floats | None,
        slack: Floats | float,
        max_draw: Floats,
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """Return the heat out of the room, kW, not negative; the mirror image of `_heat`."""
        room, cool = now.room, self._buildings.cool_or(now.room)
        max_draw = np.minimum(max_draw, self._compressor)
        setpoint = cool + slack
        on = self._buildings.cools & (self._cooling | (room >= setpoint + self._buildings.half))
        stop = np.maximum(-self._heat_up_to(now, setpoint - self._buildings.half), 0.0)
        aim = -self._buildings.aim(room, setpoint, now.holding)
        given = np.minimum(np.maximum(aim, self._min_kw * cop), max_draw * cop)
        given = np.where(on, np.minimum(given, stop), 0.0)
        stays = on & (given < stop)
        if target is None:
            return given, stays
        target = np.where(self._buildings.prefers_cooling(now.room, now.warm), target, 0.0)
        to_limit = np.maximum(-self._heat_up_to(now, cool - self._buildings.comfort), 0.0)
        return np.maximum(given, np.minimum(target * cop, to_limit)), stays

    def _heat_up_to(self, now: _Conditions, target: Floats) -> Floats:
        """Return the heat of the pump that ends the tick at `target`, kW."""
        return self._buildings.heat_to_reach(now.room, target, now.holding)

    def _conditions(self, tick: Tick) -> _Conditions:
        if self._latest is not None and self._latest.index == tick.index:
            return self._latest
        outdoor = tick.weather.temperature_c[self.members.site]
        flow = self._flow_at_zero + self._flow_slope * outdoor
        heating = physics.heating_cop(outdoor, flow, self._factor)
        rate = np.where(self._defrosts, defrost.cycles_per_hour(outdoor), 0.0)
        share = defrost.share_of(rate)
        heating = heating * defrost.gain(share)
        cooling = physics.cooling_cop(outdoor, self._factor) if self._any_cools else None
        if self._room is None:
            self._room = self._settled(tick, heating)
        holding = self._buildings.holding_heat(tick, self._room)
        warm = self._buildings.warm_at(tick.time_ms)
        backup = np.where(outdoor < self._bivalence, self._backup, 0.0)
        self._latest = _Conditions(
            tick.index,
            self._room,
            holding,
            heating,
            cooling,
            warm,
            backup,
            share,
            rate * self._hours,
            outdoor,
        )
        return self._latest

    def _settled(self, tick: Tick, heating_cop: Floats) -> Floats:
        """Return the room temperature after days of operation; set the state of the thermostats."""
        warm = self._buildings.warm
        rest, demand = self._buildings.unheated(tick)
        lowest = self._min_kw * heating_cop
        u = self.members.draws.uniform4("heat_pump/phase", self.members.keys)
        # A pump that cycles starts at a random point of its cycle.
        cycling = (demand > 0.0) & (demand < lowest)
        self._heating = (demand > 0.0) & (u[1] * lowest < demand)
        phase = np.where(cycling, (2.0 * u[0] - 1.0) * self._buildings.half, 0.0)
        return np.clip(rest, warm + phase, np.maximum(self._buildings.cool, warm + phase))
