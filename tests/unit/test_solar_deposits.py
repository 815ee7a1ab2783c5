"""The snow and the dirt on solar arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gridsim.api import Draws, Orders, Tick
from gridsim.testing import make_members, make_sites
from gridsim_plugins.ders.solar import Solar, deposits
from gridsim_plugins.ders.solar.settings import SolarSettings
from gridsim_plugins.weather.clear import Clear, ClearSettings
from tests.unit.test_solar_light import EXACT, arr, at_hour, under_clear_sky


def cover(monthly_cm: float, tilt: float = 30.0) -> deposits.SnowCover:
    falls = np.full((12, 1), monthly_cm)
    squares = deposits.squares(arr(47.3), arr(8.5))
    return deposits.SnowCover(Draws(1), squares, falls, np.sin(np.radians(arr(tilt))))


def test_snow_covers_and_slides_off() -> None:
    snow, hour = cover(152.0), 3_600_000
    local = [at_hour(h) for h in range(200)]
    frost = [snow.share_free(np.array([t]), 3600.0, arr(-5.0), arr(0.0))[0] for t in local]
    assert frost[0] == 1.0
    assert frost[-1] == 0.0
    # A fall on each day of the month, as 152 cm are 5 cm on 30.4 days: in the air of spring rain.
    thaw = [
        snow.share_free(np.array([local[-1] + (i + 1) * hour]), 3600.0, arr(5.0), arr(100.0))[0]
        for i in range(12)
    ]
    by_hour = 0.197 * np.sin(np.radians(30.0))
    wanted = [min(by_hour * (i + 1), 1.0) for i in range(12)]
    assert thaw == pytest.approx(wanted)
    # In frost it slides only in strong light: -5 degrees need 400 W/m2.
    snow = cover(152.0)
    for time in local[:25]:
        snow.share_free(np.array([time]), 3600.0, arr(-5.0), arr(0.0))
    late = np.array([local[24] + 1])
    assert snow.share_free(late, 3600.0, arr(-5.0), arr(399.0))[0] in (0.0, pytest.approx(by_hour))
    assert cover(0.0).share_free(np.array([local[0]]), 86_400.0, arr(-9.0), arr(0.0))[0] == 1.0


def test_neighbours_have_the_same_snow_and_a_state_goes_on() -> None:
    sites = make_sites(2, latitude=60.2, longitude=10.4)
    entry = {**EXACT, "snowfall": [60.0] * 12, "tilt": 20.0}
    members = make_members(SolarSettings, [entry, entry], sites=sites, site=[0, 1], tick_s=3600.0)
    fleet, weather = Solar(members), Clear(ClearSettings(mean_temperature=-6.0), sites, Draws(1))
    power = []

    def step(fleet: Solar, hour: int) -> list[float]:
        time = at_hour(hour)
        told = fleet.step(
            Tick(hour, time, 3600.0, weather.at(time)), Orders(np.full(2, np.nan), np.zeros(2))
        )
        kw: list[float] = told.current_output.tolist()
        return kw

    power = [step(fleet, hour) for hour in range(72)]
    assert all(one == other for one, other in power)
    other = Solar(members)
    other.restore(fleet.state())
    assert [step(other, hour) for hour in range(72, 84)] == [
        step(fleet, hour) for hour in range(72, 84)
    ]


def test_dirt_grows_until_it_rains() -> None:
    assert deposits.soiled(arr(0.0, 10.0, 1000.0), arr(0.002, 0.002, 0.002)).tolist() == [
        0.0, 0.02, 0.3,
    ]  # fmt: skip
    draws, squares = Draws(4), deposits.squares(np.full(900, 40.0), np.arange(900.0) - 450.0)
    day = np.full(900, 20_000)
    some = deposits.dry_days(draws, squares, day, np.full(900, 10.0))
    later = deposits.dry_days(draws, squares, day + 1, np.full(900, 10.0))
    assert ((later == some + 1) | (later == 0)).all()
    assert some.mean() == pytest.approx(30.4 / 10.0 - 1.0, rel=0.1)
    never = deposits.dry_days(draws, squares[:2], day[:2], np.zeros(2))
    assert never.tolist() == [365, 365]
    assert not deposits.dry_days(draws, squares[:2], day[:2], np.full(2, 31.0)).any()
    small: dict[str, Any] = {**EXACT, "dc_ac_ratio": 0.8}
    clean, dirty = under_clear_sky(
        [small, {**small, "soiling_rate": 1.0, "rain_days": 0.0}], 11.0, 40.0
    )
    assert dirty == pytest.approx(0.7 * clean, rel=0.02)
