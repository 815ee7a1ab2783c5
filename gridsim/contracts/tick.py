"""The tick: one step of simulated time."""

from __future__ import annotations

from dataclasses import dataclass

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
