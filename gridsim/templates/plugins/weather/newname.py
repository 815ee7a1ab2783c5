"""The weather `newname`: a sky with a constant haze.

Replace the values of `at` by your own. The weather is a function of place and time: it keeps
nothing from one call to the next.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from gridsim.api import (
    Draws,
    Register,
    Settings,
    Sites,
    Unit,
    Weather,
    WeatherSample,
    hookimpl,
)
from gridsim.helpers import sun
from pydantic import Field


class NewNameSettings(Settings):
    """Settings of the weather."""

    transmittance: Annotated[float, Unit("%")] = Field(
        70.0, ge=0, le=100, description="part of the sun's beam that arrives, sun in the zenith"
    )
    temperature: Annotated[float, Unit("degC")] = Field(15.0, description="air temperature")
    wind: Annotated[float, Unit("m/s")] = Field(3.0, ge=0, description="wind speed at 10 m")


class NewName(Weather[NewNameSettings]):
    """A sky with a constant haze; temperature and wind are constant, too."""

    Settings = NewNameSettings

    def __init__(self, settings: NewNameSettings, sites: Sites, draws: Draws) -> None:
        super().__init__(settings, sites, draws)
        self._up = sun.up_vector(sites.latitude, sites.longitude)

    def at(self, time_ms: int) -> WeatherSample:
        position = sun.sun_vector(time_ms)
        height = np.maximum(sun.cos_zenith(position, self._up), 0.0)
        # The path through the air is 1 with the sun in the zenith, and longer the lower it is.
        path = 1.0 / np.maximum(height, 0.05)
        above = sun.extraterrestrial(position)
        share = self.settings.transmittance / 100.0
        dni = np.where(height > 0.0, above * share**path, 0.0)
        dhi = 0.3 * height * (above - dni)
        return WeatherSample(
            ghi=dhi + dni * height,
            dni=dni,
            dhi=dhi,
            temperature_c=np.full(len(self.sites), self.settings.temperature),
            wind_m_s=np.full(len(self.sites), self.settings.wind),
        )


@hookimpl
def gridsim_register(register: Register) -> None:
    register.weather("newname", NewName)
