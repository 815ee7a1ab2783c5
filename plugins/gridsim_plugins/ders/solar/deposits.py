"""Snow and dirt on solar modules, which settings turn on. They follow the rain and snow of the
weather. If the weather has no rain, or if the settings give numbers, the days of snow and rain are
drawn for each square of one degree, so that neighbours have the same days.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Draws, Floats, Keys, Stateful, identity

# The snow of a day with snowfall, cm.
_FALL_CM = 5.0
# Above this air temperature, degrees Celsius, it rains instead.
_SNOW_BELOW_C = 1.5
_MONTH_DAYS = 30.4
_DAY_MS, _DAY_S = 86_400_000, 86_400.0
# The upper limit of the loss in the model of Kimber et al.
_MOST_SOILED = 0.3
# The rain of a day that washes the modules, mm (the default of pvlib's model of Kimber et al.).
_WASHES_MM = 6.0
# The snow of a day that covers the modules, and the depth of snow per mm of water, cm.
_COVERS_CM, _CM_PER_MM = 1.0, 1.0
# The longest dry spell.
_MOST_DRY_DAYS = 365


def squares(latitude: Floats, longitude: Floats) -> Keys:
    """Return the identity of the square of one degree at each place, uint64[n]."""
    names = [
        f"{lat:.0f}/{lon:.0f}"
        for lat, lon in zip(np.floor(latitude), np.floor(longitude), strict=True)
    ]
    known = {name: identity(name) for name in set(names)}
    return np.array([known[name] for name in names], np.uint64)


def month_of(day: int) -> int:
    """Return the month, 0 to 11, of a day since 1970."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).month - 1


class DaySum(Stateful):
    """The rain or snow since local midnight at n planes."""

    kept = ("_sum", "_day")

    def __init__(self, n: int) -> None:
        self._sum = np.zeros(n)
        self._day = np.full(n, -1, np.int64)

    def add(self, local_ms: NDArray[np.int64], amount: Floats) -> Floats:
        """Add the amount of a tick, and return the sum of the day."""
        day = local_ms // _DAY_MS
        self._sum = np.where(day == self._day, self._sum, 0.0) + amount
        self._day = day
        return self._sum


