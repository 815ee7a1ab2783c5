"""The wind, rain and snow of a place, and what they leave on solar modules."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gridsim.api import Draws, Floats, Orders, Sites
from gridsim.helpers import weibull
from gridsim.helpers.wind_and_rain import wind_and_rain
from gridsim.testing import make_members, make_sites, make_tick, make_weather
from gridsim_plugins.ders.solar import Solar
from gridsim_plugins.ders.solar.settings import SolarSettings
from gridsim_plugins.weather.clear import Clear, ClearSettings
from gridsim_plugins.weather.synthetic import Synthetic
from gridsim_plugins.weather.synthetic.plugin import SyntheticSettings

_HOUR_MS = 3_600_000
_YEAR_MS = 1_767_225_600_000  # 2026-01-01
# Schiphol, Phoenix, Singapore, Dodge City.
_LATITUDES, _LONGITUDES = [52.3, 33.43, 1.36, 37.77], [4.76, -112.0, 104.0, -99.97]


def places() -> Sites:
    return replace(
        make_sites(4), latitude=np.array(_LATITUDES), longitude=np.array(_LONGITUDES),
        altitude=np.zeros(4),
    )  # fmt: skip


def hours(**settings: Any) -> tuple[Floats, Floats, Floats]:
    """Wind, rain and score of the clouds of each hour of a year, [hour, place]."""
    given = SyntheticSettings.model_validate({"field_points": 256, **settings})
    weather = Synthetic(given, places(), Draws(7))
    times = np.repeat(_YEAR_MS + np.arange(8760) * _HOUR_MS, 4)
    rows = np.tile(np.arange(4), 8760)
    slow = weather._slowly(rows, times)
    score = weather._cover.at(weather._up[:, rows], times)
    return slow[1].reshape(-1, 4), slow[2].reshape(-1, 4), score.reshape(-1, 4)


def test_a_place_has_its_own_wind_and_a_setting_replaces_it() -> None:
    usual = wind_and_rain(np.array(_LATITUDES), np.array(_LONGITUDES))
    # KNMI, NOAA: 5.1, 2.8, 2.2 and 6.2 m/s.
    np.testing.assert_allclose(usual.wind[0], [4.98, 3.63, 2.26, 6.1], atol=0.01)
    wind, _, _ = hours()
    np.testing.assert_allclose(wind.mean(axis=0), usual.wind[0], rtol=0.12)
    # Windy winters in Holland.
    january, july = wind[: 31 * 24, 0].mean(), wind[181 * 24 : 212 * 24, 0].mean()
    assert january > july
    set_to_7, _, _ = hours(mean_wind=7.0, weibull_k=3.0)
    np.testing.assert_allclose(set_to_7.mean(axis=0), 7.0, rtol=0.12)
    assert (set_to_7.std(axis=0) / set_to_7.mean(axis=0) < 0.45).all()
    assert not hours(mean_wind=0.0)[0].any()


@pytest.mark.parametrize(("mean", "shape"), [(1.0, 1.1), (4.0, 1.88), (9.0, 2.82), (30.0, 4.0)])
def test_the_shape_follows_the_mean(mean: float, shape: float) -> None:
    assert weibull.shape_of(np.array([mean]))[0] == pytest.approx(shape)
    scale = weibull.scale_of(np.array([mean]), np.array([2.0]))[0]
    normal = np.random.default_rng(3).standard_normal(100_000)
    winds = weibull.speed(normal, np.array(scale), np.array(2.0))
    assert winds.mean() == pytest.approx(mean, rel=0.01)
    assert np.quantile(winds, 0.5) == pytest.approx(scale * np.log(2.0) ** 0.5, rel=0.01)


def test_rain_falls_from_the_thickest_clouds_as_often_and_as_much_as_usual() -> None:
    _, rain, score = hours()
    usual = wind_and_rain(np.array(_LATITUDES), np.array(_LONGITUDES))
    days = rain.reshape(365, 24, 4).sum(axis=1)
    month = 365.0 / 30.44
    np.testing.assert_allclose((days > 0.1).sum(axis=0) / month, usual.wet[0], rtol=0.25)
    np.testing.assert_allclose(days.sum(axis=0) / month, usual.rain[0], rtol=0.35)
    assert score[rain > 0.0].min() > -0.5
    assert (rain[score < -0.5] == 0.0).all()
    assert not hours(cloud_cover=100.0)[1].any()
    clear = Clear(ClearSettings(), places(), Draws(7)).at(_YEAR_MS)
    assert clear.rain_mm_h is None


def modules(skies: list[tuple[float, float]], **settings: Any) -> Floats:
    """Power of a plane of 10 kW in each hour of (rain in mm/h, air in degrees Celsius)."""
    fleet = Solar(
        make_members(SolarSettings, [{"nameplate_capacity": 10.0, **settings}], tick_s=3600.0)
    )
    powers = []
    for index, (rain, air) in enumerate(skies):
        sky = replace(make_weather(ghi=500.0, temperature_c=air), rain_mm_h=np.array([rain]))
        tick = make_tick(index, tick_s=3600.0, weather=sky)
        powers.append(fleet.step(tick, Orders(np.array([np.nan]), np.zeros(1))).current_output[0])
    return np.array(powers)


def test_the_rain_of_the_weather_washes_the_dirt() -> None:
    dry = [(0.0, 20.0)] * 20
    clean = modules([*dry, *dry])
    dirty = modules([*dry, (5.9, 20.0), *dry[1:]], soiling_rate=2.0)
    washed = modules([*dry, (6.0, 20.0), *dry[1:]], soiling_rate=2.0)
    snow = modules([*dry, (6.0, 0.0), *dry[1:]], soiling_rate=2.0)
    lit = clean > 0.0
    assert (dirty[lit] < clean[lit]).all()
    assert (washed[:20] == dirty[:20]).all()
    # Rain of 6 mm in a day cleans, less does not, and snow does not.
    after = np.flatnonzero(lit & (np.arange(40) >= 20))
    assert (washed[after] > dirty[after]).all()
    np.testing.assert_array_equal(snow[21:], dirty[21:])
    # Drawn days do not heed the rain of the weather.
    drawn = modules([*dry, *dry], soiling_rate=2.0, rain_days=0.0)
    wet = modules([*dry, (6.0, 20.0), *dry[1:]], soiling_rate=2.0, rain_days=0.0)
    np.testing.assert_array_equal(drawn, wet)


def test_the_snow_of_the_weather_covers_the_modules() -> None:
    before, after = [(0.0, -5.0)] * 4, [(0.0, -5.0)] * 4
    free = modules([*before, (0.0, -5.0), *after])
    cover = modules([*before, (1.0, -5.0), *after], snowfall="weather")
    little = modules([*before, (0.99, -5.0), *after], snowfall="weather")
    rain = modules([*before, (1.0, 1.5), *after], snowfall="weather")
    assert free.max() > 1.0
    np.testing.assert_array_equal(cover[:4], free[:4])
    # It slides off while the sun is on the modules.
    assert cover[4] == 0.0
    assert (cover[5:][free[5:] > 0.0] < free[5:][free[5:] > 0.0]).all()
    np.testing.assert_array_equal(little, free)
    np.testing.assert_array_equal(rain[5:], free[5:])
    # Where the snow is not asked for, there is none.
    np.testing.assert_array_equal(modules([*before, (9.0, -5.0), *after]), free)
