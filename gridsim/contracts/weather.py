"""Weather: irradiance, temperature and wind at every site."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Generic

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
        """Return the weather at every site at UTC `time_ms`."""
