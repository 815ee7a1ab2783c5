"""The buildings that heat pumps heat and cool, each with one thermal mass, and their setpoints."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats, Members, Tick
from gridsim.helpers import thermal, windows
from gridsim_plugins.ders.heat_pump import physics
from gridsim_plugins.ders.heat_pump.settings import HeatPumpSettings

# The time in which the controller aims to reach its setpoint.
_AIM_HOURS = 1.0
_MIN_DISTANCE_K = 3.0
_MINUTE_MS, _DAY_MS = 60_000, 86_400_000
# The ranges of what is drawn for a home where it is not set. The means are 400 W and 20 degrees.
_DRAWN_GAINS_W, _DRAWN_SETPOINTS_C = (250.0, 550.0), (19.0, 21.0)


class Buildings:
    """The buildings of n heat pumps. Temperatures in degrees Celsius, heat in kW, float64[n]."""

    def __init__(self, members: Members[HeatPumpSettings]) -> None:
        column = members.columns
        self._members: Members[Any] = members
        self._setback = column["night_setback"]
        self._any_setback = bool((self._setback > 0.0).any())
        nights = [windows.in_windows((settings.night,)) for settings in members.settings]
        self._is_night = np.array(nights)
        self._ua = column["heat_loss"] / 1000.0
        self._capacity = column["heat_capacity"]
        u = members.draws.uniform4("heat_pump/home", members.keys)
        self._internal_kw = _given_or(column["internal_gains"], _DRAWN_GAINS_W, u[0]) / 1000.0
        # In kW per W/m2.
        self._aperture = column["solar_aperture"] / 1000.0
        cool = column["cooling_temperature"]
        warm = _given_or(column["room_temperature"], _DRAWN_SETPOINTS_C, u[1])
        own = np.isnan(column["room_temperature"])
        self.warm = np.where(own, np.fmin(warm, cool - _MIN_DISTANCE_K), warm)
        """The heating setpoint by day."""
        self.cools = ~np.isnan(cool)
        # Samples of two distributions may be closer together than the settings allow.
        self.cool = np.where(self.cools, np.maximum(cool, self.warm + _MIN_DISTANCE_K), np.inf)
        """The cooling setpoint; infinite without cooling."""
        self.half = column["deadband"] / 2.0
        """Half of the deadband, K."""
        self.comfort = column["comfort_band"]
        self._open_at = self.warm + physics.WINDOWS_OPEN_K
        self._hours = members.tick_ms / 3_600_000.0
        self._per_k = thermal.stiffness(self._ua, self._capacity, self._hours)
        aim_hours = max(self._hours, _AIM_HOURS)
        self._aim_per_k = thermal.stiffness(self._ua, self._capacity, aim_hours)

    def warm_at(self, time_ms: int) -> Floats:
        """Return the heating setpoint at UTC `time_ms`, with the setback at night."""
        if not self._any_setback:
            return self.warm
        members = self._members
        minute = members.sites.local_ms(time_ms)[members.site] % _DAY_MS // _MINUTE_MS
        night = self._is_night[members.stanza, minute]
        return np.where(night, self.warm - self._setback, self.warm)

    def cool_or(self, other: Floats) -> Floats:
        """Return the cooling setpoint, or `other` where there is no cooling."""
        return np.where(self.cools, self.cool, other)

    def prefers_cooling(self, room: Floats, warm: Floats) -> NDArray[np.bool_]:
        """Return where the room is nearer to the cooling setpoint than to `warm`, bool[n]."""
        nearer: NDArray[np.bool_] = room > 0.5 * (warm + self.cool)
        return nearer

    def holding_heat(self, tick: Tick, room: Floats) -> Floats:
        """Return the heat that holds the temperature of the room; people open the windows."""
        site = self._members.site
        outdoor = tick.weather.temperature_c[site]
        gains = self._internal_kw + self._aperture * tick.weather.ghi[site]
        if (room > self._open_at).any():
            gains -= physics.window_loss(
                room, self._open_at, self._ua, outdoor, self._capacity, self._hours
            )
        return thermal.holding_heat(room, outdoor, self._ua, gains)

    def heat_to_reach(self, room: Floats, target: Floats, holding: Floats) -> Floats:
        """Return the heat that ends the tick at `target`."""
        return thermal.heat_to_reach(room, target, holding, self._per_k)

    def aim(self, room: Floats, target: Floats, holding: Floats) -> Floats:
        """Return the heat by which a controller reaches `target` in an hour, or a longer tick."""
        return thermal.heat_to_reach(room, target, holding, self._aim_per_k)

    def after(self, room: Floats, heat: Floats, holding: Floats) -> Floats:
        """Return the temperature of the room after a tick with constant `heat`."""
        return thermal.temperature_after(room, heat, holding, self._per_k)

    def unheated(self, tick: Tick) -> tuple[Floats, Floats]:
        """Return the steady temperature without heating on the day of a tick, and the heat that
        then holds the setpoint.
        """
        members, weather = self._members, tick.weather
        day_c = physics.day_mean_temperature(weather.temperature_c, members.sites, tick.time_ms)
        ghi = physics.day_mean_ghi(members.sites, tick.time_ms)
        gains = self._internal_kw + self._aperture * ghi[members.site]
        rest = physics.resting_temperature(day_c[members.site], gains, self._ua, self._open_at)
        return rest, self._ua * (self.warm - rest)


def _given_or(given: Floats, drawn: tuple[float, float], u: Floats) -> Floats:
    """Return the given values; where a value is missing (NaN), the value of the range `drawn` at
    `u`.
    """
    low, high = drawn
    return np.where(np.isnan(given), low + (high - low) * u, given)
