"""Public holidays: their rules, and those who do as on a Sunday on them."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gridsim.api import Members
from gridsim.config.resolve import Flags
from gridsim.helpers.holidays import COUNTRIES, Holidays
from gridsim.running.plan import Options, make_plan
from gridsim.testing import make_members, make_sites
from gridsim_plugins.ders.ev_charger import EvCharger
from gridsim_plugins.ders.ev_charger.schedule import DrawnSchedule
from gridsim_plugins.loads.household import Household

_DAY_MS, _HOUR_MS = 86_400_000, 3_600_000


def number(on: date) -> int:
    return (on - date(1970, 1, 1)).days


def found(rules: tuple[str, ...], year: int = 2026) -> list[str]:
    """Return the days, MM-DD, that are Sundays by the rules, but not by the week."""
    days = [date(year, 1, 1) + timedelta(days=index) for index in range(365)]
    weekday = Holidays(rules).weekday(np.array([number(day) for day in days]))
    return [
        f"{day:%m-%d}"
        for day, one in zip(days, weekday.tolist(), strict=True)
        if one == 6 and day.weekday() != 6
    ]


def test_rules() -> None:
    assert found(()) == []
    assert found(("2026-02-03", "2027-02-04", "12-24")) == ["02-03", "12-24"]
    assert found(("05-25 monday", "06-01 monday", "11-22 thursday")) == ["05-25", "06-01", "11-26"]
    assert found(("DE",)) == [
        "01-01", "04-03", "04-06", "05-01", "05-14", "05-25", "10-03", "12-25", "12-26",
    ]  # fmt: skip
    assert "06-04" in found(("DE", "easter+60")), "Corpus Christi"
    assert found(("US",), 2027) == [
        "01-01", "01-18", "02-15", "05-31", "06-19", "09-06", "10-11", "11-11", "11-25", "12-25",
    ]  # fmt: skip
    assert all(len(found((country,))) >= 4 for country in COUNTRIES)


@pytest.mark.parametrize(
    ("year", "easter"), [(2026, "04-05"), (2008, "03-23"), (2038, "04-25"), (2049, "04-18")]
)
def test_easter_sunday(year: int, easter: str) -> None:
    """Its day before and after, because it is a Sunday itself; the earliest and the latest."""
    sunday = date.fromisoformat(f"{year}-{easter}")
    around = [f"{sunday + timedelta(days=by):%m-%d}" for by in (-1, 1)]
    assert found(("easter-1", "easter+1"), year) == around


def test_a_leap_day_is_a_holiday_in_leap_years_only() -> None:
    holidays = Holidays(("02-29",))
    thursday, after = number(date(2024, 2, 29)), number(date(2026, 3, 1))
    assert holidays.weekday(np.array([thursday, thursday + 1])).tolist() == [6, 4]
    assert holidays.weekday(np.array([after - 1])).tolist() == [5]


def configured(tmp_path: Path, site: str, project: str = "") -> list[Holidays]:
    path = tmp_path / "sim.toml"
    path.write_text(f"""
        [simulation]
        start = 2026-06-01
        [site]
        {site}
        [[projects]]
        id = "A"
        {project}
        [[projects.ders]]
        id = "A1"
        type = "generator"
        nameplate_capacity = 1.0
    """)
    return list(make_plan(Options(path, flags=Flags())).configuration.scenario.sites.holidays)


def test_a_project_has_the_holidays_of_the_site_or_its_own(tmp_path: Path) -> None:
    given = 'holidays = ["DE", 2026-06-05, "12-24"]'
    rules = ("DE", "2026-06-05", "12-24")
    assert configured(tmp_path, "") == [Holidays()]
    assert configured(tmp_path, given) == [Holidays(rules)]
    assert configured(tmp_path, given, "holidays = []") == [Holidays()]


@pytest.mark.parametrize(
    "wrong", ['"XX"', '"de"', '"13-01"', '"02-30"', '"2026-02-29"', '"easter+1000"', '"05-25 moon"',
              '""', '"easter+"', '"0000-01-01"']
)  # fmt: skip
def test_a_wrong_rule_is_an_error_with_the_possible_forms(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(Exception, match="must be a country") as error:
        configured(tmp_path, f"holidays = [{wrong}]")
    assert "holidays" in str(error.value)


def members(kind: type[Household] | type[EvCharger], n: int, **own: object) -> Members[Any]:
    """Return members of which every other site is in Germany, with its holidays."""
    sites = make_sites(n, timezone="UTC", holidays=["DE"])
    free = Holidays(("DE",))
    object.__setattr__(sites, "holidays", [free, Holidays()] * (n // 2))
    sites = sites.some(np.arange(n))
    return make_members(kind.Settings, [own] * n, sites=sites, site=range(n))


def test_a_home_does_as_on_a_sunday() -> None:
    """Friday, 25 December 2026, by H0: at noon 1.6 times the power of a Friday."""
    homes = Household(members(Household, 2, spread=0.0))
    noon = number(date(2026, 12, 25)) * _DAY_MS + 12 * _HOUR_MS + _HOUR_MS // 2
    holiday, friday = homes.expected(noon)
    sunday = homes.expected(noon + 2 * _DAY_MS)
    assert holiday / friday == pytest.approx(206.7 / 130.7, rel=0.02)
    assert sunday[0] == sunday[1] == pytest.approx(holiday, rel=0.01)
    assert len(set(homes.expected(noon - 7 * _DAY_MS))) == 1


def test_the_appliances_know_the_holiday() -> None:
    homes = Household(members(Household, 1200, spread=0.0))
    begin = number(date(2026, 12, 25)) * _DAY_MS + 11 * _HOUR_MS
    drawn = homes._blocks
    means = [
        np.mean([block.mean_kw(begin + i * _HOUR_MS, begin + (i + 1) * _HOUR_MS).mean()
                 for i in range(2)])
        for _, block in drawn
    ]  # fmt: skip
    expected = np.mean([homes.expected(begin + i * _HOUR_MS + _HOUR_MS // 2) for i in range(2)], 0)
    by_block = [expected[rows].mean() for rows, _ in drawn]
    assert max(by_block) > 1.3 * min(by_block)
    assert means == pytest.approx(by_block, rel=0.08)


def test_a_workplace_is_nearly_empty() -> None:
    chargers = members(EvCharger, 400, nameplate_capacity=7.2, sessions="workplace")
    schedule = DrawnSchedule("workplace", chargers, np.full(400, 0.934), np.arange(400))
    noon = number(date(2026, 12, 25)) * _DAY_MS + 12 * _HOUR_MS
    here = schedule.at(np.arange(400), noon).here
    assert here[::2].mean() < 0.12
    assert here[1::2].mean() > 0.7


def test_sites_keep_their_holidays_when_some_are_taken() -> None:
    sites = members(Household, 6).sites.some(np.array([5, 2, 0]))
    day = np.array([number(date(2026, 12, 25))])
    assert sites.weekday(day, np.arange(3)).tolist() == [4, 6, 6]
    assert sites.weekday(day[:, None] + np.arange(2), np.array([[0], [2]])).tolist() == [
        [4, 5],
        [6, 6],
    ]


def test_draws_of_ordinary_days_do_not_change() -> None:
    """The seed gives the same homes a week before the holiday, with holidays and without."""
    with_, without = (
        Household(
            make_members(
                Household.Settings, [{}] * 3, site=range(3),
                sites=make_sites(3, timezone="UTC", holidays=rules),
            )
        )
        for rules in (("DE",), ())
    )  # fmt: skip
    begin = number(date(2026, 12, 17)) * _DAY_MS + 12 * _HOUR_MS
    for block, other in zip(with_._blocks, without._blocks, strict=True):
        one = block[1].mean_kw(begin, begin + _HOUR_MS)
        np.testing.assert_array_equal(one, other[1].mean_kw(begin, begin + _HOUR_MS))
