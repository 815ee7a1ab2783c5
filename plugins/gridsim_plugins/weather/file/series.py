"""The weather at one place, in steps of equal length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats, rfc3339

DAY_MS = 86_400_000
YEAR_DAYS = 365
# The days before each month of a common year.
_BEFORE = np.cumsum([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30])


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """The rows of a file, of equal length; each covers [start, start + step)."""

    path: str
    latitude: float
    longitude: float
    offset_ms: int
    """The offset of the station's standard time from UTC."""
    start_ms: int
    """The start of the first row, UTC; a typical year starts on 1 January of any year."""
    step_ms: int
    typical_year: bool
    ghi: Floats | None
    """The mean over the row, W/m2; None if it is computed from the other two."""
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
        """Raise ValueError if there is no weather for UTC `time_ms`."""
        if not self.typical_year and not self.start_ms <= time_ms < self.end_ms:
            raise ValueError(
                f"{self.path}: the file covers {rfc3339(self.start_ms)} to "
                f"{rfc3339(self.end_ms)}; there is no weather for {rfc3339(time_ms)}"
            )

    def rows(self, time_ms: NDArray[np.int64]) -> NDArray[np.intp]:
        """Return the rows of UTC times; beyond the ends, the first or the last."""
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


# The 29th of February is like the 28th.
_LAST = np.array([30, 27, 30, 29, 30, 29, 30, 30, 29, 30, 29, 30])


def _month(month: NDArray[np.datetime64]) -> NDArray[np.int64]:
    return month.astype(np.int64) % 12


def of_year(local_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return times as ms since 1 January of their year."""
    year = local_ms.astype("datetime64[ms]").astype("datetime64[Y]")
    return np.asarray(local_ms - year.astype("datetime64[ms]").astype(np.int64), np.int64)


def common_year(local_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return times moved to a common year; a leap year if any is on 29 February."""
    day = (local_ms // DAY_MS).astype("datetime64[D]")
    month = day.astype("datetime64[M]")
    of_month = (day - month).astype(np.int64)
    leap = bool(((_month(month) == 1) & (of_month == 28)).any())
    base = 12 * ((2004 if leap else 2001) - 1970)
    first = (base + _month(month)).astype("datetime64[M]").astype("datetime64[D]")
    return np.asarray((first.astype(np.int64) + of_month) * DAY_MS + local_ms % DAY_MS, np.int64)
