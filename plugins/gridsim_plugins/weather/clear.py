"""The weather `clear`: for tests and demonstrations, and as the upper bound of solar output."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
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
        self._slow = Minutely(self._slowly, self._slowly_at)

    def at(self, time_ms: int) -> WeatherSample:
        position = sun.sun_vector(time_ms)
        return self._sky(position, sun.extraterrestrial(position), self._slow.at(time_ms))

    def block(self, times_ms: NDArray[np.int64]) -> WeatherSample:
        path = sun.sun_path(times_ms.tolist())
        slow = self._slow.block(times_ms).transpose(1, 0, 2)
        return self._sky(path, path.extraterrestrial, slow)

    def _sky(
        self, position: sun.SunVector | sun.SunPath, above: Floats | float, slow: Floats
    ) -> WeatherSample:
        lift, whole, direct, temperature = slow
        height = np.maximum(sun.cos_zenith(position, self._up) + lift, 0.0)
        ghi = above * height * whole
        dni = np.where(height > 0.0, above * direct, 0.0)
        wind = np.broadcast_to(self._wind, height.shape)
        return WeatherSample(ghi, dni, ghi - dni * height, temperature, wind)

    def _slowly(self, time_ms: int) -> Floats:
        """Return refraction, the two transmittances, and the temperature, float64[4, n]."""
        sites = self.sites
        light = clearsky.place_light(
            time_ms, self._up, sites.latitude, sites.altitude, self.settings.turbidity
        )
        temperature = self._normals.day_mean_c(time_ms) + self._normals.course_k(time_ms)
        return np.stack((*light, temperature))

    def _slowly_at(self, times_ms: NDArray[np.int64]) -> Floats:
        """Return the same at k times, float64[k, 4, n]."""
        sites = self.sites
        light = clearsky.place_lights(
            times_ms, self._up, sites.latitude, sites.altitude, self.settings.turbidity
        )
        column = times_ms[:, None]
        temperature = self._normals.day_mean_c(column) + self._normals.course_k(column)
        return np.stack((*light, temperature), axis=1)


@hookimpl
def gridsim_register(register: Register) -> None:
    register.weather("clear", Clear)
