"""The texts that every kind of picture shows."""

from __future__ import annotations

from gridsim.plot.day import Day
from gridsim.text.words import site_time

POWER = "power in kW; above zero devices feed the site, below zero they draw"
SOC = "state of charge in %, mean of each type"
LOAD = "load without DERs"
NET = "net consumption"


def title(day: Day) -> str:
    """Return the name and the time of a picture."""
    end = site_time(day.end_ms, day.timezone)[:16]
    return f"{day.title}: {site_time(day.start_ms, day.timezone)[:16]} to {end}, {day.timezone}"


def note(day: Day) -> str:
    """Return how exact the values are."""
    means, ticks = _length(day.step_ms), _length(day.tick_ms)
    return f"true values, means of {means}, simulated in ticks of {ticks}"


def _length(ms: int) -> str:
    if ms % 60_000 == 0:
        return f"{ms // 60_000} min"
    return f"{ms / 1000:g} s"
