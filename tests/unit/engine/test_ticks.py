"""The ticks that are due, at every speed and after every pause."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridsim.api import (
    Batch,
)
from gridsim.testing import START_MS
from tests.unit.engine.fleets import Hand, Steady, engine, simulation, ticks


def test_tick_0_runs_at_once_and_one_more_each_second() -> None:
    hand, out = Hand(), list[Batch]()
    run = engine(hand, out)
    for expected in range(1, 5):
        run.run_due()
        run.run_due()
        assert len(out) == expected
        hand.now += 1.0
    assert [int(b.timestamp_ms[0]) - START_MS for b in out] == [0, 1000, 2000, 3000]


def test_an_overrun_is_caught_up_and_counted() -> None:
    hand, out = Hand(), list[Batch]()
    run = engine(hand, out)
    run.run_due()
    hand.now += 5.5
    run.run_due()
    assert ticks(out) == [0, 1, 2, 3, 4, 5]
    assert run.pace.worst_s == pytest.approx(4.5)
    # Ticks 1 to 4 are more than a wake-up late, tick 5 by half a second only.
    assert run.pace.late_ticks == 4


@given(
    st.lists(st.floats(0.0, 7.0), min_size=1, max_size=20),
    st.sampled_from([1.0, 2.0, 60.0]),
    st.sampled_from([0.1, 1.0, 60.0]),
)
def test_whatever_the_wake_ups_the_ticks_are_those_that_are_due(
    pauses: list[float], speed: float, tick_s: float
) -> None:
    hand, out = Hand(), list[Batch]()
    run = engine(hand, out, speed=speed, tick_s=tick_s, ticks=100)
    began = hand.now
    for pause in pauses:
        run.run_due()
        due = int((hand.now - began + 0.002) * speed / tick_s) + 1
        assert abs(len(out) - min(due, 100)) <= 1  # 1: where the division is on the edge
        hand.now += pause
    assert ticks(out) == list(range(len(out)))


def test_a_wake_up_a_little_early_still_runs_its_tick() -> None:
    hand, out = Hand(), list[Batch]()
    run = engine(hand, out)
    run.run_due()
    hand.now += 0.999
    run.run_due()
    assert ticks(out) == [0, 1]


def test_fast_runs_wake_at_most_twenty_times_a_second() -> None:
    hand, out = Hand(), list[Batch]()
    run = engine(hand, out, speed=60.0)
    assert run.wake_s == 0.05
    run.run_due()
    hand.now += 0.02
    assert run.until_next_wake() == pytest.approx(0.03)


def test_it_finishes_after_its_last_tick() -> None:
    hand, out = Hand(), list[Batch]()
    run = engine(hand, out, ticks=3)
    hand.now += 100
    run.run_due()
    hand.now += 100
    run.run_due()
    assert not run.finished.is_set() or ticks(out) == [0, 1, 2]
    run.run_due()
    assert run.finished.is_set()
    assert ticks(out) == [0, 1, 2]


def test_paused_time_is_no_lateness_and_loses_no_tick() -> None:
    hand, out = Hand(), list[Batch]()
    run = engine(hand, out)
    run.run_due()
    hand.now += 1.0
    run.run_due()
    run.pause()
    assert run.is_paused
    hand.now += 3600.0
    run.run_due()
    assert ticks(out) == [0, 1]
    assert run.behind_s() == 0.0
    run.resume()
    run.run_due()
    assert ticks(out) == [0, 1, 2]
    hand.now += 0.5
    run.run_due()
    assert ticks(out) == [0, 1, 2]
    hand.now += 0.5
    run.run_due()
    assert ticks(out) == [0, 1, 2, 3]
    assert (run.pace.late_ticks, run.pace.worst_s) == (0, 0.0)


def test_another_speed_counts_from_the_tick_at_which_it_is_set() -> None:
    hand, out = Hand(), list[Batch]()
    run = engine(hand, out)
    run.run_due()
    hand.now += 0.5
    run.set_speed(10.0)
    assert (run.speed, run.interval_s, run.wake_s) == (10.0, 0.1, 0.1)
    run.run_due()
    hand.now += 0.3
    run.run_due()
    assert ticks(out) == [0, 1, 2, 3, 4]
    run.set_speed(0.5)
    run.run_due()
    hand.now += 1.9
    run.run_due()
    assert ticks(out) == [0, 1, 2, 3, 4, 5]
    hand.now += 0.1
    run.run_due()
    assert ticks(out) == [0, 1, 2, 3, 4, 5, 6]
    assert [int(b.timestamp_ms[0]) - START_MS for b in out] == [1000 * i for i in range(7)]


def test_at_speed_0_no_tick_is_due_by_the_clock() -> None:
    hand, out = Hand(), list[Batch]()
    run = engine(hand, out)
    run.run_due()
    run.set_speed(0.0)
    hand.now += 100.0
    run.run_due()
    assert ticks(out) == [0]
    assert run.behind_s() == 0.0


def test_ticks_run_on_demand_up_to_the_last() -> None:
    out = list[Batch]()
    run = engine(Hand(), out, ticks=5)
    assert run.run(0) == 0
    assert run.run(3) == 3
    assert not run.finished.is_set()
    assert run.run(3) == 2
    assert run.finished.is_set()
    assert run.run(3) == 0
    assert ticks(out) == [0, 1, 2, 3, 4]


def test_it_goes_on_where_its_simulation_is() -> None:
    sim = simulation(Steady)
    for _ in range(7):
        sim.step()
    hand, out = Hand(), list[Batch]()
    run = engine(hand, out, simulation=sim, ticks=9)
    assert (run.first_tick, run.tick) == (7, 7)
    run.run_due()
    hand.now += 1.0
    run.run_due()
    assert run.finished.is_set()
    assert ticks(out) == [7, 8]
    assert [int(b.timestamp_ms[0]) - START_MS for b in out] == [7000, 8000]


def test_speed_0_gives_the_same_batches_as_real_time() -> None:
    hand, slow, fast = Hand(), list[Batch](), list[Batch]()
    run = engine(hand, slow, ticks=10)
    for _ in range(10):
        run.run_due()
        hand.now += 1.0
    engine(Hand(), fast, speed=0.0, ticks=10).run_free()
    assert ticks(slow) == ticks(fast) == list(range(10))
    for a, b in zip(slow, fast, strict=True):
        assert (a.timestamp_ms == b.timestamp_ms).all()
        assert (a.current_output == b.current_output).all()


def test_ticks_go_on_until_none_has_ended_in_time_but_for_a_pause() -> None:
    hand, out = Hand(), list[Batch]()
    run = engine(hand, out)
    assert not run.is_ticking(2.0)
    run.run_due()
    hand.now += 1.99
    assert run.is_ticking(2.0)
    hand.now += 0.01
    assert not run.is_ticking(2.0)
    run.pause()
    hand.now += 100.0
    assert run.is_ticking(2.0)
    # The tick after a pause is due now, but needs its time.
    run.resume()
    assert run.is_ticking(2.0)
    hand.now += 2.0
    assert not run.is_ticking(2.0)
    run.set_speed(10.0)
    assert run.is_ticking(2.0)
