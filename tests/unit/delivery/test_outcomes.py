"""The outcome of readings, and their account."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridsim.api import (
    Batch,
    Receipt,
)
from gridsim.delivery import Runner
from tests.unit.delivery.scripted import (
    DEADLINE_S,
    POLICY,
    ROWS,
    Script,
    Scripted,
    accept,
    balanced,
    batch_of,
    crash,
    doubt_two,
    finish,
    leave,
    lose,
    lose_after_two,
    refuse_first,
    stall,
)
from tests.unit.stepping import SteppedTime


def test_all_that_is_offered_arrives_in_order(started: Any) -> None:
    runner, transport = started(Scripted())
    for tick in range(50):
        runner.offer(batch_of(tick))
    assert finish(runner).delivered == 50 * ROWS
    assert transport.written == [(t, d) for t in range(50) for d in range(ROWS)]


def test_a_lost_connection_costs_nothing_and_doubles_nothing(started: Any) -> None:
    runner, transport = started(
        Scripted(lose, lose_after_two, lose, accept), time=SteppedTime().time
    )
    for tick in range(4):
        runner.offer(batch_of(tick))
    counters = finish(runner)
    assert counters.delivered == 4 * ROWS
    assert counters.reconnects == 3
    assert transport.written == [(t, d) for t in range(4) for d in range(ROWS)]


def test_rows_in_doubt_are_counted_and_not_repeated(started: Any) -> None:
    runner, transport = started(Scripted(doubt_two, accept), time=SteppedTime().time)
    runner.offer(batch_of(0))
    counters = finish(runner)
    assert (counters.unconfirmed, counters.delivered) == (2, ROWS - 2)
    assert transport.written == [(0, d) for d in range(2, ROWS)]


def test_a_refused_row_is_dropped_by_its_reason(started: Any) -> None:
    runner, _ = started(Scripted(refuse_first))
    runner.offer(batch_of(0))
    assert finish(runner).dropped == {"oversize": 1}


def test_a_crashing_transport_is_disabled_and_the_account_still_adds_up(started: Any) -> None:
    runner, _ = started(Scripted(accept, crash))
    for tick in range(5):
        runner.offer(batch_of(tick))
    runner.wait(DEADLINE_S)
    runner.offer(batch_of(5))
    counters = runner.counters()
    assert runner.state == "failed"
    assert "ZeroDivisionError: a defect" in (runner.error or "")
    assert counters.delivered == ROWS
    assert counters.dropped["transport failed"] == 5 * ROWS - counters.unconfirmed
    assert balanced(counters)


def test_a_reader_that_leaves_ends_it_without_a_failure(started: Any) -> None:
    runner, _ = started(Scripted(leave))
    runner.offer(batch_of(0))
    runner.wait(DEADLINE_S)
    assert runner.state == "reader gone"
    assert balanced(runner.counters())


@pytest.mark.parametrize(("takes_s", "late"), [(0.9, 0), (1.0, 0), (1.001, 1), (1.9, 1), (2.1, 1)])
def test_a_batch_confirmed_after_the_next_wake_up_is_late(takes_s: float, late: int) -> None:
    stepped = SteppedTime()
    transport = Scripted(stall)
    runner = Runner("scripted", transport, POLICY, wake_s=1.0, time=stepped.time)
    runner.start()
    runner.offer(batch_of(0))
    assert transport.entered.wait(DEADLINE_S)
    stepped.now += takes_s
    assert runner.behind_s() == pytest.approx(takes_s)
    transport.release.set()
    finish(runner)
    assert runner.behind_s() == 0
    assert list(runner.timing.settled) == [pytest.approx(takes_s)]
    assert runner.timing.late_batches == late


def test_without_a_promised_rate_no_batch_is_late() -> None:
    stepped = SteppedTime()
    transport = Scripted(stall)
    runner = Runner("scripted", transport, POLICY, wake_s=0.0, time=stepped.time)
    runner.start()
    runner.offer(batch_of(0))
    assert transport.entered.wait(DEADLINE_S)
    stepped.now += 1000
    transport.release.set()
    finish(runner)
    assert (len(runner.timing.settled), runner.timing.late_batches) == (1, 0)


def test_a_plugin_that_exits_disables_itself_alone(started: Any) -> None:
    def leave_all(transport: Scripted, batch: Batch, receipt: Receipt) -> None:
        raise SystemExit(0)

    runner, _ = started(Scripted(leave_all))
    runner.offer(batch_of(0))
    assert runner.wait(DEADLINE_S)
    assert runner.state == "failed"
    assert balanced(runner.counters())


@pytest.mark.parametrize("claim", [0.5, -1, ROWS + 1])
def test_a_receipt_takes_whole_rows_that_are_there(started: Any, claim: Any) -> None:
    def boast(transport: Scripted, batch: Batch, receipt: Receipt) -> None:
        receipt.delivered(claim)

    runner, _ = started(Scripted(boast))
    runner.offer(batch_of(0))
    assert runner.wait(DEADLINE_S)
    assert runner.state == "failed"
    assert runner.counters().delivered == 0


STEPS = [accept, lose, lose_after_two, doubt_two, refuse_first]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from(STEPS[1:]), max_size=3), st.integers(1, 8))
def test_the_account_adds_up_whatever_happens(faults: list[Script], batches: int) -> None:
    transport = Scripted(*faults, accept)
    runner = Runner("scripted", transport, POLICY, time=SteppedTime().time)
    runner.start()
    for tick in range(batches):
        runner.offer(batch_of(tick))
        assert balanced(runner.counters())
    counters = finish(runner)
    assert counters.accepted == batches * ROWS
    assert counters.delivered == len(transport.written)
    assert transport.written == sorted(set(transport.written))
