"""The expected air temperature at a place, by time of year and day."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridsim.helpers.randomness import Floats

Times = int | NDArray[np.int64]

DAILY_SWING_K = 4.5
"""Half the difference between afternoon and early morning under a clear sky."""

_DAY_MS = 86_400_000
_YEAR_MS = 365.2425 * _DAY_MS
# 2000-01-01 00:00 UTC; any new year works.
_NEW_YEAR_MS = 946_684_800_000


def year_fraction(time_ms: Times) -> Any:
    """Return the fraction of the year that has passed at UTC `time_ms`; accurate to a day.

    An int gives a float, int64[n] gives float64[n].
    """
    return (time_ms - _NEW_YEAR_MS) / _YEAR_MS % 1.0


def annual_mean_c(latitude: Floats, altitude: Floats) -> Floats:
    """Return the mean temperature of the year, degrees Celsius.

    The zonal mean of North, Cahalan, Coakley: Energy balance climate models, Reviews of
    Geophysics 19 (1981), less 6.5 K per km of height.
    """
    sine = np.sin(np.radians(latitude))
    mean: Floats = 14.9 - 28.0 * (1.5 * sine * sine - 0.5) - 0.0065 * altitude
    return mean


def temperature_c(
    mean_c: Floats,
    latitude: Floats,
    longitude: Floats,
    time_ms: Times,
    daily_swing_k: Floats | float,
) -> Floats:
    """Return the mean plus its course over the year and the day, degrees Celsius.

    The amplitude over the year is that of the same energy balance model, 15.5 K times the sine of
    the latitude; the minimum is about a month after the solstice. The amplitude over the day is
    `daily_swing_k`; the maximum is at 15:00 solar time.
    """
    season = np.cos(2.0 * np.pi * (year_fraction(time_ms) - 0.055))
    solar_day = (time_ms % _DAY_MS) / _DAY_MS + longitude / 360.0
    daily = daily_swing_k * np.cos(2.0 * np.pi * (solar_day - 15.0 / 24.0))
    temperature: Floats = mean_c - 15.5 * np.sin(np.radians(latitude)) * season + daily
    return temperature
