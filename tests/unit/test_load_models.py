"""The loads: the standard profile by the site's clock, appliances that keep its mean."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from gridsim.api import Draws, Floats
from gridsim.testing import LoadContract, make_members, make_sites, make_tick, some_of
from gridsim_plugins.loads.constant import ConstantLoad
from gridsim_plugins.loads.household import Household, fluctuation, plugin, uses
from gridsim_plugins.loads.household.fluctuation import Fluctuation
from gridsim_plugins.loads.household.plugin import HouseholdSettings
from gridsim_plugins.loads.household.profile import PROFILES, relative_power

DAY_MS = 86_400_000
NEW_YEAR_MS = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)
NORTH, SOUTH = np.array([False]), np.array([True])


class TestConstant(LoadContract):
    load = ConstantLoad
    settings = ({"kw": 2.5}, {})


class TestHousehold(LoadContract):
    load = Household
    settings = (
        {},
        {"annual_kwh": 24000.0, "spread": 0.4, "profile": "H25"},
        {"appliances": False},
    )


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


def test_a_year_of_the_profile_of_2025() -> None:
    """The quarter-hours of the table in demandlib 0.2.2: .0538 to .229 kW per 1000 kWh."""
    times = np.arange(local(2025, 1, 1), local(2026, 1, 1), 900_000)
    power = relative_power(times, NORTH, PROFILES["H25"]) * 1000.0 / 8760.0
    assert power.sum() * 0.25 == pytest.approx(1000.0, rel=0.005)
    assert power.max() == pytest.approx(0.229, rel=0.02)
    assert power.min() == pytest.approx(0.0538, rel=0.02)
    january, july = power[: 31 * 96].mean(), power[181 * 96 : 212 * 96].mean()
    assert (january / power.mean(), july / power.mean()) == pytest.approx((1.191, 0.880), rel=0.01)


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


def homes(n: int, **settings: object) -> Household:
    entries = [{"annual_kwh": 4500.0, **settings}] * n
    return Household(make_members(HouseholdSettings, entries, sites=make_sites(n), site=range(n)))


def run(load: Household, start_ms: int, tick_s: float, ticks: int) -> Floats:
    return np.array([load.at(make_tick(i, start_ms=start_ms, tick_s=tick_s)) for i in range(ticks)])


def test_many_homes_draw_the_standard_profile_hour_by_hour() -> None:
    load = homes(1500, spread=0.0)
    drawn = run(load, NEW_YEAR_MS + 12 * DAY_MS, 900.0, 96)
    middle = [NEW_YEAR_MS + 12 * DAY_MS + 900_000 * i + 450_000 for i in range(96)]
    expected = np.array([load.expected(time_ms) for time_ms in middle])
    assert drawn.mean() == pytest.approx(expected.mean(), rel=0.03)
    hourly = drawn.reshape(24, -1).mean(axis=1) / expected.reshape(24, -1).mean(axis=1)
    assert np.abs(hourly - 1.0).max() < 0.10


def test_homes_keep_no_more_edges_of_the_past_than_edges_to_come() -> None:
    """Twenty hours of homes are several megabytes in a large fleet: what is over is forgotten."""
    load = homes(200)
    [(_, block)] = load._blocks
    timeline, past, most = block._timeline, 0, 0
    for i in range(80):
        tick = make_tick(i, start_ms=NEW_YEAR_MS, tick_s=900.0)
        load.at(tick)
        edges = timeline._edges
        over = int(np.searchsorted(edges.time_ms, tick.time_ms + 900_000))
        assert 2 * over <= len(edges)
        assert len(timeline._until_edge) == len(edges)
        assert timeline._next is None or not len(timeline._later)
        past, most = past + over, max(most, len(edges))
    assert past
    assert most


def test_homes_of_two_profiles_keep_their_own_mean() -> None:
    """From 02 to 04 h in January, H25 has 120.3 / 78.1 of the power of H0."""
    names = ["H0", "H25"] * 600
    entries = [{"annual_kwh": 4500.0, "spread": 0.0, "profile": name} for name in names]
    load = Household(make_members(HouseholdSettings, entries, sites=make_sites(1), site=[0] * 1200))
    start = NEW_YEAR_MS + 12 * DAY_MS + 6 * 3_600_000
    drawn = run(load, start, 900.0, 8).mean(axis=0)
    expected = np.mean([load.expected(start + 900_000 * i + 450_000) for i in range(8)], axis=0)
    assert expected[1] / expected[0] == pytest.approx(120.3 / 78.1, rel=0.01)
    for own in (slice(0, None, 2), slice(1, None, 2)):
        assert drawn[own].mean() == pytest.approx(expected[own].mean(), rel=0.06)


def test_the_load_of_a_long_tick_is_the_mean_of_its_seconds() -> None:
    """At 18:00 UTC, an evening with cycling hobs, with the edge of an hour in it."""
    start = NEW_YEAR_MS + 18 * 3_600_000 - 900_000
    seconds = run(homes(20), start, 1.0, 1800)
    for tick_s in (10.0, 60.0, 900.0, 1800.0):
        ticks = round(1800 / tick_s)
        mean = seconds.reshape(ticks, -1, 20).mean(axis=1)
        np.testing.assert_allclose(run(homes(20), start, tick_s, ticks), mean, atol=1e-9)


def test_a_home_has_a_base_load_of_its_own_at_night() -> None:
    """From 02 to 04 h, local, in January: standby and cold appliances, but no cooking."""
    night = run(homes(600), NEW_YEAR_MS + 6 * 3_600_000 + 12 * DAY_MS, 30.0, 240)
    floor = np.quantile(night, 0.1, axis=0)
    assert 0.08 < np.median(floor) < 0.16
    assert np.quantile(floor, 0.05) > 0.03
    assert np.quantile(floor, 0.95) > 2.0 * np.median(floor)
    assert (night < 0.05).mean() < 0.10
    assert (np.diff(night, axis=0) > 1.4).sum() / 600 < 0.2


def test_the_power_of_a_home_changes_a_little_between_switchings() -> None:
    """One-minute means from 02 to 03 h: some watts up and down, as in measured homes."""
    load = homes(200, spread=0.0)
    night = run(load, NEW_YEAR_MS + 6 * 3_600_000, 60.0, 60) * 1000.0
    change = np.abs(np.diff(night, axis=0))
    between = change[change < 30.0]
    assert 1.5 < np.median(between) < 6.0
    assert (between < 0.1).mean() < 0.1
    assert (night > 20.0).all()


def test_few_seconds_of_an_evening_have_a_step() -> None:
    """Appliances switch some hundred times a day; between, the power hardly changes."""
    seconds = run(homes(100, spread=0.0), NEW_YEAR_MS + 22 * 3_600_000, 1.0, 60) * 1000.0
    steps = np.abs(np.diff(seconds, axis=0))
    assert 0.002 < (steps > 5.0).mean() < 0.03
    assert 0.2 < np.median(steps) < 0.6


def test_the_fluctuation_repeats_without_a_jump() -> None:
    """Its course of nine hours is joined to itself, at all offsets of homes."""
    period_s, limit = fluctuation._PERIOD_S, 2.5 * fluctuation.SHARE
    keys = np.arange(500, dtype=np.uint64)
    one = Fluctuation(keys, Draws(1), np.full(500, 50_000), np.ones(500))
    before = one.until(NEW_YEAR_MS)
    assert np.array_equal(before, one.until(NEW_YEAR_MS + period_s * 1000))
    for second in range(1, period_s + 1, 64):
        after = one.until(NEW_YEAR_MS + second * 1000)
        mean = one.mean_mw(after - before, 64_000 if second > 1 else 1000)
        assert (np.abs(mean) <= 1.01 * limit).all()
        before = after


def test_homes_own_different_appliances_of_different_power() -> None:
    """No two of the ten largest steps of each home within an evening are alike."""
    evening = run(homes(40, spread=0.0), NEW_YEAR_MS + 21 * 3_600_000, 5.0, 2160)
    steps = np.diff(evening, axis=0)
    large = np.unique(np.round(steps[steps > 1.0], 2))
    assert len(large) > 60
    daily = evening.mean(axis=0)
    assert daily.std() / daily.mean() > 0.3


def test_an_absence_leaves_the_base_load() -> None:
    """In July more than one home in twenty is empty for a whole week, and still draws power."""
    week = run(homes(120, spread=0.0), local(2026, 7, 13), 3600.0, 168)
    empty = week.max(axis=0) < 0.35
    assert 0.005 < empty.mean() < 0.2
    assert (week[:, empty].min(axis=0) > 0.03).all()
    assert week[:, empty].mean() < 0.5 * week.mean()


def test_clocks_change_at_the_same_time_for_any_subset_of_the_sites() -> None:
    """The night in which clocks go back, in steps that end at the change and run over it."""
    zones = ["Europe/Berlin", "America/Moncton", "Australia/Sydney"] * 4
    sites = replace(make_sites(12), timezone=zones)
    members = make_members(HouseholdSettings, [{}] * 12, sites=sites, site=range(12))
    rows = np.array([1, 4, 7])
    every, some = Household(members), Household(some_of(members, rows))
    start = local(2026, 10, 25, 0, 30)
    for index in range(36):
        tick = make_tick(index, start_ms=start, tick_s=150.0)
        np.testing.assert_array_equal(every.at(tick)[rows], some.at(tick))


def test_homes_do_not_depend_on_how_they_are_computed_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In blocks of homes and of slots, over the change of an hour and back to an earlier time."""
    ticks = [make_tick(index, start_ms=NEW_YEAR_MS, tick_s=700.0) for index in (0, 1, 2, 30, 1, 2)]
    together = [homes(10).at(tick) for tick in ticks]
    monkeypatch.setattr(plugin, "_BLOCK", 3)
    monkeypatch.setattr(uses, "_ROWS_AT_ONCE", 4)
    apart = homes(10)
    for tick, load in zip(ticks, together, strict=True):
        np.testing.assert_array_equal(apart.at(tick), load)


def test_a_large_site_is_many_homes() -> None:
    """1 GWh a year: the mean holds, and it varies less than a home does."""
    large = run(homes(1, annual_kwh=1e6, spread=0.0), NEW_YEAR_MS, 900.0, 96)
    assert large.mean() * 8760.0 == pytest.approx(1.2e6, rel=0.2)


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
    alone = Household(make_members(HouseholdSettings, [{"spread": 0.0}])).expected(NEW_YEAR_MS)[0]
    assert sizes.mean() == pytest.approx(alone, rel=0.03)
    assert np.log(sizes).std() == pytest.approx(0.5, rel=0.05)
