"""The usual wind and rain at a place, by time of year.

The file `wind_and_rain.npz` holds world-wide maps on a grid of 1 by 1.25 degrees: over land the
normals 1961 to 1990 of CRU CL 2.0 at the weather stations (New, Lister, Hulme, Makin: A
high-resolution data set of surface climate over global land areas, Climate Research 21 (2002); as
in the R package GSODRdata), over the sea the wind of COADS (NOAA, in the public domain).
`benchmarks/realism/wind_table.py` builds the file; CRU CL 2.0 names no licence that could be found,
and `benchmarks/realism/wind_stations.py` lists possible replacements.

One in ten one-degree squares was held back; `benchmarks/realism/wind.py` compares with them. The
means are those of weather stations, and so of open land: a hill or a street differs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridsim.helpers.climate import Times, harmonics
from gridsim.helpers.maps import between, load_map
from gridsim.helpers.randomness import Floats

_FILE = "wind_and_rain.npz"
_WIND_M_S, _WET_DAYS, _RAIN_MM = 0.1, 0.5, 4.0
_MONTH_DAYS = 30.44
_LEAST_WIND = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class WindAndRain:
    """The normals of n places, as mean, cosine and sine of the year, each float64[3, n]."""

    wind: Floats
    """The wind at 10 m, m/s."""
    wet: Floats
    """The days with rain or snow in a month."""
    rain: Floats
    """The rain, and snow as water, of a month, mm."""

    def wind_m_s(self, time_ms: Times) -> Floats:
        """Return the mean wind at 10 m at the time of year, m/s."""
        least = np.where(self.wind[0] > 0.0, _LEAST_WIND, 0.0)
        return np.maximum(harmonics(self.wind, time_ms), least)

    def wet_share(self, time_ms: Times) -> Floats:
        """Return the share of days with rain at the time of year, 0 to 1."""
        return np.clip(harmonics(self.wet, time_ms) / _MONTH_DAYS, 0.0, 1.0)

    def rain_mm_h(self, time_ms: Times) -> Floats:
        """Return the mean rate of rain, dry hours included, at the time of year, mm/h."""
        return np.maximum(harmonics(self.rain, time_ms), 0.0) / (_MONTH_DAYS * 24.0)

    def at(self, rows: NDArray[np.intp]) -> WindAndRain:
        """Return the normals of some of the places."""
        return WindAndRain(self.wind[:, rows], self.wet[:, rows], self.rain[:, rows])


def wind_and_rain(
    latitude: Floats, longitude: Floats, mean_wind: float | None = None
) -> WindAndRain:
    """Return the normals of places; `mean_wind` replaces the mean of the wind of the year."""
    wind, wet, rain = (
        between(load_map(_FILE, name), latitude, longitude) * step
        for name, step in (("wind", _WIND_M_S), ("wet", _WET_DAYS), ("mm", _RAIN_MM))
    )
    if mean_wind is not None:
        wind *= mean_wind / np.maximum(wind[0], _LEAST_WIND)
        wind[0] = mean_wind
    return WindAndRain(wind, wet, rain)
