"""The tick: one step of simulated time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridsim.contracts.grid import GridSample
from gridsim.contracts.weather import WeatherSample


@dataclass(frozen=True, slots=True, eq=False)
class Tick:
    """A step of simulated time; powers are means over [time_ms, time_ms + dt)."""

    index: int
    time_ms: int
    """The start of the tick, UTC, ms since 1970."""
    dt_s: float
    weather: WeatherSample
    grid: GridSample | None = None
    """None: no device of the run reads it; see `Fleet.reads_grid`."""


@dataclass(frozen=True, slots=True, eq=False)
class TickBlock:
    """Consecutive ticks, for plugins that compute several at once; none has `Tick.grid`."""

    index: int
    """The index of the first tick."""
    times_ms: NDArray[np.int64]
    """The start of each tick, UTC, ms since 1970, int64[k]."""
    dt_s: float
    weather: WeatherSample
    """The weather of each tick, float64[k, sites]."""

    def __len__(self) -> int:
        return len(self.times_ms)

    def ticks(self) -> list[Tick]:
        """Return the ticks, one by one."""
        return [
            Tick(self.index + row, time_ms, self.dt_s, self.weather.rows(row))
            for row, time_ms in enumerate(self.times_ms.tolist())
        ]

    def part(self, first: int, end: int) -> TickBlock:
        """Return the ticks from row `first` up to row `end`, without the latter."""
        some = slice(first, end)
        return TickBlock(
            self.index + first, self.times_ms[some], self.dt_s, self.weather.rows(some)
        )
