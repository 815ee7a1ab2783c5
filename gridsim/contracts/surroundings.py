"""Weather and load: what the DERs live in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from gridsim.contracts.members import Members
from gridsim.contracts.settings import Settings
from gridsim.contracts.sites import Sites
from gridsim.numeric.randomness import Draws, Floats


@dataclass(frozen=True, slots=True, eq=False)
class Sky:
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


@dataclass(frozen=True, slots=True, eq=False)
class Tick:
    """One step of simulated time: power holds over [time_ms, time_ms + dt)."""

    index: int
    time_ms: int
    """UTC, ms since 1970."""
    dt_s: float
    sky: Sky


class Weather(ABC):
    """The contract of a weather plugin: a pure function of (seed, place, time).

    Made once per simulation, called once per tick from the simulation's thread.
    """

    Settings: ClassVar[type[Settings]] = Settings

    def __init__(self, settings: Any, sites: Sites, draws: Draws) -> None:
        self.settings = settings
        self.sites = sites
        self.draws = draws

    @abstractmethod
    def at(self, time_ms: int) -> Sky:
        """The sky over every site at UTC `time_ms`."""


class Load(ABC):
    """The contract of a load plugin: what sites draw apart from their DERs.

    One object serves all sites that name the plugin. Called once per tick from the
    simulation's thread.
    """

    Settings: ClassVar[type[Settings]] = Settings

    def __init__(self, members: Members[Any]) -> None:
        self.members = members

    @abstractmethod
    def at(self, tick: Tick) -> Floats:
        """Gross load over the tick: float64[n], kW, not negative."""

    @abstractmethod
    def expected(self, time_ms: int) -> Floats:
        """What the load is expected to be at UTC `time_ms`: float64[n], kW; the baseline."""
