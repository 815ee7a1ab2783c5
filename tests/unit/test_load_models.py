"""The loads: the standard profile by the site's clock, appliances that keep its mean."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from gridsim.testing import LoadContract, make_members, make_sites, make_tick
from gridsim_plugins.loads.constant import Constant
from gridsim_plugins.loads.household import Household
from gridsim_plugins.loads.household.plugin import HouseholdSettings
from gridsim_plugins.loads.household.profile import relative_power

DAY_MS = 86_400_000
NEW_YEAR_MS = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)
NORTH, SOUTH = np.array([False]), np.array([True])


class TestConstant(LoadContract):
    load = Constant
    settings = ({"kw": 2.5}, {})


class TestHousehold(LoadContract):
    load = Household
    settings = ({}, {"annual_kwh": 24000.0, "spread": 0.4}, {"appliances": False})


def local(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize("year", [2024, 2025, 2026])
def test_a_year_of_the_profile(year: int) -> None:
    times = np.arange(local(year, 1, 1), local(year + 1, 1, 1), 900_000)
    power = relative_power(times, NORTH) * 1000.0 / 8760.0
    assert power.sum() * 0.25 / (len(times) / 96.0) * 365.0 == pytest.approx(1000.0, rel=0.005)
    # Hourly means: a little less than the quarter-hours' 0.268 and a little more than 0.037.
    assert power.max() == pytest.approx(0.268, rel=0.05)
    assert power.min() == pytest.approx(0.037, rel=0.05)


def test_the_profile_knows_days_hours_and_seasons() -> None:
    def at(*when: int) -> float:
        return float(relative_power(np.array([local(*when)]), NORTH)[0])

    assert at(2026, 1, 14, 19, 30) > 3.0 * at(2026, 1, 14, 3, 30)  # evening, night
    assert at(2026, 1, 11, 12, 30) > 1.3 * at(2026, 1, 14, 12, 30)  # Sunday, Wednesday
    assert at(2026, 1, 14, 19, 30) > 1.3 * at(2026, 7, 15, 19, 30)  # winter, summer


def test_seasons_are_turned_round_in_the_south() -> None:
    winter, summer = (np.array([local(2026, month, 15, 19)]) for month in (1, 7))
    assert relative_power(winter, SOUTH) < relative_power(summer, SOUTH)
    assert relative_power(winter, NORTH) > relative_power(summer, NORTH)


def test_the_evening_peak_follows_the_sites_clock() -> None:
    def peak_utc(timezone: str) -> int:
        sites = make_sites(1, timezone=timezone)
        load = Household(make_members(HouseholdSettings, [{}], sites=sites))
        start = local(2026, 1, 14, 0, 30)
        expected = [load.expected(start + h * 3_600_000)[0] for h in range(24)]
        return int(np.argmax(expected))

    assert peak_utc("Europe/Berlin") == 18
    assert peak_utc("America/Moncton") == 23


def test_appliances_keep_the_mean_hour_by_hour() -> None:
    n = 400
    sites = make_sites(n)
    members = make_members(HouseholdSettings, [{}] * n, sites=sites, site=range(n))
    load = Household(members)
    ticks = [make_tick(index, tick_s=300.0) for index in range(288)]
    drawn = np.array([load.at(tick) for tick in ticks])
    expected = np.array([load.expected(tick.time_ms) for tick in ticks])
    assert drawn.mean() == pytest.approx(expected.mean(), rel=0.02)
    hourly = drawn.reshape(24, -1).mean(axis=1) / expected.reshape(24, -1).mean(axis=1)
    assert np.abs(hourly - 1.0).max() < 0.15
    assert drawn.max() > 4.0 * expected.max(), "nothing large was ever switched on"


def test_a_run_that_starts_later_sees_the_same() -> None:
    members = make_members(HouseholdSettings, [{}] * 20, sites=make_sites(20), site=range(20))
    early, late = Household(members), Household(members)
    for index in range(0, 7200, 7):
        early.at(make_tick(index))
    for index in range(7200, 7300):
        np.testing.assert_array_equal(early.at(make_tick(index)), late.at(make_tick(index)))


def test_spread_keeps_the_mean_of_many() -> None:
    n = 4000
    entries = [{"spread": 0.5}] * n
    members = make_members(HouseholdSettings, entries, sites=make_sites(n), site=range(n))
    sizes = Household(members).expected(NEW_YEAR_MS)
    alone = Household(make_members(HouseholdSettings, [{}])).expected(NEW_YEAR_MS)[0]
    assert sizes.mean() == pytest.approx(alone, rel=0.03)
    assert np.log(sizes).std() == pytest.approx(0.5, rel=0.05)
