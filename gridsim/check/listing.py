"""The list of the days that come with gridsim."""

from __future__ import annotations

from collections.abc import Iterator

from gridsim.check.days import shipped_days


def list_lines() -> Iterator[str]:
    """Yield a line for each shipped day: its name, and what happens in it."""
    days = shipped_days()
    width = max(map(len, days), default=0)
    for name, day in days.items():
        yield f"{name.ljust(width)}  {day.summary()}"
