"""The usual air temperature at a place, by time of year and day, and the height of the land there.

The file `climate.npz` holds world-wide maps on a grid of 1 by 1.25 degrees. The temperature reduced
to sea level is interpolated by Gaussian process regression, by distance and by the share of land,
from the daily means, 1995 to 2014, of 271 cities (Global Surface Summary of the Day, NOAA, in the
public domain; means of the archive of the University of Dayton), and over the sea from the air
temperature of COADS (NOAA, in the public domain). It is stored as harmonics of the year. The daily
range is a regression on the share of land, the mean and the amplitude of the year, height and
latitude, whose coefficients were fitted to the monthly normals 1991 to 2020 of the reanalysis
MERRA-2 (NASA, doi:10.5067/KVIMOMCUO83U); its residual is 1.1 K. The height is the lower quartile
of ETOPO5 (NOAA, in the public domain) over the land of half a degree, because towns lie in valleys.

`benchmarks/realism/climate_table.py` builds the file from these sources, bit for bit.

46 cities, drawn at random, were held back; `benchmarks/realism/climate.py` compares with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridsim.helpers.maps import between, load_map
from gridsim.helpers.randomness import Floats

Times = int | NDArray[np.int64]

LAPSE_K_PER_M = 0.0065

_FILE = "climate.npz"
_DAY_MS = 86_400_000
_YEAR_MS = 365.2425 * _DAY_MS
# 2000-01-01 00:00 UTC; any new year works.
_NEW_YEAR_MS = 946_684_800_000
# The steps in which the maps are stored.
_TEMPERATURE_K, _RANGE_K, _HEIGHT_M = 0.25, 0.5, 20.0


def year_fraction(time_ms: Times) -> Any:
    """Return the fraction of the year that has passed at UTC `time_ms`; accurate to a day.

    An int gives a float, int64[n] gives float64[n].
    """
    return (time_ms - _NEW_YEAR_MS) / _YEAR_MS % 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Normals:
    """The normals of n places, as harmonics of the year: mean, cosine, sine, cosine, ..."""

    temperature: Floats
    """The mean of the day, degrees Celsius, float64[7, n]."""
    range: Floats
    """The difference between the highest and the lowest of a day, K, float64[3, n]."""
    longitude: Floats
    spread: Floats
    """The standard deviation of a day's mean, K: its mean over the year, and the excess of
    the coldest season, float64[2, n]."""

    def day_mean_c(self, time_ms: Times) -> Floats:
        """Return the mean temperature of the day at UTC `time_ms`, degrees Celsius."""
        return harmonics(self.temperature, time_ms)

    def course_k(self, time_ms: Times) -> Floats:
        """Return the deviation from the mean of the day on a usual day, K."""
        return harmonics(self.range, time_ms) * _course(self.longitude, time_ms)

    def spread_k(self, time_ms: Times) -> Floats:
        """Return the standard deviation of the mean of a day at UTC `time_ms`, K."""
        spread: Floats = self.spread[0] + self.spread[1] * self.cold(time_ms)
        return spread

    def cold(self, time_ms: Times) -> Floats:
        """Return the season: 1 at its coldest, -1 at its warmest, float64[n]."""
        angle = 2.0 * np.pi * year_fraction(time_ms)
        first, second = self.temperature[1], self.temperature[2]
        size = np.maximum(np.hypot(first, second), 1e-9)
        cold: Floats = -(first * np.cos(angle) + second * np.sin(angle)) / size
        return cold

    def at(self, rows: NDArray[np.intp]) -> Normals:
        """Return the normals of some of the places."""
        return Normals(
            self.temperature[:, rows],
            self.range[:, rows],
            self.longitude[rows],
            self.spread[:, rows],
        )


def normals(
    latitude: Floats, longitude: Floats, altitude: Floats, mean_c: float | None = None
) -> Normals:
    """Return the normals of places, at an altitude in m.

    `mean_c` replaces the mean temperature of the year.

    The standard deviation of a day's mean is a fit to those of 317 cities, 1995 to 2014, by the
    amplitude of the year in K and the latitude: it explains their differences within 1.0 K in
    winter and 0.5 K in summer.
    """
    warmth = between(load_map(_FILE, "temperature"), latitude, longitude) * _TEMPERATURE_K
    warmth[0] = warmth[0] - LAPSE_K_PER_M * altitude if mean_c is None else mean_c
    swing = between(load_map(_FILE, "range"), latitude, longitude) * _RANGE_K
    amplitude: Floats = np.hypot(warmth[1], warmth[2])
    polar: Floats = np.abs(latitude)
    winter = 0.52 + 0.30 * amplitude + 0.024 * polar
    summer = 0.69 + 0.09 * amplitude + 0.025 * polar
    spread = np.stack(((winter + summer) / 2.0, (winter - summer) / 2.0))
    return Normals(warmth, swing, np.asarray(longitude, float), spread)


def land_height(latitude: Floats, longitude: Floats) -> Floats:
    """Return the usual height of the inhabited land at places, m above sea level."""
    height: Floats = between(load_map(_FILE, "height"), latitude, longitude)[0] * _HEIGHT_M
    return height


def harmonics(coefficients: Floats, time_ms: Times) -> Floats:
    """Return the sum of harmonics of the year (mean, cosine, sine, ...) at UTC `time_ms`."""
    angle = 2.0 * np.pi * year_fraction(time_ms)
    total: Floats = coefficients[0]
    for order in range(1, len(coefficients) // 2 + 1):
        total = total + coefficients[2 * order - 1] * np.cos(order * angle)
        total += coefficients[2 * order] * np.sin(order * angle)
    return total


def _course(longitude: Floats, time_ms: Times) -> Floats:
    """Return the course of a day around its mean, for a range of 1.

    Two harmonics of the fractions of the daily range in ASHRAE Handbook of Fundamentals (2013),
    chapter 14: the lowest is before sunrise, the highest soon after 14:00 solar time.
    """
    hour = (time_ms % _DAY_MS) / _DAY_MS * 24.0 + longitude / 15.0
    turn = 2.0 * np.pi / 24.0
    course: Floats = 0.4787 * np.cos(turn * (hour - 14.97)) + 0.0864 * np.cos(
        2.0 * turn * (hour - 1.13)
    )
    return course
