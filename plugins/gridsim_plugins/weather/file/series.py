"""Weather at one place in steps of equal length."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats, rfc3339

DAY_MS = 86_400_000
YEAR_DAYS = 365
# Days before each month of a year that is no leap year.
_BEFORE = np.cumsum([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30])


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Rows of equal length; each stands for [start, start + step)."""

    path: str
    latitude: float
    longitude: float
    offset_ms: int
    """The station's standard time, ahead of UTC."""
    start_ms: int
    """UTC, when the first row starts; a typical year starts on 1 January of any year."""
    step_ms: int
    typical_year: bool
    ghi: Floats | None
    """W/m2, the mean over the row; None where it follows from the other two."""
    dni: Floats | None
    dhi: Floats | None
    temperature_c: Floats
    wind_m_s: Floats

    def __len__(self) -> int:
        return len(self.temperature_c)

    @property
    def end_ms(self) -> int:
        return self.start_ms + len(self) * self.step_ms

    def require(self, time_ms: int) -> None:
        """ValueError if there is no weather for UTC `time_ms`."""
        if not self.typical_year and not self.start_ms <= time_ms < self.end_ms:
            raise ValueError(
                f"{self.path}: it holds {rfc3339(self.start_ms)} to {rfc3339(self.end_ms)}, "
                f"and no weather for {rfc3339(time_ms)}"
            )

    def rows(self, time_ms: NDArray[np.int64]) -> NDArray[np.intp]:
        """The rows in which UTC times lie; the first or last beyond the ends."""
        if not self.typical_year:
            rows = (time_ms - self.start_ms) // self.step_ms
            return np.asarray(np.clip(rows, 0, len(self) - 1), np.intp)
        local = time_ms + self.offset_ms
        day = (local // DAY_MS).astype("datetime64[D]")
        month = day.astype("datetime64[M]")
        of_month = np.minimum((day - month).astype(np.int64), _LAST[_month(month)])
        of_year = _BEFORE[_month(month)] + of_month
        of_day = local % DAY_MS // self.step_ms
        return np.asarray(of_year * (DAY_MS // self.step_ms) + of_day, np.intp)


# The 29th of February is as the 28th.
_LAST = np.array([30, 27, 30, 29, 30, 29, 30, 30, 29, 30, 29, 30])


def _month(month: NDArray[np.datetime64]) -> NDArray[np.int64]:
    return month.astype(np.int64) % 12


def without_leap_day(times: list[datetime]) -> NDArray[np.bool_]:
    """bool[n]: which of the times are on no 29th of February."""
    return np.array([(time.month, time.day) != (2, 29) for time in times], np.bool_)


def utc_ms(time: datetime) -> int:
    """A time with its offset as UTC ms since 1970."""
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
