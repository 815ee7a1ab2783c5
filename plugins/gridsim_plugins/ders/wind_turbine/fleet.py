"""The DER type `wind_turbine`."""

from __future__ import annotations

import numpy as np

from gridsim.api import Curtailable, Floats, Members, Orders, Telemetry, Tick
from gridsim.helpers import clearsky
from gridsim_plugins.ders.wind_turbine import physics
from gridsim_plugins.ders.wind_turbine.gusts import Gusts
from gridsim_plugins.ders.wind_turbine.settings import WindTurbineSettings
from gridsim_plugins.ders.wind_turbine.site_wind import SiteWind


class WindTurbine(Curtailable[WindTurbineSettings]):
    """Wind turbines in the mean wind of their sites, each with its own gusts.

    The mean wind comes from the weather or, with `mean_wind`, from a wind climate at the hub.

    Storm cut-out depends on the mean wind: turbines decide over minutes and ignore gusts.

    `hub_wind` is the wind at the hub, gusts included. It excludes gusts that are shorter than a
    tick; the power includes them as the mean over their distribution.
    """

    Settings = WindTurbineSettings
    reported_type = "wind_turbine"
    kept = ("_curtailment", "_stopped", "_power")
    columns = {"hub_wind": "m/s"}  # noqa: RUF012 - the contract's class attribute

    def __init__(self, members: Members[WindTurbineSettings]) -> None:
        super().__init__(members)
        column, site = members.columns, members.site
        self._rated = column["nameplate_capacity"]
        height = column["hub_height"]
        self._lift = physics.wind_at_height(np.ones(len(members)), height, column["shear"])
        self._pressure = clearsky.pressure_ratio(members.sites.altitude[site] + height)
        self._cut_in, self._rated_wind = column["cut_in_wind"], column["rated_wind"]
        self._stop_at = column["cut_out_wind"]
        self._start_at = self._stop_at - column["cut_out_hysteresis"]
        self._intensity = column["turbulence_intensity"]
        self._own_climate = ~np.isnan(column["mean_wind"])
        own = np.flatnonzero(self._own_climate)
        self._climate: SiteWind | None = None
        if len(own):
            places = members.sites.some(site[own])
            mean, k = column["mean_wind"][own], column["weibull_k"][own]
            self._climate = SiteWind(members.draws, places, mean, k)
        self._gusts = Gusts(members.draws, members.keys, height)
        self._within = self._gusts.within(members.tick_ms)
        # The share of a deviation that remains after a tick, and its mean over the tick.
        response = column["response_s"] / (members.tick_ms / 1000.0)
        decay = np.divide(-1.0, response, out=np.full_like(response, -np.inf), where=response > 0)
        self._decay, self._mean_decay = np.exp(decay), response * -np.expm1(decay)
        self._stopped = np.zeros(len(members), np.bool_)
        self._power: Floats | None = None
        self._hub_wind = np.zeros(len(members))

    def step(self, tick: Tick, orders: Orders) -> Telemetry:
        power = self.curtailed_power(tick, orders)
        return Telemetry(power, extra={"hub_wind": self._hub_wind})

    def available_power(self, tick: Tick) -> Floats:
        sky, site = tick.weather, self.members.site
        mean = sky.wind_m_s[site] * self._lift
        if self._climate is not None:
            middle = tick.time_ms + self.members.tick_ms // 2
            mean[self._own_climate] = self._climate.at(middle)
        self._stopped = (mean >= self._stop_at) | (self._stopped & (mean > self._start_at))
        deviation = physics.turbulence(mean, self._intensity)
        gusts = self._gusts.at(tick.time_ms, self.members.tick_ms)
        self._hub_wind = np.maximum(mean + deviation * gusts, 0.0)
        density = physics.relative_density(self._pressure, sky.temperature_c[site])
        standard = physics.standard_wind(self._hub_wind, density)
        if self._within is None:
            curve = physics.power_curve(standard, self._cut_in, self._rated_wind)
        else:
            spread = physics.standard_wind(deviation * self._within, density)
            curve = physics.mean_power(standard, spread, self._cut_in, self._rated_wind)
        target = np.where(self._stopped, 0.0, self._rated * curve)
        before = target if self._power is None else self._power
        self._power = target + (before - target) * self._decay
        return target + (before - target) * self._mean_decay
