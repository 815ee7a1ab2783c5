"""Weather: irradiance, temperature and wind at every site."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, Generic, NamedTuple

from gridsim.contracts.settings import S, Settings
from gridsim.contracts.sites import Sites
from gridsim.helpers.randomness import Draws, Floats


@dataclass(frozen=True, slots=True, eq=False)
class WeatherSample:
    """The weather at one instant: float64[n], one value per site."""

    ghi: Floats
    """The global horizontal irradiance, W/m2."""
    dni: Floats
    """The direct normal irradiance, W/m2."""
    dhi: Floats
    """The diffuse horizontal irradiance, W/m2."""
    temperature_c: Floats
    """The air temperature, degrees Celsius."""
    wind_m_s: Floats
    """The wind speed at 10 m, m/s."""
    rain_mm_h: Floats | None = None
    """The rain, and snow as water, mm/h; None: the weather does not know it."""


class WeatherLimit(NamedTuple):
    """The limits of a weather value; a value beyond them ends the run."""

    least: float
    most: float
    unit: str


_IRRADIANCE = WeatherLimit(0.0, 2000.0, "W/m2")
WEATHER_LIMITS: Final[Mapping[str, WeatherLimit]] = {
    "ghi": _IRRADIANCE,
    "dni": _IRRADIANCE,
    "dhi": _IRRADIANCE,
    "temperature_c": WeatherLimit(-120.0, 70.0, "degrees Celsius"),
    "wind_m_s": WeatherLimit(0.0, 100.0, "m/s"),
    "rain_mm_h": WeatherLimit(0.0, 2000.0, "mm/h"),
}
"""The limits of each field of `WeatherSample`.

They exceed all values measured on Earth, and values in a wrong unit exceed them.
"""


class Weather(ABC, Generic[S]):
    """The contract of a weather plugin: a pure function of (seed, place, time).

    One object per simulation, called once per tick in the simulation's thread. A checkpoint
    does not contain it: a new object gives the same values.
    """

    Settings: ClassVar[type[Settings]] = Settings

    def __init__(self, settings: S, sites: Sites, draws: Draws) -> None:
        self.settings = settings
        self.sites = sites
        self.draws = draws

    @abstractmethod
    def at(self, time_ms: int) -> WeatherSample:
        """Return the weather at every site at UTC `time_ms`, within `WEATHER_LIMITS`."""
