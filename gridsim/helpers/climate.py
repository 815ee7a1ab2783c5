"""The air temperature to expect at a place and time of the year and day."""

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
# 2000-01-01 00:00 UTC; any new year would do.
_NEW_YEAR_MS = 946_684_800_000


def year_fraction(time_ms: Times) -> Any:
    """How much of the year has passed at UTC `time_ms`, 0 to 1; good to a day.

    A float for one time, float64[n] for int64[n].
    """
    return (time_ms - _NEW_YEAR_MS) / _YEAR_MS % 1.0


def annual_mean_c(latitude: Floats, altitude: Floats) -> Floats:
    """The mean temperature of the year, degrees Celsius.

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
    """The mean with its course over the year and, by `daily_swing_k` up and down, the day.

    The yearly swing is that of the same energy balance model, 15.5 K times the latitude's
    sine; it is coldest about a month after the solstice. It is warmest at 15:00 solar time.
    """
    season = np.cos(2.0 * np.pi * (year_fraction(time_ms) - 0.055))
    solar_day = (time_ms % _DAY_MS) / _DAY_MS + longitude / 360.0
    daily = daily_swing_k * np.cos(2.0 * np.pi * (solar_day - 15.0 / 24.0))
    temperature: Floats = mean_c - 15.5 * np.sin(np.radians(latitude)) * season + daily
    return temperature
