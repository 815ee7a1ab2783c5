"""Weather: irradiance, temperature and wind at every site."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, Generic, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridsim.contracts.settings import S, Settings
from gridsim.contracts.sites import Sites
from gridsim.helpers.randomness import Draws, Floats


@dataclass(frozen=True, slots=True, eq=False)
class WeatherSample:
    """The weather at one instant: float64[n], one value per site.

    The weather at the k times of a block is float64[k, n].
    """

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

    def rows(self, place: int | slice | NDArray[np.intp]) -> WeatherSample:
        """Return the weather of one tick, or of some, of a block."""
        rain = self.rain_mm_h
        return WeatherSample(
            self.ghi[place],
            self.dni[place],
            self.dhi[place],
            self.temperature_c[place],
            self.wind_m_s[place],
            None if rain is None else rain[place],
        )


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

    One object per simulation, called in the simulation's thread: `at` once per tick, or `block`
    once for several ticks if the plugin defines it and the fleet is small. A checkpoint does not
    contain it: a new object gives the same values.
    """

    Settings: ClassVar[type[Settings]] = Settings

    def __init__(self, settings: S, sites: Sites, draws: Draws) -> None:
        self.settings = settings
        self.sites = sites
        self.draws = draws

    @abstractmethod
    def at(self, time_ms: int) -> WeatherSample:
        """Return the weather at every site at UTC `time_ms`, within `WEATHER_LIMITS`."""

    def block(self, times_ms: NDArray[np.int64]) -> WeatherSample:
        """Return the weather at the k UTC times of consecutive ticks, each field float64[k, n].

        Define it, beside `at`, if many times at once cost less than one at a time. Row i must equal
        `at(times_ms[i])` to the last bit: a run may use either. If it fails, gridsim asks again for
        one tick at a time, so that an error belongs to its own tick.
        """
        samples = [self.at(one) for one in times_ms.tolist()]
        columns = {name: [getattr(one, name) for one in samples] for name in WEATHER_LIMITS}
        rain = columns.pop("rain_mm_h")
        return WeatherSample(
            **{name: np.stack(values) for name, values in columns.items()},
            rain_mm_h=None if rain[0] is None else np.stack(rain),
        )
