"""The weather `clear`: for tests and demonstrations, and as the upper bound of solar output."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from gridsim.api import (
    Draws,
    Floats,
    Register,
    Settings,
    Sites,
    Unit,
    Weather,
    WeatherSample,
    hookimpl,
)
from gridsim.helpers import Minutely, clearsky, climate, sun


class ClearSettings(Settings):
    """Settings of the weather `clear`."""

    turbidity: Annotated[float | None, Unit("1")] = Field(
        None,
        ge=1.0,
        le=10.0,
        description="Linke turbidity, 2 for clean cold air to 6 for haze; "
        "unset: a mean value for the latitude and season",
    )
    mean_temperature: Annotated[float | None, Unit("degC")] = Field(
        None,
        ge=-60.0,
        le=40.0,
        description="mean air temperature of the year; unset: the normal of the place",
    )
    wind: Annotated[float, Unit("m/s")] = Field(
        2.0, ge=0.0, le=40.0, description="wind speed at 10 m, constant"
    )


class Clear(Weather[ClearSettings]):
    """A cloudless sky; all days of a season are alike."""

    Settings = ClearSettings

    def __init__(self, settings: ClearSettings, sites: Sites, draws: Draws) -> None:
        super().__init__(settings, sites, draws)
        self._up = sun.up_vector(sites.latitude, sites.longitude)
        self._normals = climate.normals(
            sites.latitude, sites.longitude, sites.altitude, settings.mean_temperature
        )
        self._wind = np.full(len(sites), settings.wind)
        self._slow = Minutely(self._slowly)

    def at(self, time_ms: int) -> WeatherSample:
        position = sun.sun_vector(time_ms)
        lift, whole, direct, temperature = self._slow.at(time_ms)
        height = np.maximum(sun.cos_zenith(position, self._up) + lift, 0.0)
        above = sun.extraterrestrial(position)
        ghi = above * height * whole
        dni = np.where(height > 0.0, above * direct, 0.0)
        return WeatherSample(ghi, dni, ghi - dni * height, temperature, self._wind)

    def _slowly(self, time_ms: int) -> Floats:
        """Return refraction, the two transmittances, and the temperature, float64[4, n]."""
        sites = self.sites
        light = clearsky.place_light(
            time_ms, self._up, sites.latitude, sites.altitude, self.settings.turbidity
        )
        temperature = self._normals.day_mean_c(time_ms) + self._normals.course_k(time_ms)
        return np.stack((*light, temperature))


@hookimpl
def gridsim_register(register: Register) -> None:
    register.weather("clear", Clear)