class SnowCover(Stateful):
    """The share of each of n planes that snow covers.

    Marion, Schaefer, Caine, Sanchez: Measured and modeled photovoltaic system energy losses from
    snow, Solar Energy 97 (2013): a snowfall covers a plane; the snow slides off where the air is
    warmer than the irradiance over -80 W/m2 per degree Celsius, by 0.197 sin(tilt) of the plane
    an hour.
    """

    kept = ("_covered", "_fallen")

    def __init__(
        self,
        draws: Draws,
        squares: Keys,
        monthly_cm: NDArray[np.float64],
        sin_tilt: Floats,
        by_weather: NDArray[np.bool_] | None = None,
    ) -> None:
        """Start without snow; `monthly_cm`, float64[12, n], is the snow that falls in a month.

        Where `by_weather` is true, the snow of the weather is used instead.
        """
        self._draws, self._squares = draws, squares
        self._by_weather = np.zeros(len(squares), np.bool_) if by_weather is None else by_weather
        self._chance = np.minimum(monthly_cm / _FALL_CM / _MONTH_DAYS, 1.0)
        self._rate = 0.197 * sin_tilt
        self._covered = np.zeros(len(squares))
        self._fallen = DaySum(len(squares))
        self._day: NDArray[np.int64] | None = None
        self._falls_at: Floats = np.full(len(squares), np.inf)

    def share_free(
        self,
        local_ms: NDArray[np.int64],
        dt_s: float,
        air_c: Floats,
        plane: Floats,
        rain_mm_h: Floats | None = None,
    ) -> Floats:
        """Advance by a tick, and return the share of each plane that is free of snow.

        `local_ms` are the local times, `plane` the irradiance on the planes, W/m2.
        """
        cold = air_c < _SNOW_BELOW_C
        falls = self._drawn(local_ms, dt_s) & cold
        if rain_mm_h is not None and self._by_weather.any():
            fresh_cm = np.where(cold & self._by_weather, _CM_PER_MM * rain_mm_h, 0.0)
            fallen = self._fallen.add(local_ms, fresh_cm * dt_s / 3600.0)
            falls |= (fresh_cm > 0.0) & (fallen >= _COVERS_CM)
        slides = ~falls & (air_c > plane / -80.0)
        slid = np.where(slides, self._rate * dt_s / 3600.0, 0.0)
        self._covered = np.where(falls, 1.0, np.maximum(self._covered - slid, 0.0))
        free: Floats = 1.0 - self._covered
        return free

    def _drawn(self, local_ms: NDArray[np.int64], dt_s: float) -> NDArray[np.bool_]:
        """Return a mask of the planes with a drawn snowfall in the tick."""
        day = local_ms // _DAY_MS
        if self._day is None or (day != self._day).any():
            self._day, self._falls_at = day, self._fall_times(day)
        since = self._falls_at - (local_ms % _DAY_MS)
        falls: NDArray[np.bool_] = (since >= 0.0) & (since < dt_s * 1000.0)
        return falls

    def _fall_times(self, day: NDArray[np.int64]) -> Floats:
        """Return the time of day of the snowfall on local days, ms; inf without one."""
        u = self._draws.uniform4("solar/snow", self._squares, day)
        months = {one: month_of(one) for one in np.unique(day).tolist()}
        month = np.array([months[one] for one in day.tolist()], np.intp)
        snows = u[0] < self._chance[month, np.arange(len(day))]
        return np.where(snows, np.floor(u[1] * _DAY_MS), np.inf)


class Dirt(Stateful):
    """The days since the rain of the weather last washed each of n planes."""

    kept = ("_days", "_rain")

    def __init__(self, days: Floats) -> None:
        """Start after `days` dry days."""
        self._days = days
        self._rain = DaySum(len(days))

    def dry_days(
        self, local_ms: NDArray[np.int64], dt_s: float, air_c: Floats, rain_mm_h: Floats
    ) -> Floats:
        """Advance by a tick, and return the days since the last wash."""
        water = np.where(air_c < _SNOW_BELOW_C, 0.0, rain_mm_h) * dt_s / 3600.0
        washed = self._rain.add(local_ms, water) >= _WASHES_MM
        self._days = np.where(washed, 0.0, self._days + dt_s / _DAY_S)
        return self._days


def soiled(dry_days: Floats, per_day: Floats) -> Floats:
    """Return the share of the light that dirt absorbs after dry days, at a rate per day.

    Kimber, Mitchell, Nogradi, Wenger: The effect of soiling on large grid-connected photovoltaic
    systems in California, IEEE WCPEC (2006).
    """
    loss: Floats = np.minimum(dry_days * per_day, _MOST_SOILED)
    return loss


def dry_days(draws: Draws, squares: Keys, day: NDArray[np.int64], rain_days: Floats) -> Floats:
    """Return the days since it rained last, float64[n].

    `rain_days` is the number of days a month with rain that cleans.
    """
    chance = np.minimum(rain_days / _MONTH_DAYS, 1.0)
    dry, open_ = np.zeros(len(day)), np.ones(len(day), np.bool_)
    for back in range(_MOST_DRY_DAYS):
        rows = np.flatnonzero(open_)
        if not len(rows):
            break
        rains = draws.uniform("solar/rain", squares[rows], day[rows] - back) < chance[rows]
        open_[rows[rains]] = False
        dry[rows[~rains]] += 1.0
    return dry


def monthly(values: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Return monthly values of n planes as float64[12, n]; an empty sequence is twelve zeros."""
    return np.array([[*one] or [0.0] * 12 for one in values], np.float64).reshape(-1, 12).T
