"""The durations and times that programs may give: texts, numbers, timedelta, datetime, date."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np

from gridsim.config.tables.simulation import start_ms
from gridsim.errors import UsageError
from gridsim.running.durations import seconds

Duration = str | float | timedelta
"""Such as "90s", "15m", "1h30m" or "1d"; a number of seconds; or a timedelta."""
Time = str | datetime | date
"""Such as "2026-07-01T12:00:00-03:00"; a date means midnight by the clock of `[site]`."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_EXAMPLES = 'write for example "90s", "15m", "1h30m", "1d", a number of seconds or a timedelta'


def duration_s(given: Duration, name: str) -> float:
    """Return a duration in seconds. Raises ValueError or TypeError, with the argument's name."""
    if isinstance(given, str):
        try:
            return seconds(given, name)
        except UsageError as error:
            raise ValueError(str(error).replace(": error:", "", 1)) from None
    if isinstance(given, np.timedelta64):
        given = float(given / np.timedelta64(1, "s"))
    if isinstance(given, timedelta):
        given = given / timedelta(seconds=1)
    if isinstance(given, bool) or not isinstance(given, int | float | np.integer | np.floating):
        raise TypeError(f"{name} must be a duration, not {type(given).__name__}; {_EXAMPLES}")
    if not (math.isfinite(given) and given >= 0):
        raise ValueError(f"{name} must be at least 0, not {given:g} s; {_EXAMPLES}")
    return float(given)


def duration_ticks(given: Duration, tick_ms: int, name: str) -> int:
    """Return a duration in ticks. Raises ValueError if it is not a whole number of them."""
    milliseconds = 1000 * duration_s(given, name)
    ticks = round(milliseconds / tick_ms)
    if ticks < 1 or abs(ticks * tick_ms - milliseconds) > 0.5:
        raise ValueError(
            f"{name} {given!s} is not a whole number of ticks, which are {tick_ms / 1000:g} s each"
        )
    return ticks


def time_ms(given: Time, timezone: str, name: str) -> int:
    """Return a time in ms since 1970, UTC; a date is midnight in `timezone`. Raises ValueError."""
    text = time_text(given, name)
    try:
        if text == "now":
            raise ValueError("must be a time, not 'now'")
        return start_ms(text, 0, timezone)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None


def time_text(given: Time, name: str) -> str:
    """Return a time as the configuration writes it. Raises TypeError."""
    if isinstance(given, str):
        return given
    if isinstance(given, datetime):
        # A pandas Timestamp writes nanoseconds.
        whole = given.replace(microsecond=given.microsecond // 1000 * 1000)
        return datetime.isoformat(whole, timespec="milliseconds")
    if isinstance(given, date):
        return given.isoformat()
    raise TypeError(
        f"{name} must be a time, not {type(given).__name__}; write for example "
        '"2026-07-01T12:00:00-03:00", "2026-07-01", a datetime with a zone, or a date'
    )


def plain_value(value: Any) -> Any:
    """Return a setting of an event or a fault in the type that the configuration uses."""
    if isinstance(value, datetime | date):
        return time_text(value, "a time")
    if isinstance(value, timedelta):
        return value / timedelta(seconds=1)
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return value
