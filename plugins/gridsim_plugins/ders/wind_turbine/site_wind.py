"""The wind climate of a site: a mean wind with a Weibull distribution. The ten-minute wind at a
place is a normal process, a function of (seed, place, time), that is mapped to the Weibull
distribution. Turbines within half a degree (about 50 km) share it. It is a sum of bands of one hour
to four days. Its autocorrelation after 1, 6 and 24 h is .95, .72 and .37, close to that of hourly
wind at stations (Brett, Tuller: The autocorrelation of hourly wind speed observations, Journal of
Applied Meteorology 30 (1991): .7 to .95 after an hour). Seasons and the hours of the day are not
part of it.
"""

from __future__ import annotations

import numpy as np

from gridsim.api import Draws, Floats, Sites
from gridsim.helpers import weibull
from gridsim.helpers.randomness import mixed

_PLACE_DEG = 0.5
_HOUR_MS = 3_600_000
# The distance of the knots of each band and its share of the variance.
_BANDS = ((_HOUR_MS, 0.05), (6 * _HOUR_MS, 0.25), (24 * _HOUR_MS, 0.4), (96 * _HOUR_MS, 0.3))


class SiteWind:
    """The mean wind at the hubs of n turbines."""

    def __init__(self, draws: Draws, sites: Sites, mean: Floats, k: Floats) -> None:
        """Make the climate of turbines at `sites`, one each; `mean` in m/s."""
        self._draws = draws
        place = np.rint(np.stack((sites.latitude, sites.longitude)) / _PLACE_DEG).astype(np.int64)
        cell = (place[0] + 1000) * 10_000 + place[1] + 1000
        cells, self._cell = np.unique(cell, return_inverse=True)
        self._keys = mixed(cells.astype(np.uint64), 0x57494E44)
        self._scale, self._shape = weibull.scale_of(mean, k), k
        self._knots: dict[tuple[int, int], Floats] = {}

    def at(self, time_ms: int) -> Floats:
        """Return the mean wind, float64[n], m/s."""
        z = np.zeros(len(self._keys))
        for band, (knot_ms, variance) in enumerate(_BANDS):
            knot, past = divmod(time_ms, knot_ms)
            share = past / knot_ms
            # Scaled so that the variance between knots equals that at knots.
            weight = np.sqrt(variance / ((1.0 - share) ** 2 + share**2))
            here, then = self._knot(band, knot), self._knot(band, knot + 1)
            z += weight * ((1.0 - share) * here + share * then)
        return weibull.speed(z[self._cell], self._scale, self._shape)

    def _knot(self, band: int, knot: int) -> Floats:
        value = self._knots.get((band, knot))
        if value is None:
            value = self._draws.normal(f"wind_turbine/climate/{band}", self._keys, knot)
            for old in [key for key in self._knots if key[0] == band and abs(key[1] - knot) > 1]:
                del self._knots[old]
            self._knots[band, knot] = value
        return value
