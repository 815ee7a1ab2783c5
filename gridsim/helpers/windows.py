"""Time windows within a day, in the form "22:00-06:00"."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

MINUTES_PER_DAY = 1440
_WINDOW = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")


def parse_window(text: str) -> tuple[int, int]:
    """Return start and end of "HH:MM-HH:MM" in minutes of the day; raise ValueError if invalid."""
    match = _WINDOW.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a window such as 22:00-06:00")
    h0, m0, h1, m1 = (int(part) for part in match.groups())
    start, end = 60 * h0 + m0, 60 * h1 + m1
    if max(start, end) > MINUTES_PER_DAY or start == end:
        raise ValueError(f"{text!r} is not a window within a day: empty, or later than 24:00")
    return start, end


def in_windows(windows: tuple[str, ...]) -> NDArray[np.bool_]:
    """Return true for the minutes of the day in any window, bool[1440]; midnight may be inside."""
    minute = np.arange(MINUTES_PER_DAY)
    inside = np.zeros(MINUTES_PER_DAY, np.bool_)
    for start, end in map(parse_window, windows):
        within = (minute >= start) & (minute < end)
        past_midnight = (minute >= start) | (minute < end)
        inside |= within if start < end else past_midnight
    return inside
