"""The power of a load over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats, RunPeriod, rfc3339
from gridsim.helpers.tables import RowError, utc_of_local

Ints = NDArray[np.int64]

DAY_MS: Final = 86_400_000
YEAR_MS: Final = 365 * DAY_MS
PERIODS: Final = {"day": DAY_MS, "week": 7 * DAY_MS}
# The days before each month of a common year.
_BEFORE = np.cumsum([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30])
_ORDER = "its time must be later than that of the row above"
_LENGTH = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


@dataclass(frozen=True, slots=True, eq=False)
class PowerSeries:
    """A load over time."""

    path: str
    lines: Sequence[int]
    """The line of each row in the file."""
    at_ms: Ints
    """The times of the rows: UTC, or of a local clock if `local`."""
    kw: Floats
    local: bool
    zone: str
    """The zone of the local clock; empty: the clock of each site."""
    stamp: str | None
    """`start` or `end` if each value holds over an interval; None: linear between the rows."""
    repeat: str

    def on_clock(self, zone: str) -> PowerSeries:
        """Return the load for sites in a zone. Raises ValueError if the times are not in order.

        The times of a local clock become UTC if the file names a zone, or if its times go back,
        because it then follows the clock of a zone. Otherwise they stay times of the site's clock.
        """
        back = np.flatnonzero(np.diff(self.at_ms) <= 0)
        if not self.local or self._of_day or not (len(back) or self.zone):
            if len(back):
                raise self._error(int(back[0]) + 1, _ORDER)
            return self
        try:
            utc = utc_of_local(self.at_ms, ZoneInfo(self.zone or zone))
        except RowError as error:
            raise self._error(error.row, str(error)) from None
        if (back := np.flatnonzero(np.diff(utc) <= 0)).size:
            problem = f"{_ORDER}; the clock of {self.zone or zone} does not go back there"
            raise self._error(int(back[0]) + 1, problem)
        return replace(self, at_ms=utc, local=False)

    def power(self, time_ms: Ints) -> Floats:
        """Return the load, float64[n], kW; raise ValueError at a time outside the file."""
        if self.repeat in PERIODS:
            start = 0 if self._of_day else int(self.at_ms[0])
            period = PERIODS[self.repeat]
            since = (time_ms - start) % period
            return self._repeating(since, self.at_ms - start, self.kw, period)
        first, last = self.span
        inside = (time_ms >= first) & (time_ms <= last)
        if self.repeat == "none" and not inside.all():
            clock = " local time" if self.local else ""
            raise ValueError(
                f"{self.path}: the file covers {rfc3339(first)} to {rfc3339(last)}{clock}; "
                f"there is no load for {rfc3339(int(time_ms[~inside][0]))}"
            )
        if inside.all():
            return self._once(time_ms)
        repeated = self._repeating(year_place(time_ms), *self._of_year(), YEAR_MS)
        return np.where(inside, self._once(time_ms), repeated)

    def require(self, period: RunPeriod) -> None:
        """Raise ValueError if a run has a tick without a load."""
        ticks = [period.start_ms] if period.last_ms is None else [period.start_ms, period.last_ms]
        for time_ms in ticks:
            at = datetime.fromtimestamp(time_ms / 1000, ZoneInfo(period.timezone))
            offset = at.utcoffset() if self.local else None
            local_ms = time_ms + (offset // timedelta(milliseconds=1) if offset else 0)
            self.power(np.array([local_ms], np.int64))

    def _once(self, time_ms: Ints) -> Floats:
        if self.stamp is None:
            return np.interp(time_ms, self.at_ms, self.kw)
        rows = _interval(self.at_ms, time_ms, self.stamp)
        return self.kw[np.clip(rows, 0, len(self.kw) - 1)]

    @property
    def span(self) -> tuple[int, int]:
        """The first and the last time that the rows cover, ms."""
        first, last = int(self.at_ms[0]), int(self.at_ms[-1])
        step = last - int(self.at_ms[-2]) if len(self.at_ms) > 1 else 0
        if self.stamp == "start":
            return first, last + step - 1
        if self.stamp == "end":
            return first - (int(self.at_ms[1]) - first if step else 0), last - 1
        return first, last

    @property
    def _of_day(self) -> bool:
        return self.local and self.repeat == "day" and int(self.at_ms.max()) <= DAY_MS

    def _of_year(self) -> tuple[Ints, Floats]:
        """Return the places of the rows in a year of 365 days, and their load, in order."""
        month_day = self.at_ms.astype("datetime64[ms]").astype("datetime64[D]")
        leap = month_day.astype(str).astype("U10")
        keep = ~np.char.endswith(leap, "-02-29")
        place = year_place(self.at_ms[keep])
        order = np.argsort(place, kind="stable")
        return place[order], self.kw[keep][order]

    def _repeating(self, since: Ints, at: Ints, kw: Floats, period: int) -> Floats:
        if self.stamp is not None:
            # The interval that ends at midnight is the last of the period.
            at = at % period if self.stamp == "start" else (at - 1) % period + 1
            order = np.argsort(at, kind="stable")
            return kw[order][_interval(at[order], since, self.stamp) % len(at)]
        # The load is linear from the last row of a period to the first of the next.
        points, values = at, kw
        if at[-1] < at[0] + period:
            points, values = np.append(points, at[0] + period), np.append(values, kw[0])
        if at[0] > 0:
            points = np.concatenate(([at[-1] - period], points))
            values = np.concatenate(([kw[-1]], values))
        return np.interp(since, points, values)

    def _error(self, row: int, problem: str) -> ValueError:
        return ValueError(f"{self.path}, line {self.lines[row]}: {problem}")


def _interval(at: Ints, time_ms: Ints, stamp: str) -> Ints:
    """Return the row whose interval holds each time; -1 or n for a time outside all."""
    if stamp == "start":
        return np.asarray(np.searchsorted(at, time_ms, "right") - 1, np.int64)
    return np.asarray(np.searchsorted(at, time_ms, "right"), np.int64)


def year_place(time_ms: Ints) -> Ints:
    """Return the times as ms since 1 January of a year of 365 days; 29 February counts as the
    28th.
    """
    day = (time_ms // DAY_MS).astype("datetime64[D]")
    month = day.astype("datetime64[M]")
    number = month.astype(np.int64) % 12
    of_month = np.minimum((day - month).astype(np.int64), _LENGTH[number] - 1)
    return np.asarray((_BEFORE[number] + of_month) * DAY_MS + time_ms % DAY_MS, np.int64)
