"""The standard load profile of households, H0.

VDEW: Repraesentative VDEW-Lastprofile (1999), published by the BDEW: hourly means of the
quarter-hour values, in W for about 1000 kWh a year, with the dynamic factor of the same
source, which smooths the transitions between seasons.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats

HOUR_MS = 3_600_000
_DAY_H = 24

# [season: winter, transition, summer][day: weekday, Saturday, Sunday][hour]
# fmt: off
_WATTS = np.array([
    [[58.3, 43.1, 39.6, 38.5, 39.1, 46.9, 90.1, 129.4, 133.5, 123.2, 116.2, 118.3,
      130.7, 129.5, 115.4, 104.8, 105.2, 128.7, 166.2, 187.1, 168.2, 141.0, 116.7, 86.4],
     [67.1, 52.9, 42.1, 39.7, 38.5, 40.1, 53.1, 82.0, 119.7, 141.7, 147.9, 155.0,
      166.6, 165.8, 153.5, 143.8, 144.8, 180.5, 209.4, 210.1, 172.0, 134.1, 122.5, 103.9],
     [78.2, 56.3, 45.1, 41.2, 38.7, 38.6, 41.0, 50.0, 88.5, 138.5, 174.2, 202.8,
      206.7, 173.0, 136.1, 116.6, 106.7, 125.7, 156.4, 176.3, 160.1, 135.5, 114.8, 84.6]],
    [[66.6, 49.2, 44.3, 43.1, 44.1, 52.6, 92.9, 129.7, 137.5, 136.0, 132.1, 133.3,
      149.6, 145.7, 126.8, 113.4, 106.2, 116.3, 144.9, 171.9, 168.1, 156.0, 135.7, 100.3],
     [73.2, 56.3, 46.5, 43.8, 43.2, 45.2, 58.6, 93.3, 129.7, 150.4, 163.3, 171.8,
      181.4, 177.5, 161.3, 148.7, 146.5, 159.4, 183.3, 198.1, 180.4, 147.3, 138.6, 116.5],
     [84.3, 62.2, 48.9, 44.3, 43.2, 43.3, 45.7, 65.6, 111.2, 159.5, 185.1, 205.2,
      207.8, 168.6, 136.3, 121.0, 107.3, 111.8, 137.6, 160.9, 154.8, 143.9, 127.6, 94.0]],
    [[73.6, 54.8, 49.8, 46.9, 48.8, 59.3, 97.9, 129.7, 141.6, 144.1, 139.3, 142.0,
      157.8, 152.7, 131.8, 118.8, 114.8, 122.5, 142.2, 165.2, 166.6, 157.5, 144.5, 112.1],
     [83.0, 64.3, 52.3, 50.0, 50.5, 51.7, 63.7, 93.1, 128.4, 155.8, 164.9, 171.1,
      182.1, 176.0, 157.2, 148.4, 144.8, 149.0, 166.5, 180.4, 172.9, 153.8, 148.6, 124.7],
     [89.6, 66.7, 54.5, 50.6, 50.0, 48.8, 51.3, 69.5, 112.5, 160.3, 186.6, 205.7,
      209.5, 175.4, 144.1, 124.4, 108.4, 109.6, 126.7, 152.0, 159.4, 150.5, 140.2, 108.1]],
])
# fmt: on
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


def _annual_mean() -> float:
    """Return the mean of the table over an average year, W."""
    day = np.arange(1, 366)
    season = _SEASON[np.searchsorted(_SEASON_STARTS, day, side="right")]
    week = _WATTS.mean(axis=2) @ np.array([5.0, 1.0, 1.0]) / 7.0
    return float((dynamic_factor(day) * week[season]).mean())


_MEAN_WATTS = _annual_mean()


def relative_power(local_ms: NDArray[np.int64], southern: NDArray[np.bool_]) -> Floats:
    """Return the power over the mean power of the year, float64[n].

    `local_ms` is the local time (ms since 1970-01-01 00:00 local). In the southern hemisphere
    the seasons are shifted by half a year. The hourly means are interpolated linearly, which
    keeps the energy of a day. Public holidays count as ordinary days.
    """
    since_middle = local_ms - HOUR_MS // 2
    hour = since_middle // HOUR_MS
    past = (since_middle % HOUR_MS) / HOUR_MS
    before, after = _at_hours(hour, southern)
    return (1.0 - past) * before + past * after


def _at_hours(hour: NDArray[np.int64], southern: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return the values of `hour` and the hour after it."""
    if not hour.size:
        return np.zeros(hour.shape), np.zeros(hour.shape)
    first = int(hour.min())
    span = int(hour.max()) - first + 2
    if span >= hour.size:
        return _hourly(hour, southern), _hourly(hour + 1, southern)
    # Many sites share few hours: compute each hour once per hemisphere.
    hours = first + np.arange(span)
    hemispheres = (np.zeros(span, np.bool_), np.ones(span, np.bool_))
    table = np.concatenate([_hourly(hours, half) for half in hemispheres])
    place = hour - first + southern * span
    return table.take(place), table.take(place + 1)


def _hourly(hour: NDArray[np.int64], southern: NDArray[np.bool_]) -> Floats:
    """Return the value for whole hours since 1970-01-01 00:00 local."""
    day = hour // _DAY_H
    weekday = (day + 3) % 7  # 1970-01-01 was a Thursday
    shifted = (day + np.where(southern, HALF_YEAR_DAYS, 0)).astype("datetime64[D]")
    new_year = shifted.astype("datetime64[Y]").astype("datetime64[D]")
    day_of_year = (shifted - new_year).astype(np.int64) + 1
    season = _SEASON[np.searchsorted(_SEASON_STARTS, day_of_year, side="right")]
    watts = _WATTS[season, DAY_KIND[weekday], hour % _DAY_H]
    relative: Floats = dynamic_factor(day_of_year) * watts / _MEAN_WATTS
    return relative
