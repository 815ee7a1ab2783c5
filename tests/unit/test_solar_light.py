"""The light on solar arrays: sky, glass, horizon, several planes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from gridsim.api import Draws, Floats, Sites, Tick, WeatherSample
from gridsim.testing import make_members, make_sites
from gridsim_plugins.ders.solar import Solar, horizon, physics, planes, sky
from gridsim_plugins.ders.solar.settings import SolarSettings
from gridsim_plugins.weather.clear import Clear, ClearSettings

EXACT: dict[str, Any] = {"nameplate_capacity": 5.0, "system_losses": 0.0}
EQUINOX = datetime(2026, 3, 20, tzinfo=UTC)


def arr(*values: float) -> Floats:
    return np.array(values)


def at_hour(hour: float, day: datetime = EQUINOX) -> int:
    return int(day.timestamp() * 1000 + hour * 3_600_000)


def output(
    entries: list[dict[str, Any]], time_ms: int, weather: WeatherSample, sites: Sites
) -> list[float]:
    members = make_members(SolarSettings, entries, sites=sites, site=[0] * len(entries))
    power = Solar(members).available_power(Tick(0, time_ms, 60.0, weather))
    return [round(float(kw), 9) for kw in power]


def under_clear_sky(entries: list[dict[str, Any]], hour: float, latitude: float) -> list[float]:
    """Return the output at a solar hour of the equinox at longitude 0."""
    sites = make_sites(1, latitude=latitude, longitude=0.0)
    time_ms = at_hour(hour)
    return output(entries, time_ms, Clear(ClearSettings(), sites, Draws(1)).at(time_ms), sites)


def some_skies() -> tuple[Floats, ...]:
    """Return dni, dhi, zenith, incidence and tilt of many skies, angles in degrees."""
    rng = np.random.default_rng(3)
    n = 4000
    dni = rng.uniform(0.0, 950.0, n) * (rng.random(n) > 0.3)
    return dni, rng.uniform(1.0, 400.0, n), rng.uniform(0.0, 88.0, n), rng.random(n) * 90.0


@pytest.mark.parametrize(("name", "within"), [("perez", 1.0), ("hay_davies", 1e-9)])
def test_the_sky_is_that_of_pvlib(name: str, within: float) -> None:
    import pvlib

    dni, dhi, zenith, tilt = some_skies()
    azimuth = np.linspace(0.0, 360.0, len(dni))
    theirs = {"perez": pvlib.irradiance.perez_driesse, "hay_davies": pvlib.irradiance.haydavies}
    wanted = theirs[name](tilt, azimuth, dhi, dni, 1366.0, zenith, 180.0)
    seen = np.maximum(pvlib.irradiance.aoi_projection(tilt, azimuth, zenith, 180.0), 0.0)
    slope, height = np.radians(tilt), np.cos(np.radians(zenith))
    around, dome = sky.MODELS[name](dni, dhi, 1366.0, height, seen, np.cos(slope), np.sin(slope))
    difference = np.abs(around + dome - wanted)
    assert difference.max() < within
    assert difference.mean() < 0.01


def test_the_discrete_perez_model_is_near() -> None:
    """The continuous form follows the bins of 1990, by which PVWatts computes."""
    import pvlib

    dni, dhi, zenith, _ = some_skies()
    zenith = np.minimum(zenith, 75.0)
    mass = pvlib.atmosphere.get_relative_airmass(zenith)
    wanted = pvlib.irradiance.perez(35.0, 180.0, dhi, dni, 1366.0, zenith, 180.0, mass)
    seen = np.maximum(pvlib.irradiance.aoi_projection(35.0, 180.0, zenith, 180.0), 0.0)
    height, one = np.cos(np.radians(zenith)), np.ones_like(dni)
    slope = np.radians(35.0)
    around, dome = sky.perez(
        dni, dhi, 1366.0, height, seen, one * np.cos(slope), one * np.sin(slope)
    )
    assert np.median(np.abs(around + dome - wanted) / dhi) < 0.03


def test_an_equally_bright_sky_and_the_limits_of_all() -> None:
    one = arr(1.0)
    for name, model in sky.MODELS.items():
        around, dome = model(arr(0.0), arr(0.0), 1366.0, arr(0.0), arr(0.0), one, 0.0 * one)
        assert (around[0], dome[0]) == (0.0, 0.0), name
    around, dome = sky.isotropic(one, arr(100.0), 1366.0, one, one, arr(0.5), one)
    assert (around[0], dome[0]) == (0.0, 75.0)


@pytest.mark.parametrize("name", ["physical", "ashrae"])
def test_the_glass_is_that_of_pvlib(name: str) -> None:
    import pvlib

    angles = np.linspace(0.0, 89.9, 500)
    cosine = np.cos(np.radians(angles))
    wanted = np.maximum(getattr(pvlib.iam, name)(angles), 0.0)
    np.testing.assert_allclose(physics.MODIFIERS[name](cosine), wanted, atol=1e-9)
    assert physics.MODIFIERS[name](arr(1.0))[0] == pytest.approx(1.0)
    assert physics.MODIFIERS[name](arr(0.0))[0] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("name", ["physical", "ashrae"])
def test_the_glass_reflects_diffuse_light_by_choice(name: str) -> None:
    import pvlib

    tilts = arr(0.0, 15.0, 30.0, 52.0, 90.0)
    dome, ground = physics.diffuse_modifiers(physics.MODIFIERS[name], tilts)
    for tilt, of_sky, of_ground in zip(tilts.tolist(), dome.tolist(), ground.tolist(), strict=True):
        wanted = pvlib.iam.marion_diffuse(name, tilt)
        assert of_sky == pytest.approx(wanted["sky"], abs=0.002)
        assert of_ground == pytest.approx(wanted["ground"], abs=0.02)
    # Without direct light, a flat array gets the share of the dome, and the inverter less.
    overcast = Clear(ClearSettings(), make_sites(1), Draws(1)).at(at_hour(16.0))
    overcast = replace(overcast, dni=arr(0.0), ghi=overcast.dhi)
    flat = {**EXACT, "tilt": 0.0, "sky_model": "isotropic", "iam": name}
    entries = [flat, {**flat, "diffuse_iam": True}, {**flat, "iam": "none", "diffuse_iam": True}]
    plain, glass, bare = output(entries, at_hour(16.0), overcast, make_sites(1))
    assert bare == plain
    assert glass / plain == pytest.approx(dome[0], abs=0.006)


def test_arrays_behind_an_inverter_are_the_sum_of_single_ones_until_it_clips() -> None:
    east = {"tilt": 30.0, "azimuth": 90.0}
    west = {"tilt": 40.0, "azimuth": 270.0}
    both = [{**east, "capacity_kw": 3.0}, {**west, "capacity_kw": 2.0}]
    big: dict[str, Any] = {"nameplate_capacity": 20.0, "system_losses": 0.0}
    entries: list[dict[str, Any]] = [
        {**big, "arrays": both},
        {**big, **east, "dc_ac_ratio": 0.15},
        {**big, **west, "dc_ac_ratio": 0.1},
        {**big, "arrays": both[:1]},
        {**big, "arrays": [{**both[0], "capacity_kw": 1.5}] * 2},
        {"nameplate_capacity": 1.0, "system_losses": 0.0, "arrays": both},
        {**big, "arrays": [{"capacity_kw": 3.0}]},
        {**big, "dc_ac_ratio": 0.15},
    ]
    out = under_clear_sky(entries, 10.0, 40.0)
    # The inverter needs a constant power, 0.0059 of its rated DC power.
    rated = 20.0 / 0.96
    standing = 0.96 / 0.9637 * 0.0059 * rated
    assert out[0] == pytest.approx(out[1] + out[2] + standing, abs=0.02)
    assert out[3] == out[1] == out[4]
    assert out[5] == 1.0
    assert out[6] == out[7]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"arrays": [{"capacity_kw": 3.0}], "tilt": 10.0}, "tilt: must be left out"),
        ({"arrays": [{"capacity_kw": 3.0}], "dc_ac_ratio": 1.2}, "dc_ac_ratio: must be left out"),
        ({"arrays": [{"tilt": 3.0}]}, "capacity_kw"),
        ({"arrays": [{"capacity_kw": 0.0}]}, "greater than 0"),
        ({"arrays": [{"capacity_kw": 3.0, "tilt": 90.1}]}, "less than or equal to 90"),
        ({"horizon": [[361.0, 5.0]]}, "azimuth 361"),
        ({"horizon": [[0.0, 91.0]]}, "elevation 91"),
        ({"horizon": [[90.0, 1.0], [90.0, 2.0]]}, "azimuth twice"),
        ({"snowfall": [1.0] * 11}, "must have 12 values, one for each month, and has 11"),
        ({"snowfall": [-1.0] * 12}, "greater than or equal to 0"),
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SolarSettings.model_validate_json(json.dumps({**EXACT, **wrong}), strict=True)


def test_a_horizon_hides_the_sun_and_its_part_of_the_sky() -> None:
    # Hills of 30 degrees in the east, nothing from south to north over west.
    hills = [(0.0, 0.0), (60.0, 30.0), (120.0, 30.0), (180.0, 0.0)]
    assert horizon.elevations(hills, arr(0.0, 30.0, 90.0, 150.0, 270.0, 360.0)).tolist() == [
        0.0, 15.0, 30.0, 15.0, 0.0, 0.0,
    ]  # fmt: skip
    # On the equator at the equinox, the sun rises in the east by 15 degrees an hour.
    entries: list[dict[str, Any]] = [
        {**EXACT, "tilt": 0.0, "horizon": hills},
        {**EXACT, "tilt": 0.0},
    ]
    hidden, free = under_clear_sky(entries, 7.8, 0.0)
    seen, same = under_clear_sky(entries, 8.3, 0.0)
    assert hidden < 0.4 * free
    assert 0.96 * same < seen < same
    evening = under_clear_sky(entries, 16.2, 0.0)
    assert 0.9 * evening[1] < evening[0] < evening[1]
    flat, walls = arr(0.0, 30.0), [(0.0, 90.0), (180.0, 90.0)]
    assert horizon.sky_share([(0.0, 0.0)], flat, arr(180.0, 180.0)) == pytest.approx([1.0, 1.0])
    assert horizon.sky_share(walls, flat, arr(180.0, 180.0)) == pytest.approx([0.0, 0.0])
    # A ring of 30 degrees takes sin^2 of it from a flat plane.
    ring = horizon.sky_share([(0.0, 30.0)], arr(0.0), arr(180.0))
    assert ring == pytest.approx([0.75], abs=0.002)


def test_modules_that_differ() -> None:
    none = planes.module_factor(arr(0.0), arr(8.0), arr(2.0))
    assert none[0] == 1.0
    # Twenty modules with 3 %: the mean moves by 3 % over the root of 20, the mismatch takes .64 %.
    factor = planes.module_factor(arr(0.03), arr(8.0), arr(1.0))
    assert factor[0] == pytest.approx(1.0 + 0.03 / 20**0.5 - 7.5 * 0.0009 * 0.95)
    single = planes.module_factor(arr(0.03), arr(0.1), arr(-1.0))
    assert single[0] == pytest.approx(0.97)
    entries = [{**EXACT, "module_scatter": 5.0}] * 40 + [EXACT]
    out = under_clear_sky(entries, 10.0, 40.0)
    assert len(set(out)) == 41


def test_one_stanza_does_not_change_another() -> None:
    """Blocks of planes with other models, in one fleet and alone."""
    entries: list[dict[str, Any]] = [
        EXACT,
        {**EXACT, "sky_model": "isotropic"},
        {**EXACT, "arrays": [{"capacity_kw": 2.0}, {"tilt": 10.0, "capacity_kw": 1.0}]},
        {**EXACT, "iam": "none", "horizon": [[0.0, 5.0]]},
        {**EXACT, "iam": "ashrae"},
        {**EXACT, "diffuse_iam": True},
    ]
    together = under_clear_sky(entries, 9.0, 47.0)
    assert together == [under_clear_sky([one], 9.0, 47.0)[0] for one in entries]
    assert len(set(together)) == 6
    cloudy = replace(
        Clear(ClearSettings(), make_sites(1), Draws(1)).at(at_hour(16.0)), dni=arr(0.0)
    )
    flat = [{**EXACT, "tilt": 0.0, "sky_model": name, "iam": "none"} for name in sky.MODELS]
    # Without direct light, a flat array sees the same sky in all models.
    out = output(flat, at_hour(16.0), cloudy, make_sites(1))
    assert out[1] == out[2] == pytest.approx(out[0], rel=1e-9)
