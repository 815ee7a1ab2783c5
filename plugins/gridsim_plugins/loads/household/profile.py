"""The standard load profiles of households, H0 and H25, at any local time.

The tables times the dynamic factor of the VDEW (1999), which is also that of H25 (BDEW, 2025).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats
from gridsim.helpers.holidays import NONE, Holidays
from gridsim_plugins.loads.household.tables import H0_WATTS, H25_WATTS

HOUR_MS = 3_600_000
_DAY_H = 24

# The first days of transition, summer, transition and winter: 21 March, 15 May, 15 September,
# 1 November.
_SEASON_STARTS = np.array([80, 135, 258, 305])
_SEASON = np.array([0, 1, 2, 1, 0])
DAY_KIND = np.array([0, 0, 0, 0, 0, 1, 2])
HALF_YEAR_DAYS = 182


def dynamic_factor(day_of_year: NDArray[np.int64]) -> Floats:
    """Return the factor F of a day of the year, from 1, on the profile of its season."""
    t = day_of_year.astype(np.float64)
    factor: Floats = -3.92e-10 * t**4 + 3.2e-7 * t**3 - 7.02e-5 * t**2 + 2.1e-3 * t + 1.24
    return factor


@dataclass(frozen=True, eq=False)
class Profile:
    """A standard load profile."""

    watts: Floats
    """The hourly means, [period of the year, kind of day, hour]."""
    base: float
    """The base load, standby and cold appliances, of the mean power of all homes."""
    monthly: bool
    """True if the periods are the months, false if they are the three seasons."""

    @cached_property
    def mean_watts(self) -> float:
        """The mean of the table over an average year, W."""
        day = np.arange(1, 366)
        month = (day - 1).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
        week = self.watts.mean(axis=2) @ np.array([5.0, 1.0, 1.0]) / 7.0
        return float((dynamic_factor(day) * week[self.period(day, month)]).mean())

    def period(self, day_of_year: NDArray[np.int64], month: NDArray[np.int64]) -> NDArray[np.intp]:
        """Return the period of days of the year, from 1, in the months `month`, from 0."""
        if self.monthly:
            return month.astype(np.intp)
        season: NDArray[np.intp] = _SEASON[np.searchsorted(_SEASON_STARTS, day_of_year, "right")]
        return season


ProfileName = Literal["H0", "H25"]
PROFILES: dict[ProfileName, Profile] = {
    # The least of H0 is 0.32 of its mean, that of H25 is 0.47.
    "H0": Profile(H0_WATTS, 0.305, monthly=False),
    "H25": Profile(H25_WATTS, 0.40, monthly=True),
}
H0 = PROFILES["H0"]


def relative_power(
    local_ms: NDArray[np.int64],
    southern: NDArray[np.bool_],
    profile: Profile = H0,
    holidays: Holidays = NONE,
) -> Floats:
    """Return the power over the mean power of the year, float64[n].

    `local_ms` is the local time (ms since 1970-01-01 00:00 local). In the southern hemisphere
    the seasons are shifted by half a year. The hourly means are interpolated linearly, which
    keeps the energy of a day. Public holidays are Sundays.
    """
    since_middle = local_ms - HOUR_MS // 2
    hour = since_middle // HOUR_MS
    past = (since_middle % HOUR_MS) / HOUR_MS
    before, after = _at_hours(hour, southern, profile, holidays)
    return (1.0 - past) * before + past * after


def _at_hours(
    hour: NDArray[np.int64], southern: NDArray[np.bool_], profile: Profile, holidays: Holidays
) -> tuple[Floats, Floats]:
    """Return the values of `hour` and the hour after it."""
    if not hour.size:
        return np.zeros(hour.shape), np.zeros(hour.shape)
    first = int(hour.min())
    span = int(hour.max()) - first + 2
    if span >= hour.size:
        before = _hourly(hour, southern, profile, holidays)
        return before, _hourly(hour + 1, southern, profile, holidays)
    # Many sites share few hours: compute each hour once per hemisphere.
    hours = first + np.arange(span)
    hemispheres = (np.zeros(span, np.bool_), np.ones(span, np.bool_))
    table = np.concatenate([_hourly(hours, half, profile, holidays) for half in hemispheres])
    place = hour - first + southern * span
    return table.take(place), table.take(place + 1)


def _hourly(
    hour: NDArray[np.int64], southern: NDArray[np.bool_], profile: Profile, holidays: Holidays
) -> Floats:
    """Return the value for whole hours since 1970-01-01 00:00 local."""
    day = hour // _DAY_H
    weekday = holidays.weekday(day)
    shifted = (day + np.where(southern, HALF_YEAR_DAYS, 0)).astype("datetime64[D]")
    new_year = shifted.astype("datetime64[Y]").astype("datetime64[D]")
    day_of_year = (shifted - new_year).astype(np.int64) + 1
    month = shifted.astype("datetime64[M]").astype(np.int64) % 12
    period = profile.period(day_of_year, month)
    watts = profile.watts[period, DAY_KIND[weekday], hour % _DAY_H]
    relative: Floats = dynamic_factor(day_of_year) * watts / profile.mean_watts
    return relative
