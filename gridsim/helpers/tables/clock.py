"""Local clocks: times of day, and the conversion of a local clock's times to UTC."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

DAY_MS: Final = 86_400_000
AT_24: Final = re.compile(r"(?<![0-9])24:00(?![0-9])")
"""Matches 24:00, the end of a day."""
_EPOCH = datetime(1970, 1, 1)
# Zones change their offset at a multiple of a quarter of an hour.
_QUARTER_MS = 900_000
_OF_DAY = re.compile(
    r"\s*([0-9]{1,2})(?::([0-9]{2})(?::([0-9]{2})(?:\.0+)?)?|h"
    r"|(?=\s?[AaPp]\.?[Mm]))(?:\s?([AaPp])\.?[Mm]\.?)?"
    r"(?:\s*(?:-|\u2013|to|bis)\s*\S.*)?\s*"
)


class RowError(ValueError):
    """A row that cannot be used; the reader of the table adds the file and the line."""

    def __init__(self, row: int, problem: str) -> None:
        super().__init__(problem)
        self.row = row


def time_of_day(text: str) -> int | None:
    """Return a time of day in ms since midnight, 0:00 to 24:00; None if the text is not one.

    A range such as `00:00 - 00:15` gives its start.
    """
    if (match := _OF_DAY.fullmatch(text)) is None:
        return None
    hour, minute, second = (int(part or 0) for part in match.groups()[:3])
    if (half := match[4]) is not None:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half.lower() == "p" else 0)
    if minute > 59 or second > 59:
        return None
    ms = ((hour * 60 + minute) * 60 + second) * 1000
    return ms if ms <= DAY_MS else None


def times_of_day(texts: Sequence[str]) -> Ints | None:
    """Return a column of times of day, ms since midnight; None if the first text is not a time of
    day. It raises RowError if a later one is not.
    """
    known = {text: time_of_day(text) for text in dict.fromkeys(texts)}
    if not texts or known[texts[0]] is None:
        return None
    for row, text in enumerate(texts):
        if known[text] is None:
            raise RowError(row, f"{text[:40]!r} is not a time of day such as 06:30")
    return np.array([known[text] for text in texts], np.int64)


def utc_of_local(local_ms: Ints, zone: ZoneInfo) -> Ints:
    """Convert the times of a zone's clock, in the order of a file, to UTC.

    In the hour that the clock repeats, times belong to the first pass until a time is not later
    than the one before; from there on, to the second. It raises RowError for a time that the clock
    skips.
    """
    first, second = _offsets(local_ms, zone)
    if (skipped := np.flatnonzero(first < second)).size:
        row = int(skipped[0])
        at = _EPOCH + timedelta(milliseconds=int(local_ms[row]))
        raise RowError(
            row,
            f"{at:%Y-%m-%d %H:%M} does not exist in {zone.key}, where the clock goes forward: "
            f"if the file keeps standard time, set timezone to {_fixed(int(first[row]))!r}",
        )
    offset = first.copy()
    again = False
    for row in np.flatnonzero(first > second).tolist():
        follows = row > 0 and first[row - 1] > second[row - 1]
        back = row > 0 and local_ms[row] <= local_ms[row - 1]
        again = back or (again and follows)
        if again:
            offset[row] = second[row]
    return local_ms - offset


def _offsets(local_ms: Ints, zone: ZoneInfo) -> tuple[Ints, Ints]:
    """Return the offsets from UTC in the first and the second pass through each local time."""
    days, of_day = np.unique(local_ms // DAY_MS, return_inverse=True)
    starts = [_offset(zone, day * DAY_MS, 0) for day in (*days.tolist(), int(days[-1]) + 1)]
    ends = [_offset(zone, (day + 1) * DAY_MS, 1) for day in days.tolist()]
    first = np.array(starts[:-1], np.int64)[of_day]
    second = first.copy()
    changing = np.array([start != end for start, end in zip(starts, ends, strict=False)])
    for row in np.flatnonzero(changing[of_day]).tolist():
        quarter = int(local_ms[row]) // _QUARTER_MS * _QUARTER_MS
        first[row], second[row] = _offset(zone, quarter, 0), _offset(zone, quarter, 1)
    return first, second


def _offset(zone: ZoneInfo, local_ms: int, fold: int) -> int:
    at = (_EPOCH + timedelta(milliseconds=local_ms)).replace(tzinfo=zone, fold=fold)
    offset = at.utcoffset()
    assert offset is not None
    return offset // timedelta(milliseconds=1)


def _fixed(offset_ms: int) -> str:
    """Return the name of the zone with a fixed offset; POSIX counts west of Greenwich."""
    hours = -offset_ms // 3_600_000
    return f"Etc/GMT{hours:+d}" if hours else "UTC"
