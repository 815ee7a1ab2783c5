"""The account of an event against the definition of a violation, in decimals."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridsim.simulation.demand_response.settlement import SettlementAccount

Intervals = list[tuple[int, int]]
THRESHOLD = 200
"""Hundredths of a kW."""


def account(
    reductions: list[int], tick_ms: int, from_ms: int, threshold: float = THRESHOLD / 100
) -> tuple[Intervals, int]:
    """Return the violations of one project, and the sum of its reductions."""
    made = SettlementAccount(np.array([threshold]), np.array([from_ms]), tick_ms)
    running = np.array([True])
    for place, reduced in enumerate(reductions):
        made.add(place * tick_ms, np.array([reduced]), running)
    made.close(running, np.array([len(reductions) * tick_ms]))
    return list(made.violations().get(0, ())), int(made.delivered[0])


def reference(reductions: list[int], tick_ms: int, from_ms: int) -> Intervals:
    """The definition: at t the mean over (t - 300 s, t] is below the threshold, from 300 s
    after the event's start and ramp on."""
    threshold = Decimal(THRESHOLD) / 100
    intervals: Intervals = []
    since: int | None = None
    for place in range(len(reductions)):
        time_ms = place * tick_ms
        window = [
            Decimal(reductions[at]) / 100
            for at in range(place, -1, -1)
            if at * tick_ms > time_ms - 300_000
        ]
        broken = time_ms >= from_ms + 300_000 and sum(window) / len(window) < threshold
        if broken and since is None:
            since = time_ms
        if not broken and since is not None:
            intervals.append((since, time_ms))
            since = None
    if since is not None:
        intervals.append((since, len(reductions) * tick_ms))
    return intervals


@st.composite
def courses(draw: st.DrawFn) -> tuple[list[int], int, int]:
    """Reductions that keep the threshold exactly, but for dips, peaks and steps."""
    tick_ms = draw(st.sampled_from([10_000, 7_000, 60_000, 100_000, 300_000, 400_000]))
    n = 2 * (300_000 // tick_ms + 1) + draw(st.integers(1, 20))
    course = np.full(n, THRESHOLD)
    for _ in range(draw(st.integers(0, 3))):
        first = draw(st.integers(0, n - 1))
        length = draw(st.sampled_from([1, 2, n]))
        course[first : first + length] += draw(st.sampled_from([-200, -30, -1, 1, 30]))
    from_ms = draw(st.integers(0, n // 2)) * tick_ms + draw(st.sampled_from([0, 1, -1]))
    return course.tolist(), tick_ms, from_ms


@given(course=courses())
def test_violations_are_those_of_the_definition(course: tuple[list[int], int, int]) -> None:
    reductions, tick_ms, from_ms = course
    found, delivered = account(reductions, tick_ms, from_ms)
    assert found == reference(reductions, tick_ms, from_ms)
    assert delivered == sum(reductions)


def test_exactly_what_was_promised_is_no_violation() -> None:
    assert account([THRESHOLD] * 700, 1000, 0)[0] == []


def test_a_hundredth_too_little_in_one_reading_counts_for_300_readings() -> None:
    course = [THRESHOLD] * 1000
    course[400] -= 1
    assert account(course, 1000, 0)[0] == [(400_000, 700_000)]


def test_the_first_reading_that_is_judged_is_that_after_300_s() -> None:
    assert account([0] * 301, 1000, 0)[0] == [(300_000, 301_000)]
    assert account([0] * 300, 1000, 0)[0] == []
    # The reading at 0 is no part of the mean at 300 s.
    assert account([-(10**6), *[THRESHOLD] * 300], 1000, 0)[0] == []


def test_a_surplus_makes_up_for_a_dip_within_the_window_alone() -> None:
    course = [THRESHOLD] * 1200
    course[400], course[699] = THRESHOLD - 50, THRESHOLD + 50
    assert account(course, 1000, 0)[0] == [(400_000, 699_000)]
    course[699], course[700] = THRESHOLD, THRESHOLD + 50
    assert account(course, 1000, 0)[0] == [(400_000, 700_000)]


def test_without_a_threshold_nothing_is_judged() -> None:
    assert account([-1000] * 700, 1000, 0, threshold=np.nan) == ([], -700_000)


@pytest.mark.parametrize("stopped", [500, 501])
def test_a_project_that_has_ended_is_not_judged_any_more(stopped: int) -> None:
    made = SettlementAccount(np.array([2.0]), np.array([0]), 1000)
    for place in range(600):
        made.add(place * 1000, np.array([0]), np.array([place < stopped]))
    assert made.violations() == {0: ((300_000, stopped * 1000),)}
    assert made.delivered[0] == 0
