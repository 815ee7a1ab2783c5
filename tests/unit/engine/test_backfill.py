"""The ticks before the present: as fast as possible, then by the clock, without a gap."""

from __future__ import annotations

from typing import Any

import pytest

from gridsim.api import Batch
from gridsim.running.backfill import Backfill
from gridsim.running.engine import Engine
from gridsim.testing import START_MS
from tests.unit.engine.fleets import Hand, engine, ticks

START_S = START_MS / 1000


def backfill(hand: Hand, out: list[Batch], behind_s: float, **options: Any) -> Engine:
    """Return an engine whose first tick was due `behind_s` seconds ago."""
    run = engine(hand, out, **options)
    begun = hand.now
    run.schedule.backfill = Backfill(
        START_MS,
        round(1000 * options.get("tick_s", 1.0)),
        wall=lambda: START_S + behind_s + hand.now - begun,
        monotonic=hand,
    )
    return run


def test_ticks_before_the_present_run_at_once_and_the_next_when_it_is_due() -> None:
    hand, out = Hand(), list[Batch]()
    run = backfill(hand, out, behind_s=5.25)
    run.run_due()
    assert ticks(out) == [0, 1, 2, 3, 4, 5]
    assert run.schedule.backfill is None
    assert run.until_next_wake() == pytest.approx(0.75)
    hand.now += 0.74
    run.run_due()
    assert len(out) == 6
    hand.now += 0.01
    run.run_due()
    assert ticks(out) == [0, 1, 2, 3, 4, 5, 6]
    assert (run.pace.late_ticks, run.pace.worst_s) == (0, 0.0)
    # From the present on, lateness counts.
    hand.now += 3.5
    run.run_due()
    assert run.pace.late_ticks == 2
    assert run.pace.worst_s == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("behind_s", "expected"), [(0.0, 1), (0.99, 1), (1.0, 2), (59.99, 60), (60.0, 61)]
)
def test_the_tick_that_is_due_at_this_moment_belongs_to_the_past(
    behind_s: float, expected: int
) -> None:
    hand, out = Hand(), list[Batch]()
    run = backfill(hand, out, behind_s)
    run.run_due()
    assert len(out) == expected


def test_what_becomes_due_during_the_backfill_is_part_of_it() -> None:
    hand, out = Hand(), list[Batch]()
    run = backfill(hand, out, behind_s=6.0)
    part = run.schedule.backfill
    assert part is not None
    advance = run.simulation.advance

    def slow(*args: Any) -> Any:
        hand.now += 0.5
        return advance(*args)

    run.simulation.advance = slow  # type: ignore[method-assign, assignment]
    run.run_due()
    assert ticks(out) == list(range(13))
    assert part.ended_at == 13
    assert run.pace.late_ticks == 0
    status = part.status(13)
    assert (status.first, status.due, status.took_s) == (0, 13, 6.5)
    assert status.speed == pytest.approx(2.0)


def test_it_lasts_until_its_readings_are_sent() -> None:
    hand, out, sent = Hand(), list[Batch](), [False]
    run = backfill(hand, out, behind_s=2.0)
    part = run.schedule.backfill
    assert part is not None
    ended = list[int]()
    part.sent, part.ended = (lambda: sent[0]), (lambda: ended.append(run.tick))
    run.run_due()
    hand.now += 3.5
    # It looks again soon, also with long ticks.
    assert run.until_next_wake() == 0.05
    run.run_due()
    assert (len(out), ended, run.pace.late_ticks) == (6, [], 0)
    assert part.status(run.tick).left_s is not None
    sent[0] = True
    run.run_due()
    assert (len(out), ended) == (6, [6])
    hand.now += 0.5
    run.run_due()
    assert len(out) == 7


@pytest.mark.parametrize("tick_s", [0.5, 60.0, 900.0])
@pytest.mark.parametrize("speed", [0.5, 1.0, 60.0])
def test_the_next_tick_is_due_at_its_own_time_and_the_others_by_the_speed(
    tick_s: float, speed: float
) -> None:
    hand, out = Hand(), list[Batch]()
    run = backfill(hand, out, 2.25 * tick_s, tick_s=tick_s, speed=speed)
    run.run_due()
    assert len(out) == 3
    due_in_s = run.due_in_s()
    assert due_in_s == pytest.approx(0.75 * tick_s)
    hand.now += 0.75 * tick_s
    run.run_due()
    assert len(out) == 4
    assert run.due_in_s() == pytest.approx(tick_s / speed)


def test_another_speed_ends_it_where_it_is() -> None:
    hand, out = Hand(), list[Batch]()
    run = backfill(hand, out, behind_s=1000.0)
    part = run.schedule.backfill
    assert part is not None
    run.run(3)
    run.set_speed(2.0)
    assert part.ended_at == 3
    run.run_due()
    assert ticks(out) == [0, 1, 2, 3]
    assert run.due_in_s() == pytest.approx(0.5)


def test_the_schedule_of_all_shards_does_not_end_it_at_the_same_speed() -> None:
    hand, out = Hand(), list[Batch]()
    run = backfill(hand, out, behind_s=3.5)
    run.follow(0, hand.now, 1.0)
    run.run_due()
    assert len(out) == 4
    assert run.due_in_s() == pytest.approx(0.5)
    late = backfill(hand, out := [], behind_s=1000.0)
    part = late.schedule.backfill
    assert part is not None
    late.follow(0, hand.now - 2.0, 4.0)
    assert part.ended_at == 0
    late.run_due()
    assert len(out) == 9
    assert late.pace.late_ticks == 0


def test_a_pause_does_not() -> None:
    hand, out = Hand(), list[Batch]()
    run = backfill(hand, out, behind_s=2.0)
    run.pause()
    run.run_due()
    assert not out
    hand.now += 4.0
    run.resume()
    run.run_due()
    assert (len(out), run.pace.late_ticks) == (7, 0)


def test_it_tells_its_rate_and_the_time_left() -> None:
    hand = Hand()
    part = Backfill(0, 1000, wall=lambda: 1000.0, monotonic=hand)
    assert part.status(0).left_s is None
    for tick in (100, 200, 300):
        hand.now += 1.0
        part.due_in_s(tick)
    status = part.status(300)
    assert (status.due, status.speed) == (1001, 100.0)
    assert status.left_s == pytest.approx(701 / 99)
    # Slower than real time, it never ends.
    hand.now += 1e6
    assert part.status(300).left_s is None
