"""The weather: one sky over all sites, carried by the wind, without seams or jumps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gridsim.api import Draws, Floats, Sites
from gridsim.testing import START_MS, WeatherContract, make_sites
from gridsim_plugins.weather.clear import Clear, ClearSettings
from gridsim_plugins.weather.synthetic import Synthetic, plugin
from gridsim_plugins.weather.synthetic.clouds import make_field, shares
from gridsim_plugins.weather.synthetic.plugin import SyntheticSettings
from gridsim_plugins.weather.synthetic.waves import make_drift, make_waves

SMALL = {"field_points": 256}
HOUR_MS = 3_600_000
NOON_MS = START_MS + 4 * HOUR_MS + HOUR_MS // 2  # about solar noon at the default place


class TestClearContract(WeatherContract):
    weather = Clear
    settings = ({}, {"turbidity": 2.5, "mean_temperature": 8.0, "wind": 0.0})


class TestSyntheticContract(WeatherContract):
    weather = Synthetic
    settings = (SMALL, {**SMALL, "cloud_cover": 60.0})


def synthetic(sites: Sites, seed: int = 42, **settings: object) -> Synthetic:
    return Synthetic(SyntheticSettings.model_validate({**SMALL, **settings}), sites, Draws(seed))


def moved(east_m: Floats) -> Sites:
    """Sites in a row from west to east at 45 N."""
    base = make_sites(len(east_m), latitude=45.0)
    return replace(base, longitude=base.longitude + east_m / (111_195 * np.cos(np.radians(45))))


def index_of(weather: Synthetic, sites: Sites, times: list[int]) -> Floats:
    """Irradiance relative to a clear sky, [time, site]."""
    clear = Clear(ClearSettings(), sites, Draws(1))
    return np.array([weather.at(t).ghi / clear.at(t).ghi for t in times])


def test_no_cloud_is_clear_and_full_cloud_is_dark() -> None:
    sites = moved(np.linspace(0.0, 5000.0, 50))
    free = index_of(synthetic(sites, cloud_cover=0.0), sites, [NOON_MS])
    full = index_of(synthetic(sites, cloud_cover=100.0), sites, [NOON_MS])
    # Clear air differs from its usual turbidity by some per cent.
    assert (np.abs(free - 1.05) < 0.15).all()
    # Overcast may be thin, but it is dark on average.
    assert (full <= 0.95).all()
    assert full.mean() < 0.65
    assert not synthetic(sites, cloud_cover=100.0).at(NOON_MS).dni.max() > 5.0


def test_cover_is_the_part_of_the_field_in_shade() -> None:
    field = make_field(np.random.default_rng(1), 256, 20.0)
    rng = np.random.default_rng(2)
    near, spread, _, _ = field.at(rng.uniform(0, 5120, 20_000), rng.uniform(0, 5120, 20_000))
    for cover in (0.2, 0.5, 0.8):
        shaded = shares(near, spread, field.threshold(np.array(cover)))
        assert shaded.mean() == pytest.approx(cover, abs=0.02)


def test_the_field_repeats_without_a_seam() -> None:
    field = make_field(np.random.default_rng(1), 256, 20.0)
    x, y = np.array([5119.9, 0.1, -0.1]), np.array([100.0, 100.0, 100.0])
    values = field.at(x, y)[0]
    assert np.ptp(values) < 0.01
    np.testing.assert_allclose(field.at(x + 5120.0, y)[0], values, atol=1e-5)


def test_clouds_reach_one_neighbour_after_the_other() -> None:
    """Check that a site downwind sees a cloud later, by distance over wind."""
    east, north = make_drift(Draws(42)).at(NOON_MS)
    east_1, north_1 = make_drift(Draws(42)).at(NOON_MS + 60_000)
    way = np.array([east_1 - east, north_1 - north])
    base = make_sites(2, latitude=45.0)
    per_degree = 6.371e6 * np.pi / 180.0
    downwind = replace(
        base,
        latitude=base.latitude + np.array([0.0, way[1] / per_degree]),
        longitude=base.longitude
        + np.array([0.0, way[0] / (per_degree * np.cos(np.radians(45.0)))]),
    )
    times = [NOON_MS + step * 10_000 for step in range(180)]
    seen = index_of(synthetic(downwind, cloud_cover=50.0), downwind, times)
    assert seen[:, 0].std() > 0.1, "no cloud passed"
    # A minute is six steps; the wind itself changes a little meanwhile.
    later = np.abs(seen[6:, 1] - seen[:-6, 0])
    assert np.quantile(later, 0.9) < 0.08
    assert np.quantile(np.abs(seen[:, 1] - seen[:, 0]), 0.9) > 0.2


def test_near_sites_agree_more_than_distant_ones() -> None:
    sites = moved(np.array([0.0, 50.0, 2500.0]))
    times = [NOON_MS - HOUR_MS + step * 20_000 for step in range(360)]
    seen = index_of(synthetic(sites, cloud_cover=50.0, field_points=1024), sites, times)
    near, far = np.asarray(np.corrcoef(seen.T))[0, 1:]
    assert near > 0.8
    assert far < near - 0.2


def test_clouds_persist() -> None:
    sites = make_sites(1)
    times = [NOON_MS + step * 1000 for step in range(1800)]
    seen = index_of(synthetic(sites, cloud_cover=50.0), sites, times)[:, 0]
    assert seen.std() > 0.1
    assert np.median(np.abs(np.diff(seen))) < 0.02
    assert np.asarray(np.corrcoef(seen[:-10], seen[10:]))[0, 1] > 0.5


def test_random_quantities_are_normal_persist_and_do_not_know_midnight() -> None:
    waves = make_waves(Draws(3), "test", 24, hours=8.0, km=250.0)
    up = np.array([[0.6], [0.0], [0.8]])
    hours = np.arange(0, 24 * 365, 2)
    values = np.array([waves.at(up, int(START_MS + h * HOUR_MS))[0] for h in hours])
    assert values.mean() == pytest.approx(0.0, abs=0.1)
    assert values.std() == pytest.approx(1.0, abs=0.1)
    for lag in (2, 8, 16):
        assert np.mean(values[: -lag // 2] * values[lag // 2 :]) == pytest.approx(
            np.exp(-lag / 8), abs=0.15
        )


def test_cloud_level_wind_is_that_of_the_observations() -> None:
    drift = make_drift(Draws(3))
    at = np.array([drift.at(START_MS + h * HOUR_MS) for h in range(24 * 120)])
    speed = np.hypot(*np.diff(at, axis=0).T) / 3600.0
    assert speed.mean() == pytest.approx(2.69 * 2.14, rel=0.25)
    assert 1.5 < speed.std() < 5.0


def test_temperature_has_a_day_and_a_season() -> None:
    sites = make_sites(1)
    weather = Clear(ClearSettings(), sites, Draws(1))
    summer = [weather.at(START_MS + h * HOUR_MS).temperature_c[0] for h in range(24)]
    winter = [weather.at(START_MS + (h + 4380) * HOUR_MS).temperature_c[0] for h in range(24)]
    # The normals of the place, between Fredericton's July (19.3 C) and January (-8.9 C).
    assert np.mean(summer) - np.mean(winter) == pytest.approx(25.0, abs=3.0)
    assert np.ptp(summer) == pytest.approx(11.5, abs=1.0)
    assert 18 <= (12 + int(np.argmax(summer))) % 24 <= 20, "not warmest in the afternoon"


def test_sun_and_night_near_the_pole() -> None:
    sites = make_sites(1, latitude=69.65, longitude=18.96, timezone="Europe/Oslo")
    weather = Clear(ClearSettings(), sites, Draws(1))
    june = START_MS - 10 * 24 * HOUR_MS
    december = june + 183 * 24 * HOUR_MS
    assert all(weather.at(june + h * HOUR_MS).ghi[0] > 0.0 for h in range(24))
    assert not any(weather.at(december + h * HOUR_MS).ghi[0] > 0.0 for h in range(24))


def test_changes_of_the_light_are_about_those_at_lyngby() -> None:
    """Two seeds and three days only: by half at most. `make realism` measures many."""
    base = make_sites(30, latitude=55.79, longitude=12.52)
    spread = np.linspace(-1.5, 1.5, 30)
    sites = replace(base, latitude=base.latitude + spread, longitude=base.longitude + 2.0 * spread)
    start = START_MS - 5 * HOUR_MS
    hours = []
    for seed in (20, 21):
        weather = Synthetic(SyntheticSettings(), sites, Draws(seed))
        for day in (0, 80, 290):
            first = start + day * 24 * HOUR_MS
            seen = index_of(weather, sites, [first + minute * 60_000 for minute in range(120, 480)])
            hours.append(seen.T.reshape(-1, 60))
    index = np.concatenate(hours)
    changes = np.abs(np.diff(index, axis=1))
    quantiles = np.quantile(changes, [0.5, 0.9, 0.95, 0.99])
    assert quantiles == pytest.approx([0.011, 0.124, 0.301, 0.756], rel=0.5)
    variable = index[index.std(axis=1) > 0.2]
    off = variable - variable.mean()
    for lag, measured in ((1, 0.77), (10, 0.31)):
        found = np.mean(off[:, :-lag] * off[:, lag:]) / np.mean(off**2)
        assert found == pytest.approx(measured, abs=0.12)


def test_the_cloud_field_is_made_before_the_first_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    weather = synthetic(make_sites(2), seed=77)
    expected = weather.at(NOON_MS).ghi
    plugin._field.cache_clear()
    monkeypatch.setattr(plugin, "make_field", None)
    with pytest.raises(TypeError):
        synthetic(make_sites(2), seed=77)
    assert weather.at(NOON_MS + 1000).ghi.shape == expected.shape
