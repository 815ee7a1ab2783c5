"""The usual temperature of places, and the height of their land."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gridsim.api import Draws, Floats, Sites, identities
from gridsim.helpers import climate
from gridsim_plugins.weather.synthetic import Synthetic
from gridsim_plugins.weather.synthetic.plugin import SyntheticSettings
from tests.fixtures.config.fakes import MINIMAL, configure

_DAY_MS = 86_400_000
_YEAR_MS = 1_672_531_200_000  # 2023-01-01


def _months(latitude: float, longitude: float, altitude: float) -> Floats:
    place = climate.normals(np.array([latitude]), np.array([longitude]), np.array([altitude]))
    days = [place.day_mean_c(_YEAR_MS + day * _DAY_MS)[0] for day in range(365)]
    return np.array([part.mean() for part in np.array_split(np.array(days), 12)])


@pytest.mark.parametrize(
    ("name", "latitude", "longitude", "altitude", "year", "january", "july"),
    [
        # Published normals, 1991 to 2020, of the national weather services.
        ("Amsterdam", 52.31, 4.77, -3.0, 10.8, 4.0, 18.0),
        ("Madrid", 40.41, -3.68, 667.0, 15.4, 6.5, 26.1),
        ("Denver", 39.83, -104.66, 1656.0, 10.6, 0.2, 24.0),
        ("Moscow", 55.83, 37.62, 156.0, 6.3, -6.2, 19.7),
        ("Singapore", 1.37, 103.98, 5.0, 27.8, 26.8, 28.2),
        ("Sydney", -33.86, 151.2, 39.0, 18.8, 23.5, 13.4),
        ("Buenos Aires", -34.58, -58.48, 25.0, 18.2, 24.9, 11.2),
        ("Cairo", 30.12, 31.4, 64.0, 22.4, 14.2, 29.1),
    ],
)
def test_a_place_has_its_climate(
    name: str,
    latitude: float,
    longitude: float,
    altitude: float,
    year: float,
    january: float,
    july: float,
) -> None:
    months = _months(latitude, longitude, altitude)
    # A city may be further from the map than the cities that were held back are in the mean.
    assert months.mean() == pytest.approx(year, abs=2.0), name
    assert months[0] == pytest.approx(january, abs=4.0), name
    assert months[6] == pytest.approx(july, abs=3.0), name


def test_it_is_colder_by_6_5_kelvin_for_a_kilometre_of_height() -> None:
    low, high = _months(45.0, 8.0, 0.0), _months(45.0, 8.0, 1000.0)
    np.testing.assert_allclose(low - high, 6.5)


def test_the_maps_have_no_seam_and_no_edge() -> None:
    latitude, longitude = np.array([10.0, 10.0, 90.0, -90.0]), np.array([-180.0, 180.0, 0.0, 0.0])
    place = climate.normals(latitude, longitude, np.zeros(4))
    np.testing.assert_array_equal(place.temperature[:, 0], place.temperature[:, 1])
    assert np.isfinite(place.temperature).all()
    near = climate.normals(np.array([10.0]), np.array([179.999]), np.zeros(1))
    np.testing.assert_allclose(near.temperature[:, 0], place.temperature[:, 1], atol=0.01)


def test_a_given_mean_replaces_that_of_the_year_alone() -> None:
    where = np.array([52.0]), np.array([5.0]), np.array([500.0])
    own, given = climate.normals(*where), climate.normals(*where, 20.0)
    days = _YEAR_MS + np.arange(365) * _DAY_MS
    shift = [given.day_mean_c(int(at))[0] - own.day_mean_c(int(at))[0] for at in days]
    np.testing.assert_allclose(shift, 20.0 - own.temperature[0, 0])


@pytest.mark.parametrize(
    ("site", "height"),
    [
        ("latitude = 39.75\nlongitude = -104.87", pytest.approx(1610.0, abs=150.0)),  # Denver
        ("latitude = 52.37\nlongitude = 4.9", pytest.approx(0.0, abs=20.0)),  # Amsterdam
        ("latitude = 30.0\nlongitude = -40.0", 0.0),  # at sea
        ("latitude = 39.75\nlongitude = -104.87\naltitude = 5.0", 5.0),
    ],
)
def test_an_altitude_that_is_not_given_is_that_of_the_land(
    tmp_path: Path, site: str, height: object
) -> None:
    scenario = configure(tmp_path, f"[site]\n{site}\n{MINIMAL}").scenario
    assert scenario.sites.altitude[0] == height


def test_the_days_of_a_winter_are_warm_and_cold_as_measured() -> None:
    """Amsterdam: standard deviation 3.9 K, correlation with the next day .81."""
    days = 3650
    sites = Sites(
        ["A"], identities(["A"]), np.array([52.3]), np.array([4.77]), np.zeros(1), ["UTC"]
    )
    weather = Synthetic(SyntheticSettings(), sites, Draws(11))
    steps = _YEAR_MS + np.arange(8 * days) * (_DAY_MS // 8)
    rows = np.zeros(len(steps), np.intp)
    daily = weather._slowly(rows, steps)[0].reshape(days, 8).mean(axis=1)
    place = climate.normals(sites.latitude, sites.longitude, sites.altitude)
    usual = np.array(
        [place.day_mean_c(_YEAR_MS + d * _DAY_MS + _DAY_MS // 2)[0] for d in range(days)]
    )
    away = daily - usual
    winter = np.arange(days) % 365.25 < 59
    assert away.mean() == pytest.approx(0.0, abs=0.4)
    assert away[winter].std() == pytest.approx(3.9, rel=0.2)
    assert np.corrcoef(away[:-1], away[1:])[0, 1] == pytest.approx(0.81, abs=0.1)
