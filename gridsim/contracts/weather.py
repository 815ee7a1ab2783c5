"""Weather: irradiance, temperature and wind at every site."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from gridsim.contracts.settings import Settings
from gridsim.contracts.sites import Sites
from gridsim.helpers.randomness import Draws, Floats


@dataclass(frozen=True, slots=True, eq=False)
class WeatherSample:
    """The weather at one instant: float64[n], one value per site."""

    ghi: Floats
    """Global horizontal irradiance, W/m2."""
    dni: Floats
    """Direct normal irradiance, W/m2."""
    dhi: Floats
    """Diffuse horizontal irradiance, W/m2."""
    temperature_c: Floats
    """Air temperature, degrees Celsius."""
    wind_m_s: Floats
    """Wind speed at 10 m, m/s."""


class Weather(ABC):
    """The contract of a weather plugin: a pure function of (seed, place, time).

    Made once per simulation, called once per tick from the simulation's thread. A checkpoint
    keeps nothing of it: an object made anew gives the same values.
    """

    Settings: ClassVar[type[Settings]] = Settings

    def __init__(self, settings: Any, sites: Sites, draws: Draws) -> None:
        self.settings = settings
        self.sites = sites
        self.draws = draws

    @abstractmethod
    def at(self, time_ms: int) -> WeatherSample:
        """The sky over every site at UTC `time_ms`."""
