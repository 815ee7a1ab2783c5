"""The weather plugin `file`."""

from __future__ import annotations

import numpy as np
from loguru import logger
from numpy.typing import NDArray

from gridsim.api import Draws, Floats, Register, Sites, Weather, WeatherSample, hookimpl
from gridsim.helpers import clearsky, sun
from gridsim_plugins.weather.file.daylight import MonotoneSlope, monotone_slope, usable_knots
from gridsim_plugins.weather.file.reading import read_weather
from gridsim_plugins.weather.file.series import DAY_MS, Series
from gridsim_plugins.weather.file.settings import WeatherFileSettings

# The path of the sun is integrated in steps of at most a minute.
_FINE_MS = 60_000
_LOW_SUN = 0.05
# The maximum over the extraterrestrial irradiance; a row with more has a wrong time.
_BRIGHTEST = 1.2


class FileWeather(Weather[WeatherFileSettings]):
    """Irradiance, temperature and wind from one place, for every site.

    Irradiance is interpolated so that each row keeps its energy and follows the sun at each
    site. Temperature and wind are interpolated linearly between the middles of rows.
    """

    Settings = WeatherFileSettings

    def __init__(self, settings: WeatherFileSettings, sites: Sites, draws: Draws) -> None:
        """Read the file; raise ValueError if it cannot be used."""
        super().__init__(settings, sites, draws)
        self._series, description = read_weather(settings)
        logger.info(description)
        self._up = sun.up_vector(sites.latitude, sites.longitude)
        place = (np.array([self._series.latitude]), np.array([self._series.longitude]))
        self._station = sun.up_vector(*place)
        self._day: _Day | None = None

    def at(self, time_ms: int) -> WeatherSample:
        """Return the weather; raise ValueError at a time outside the file."""
        position = sun.sun_vector(time_ms)
        above = sun.extraterrestrial(position)
        return self._sky(position, above, *self._at_station(time_ms, above))

    def block(self, times_ms: NDArray[np.int64]) -> WeatherSample:
        times = times_ms.tolist()
        path = sun.sun_path(times)
        above = path.extraterrestrial
        rows = [self._at_station(*one) for one in zip(times, above[:, 0].tolist(), strict=True)]
        return self._sky(path, above, *np.array(rows).T[:, :, None])

    def _at_station(self, time_ms: int, above: float) -> tuple[float, float, float, float]:
        """Return global and diffuse irradiance over the cosine of the zenith angle, W/m2, the
        temperature, and the wind. Raises ValueError at a time outside the file.
        """
        self._series.require(time_ms)
        bright, diffuse = self._day_of(time_ms).light(time_ms)
        bright = min(bright, _BRIGHTEST * above)
        if diffuse is None:
            diffuse = bright * float(clearsky.diffuse_share(np.array(bright / above)))
        temperature, wind = (
            self._between(values, time_ms)
            for values in (self._series.temperature_c, self._series.wind_m_s)
        )
        return bright, min(diffuse, bright), temperature, wind

    def _sky(
        self,
        position: sun.SunVector | sun.SunPath,
        above: Floats | float,
        bright: Floats | float,
        diffuse: Floats | float,
        temperature: Floats | float,
        wind: Floats | float,
    ) -> WeatherSample:
        """Return the weather at the sites; numbers at one time, or columns float64[k, 1]."""
        height = np.maximum(sun.cos_zenith(position, self._up), 0.0)
        ghi = bright * height
        # The direct irradiance of the file is limited by the extraterrestrial irradiance.
        beam = np.minimum((ghi - diffuse * height) / np.maximum(height, _LOW_SUN), above)
        return WeatherSample(
            ghi,
            beam,
            ghi - beam * height,
            np.broadcast_to(np.asarray(temperature), height.shape),
            np.broadcast_to(np.asarray(wind), height.shape),
        )

    def _between(self, values: Floats, time_ms: int) -> float:
        step = self._series.step_ms
        since = time_ms - self._series.start_ms - step // 2
        first = self._series.start_ms + since // step * step
        before, after = self._series.rows(np.array([first, first + step], np.int64))
        share = since % step / step
        return float((1.0 - share) * values[before] + share * values[after])

    def _day_of(self, time_ms: int) -> _Day:
        number = time_ms // DAY_MS
        if self._day is None or self._day.number != number:
            self._day = _Day(number, self._series, self._station)
        return self._day


class _Day:
    """The clearness of one UTC day, from its rows and those of the days before and after."""

    def __init__(self, number: int, series: Series, station: Floats) -> None:
        self.number = number
        step, start = series.step_ms, series.start_ms
        first = (number - 1) * DAY_MS - start
        last = (number + 2) * DAY_MS - start
        edges = np.arange(first // step, -(-last // step) + 1) * step + start
        if not series.typical_year:
            edges = edges[(edges >= start) & (edges <= series.end_ms)]
        fine = max(1, -(-step // _FINE_MS))
        self._at = np.linspace(edges[0], edges[-1], (len(edges) - 1) * fine + 1)
        towards = [sun.sun_vector(int(at)) for at in self._at.tolist()]
        x, y, z = station[:, 0].tolist()
        height = np.array([max(s.x * x + s.y * y + s.z * z, 0.0) for s in towards])
        # In units of a row's length, so that E is a sum of row means.
        path = np.concatenate(([0.0], np.cumsum((height[1:] + height[:-1]) * (0.5 / fine))))
        self._path = path
        u = path[::fine]
        rise = np.diff(u)
        rows = series.rows(edges[:-1])
        ghi = None if series.ghi is None else series.ghi[rows]
        dhi = None if series.dhi is None else series.dhi[rows]
        if dhi is None and ghi is not None and series.dni is not None:
            dhi = np.maximum(ghi - series.dni[rows] * rise, 0.0)
        if ghi is None and dhi is not None and series.dni is not None:
            ghi = dhi + series.dni[rows] * rise
        assert ghi is not None
        keep = usable_knots(u)
        self._ghi = _slope(u, ghi, keep)
        self._dhi = None if dhi is None else _slope(u, dhi, keep)

    def light(self, time_ms: int) -> tuple[float, float | None]:
        """Return global and diffuse irradiance over the cosine of the zenith angle, W/m2."""
        u = float(np.interp(time_ms, self._at, self._path))
        return self._ghi.at(u), None if self._dhi is None else self._dhi.at(u)


def _slope(
    u: Floats, mean: Floats, keep: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> MonotoneSlope:
    # A row without sun has no energy; the noise of the sensor is ignored.
    energy = np.concatenate(([0.0], np.cumsum(np.where(np.diff(u) > 0.0, mean, 0.0))))
    return monotone_slope(u[keep], energy[keep])


@hookimpl
def gridsim_register(register: Register) -> None:
    register.weather("file", FileWeather)
