"""Durations of the command line: 90, 10s, 1.5h, 1h30m."""

from __future__ import annotations

import re
from typing import Final

from gridsim.errors import UsageError

_SECONDS: Final = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_PART = re.compile(rf"\s*({_NUMBER})\s*([a-zA-Z]*)")
_LONGEST_DAYS = 36_525


def seconds(text: str, flag: str) -> float:
    """Parse a duration; a number without a unit is in seconds.

    Units come from the largest to the smallest, each once. Raises UsageError, which names the
    flag.
    """
    try:
        result = _parse(text.strip())
    except ValueError as error:
        raise UsageError(
            f"{flag}: error: {text!r} {error}; write for example 90, 10s, 5m, 1.5h, 1h30m or 1d"
        ) from None
    if result > _LONGEST_DAYS * 86_400:
        raise UsageError(f"{flag}: error: must be at most 100 years")
    return result


def ticks_of(duration: str | None, tick_ms: int, length_ms: int | None) -> int | None:
    """Return the number of ticks of `--duration`; without it, that of the configuration.

    `length_ms` is the configuration's duration; None: the run has no end. Raises UsageError.
    """
    if duration is None:
        return None if length_ms is None else length_ms // tick_ms
    milliseconds = 1000 * seconds(duration, "--duration")
    ticks = round(milliseconds / tick_ms)
    tick = f"ticks of {tick_ms / 1000:g} s"
    if milliseconds < tick_ms - 0.5:
        raise UsageError(f"--duration: error: {duration} is too short: the run has {tick}")
    if abs(ticks * tick_ms - milliseconds) > 0.5:
        raise UsageError(f"--duration: error: {duration} is not a whole number of {tick}")
    return ticks


def _parse(text: str) -> float:
    if re.fullmatch(_NUMBER, text):
        return float(text)
    total, smallest, at = 0.0, float("inf"), 0
    while at < len(text):
        part = _PART.match(text, at)
        if part is None:
            raise ValueError("is not a duration")
        number, unit = part[1], part[2]
        if not unit:
            raise ValueError(f"has no unit after {number}")
        if unit not in _SECONDS:
            raise ValueError(f"has the unknown unit {unit!r}: the units are d, h, m, s and ms")
        if _SECONDS[unit] >= smallest:
            raise ValueError("has its units in the wrong order, or one of them twice")
        smallest = _SECONDS[unit]
        total += float(number) * smallest
        at = part.end()
    if not text:
        raise ValueError("is empty")
    # Milliseconds are the smallest unit: 1h30m must not become 5400.000000001.
    return round(total, 6)
