"""The weather of the sites, wrapped so that an error names its plugin."""

from __future__ import annotations

from functools import partial

from gridsim.api import WEATHER_LIMITS, Weather, WeatherSample
from gridsim.errors import PluginError, place_of
from gridsim.simulation.batch import read_only
from gridsim.simulation.boundary import checked, shown
from gridsim.simulation.calling import Call
from gridsim.simulation.scenario import Scenario


class SiteWeather:
    """The weather plugin of a run; every error is a PluginError."""

    def __init__(self, scenario: Scenario, call: Call) -> None:
        """Create the plugin."""
        spec = scenario.weather
        self._name = f"the weather {spec.name!r}"
        self._ids = scenario.sites.ids
        make = partial(spec.type, spec.settings, scenario.sites, scenario.draws)
        self._weather: Weather = call(self._name, make)

    def at(self, time_ms: int, call: Call) -> WeatherSample:
        """Return the weather, checked and read-only: every plugin gets the same arrays."""
        return call(self._name, partial(self._sample, time_ms))

    def _sample(self, time_ms: int) -> WeatherSample:
        name = self._name
        sample = self._weather.at(time_ms)
        if not isinstance(sample, WeatherSample):
            raise PluginError(
                f"{name} returned {shown(sample)} instead of a WeatherSample"
                f"{place_of(self._weather.at)}"
            )
        rain = sample.rain_mm_h
        columns = (
            checked(
                name,
                field,
                getattr(sample, field),
                self._ids,
                each="site",
                least=one.least,
                most=one.most,
                unit=one.unit,
                by=self._weather.at,
            )
            for field, one in WEATHER_LIMITS.items()
            if field != "rain_mm_h" or rain is not None
        )
        return WeatherSample(*(read_only(column.view()) for column in columns))
