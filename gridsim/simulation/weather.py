"""The weather of the sites, wrapped so that an error names its plugin."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from gridsim.api import WEATHER_LIMITS, TickBlock, Weather, WeatherSample
from gridsim.contracts.blocks import has_block
from gridsim.errors import PluginError, place_of
from gridsim.simulation.batch import read_only
from gridsim.simulation.blocks import LookAhead
from gridsim.simulation.boundary import all_within, checked, shown
from gridsim.simulation.calling import Call
from gridsim.simulation.scenario import Scenario

_RAIN = "rain_mm_h"


class SiteWeather:
    """The weather plugin of a run; every error is a PluginError."""

    def __init__(self, scenario: Scenario, call: Call) -> None:
        """Create the plugin."""
        spec = scenario.weather
        self._name = f"the weather {spec.name!r}"
        self._ids = scenario.sites.ids
        self._start_ms, self._tick_ms = scenario.start_ms, scenario.tick_ms
        make = partial(spec.type, spec.settings, scenario.sites, scenario.draws)
        self._weather: Weather = call(self._name, make)
        blocks = has_block(spec.type, Weather, "at")
        self._ahead: LookAhead[WeatherSample] = LookAhead(len(self._ids), blocks=blocks)
        self._block: TickBlock | None = None

    def at(self, time_ms: int, call: Call) -> WeatherSample:
        """Return the weather, checked and read-only: every plugin gets the same arrays."""
        tick, rest = divmod(time_ms - self._start_ms, self._tick_ms)
        if self._ahead.most == 1 or rest:
            self._block = None
            return call(self._name, partial(self._sample, time_ms))

        def make(first: int, length: int) -> list[WeatherSample]:
            return call(self._name, partial(self._make, first, length))

        return self._ahead.at(tick, make)

    def known_from(self, tick: int) -> int:
        """Return the number of ticks from `tick` on whose weather is known; 0 without blocks."""
        block = self._block
        if block is None or tick < block.index:
            return 0
        return max(block.index + len(block) - tick, 0)

    def block(self, tick: int, length: int) -> TickBlock:
        """Return `length` ticks from `tick` on, whose weather is known."""
        assert self._block is not None
        first = tick - self._block.index
        return self._block.part(first, first + length)

    def _make(self, tick: int, length: int) -> list[WeatherSample]:
        times = self._start_ms + np.arange(tick, tick + length, dtype=np.int64) * self._tick_ms
        method = self._weather.block
        block = self._right_type(method(times), method)
        columns = {}
        for field, limit in WEATHER_LIMITS.items():
            values = getattr(block, field)
            if values is None and field == _RAIN:
                continue
            if not (
                type(values) is np.ndarray
                and values.dtype == np.float64
                and values.shape == (length, len(self._ids))
                and all_within(values, limit.least, limit.most)
            ):
                # Find the error, if it is one.
                rows = [
                    self._column(field, one, method) for one in self._rows(field, values, length)
                ]
                values = np.stack(rows)
            columns[field] = read_only(values.view())
        weather = WeatherSample(**columns)
        self._block = TickBlock(tick, times, self._tick_ms / 1000, weather)
        return [weather.rows(row) for row in range(length)]

    def _rows(self, field: str, values: Any, length: int) -> Any:
        if np.ndim(values) and len(values) == length:
            return values
        raise PluginError(
            f"{self._name} returned {field} for a block of {length} ticks as {shown(values)}: it "
            f"must be an array with a row for each tick{place_of(self._weather.block)}"
        )

    def _sample(self, time_ms: int) -> WeatherSample:
        method = self._weather.at
        sample = self._right_type(method(time_ms), method)
        columns = (
            self._column(field, getattr(sample, field), method)
            for field in WEATHER_LIMITS
            if field != _RAIN or sample.rain_mm_h is not None
        )
        return WeatherSample(*(read_only(column.view()) for column in columns))

    def _right_type(self, sample: object, method: object) -> WeatherSample:
        if not isinstance(sample, WeatherSample):
            raise PluginError(
                f"{self._name} returned {shown(sample)} instead of a WeatherSample"
                f"{place_of(method)}"
            )
        return sample

    def _column(self, field: str, values: Any, method: object) -> Any:
        limit = WEATHER_LIMITS[field]
        return checked(
            self._name,
            field,
            values,
            self._ids,
            each="site",
            least=limit.least,
            most=limit.most,
            unit=limit.unit,
            by=method,
        )
