"""The mean of like days by hand: which days, slots, events, the adjustment, clock changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from gridsim.api import Floats, Tick
from gridsim.testing import BaselineContract, make_members, make_sites, make_weather
from gridsim_plugins.baselines.like_days import DayMatching

HOUR_MS, QUARTER_MS = 3_600_000, 900_000
UTC_NAME, BERLIN = "UTC", "Europe/Berlin"
Draw = float | Callable[[datetime], float]


def tick_at(time_ms: int, step_ms: int = QUARTER_MS) -> Tick:
    return Tick(0, time_ms, step_ms / 1000, make_weather())


class TestDayMatching(BaselineContract):
    baseline = DayMatching
    settings = ({"days": 1, "weekend_days": 1, "slot_min": 60}, {"adjustment": 0.0})


class House:
    """One site, stepped in quarters of an hour; times are "MM-DD HH:MM" of 2026 on its clock."""

    def __init__(
        self,
        start: str,
        *,
        zone: str = UTC_NAME,
        expected: Callable[[datetime], float] = lambda at: 2.0,
        days: int = 2,
        weekend_days: int = 1,
        cap: float = 0.2,
        step_ms: int = QUARTER_MS,
        holidays: tuple[str, ...] = (),
    ) -> None:
        self.zone, self.step_ms = ZoneInfo(zone), step_ms
        self.now = self.ms(start)

        def expectation(time_ms: int) -> Floats:
            return np.array([expected(self.clock(time_ms))])

        settings = {"days": days, "weekend_days": weekend_days, "adjustment": cap * 100.0}
        members = make_members(
            DayMatching.Settings,
            [settings],
            sites=make_sites(1, timezone=zone, holidays=holidays),
            start_ms=self.now,
        )
        self.like = DayMatching(members, expectation)

    def ms(self, text: str) -> int:
        at = datetime.strptime(f"2026-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=self.zone)
        return int(at.timestamp() * 1000)

    def clock(self, time_ms: int) -> datetime:
        return datetime.fromtimestamp(time_ms / 1000, UTC).astimezone(self.zone)

    def draw(self, until: str, kw: Draw) -> House:
        while self.now < self.ms(until):
            tick = tick_at(self.now, self.step_ms)
            self.like.at(tick)
            drawn = kw(self.clock(self.now)) if callable(kw) else kw
            self.like.note(tick, np.array([drawn]))
            self.now += self.step_ms
        return self

    def announce(self, begin: str) -> House:
        self.like.event_announced(np.array([0]), self.now, np.array([self.ms(begin)]))
        return self

    def over(self) -> House:
        self.like.event_over(np.array([0]))
        return self

    @property
    def baseline(self) -> float:
        return float(self.like.at(tick_at(self.now))[0])


def test_without_history_it_is_the_expectation_of_like_days() -> None:
    def expected(at: datetime) -> float:
        return at.hour + (100.0 if at.weekday() >= 5 else 0.0)

    house = House("07-01 10:00", expected=expected)  # a Wednesday
    assert house.baseline == 10.0
    house.draw("07-01 23:30", 7.0)
    assert house.baseline == 23.0, "today is no history yet"
    house.draw("07-04 05:00", 7.0)
    assert house.baseline == 105.0


def test_the_mean_of_the_last_days_of_the_kind_slot_by_slot() -> None:
    house = House("07-01 00:00")
    house.draw("07-02 00:00", lambda at: 3.0 if at.hour != 12 else 9.0)
    assert house.baseline == 2.5, "Wednesday's 3 and Tuesday's expectation of 2"
    house.draw("07-03 00:00", lambda at: 5.0 if at.hour != 12 else 10.0 + at.minute)
    assert house.baseline == 4.0
    house.draw("07-03 12:00", 5.0)
    assert house.baseline == 9.5
    house.draw("07-03 12:30", 5.0)
    assert house.baseline == (9.0 + 40.0) / 2
    house.draw("07-04 06:00", 6.0)
    assert house.baseline == 2.0, "a Saturday has its own history"
    house.draw("07-05 06:00", 8.0)
    assert house.baseline == 8.0
    house.draw("07-06 13:00", 8.0)
    assert house.baseline == 5.5, "Monday: Thursday's 5 and Friday's 6"


def test_a_public_holiday_is_like_a_sunday() -> None:
    """Of Wednesday to Friday, the Thursday: before the start, and in the run."""

    def expected(at: datetime) -> float:
        return 8.0 if (at.month, at.day) == (6, 25) else 2.0

    holidays = ("06-25", "07-02")
    house = House("06-26 00:00", days=2, expected=expected, holidays=holidays)
    assert house.baseline == 2.0, "the holiday on Thursday is left out"
    house.draw("06-27 00:00", 4.0)
    assert house.baseline == 8.0, "Saturday is like the holiday"
    house.draw("07-01 00:00", 4.0).draw("07-02 00:00", 6.0)
    assert house.baseline == 4.0, "a holiday is like the Sunday before"
    house.draw("07-03 00:00", 9.0)
    assert house.baseline == 5.0, "Tuesday's 4 and Wednesday's 6"
    house.draw("07-04 00:00", 6.0)
    assert house.baseline == 9.0, "Saturday is like the holiday"


def test_several_readings_of_a_slot_are_averaged() -> None:
    house = House("07-01 00:00", days=1, step_ms=60_000)
    house.draw("07-02 00:05", lambda at: float(at.minute % 15))
    assert house.baseline == 7.0


def test_a_tick_of_an_hour_fills_its_slots() -> None:
    house = House("07-01 00:00", days=1, step_ms=HOUR_MS)
    house.draw("07-02 10:00", lambda at: float(at.hour))
    house.now += 3 * QUARTER_MS
    assert house.baseline == 10.0


def test_a_day_with_an_event_is_left_out_but_not_that_of_its_notice() -> None:
    house = House("07-01 00:00").draw("07-01 20:00", 3.0)
    house.announce("07-02 17:00").draw("07-02 18:00", 4.0).over()
    house.draw("07-03 10:00", 4.0)
    assert house.baseline == 2.5, "Wednesday's 3 and Tuesday's expectation of 2"
    house.draw("07-06 10:00", 6.0)
    assert house.baseline == 4.5, "Wednesday's 3 and Friday's 6"


def test_an_event_past_midnight_spoils_both_days() -> None:
    house = House("07-01 00:00").draw("07-02 22:00", 3.0)
    house.announce("07-02 23:00").draw("07-03 01:00", 9.0).over().draw("07-06 10:00", 9.0)
    assert house.baseline == 2.5, "Tuesday and Wednesday; Thursday and Friday had the event"


@pytest.mark.parametrize(
    ("drawn", "cap", "factor"),
    [(2.2, 0.2, 1.1), (1.9, 0.2, 0.95), (8.0, 0.2, 1.2), (0.5, 0.2, 0.8), (-3.0, 0.2, 0.8),
     (8.0, 0.0, 1.0), (8.0, 1.0, 2.0)],
)  # fmt: skip
def test_the_adjustment_is_the_ratio_over_three_hours_within_its_cap(
    drawn: float, cap: float, factor: float
) -> None:
    house = House("07-01 00:00", cap=cap).draw("07-01 12:00", 50.0)
    # Three hours, then one that does not count any more.
    house.draw("07-01 15:00", drawn).draw("07-01 16:00", 50.0)
    assert house.baseline == 2.0
    house.announce("07-01 17:00")
    assert house.baseline == pytest.approx(2.0 * factor)
    house.draw("07-01 18:00", -20.0)
    assert house.baseline == pytest.approx(2.0 * factor), "frozen at the notice"
    house.over()
    assert house.baseline == 2.0


def test_right_after_the_start_the_adjustment_compares_the_expectation_with_itself() -> None:
    house = House("07-01 12:00").draw("07-01 12:30", 50.0).announce("07-01 12:30")
    assert house.baseline == 2.0
    # Of the three hours from 09:15 on, the last quarter was drawn.
    house = House("07-01 12:00").draw("07-01 13:15", 3.2).announce("07-01 13:15")
    assert house.baseline == pytest.approx(2.0 * (11 * 2.0 + 3.2) / 24.0)


def test_where_the_mean_is_not_above_zero_nothing_is_adjusted() -> None:
    house = House("07-01 00:00", expected=lambda at: 0.0).draw("07-01 16:00", 3.0)
    assert house.announce("07-01 16:00").baseline == 0.0


def test_the_hours_of_another_event_do_not_adjust() -> None:
    house = House("07-01 00:00").draw("07-01 14:00", 2.2)
    house.announce("07-01 14:00").draw("07-01 16:00", 0.0).over()
    house.draw("07-01 17:00", 2.2).announce("07-01 17:00")
    assert house.baseline == pytest.approx(2.2)


def test_with_two_events_announced_it_is_frozen_until_both_are_over() -> None:
    house = House("07-01 00:00").draw("07-01 12:00", 2.2).announce("07-01 13:00")
    house.draw("07-01 18:00", 2.0).announce("07-01 19:00").over()
    assert house.baseline == pytest.approx(2.2)
    assert house.over().baseline == 2.0


def test_an_hour_that_the_clock_skips_counts_as_the_slot_before() -> None:
    house = House("03-29 00:00", zone=BERLIN)  # a Sunday of 23 hours
    house.draw("03-30 00:00", lambda at: at.hour + at.minute / 100)
    house.draw("04-04 01:45", 1.0)
    told = []
    for _ in range(7):
        told.append(round(house.baseline, 2))
        house.now += QUARTER_MS
    assert told == [1.45, 1.45, 1.45, 1.45, 1.45, 3.0, 3.15]


def test_an_hour_that_the_clock_repeats_counts_as_the_mean_of_both() -> None:
    house = House("10-25 00:00", zone=BERLIN)  # a Sunday of 25 hours
    house.draw("10-26 00:00", lambda at: 1.0 if at.hour != 2 else 6.0 if at.fold else 3.0)
    house.draw("10-31 02:15", 1.0)
    assert house.baseline == 4.5
    house.draw("10-31 03:00", 1.0)
    assert house.baseline == 1.0


def test_a_site_has_its_own_clock_and_days_whichever_others_there_are() -> None:
    sites = replace(make_sites(3), timezone=["UTC", "Asia/Kolkata", "Pacific/Auckland"])
    start = int(datetime(2026, 7, 1, tzinfo=UTC).timestamp() * 1000)
    every = np.arange(3)

    def expected(time_ms: int) -> Floats:
        return np.full(3, time_ms // HOUR_MS % 24) + every

    def made(which: list[int]) -> DayMatching:
        settings = [{"days": 2, "weekend_days": 1}] * len(which)
        members = make_members(
            DayMatching.Settings, settings, sites=sites, site=which, start_ms=start
        )
        return DayMatching(members, lambda time_ms: expected(time_ms)[which])

    together, apart = made([0, 1, 2]), [made([site]) for site in range(3)]
    for at in range(start, start + 5 * 24 * HOUR_MS, QUARTER_MS):
        drawn = np.sin(at / HOUR_MS + every) + 2.0
        one = together.at(tick_at(at))
        assert one.tolist() == [float(like.at(tick_at(at))[0]) for like in apart]
        together.note(tick_at(at), drawn)
        for site, like in enumerate(apart):
            like.note(tick_at(at), drawn[[site]])
    assert len(set(one.tolist())) == 3


def test_sites_with_other_settings_keep_their_own_events() -> None:
    settings = [{"adjustment": 20.0}, {"adjustment": 10.0}, {"adjustment": 20.0}]
    start = int(datetime(2026, 7, 1, tzinfo=UTC).timestamp() * 1000)
    members = make_members(
        DayMatching.Settings,
        settings,
        sites=make_sites(3, timezone="UTC"),
        site=range(3),
        start_ms=start,
    )
    like = DayMatching(members, lambda time_ms: np.full(3, 2.0))
    for at in range(start, start + 12 * HOUR_MS, QUARTER_MS):
        like.note(tick_at(at), np.full(3, 9.0))
    now = start + 12 * HOUR_MS
    like.event_announced(np.array([1, 2]), now, np.array([now, now]))
    assert like.at(tick_at(now)) == pytest.approx([2.0, 2.2, 2.4])
    like.event_over(np.array([1]))
    assert like.at(tick_at(now)) == pytest.approx([2.0, 2.0, 2.4])
