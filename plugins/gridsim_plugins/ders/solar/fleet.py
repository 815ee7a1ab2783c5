"""The DER type `solar`."""

from __future__ import annotations

import numpy as np

from gridsim.api import Curtailable, Floats, Members, Tick
from gridsim.helpers import sun
from gridsim_plugins.ders.solar import physics
from gridsim_plugins.ders.solar.settings import SolarSettings

# The losses of an array that does not set them, %: from the one less the other to their sum.
_LOSSES, _SPREAD = 14.08, 3.0


class Solar(Curtailable[SolarSettings]):
    """Solar arrays under the sun and the sky of their sites."""

    Settings = SolarSettings
    reported_type = "solar"
    kept = ("_curtailment",)

    def __init__(self, members: Members[SolarSettings]) -> None:
        super().__init__(members)
        column, sites, site = members.columns, members.sites, members.site
        latitude, longitude = sites.latitude[site], sites.longitude[site]
        self._tilt, self._albedo = column["tilt"], column["albedo"]
        azimuth = column["azimuth"]
        equator = np.where(latitude >= 0.0, 180.0, 0.0)
        azimuth = np.where(np.isnan(azimuth), equator, azimuth)
        self._normal = sun.panel_normal(latitude, longitude, self._tilt, azimuth)
        self._rated_ac = column["nameplate_capacity"]
        losses = column["system_losses"]
        drawn = _LOSSES + _SPREAD * (
            2.0 * members.draws.uniform("solar/losses", members.keys) - 1.0
        )
        remaining = 1.0 - np.where(np.isnan(losses), drawn, losses) / 100.0
        self._rated_dc = self._rated_ac * column["dc_ac_ratio"] * remaining
        self._coefficient = column["temperature_coefficient"] / 100.0
        self._efficiency = column["inverter_efficiency"] / 100.0

    def available_power(self, tick: Tick) -> Floats:
        sky, site = tick.weather, self.members.site
        if not sky.ghi.any():
            return np.zeros(len(self.members))
        incidence = sun.cos_angle(sun.sun_vector(tick.time_ms), self._normal)
        plane = physics.plane_irradiance(
            sky.dni[site], sky.dhi[site], sky.ghi[site], incidence, self._tilt, self._albedo
        )
        cell = physics.cell_temperature(plane, sky.temperature_c[site], sky.wind_m_s[site])
        dc = physics.dc_power(plane, cell, self._rated_dc, self._coefficient)
        return physics.ac_power(dc, self._rated_ac, self._efficiency)
