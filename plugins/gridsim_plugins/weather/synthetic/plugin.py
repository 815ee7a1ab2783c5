"""The weather plugin `synthetic`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gridsim.api import (
    WEATHER_LIMITS,
    Draws,
    Floats,
    Register,
    Settings,
    Sites,
    Unit,
    Weather,
    WeatherSample,
    hookimpl,
)
from gridsim.helpers import Minutely, Staggered, clearsky, climate, sun, weibull
from gridsim.helpers.wind_and_rain import wind_and_rain
from gridsim_plugins.weather.synthetic.clouds import (
    CloudField,
    clear_sky_index,
    make_field,
    shares,
)
from gridsim_plugins.weather.synthetic.rain import rain_mm_h
from gridsim_plugins.weather.synthetic.waves import make_drift, make_waves

_EARTH_RADIUS_M = 6.371e6
# The strength of the texture of closed cloud.
_TEXTURE = 0.18
# The interval at which the slow quantities of a place are evaluated. Places are spread over
# groups, so that no tick evaluates all of them. Smaller groups would not be faster: a few places
# cost as much as hundreds.
_SLOW_MS = 300_000
_GROUP_MS = 10_000
# The shares of hours with 0, 1, ... 8 eighths of cloud. Skies of few and of many eighths count
# here as without and as full of cloud, because the light of Lyngby is steady in 70 % of hours.
_OKTA_SHARES = (0.29, 0.04, 0.02, 0.02, 0.04, 0.08, 0.07, 0.05, 0.39)


def _cover_of(rank: Floats) -> Floats:
    """Return the cloud cover that a share `rank` of the time falls below."""
    # Zero eighths is a sky without any cloud, eight eighths one without any gap.
    ends = np.cumsum(_OKTA_SHARES)
    return np.interp(rank, ends[:-1] / ends[-1], np.linspace(0.0, 1.0, 8))


_COVERS = _cover_of((np.arange(1000) + 0.5) / 1000)
_MEAN_COVER, _COVER_SPREAD = float(_COVERS.mean()), float(_COVERS.std())
# Lyngby (DTU), 2016 to 2018, with the daily share of the day without sun as cloud cover: the
# daily range falls by 0.64 of its mean from a clear to an overcast day, and the correlation of
# the day's mean with the cover is .35 in winter, -.35 in summer. Within a day clouds change more
# than from day to day, so their share of the momentary deviation is larger.
_RANGE_OF_CLOUDS, _WARMTH_OF_CLOUDS = 0.64, 0.45
# The spread of the momentary temperature over that of the mean of a day; and the share of the daily
# range that is the usual course: the rest comes from the change of the weather within the day.
_INSTANT_SPREAD, _USUAL_SHARE = 1.06, 0.87


class SyntheticSettings(Settings):
    """Settings of the weather `synthetic`."""

    cloud_cover: Annotated[float | None, Unit("%")] = Field(
        None,
        ge=0.0,
        le=100.0,
        description="constant cloud cover, without rain; unset: it varies with time and place, and "
        "it rains and snows from the thickest clouds, as often and as much as is usual there",
    )
    field_points: Annotated[Literal[256, 512, 1024, 2048, 4096], Unit("1")] = Field(
        1024, description="points along each side of the cloud field, which is periodic"
    )
    field_spacing: Annotated[float, Unit("m")] = Field(
        20.0, ge=5.0, le=100.0, description="distance between the points of the cloud field"
    )
    turbidity: Annotated[float | None, Unit("1")] = Field(
        None,
        ge=1.0,
        le=10.0,
        description="Linke turbidity, 2 for clean cold air to 6 for haze; "
        "unset: a mean value for the latitude and season",
    )
    mean_temperature: Annotated[float | None, Unit("degC")] = Field(
        None,
        ge=-60.0,
        le=40.0,
        description="mean air temperature of the year; unset: the normal of the place",
    )
    mean_wind: Annotated[float | None, Unit("m/s")] = Field(
        None,
        ge=0.0,
        le=20.0,
        description="mean wind speed of the year at 10 m; unset: the normal of the place",
    )
    weibull_k: Annotated[float | None, Unit("1")] = Field(
        None,
        ge=1.0,
        le=4.0,
        description="shape of the Weibull distribution of the wind; unset: 0.94 times the root of "
        "its mean (Justus 1978)",
    )


class Synthetic(Weather[SyntheticSettings]):
    """A sky that all sites share: a cloud over one site moves on to its neighbours.

    The weather is a function of the seed, the place and the time. Places are projected on a
    Mercator map that is true to scale at 45 degrees, so that the sky has no seams; clouds are
    larger by a factor of 1.4 at the equator, and smaller by 1.4 at 60 degrees.
    """

    Settings = SyntheticSettings

    def __init__(self, settings: SyntheticSettings, sites: Sites, draws: Draws) -> None:
        super().__init__(settings, sites, draws)
        # Sites at the same place have the same weather, which is computed once.
        where = np.stack((sites.latitude, sites.longitude, sites.altitude))
        places, inverse = np.unique(where, axis=1, return_inverse=True)
        self._latitude, self._longitude, self._altitude = places
        self._place = None if places.shape[1] == len(sites) else inverse.reshape(-1)
        if self._place is None:
            self._latitude, self._longitude, self._altitude = where
        self._up = sun.up_vector(self._latitude, self._longitude)
        self._normals = climate.normals(
            self._latitude, self._longitude, self._altitude, settings.mean_temperature
        )
        self._usual = wind_and_rain(self._latitude, self._longitude, settings.mean_wind)
        mean = self._usual.wind[0]
        given = settings.weibull_k
        shape = weibull.shape_of(mean) if given is None else np.full(len(mean), given)
        # The shape of each place, and the scale for a mean of 1 m/s.
        self._wind = np.stack((shape, weibull.scale_of(np.ones(len(mean)), shape)))
        self._cover = make_waves(draws, "synthetic/cover", 24, hours=12.0, km=250.0)
        self._warmth = make_waves(draws, "synthetic/warmth", 24, hours=(36.0, 144.0), km=700.0)
        self._gusts = make_waves(draws, "synthetic/gusts", 16, hours=(9.0, 60.0), km=150.0)
        self._thickness = make_waves(draws, "synthetic/thickness", 12, hours=0.7, km=40.0)
        self._haze = make_waves(draws, "synthetic/haze", 8, hours=12.0, km=200.0)
        self._drift = make_drift(draws)
        self._east, self._north = _on_map(
            self._latitude, self._longitude, settings.field_points * settings.field_spacing
        )
        # Made now, because it takes a part of a second and would delay the first tick.
        self._clouds = _field(draws.seed, settings.field_points, settings.field_spacing)
        self._light = Minutely(self._clear_light, self._clear_lights)
        self._slow = Staggered(self._slowly, self._marks(), _SLOW_MS)

    def at(self, time_ms: int) -> WeatherSample:
        position = sun.sun_vector(time_ms)
        temperature, wind, rain, *cloud = self._slow.at(time_ms)
        lift, *light = self._light.at(time_ms)
        height = np.maximum(sun.cos_zenith(position, self._up) + lift, 0.0)
        if not height.any():
            dark = np.zeros_like(height)
            return self._sky(dark, dark, dark, temperature, wind, rain)
        east, north = self._drift.at(time_ms)
        above = sun.extraterrestrial(position)
        parts = self._under_clouds(
            height, above, light, cloud, self._east - east, self._north - north
        )
        return self._sky(*parts, temperature, wind, rain)

    def block(self, times_ms: NDArray[np.int64]) -> WeatherSample:
        path = sun.sun_path(times_ms.tolist())
        temperature, wind, rain, *cloud = self._slow.block(times_ms)
        lift, *light = self._light.block(times_ms).transpose(1, 0, 2)
        height = np.maximum(sun.cos_zenith(path, self._up) + lift, 0.0)
        parts = np.zeros((3, *height.shape))
        lit = np.flatnonzero(height.any(axis=1))
        if len(lit):
            east, north = self._drift.path(times_ms[lit])
            parts[:, lit] = self._under_clouds(
                height[lit],
                path.extraterrestrial[lit],
                [one[lit] for one in light],
                [one[lit] for one in cloud],
                self._east - east[:, None],
                self._north - north[:, None],
            )
        return self._sky(*parts, temperature, wind, rain)

    def _under_clouds(
        self,
        height: Floats,
        above: Floats | float,
        light: Sequence[Floats],
        cloud: Sequence[Floats],
        east: Floats,
        north: Floats,
    ) -> tuple[Floats, Floats, Floats]:
        """Return the three irradiances; arrays of one shape, [n], or [k, n] at k times.

        `light` are the clear-sky transmittances and `cloud` the last four of `_slowly`; `east` and
        `north` are the places in the moving field of clouds, m.
        """
        (whole, direct), (threshold, thick, clear, lit) = light, cloud
        near, near_spread, wide, wide_spread = self._clouds.at(east, north)
        index, free = clear_sky_index(
            shares(near, near_spread, threshold),
            shares(wide, wide_spread, threshold),
            near - threshold,
            thick * np.exp(-_TEXTURE * wide),
            clear,
            lit,
        )
        ghi = above * height * whole * index
        dni = np.where(height > 0.0, above * direct * free, 0.0)
        return ghi, dni, ghi - dni * height

    def _sky(self, *columns: Floats) -> WeatherSample:
        """Return the weather at the sites, taken from the weather at the places."""
        if self._place is None:
            return WeatherSample(*columns)
        return WeatherSample(*(column[..., self._place] for column in columns))

    def _marks(self) -> NDArray[np.int64]:
        """Return the offset of each place in `_SLOW_MS`, drawn by its coordinates, int64[n]."""
        latitude, longitude = (
            np.ascontiguousarray(values).view(np.uint64)
            for values in (self._latitude, self._longitude)
        )
        keys = latitude ^ (longitude << np.uint64(7)) ^ (longitude >> np.uint64(57))
        groups = _SLOW_MS // _GROUP_MS
        group = (self.draws.uniform("synthetic/marks", keys) * groups).astype(np.int64)
        return group * _GROUP_MS

    def _clear_light(self, time_ms: int) -> Floats:
        """Return refraction and the two clear-sky transmittances, float64[3, n]."""
        return np.stack(
            clearsky.place_light(
                time_ms, self._up, self._latitude, self._altitude, self.settings.turbidity
            )
        )

    def _clear_lights(self, times_ms: NDArray[np.int64]) -> Floats:
        """Return the same at k times, float64[k, 3, n]."""
        lights = clearsky.place_lights(
            times_ms, self._up, self._latitude, self._altitude, self.settings.turbidity
        )
        return np.stack(lights, axis=1)

    def _slowly(self, rows: NDArray[np.intp], time_ms: NDArray[np.int64]) -> Floats:
        """Return the slow quantities of k places at a time each, float64[7, k].

        They are temperature, wind, rain, threshold of the cloud field, transmittance of the
        thickest cloud, transmittance of the air over its usual one, and enhancement beside clouds.
        """
        up = self._up[:, rows]
        score = self._cover.at(up, time_ms)
        cover = self._cover_at(score)
        temperature = self._temperature_at(self._normals.at(rows), up, cover, time_ms)
        usual, (shape, scale) = self._usual.at(rows), self._wind[:, rows]
        wind = weibull.speed(self._gusts.at(up, time_ms), usual.wind_m_s(time_ms) * scale, shape)
        # Only settings near their bounds exceed this.
        wind = np.minimum(wind, WEATHER_LIMITS["wind_m_s"].most)
        limits = WEATHER_LIMITS["temperature_c"]
        temperature = np.clip(temperature, limits.least, limits.most)
        rain = np.zeros(len(rows))
        if self.settings.cloud_cover is None:
            rain = rain_mm_h(score, usual.wet_share(time_ms), usual.rain_mm_h(time_ms))
            rain = np.minimum(rain, WEATHER_LIMITS["rain_mm_h"].most)
        threshold = self._clouds.threshold(cover)
        brightness = self._thickness.at(up, time_ms)
        # The transmittance of the thickest cloud; thin clouds scatter more light beside them.
        thick = 0.295 * np.exp(0.52 * brightness)
        lit = 0.35 * np.exp(0.27 * brightness)
        clear = 1.035 * np.exp(0.055 * self._haze.at(up, time_ms))
        return np.stack((temperature, wind, rain, threshold, thick, clear, lit))

    def _temperature_at(
        self, normals: climate.Normals, up: Floats, cover: Floats, time_ms: NDArray[np.int64]
    ) -> Floats:
        """Return the air temperature under a cloud cover, degrees Celsius, float64[k].

        Clouds are mild in winter and cool in summer, and reduce the daily range.
        """
        cloudy = cover - _MEAN_COVER
        spell = self._warmth.at(up, time_ms)
        if self.settings.cloud_cover is None:
            share = _WARMTH_OF_CLOUDS * normals.cold(time_ms)
            spell = share * cloudy / _COVER_SPREAD + np.sqrt(1.0 - share * share) * spell
        spell *= _INSTANT_SPREAD * normals.spread_k(time_ms)
        course = normals.course_k(time_ms) * (_USUAL_SHARE * (1.0 - _RANGE_OF_CLOUDS * cloudy))
        temperature: Floats = normals.day_mean_c(time_ms) + spell + course
        return temperature

    def _cover_at(self, score: Floats) -> Floats:
        """Return the share of the sky that is covered, float64[k], from a normal score."""
        constant = self.settings.cloud_cover
        if constant is not None:
            return np.full(len(score), constant / 100.0)
        # The logistic function converts the normal score to a uniform rank.
        rank = 1.0 / (1.0 + np.exp(-1.702 * score))
        return _cover_of(rank)


def _on_map(latitude: Floats, longitude: Floats, period_m: float) -> tuple[Floats, Floats]:
    """Return metres to the east and north on a Mercator map that is periodic in longitude."""
    scale = _EARTH_RADIUS_M * np.cos(np.radians(45.0))
    around = np.round(2.0 * np.pi * scale / period_m) * period_m
    polar = np.clip(np.radians(latitude), -1.56, 1.56)
    return around * longitude / 360.0, scale * np.arcsinh(np.tan(polar))


@lru_cache(maxsize=1)
def _field(seed: int, points: int, spacing_m: float) -> CloudField:
    """Return the field of a seed; the estimate of an event and the run after it use the same."""
    return make_field(Draws(seed).generator("synthetic/field", 0), points, spacing_m)


@hookimpl
def gridsim_register(register: Register) -> None:
    register.weather("synthetic", Synthetic)
