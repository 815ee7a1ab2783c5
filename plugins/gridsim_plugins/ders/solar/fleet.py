"""The DER type `solar`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridsim.api import (
    Curtailable,
    Floats,
    GridSupport,
    Members,
    Orders,
    Staying,
    Telemetry,
    Tick,
    TickBlock,
    carry,
    carry_attributes,
)
from gridsim.helpers import sun
from gridsim_plugins.ders.solar import deposits, physics
from gridsim_plugins.ders.solar.light import PlaneLight, lights_of
from gridsim_plugins.ders.solar.planes import module_factor, planes_of
from gridsim_plugins.ders.solar.settings import SolarSettings

# Operating states of SunSpec model 103, `St`.
_SLEEPING, _MPPT, _THROTTLED = 2.0, 4.0, 5.0
# The losses of an array without the setting, %: the middle of their range, and the distance to its
# ends.
_LOSSES, _SPREAD = 14.08, 3.0
_DAY_MS = 86_400_000
# The days a month with rain that cleans, under a weather without rain.
_RAIN_DAYS = 10.0


class Solar(Curtailable[SolarSettings]):
    """Solar arrays under the sun and the sky of their sites.

    An inverter has one plane of modules, or several with `arrays`, each with its own MPP tracker.

    The light is direct, from around the sun, from the rest of the sky and from the ground; the
    glass reflects some of the direct light. The reference models PVWatts and pvlib's ModelChain let
    all diffuse light through; with `diffuse_iam` the glass reflects some of it, too.
    """

    Settings = SolarSettings
    reported_type = "solar"
    measurands = ("state", "dc_power_kw", "cell_temperature_c")
    kept = ("_curtailment", "_snow", "_dirt", "_support")

    def __init__(self, members: Members[SolarSettings]) -> None:
        super().__init__(members)
        column, planes = members.columns, planes_of(members)
        self._support = GridSupport.of(members)
        self._cell: Floats | None = None
        """The temperature of the cells of each plane in the latest tick; None in the dark."""
        self._dc = np.zeros(len(members))
        """The DC power of each array in the latest tick without a limit, kW."""
        self._device, self._site = planes.device, members.site[planes.device]
        self._single = len(planes) == len(members)
        self._lights: list[PlaneLight] = lights_of(members, planes)
        self._rated_ac = column["nameplate_capacity"]
        losses = column["system_losses"]
        drawn = _LOSSES + _SPREAD * (
            2.0 * members.draws.uniform("solar/losses", members.keys) - 1.0
        )
        remaining = 1.0 - np.where(np.isnan(losses), drawn, losses) / 100.0
        self._rated_dc = planes.rated_dc * remaining[planes.device]
        scatter = column["module_scatter"][planes.device] / 100.0
        if scatter.any():
            number = np.arange(len(planes)) - np.searchsorted(planes.device, planes.device)
            keys = members.keys[planes.device]
            normal = members.draws.normal("solar/modules", keys, number)
            self._rated_dc = self._rated_dc * module_factor(scatter, planes.rated_dc, normal)
        self._coefficient = column["temperature_coefficient"][planes.device] / 100.0
        self._efficiency = column["inverter_efficiency"] / 100.0
        self._soiling = column["soiling_rate"][planes.device] / 100.0
        self._rain_days = column["rain_days"][planes.device]
        # If the rain is not set, the weather's is used, if the weather has rain.
        self._by_rain = np.isnan(self._rain_days)
        self._rain_days = np.where(self._by_rain, _RAIN_DAYS, self._rain_days)
        self._clean: Floats = np.ones(len(planes))
        self._day: NDArray[np.int64] | None = None
        snowfall = [members.settings[one].snowfall for one in members.stanza[planes.device]]
        by_weather = np.array([one == "weather" for one in snowfall], np.bool_)
        months = [() if one == "weather" else one for one in snowfall]
        snows = bool(by_weather.any()) or any(any(one) for one in months)
        self._squares = None
        if snows or self._soiling.any():
            self._squares = deposits.squares(planes.latitude, planes.longitude)
        self._snow: deposits.SnowCover | None = None
        if snows and self._squares is not None:
            self._snow = deposits.SnowCover(
                members.draws,
                self._squares,
                deposits.monthly(months),
                np.sin(np.radians(planes.tilt)),
                by_weather,
            )
        self._dirt: deposits.Dirt | None = None
        if self._squares is not None and (self._by_rain & (self._soiling > 0.0)).any():
            first = members.sites.local_ms(members.start_ms)[self._site] // _DAY_MS
            dry = deposits.dry_days(members.draws, self._squares, first, self._rain_days)
            self._dirt = deposits.Dirt(dry)

    def carry_over(self, older: Solar, staying: Staying) -> None:
        """Copy the state of the arrays that stay; snow and dirt lie on their planes."""
        carry_attributes(self, older, staying, ("_curtailment", "_support"))
        planes = staying.within(self._device, older._device)
        if self._snow is not None and older._snow is not None:
            carry(self._snow, older._snow, planes)
        if self._dirt is not None and older._dirt is not None:
            carry(self._dirt, older._dirt, planes)

    def step(self, tick: Tick, orders: Orders) -> Telemetry:
        power = self.curtailed_power(tick, orders)
        reactive = None
        if self._support is not None:
            most = self.available_in(tick)
            if orders.max_kw is not None:
                most = np.minimum(most, np.maximum(orders.max_kw, 0.0))
            power, reactive = self._support.apply(tick, power, np.zeros(len(power)), most)
        extra = self._measured(tick, power) if self.members.wanted else {}
        return Telemetry(power, extra=extra, reactive_kvar=reactive)

    def block(self, ticks: TickBlock) -> Telemetry | None:
        if (
            self._curtailment.is_limited
            or self._support is not None
            or self._squares is not None
            or self.members.wanted
        ):
            return None
        n = len(self.members)
        power = np.zeros((len(ticks), n))
        lit = np.flatnonzero(ticks.weather.ghi.any(axis=1))
        if not len(lit):
            return Telemetry(power)
        # The lit ticks are often all of a block, or consecutive: a slice is then no copy.
        some = slice(int(lit[0]), int(lit[-1]) + 1) if lit[-1] - lit[0] + 1 == len(lit) else lit
        sky, path = ticks.weather.rows(some), sun.sun_path(ticks.times_ms[some].tolist())
        plane, usable = np.empty((2, len(lit), len(self._site)))
        for light in self._lights:
            on_plane, used = light.at(sky, path, path.extraterrestrial)
            plane[:, light.rows], usable[:, light.rows] = on_plane, used
        air, wind = sky.temperature_c[:, self._site], sky.wind_m_s[:, self._site]
        cell = physics.cell_temperature(plane, air, wind)
        dc = physics.dc_power(usable, cell, self._rated_dc, self._coefficient)
        if not self._single:
            dc = np.stack([np.bincount(self._device, row, n) for row in dc])
        power[some] = physics.ac_power(dc, self._rated_ac, self._efficiency)
        return Telemetry(power)

    def _measured(self, tick: Tick, power: Floats) -> dict[str, Floats]:
        """Return the measurands that the run wants, float64[n]."""
        available, wanted = self.available_in(tick), self.members.wanted
        columns = {}
        if "state" in wanted:
            reduced = power < available * (1.0 - 1e-9)
            awake = np.where(reduced, _THROTTLED, _MPPT)
            columns["state"] = np.where(available > 0.0, awake, _SLEEPING)
        if "dc_power_kw" in wanted:
            # Below a limit, or its rating, the inverter takes what its output needs.
            need = physics.dc_for_ac(power, self._rated_ac, self._efficiency)
            columns["dc_power_kw"] = np.minimum(need, self._dc)
        if "cell_temperature_c" in wanted:
            cell, n = self._cell, len(self.members)
            if cell is None:  # in the dark
                cell = tick.weather.temperature_c[self._site]
            if not self._single:
                planes = np.bincount(self._device, minlength=n)
                cell = np.bincount(self._device, cell, n) / planes
            columns["cell_temperature_c"] = cell
        return columns

    def available_power(self, tick: Tick) -> Floats:
        sky = tick.weather
        self._cell = None
        if self._snow is None and self._dirt is None and not sky.ghi.any():
            self._dc = np.zeros(len(self.members))
            return np.zeros(len(self.members))
        plane, usable = np.empty(len(self._site)), np.empty(len(self._site))
        position = sun.sun_vector(tick.time_ms)
        above = sun.extraterrestrial(position)
        for light in self._lights:
            plane[light.rows], usable[light.rows] = light.at(sky, position, above)
        air, wind = sky.temperature_c[self._site], sky.wind_m_s[self._site]
        usable = self._through_deposits(tick, usable, plane, air)
        cell = self._cell = physics.cell_temperature(plane, air, wind)
        dc = physics.dc_power(usable, cell, self._rated_dc, self._coefficient)
        if not self._single:
            dc = np.bincount(self._device, dc, len(self.members)).astype(np.float64, copy=False)
        self._dc = dc
        return physics.ac_power(dc, self._rated_ac, self._efficiency)

    def _through_deposits(self, tick: Tick, usable: Floats, plane: Floats, air: Floats) -> Floats:
        """Return the light that passes dirt and snow, W/m2."""
        if self._squares is None:
            return usable
        local = self.members.sites.local_ms(tick.time_ms)[self._site]
        rain = tick.weather.rain_mm_h
        rain = None if rain is None else rain[self._site]
        if self._soiling.any():
            day = local // _DAY_MS
            if self._day is None or (day != self._day).any():
                dry = deposits.dry_days(self.members.draws, self._squares, day, self._rain_days)
                self._day, self._clean = day, 1.0 - deposits.soiled(dry, self._soiling)
            clean = self._clean
            if self._dirt is not None and rain is not None:
                dry = self._dirt.dry_days(local, tick.dt_s, air, rain)
                clean = np.where(self._by_rain, 1.0 - deposits.soiled(dry, self._soiling), clean)
            usable = usable * clean
        if self._snow is not None:
            usable = usable * self._snow.share_free(local, tick.dt_s, air, plane, rain)
        return usable
