"""The conservation law and the policies of delivery, under transports that misbehave."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loguru import logger

from gridsim.api import (
    Batch,
    Format,
    Payloads,
    ReaderGone,
    Receipt,
    Roster,
    Transport,
    TransportError,
)
from gridsim.delivery import Counters, DeliveryPolicy, Runner
from gridsim.delivery.connection import REAL_TIME, Time
from gridsim.running.hub import Hub
from gridsim.sources import Sources
from gridsim.testing import START_MS, make_batch, make_roster, make_run
from tests.unit.stepping import SteppedTime

ROSTER = make_roster((3, 2))
ROWS = len(ROSTER)
POLICY = DeliveryPolicy(
    queue_bytes=10_000_000, on_full="drop_oldest", stall_timeout_s=30, give_up_at_start=False
)
DEADLINE_S = 20.0

Script = Callable[["Scripted", Batch, Receipt], None]


class Blank(Format):
    def encode(self, batch: Batch) -> Payloads:
        return Payloads([b"{}"] * len(batch), np.arange(len(batch) + 1))


class Scripted(Transport):
    """A transport whose writes do what the test says, in turn; the last is repeated."""

    def __init__(self, *script: Script, connects: tuple[Exception | None, ...] = ()) -> None:
        run = make_run(ROSTER, start_ms=START_MS)
        super().__init__(None, Blank(None, "der", ROSTER), run)
        self.script = list(script) or [accept]
        self.connects = list(connects)
        self.written: list[tuple[int, int]] = []
        """(tick, device) of the rows that arrived."""
        self.release = threading.Event()
        self.entered = threading.Event()

    def describe(self) -> str:
        return "scripted"

    def connect(self) -> None:
        outcome = self.connects.pop(0) if self.connects else None
        if outcome is not None:
            raise outcome

    def write(self, batch: Batch, receipt: Receipt) -> None:
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        step(self, batch, receipt)

    def close(self) -> None:
        pass

    def arrive(self, batch: Batch) -> None:
        self.written += zip(batch.tick.tolist(), batch.device.tolist(), strict=True)


def accept(transport: Scripted, batch: Batch, receipt: Receipt) -> None:
    transport.arrive(batch)


def lose(transport: Scripted, batch: Batch, receipt: Receipt) -> None:
    receipt.delivered(0)  # no progress
    raise TransportError("the line went dead")


def lose_after_two(transport: Scripted, batch: Batch, receipt: Receipt) -> None:
    transport.arrive(batch.rows(0, 2))
    receipt.delivered(min(2, len(batch)))
    raise TransportError("the line went dead")


def doubt_two(transport: Scripted, batch: Batch, receipt: Receipt) -> None:
    receipt.unconfirmed(min(2, len(batch)))
    raise TransportError("the line went dead")


def refuse_first(transport: Scripted, batch: Batch, receipt: Receipt) -> None:
    receipt.dropped(1, "oversize")
    transport.arrive(batch.rows(1))


def crash(transport: Scripted, batch: Batch, receipt: Receipt) -> None:
    raise ZeroDivisionError("a defect")


def stall(transport: Scripted, batch: Batch, receipt: Receipt) -> None:
    transport.entered.set()
    assert transport.release.wait(DEADLINE_S)
    transport.arrive(batch)


def leave(transport: Scripted, batch: Batch, receipt: Receipt) -> None:
    raise ReaderGone("closed")


def batch_of(tick: int, roster: Roster = ROSTER) -> Batch:
    batch = make_batch(roster)
    return replace(batch, tick=np.full(len(batch), tick))


def balanced(c: Counters) -> bool:
    return c.accepted == c.delivered + c.dropped.total() + c.unconfirmed + c.pending


@pytest.fixture
def started() -> Iterator[Callable[..., tuple[Runner, Scripted]]]:
    made: list[tuple[Runner, Scripted]] = []

    def start(
        transport: Scripted, time: Time = REAL_TIME, **policy: Any
    ) -> tuple[Runner, Scripted]:
        runner = Runner("scripted", transport, replace(POLICY, **policy), time=time)
        made.append((runner, transport))
        runner.start()
        return runner, transport

    yield start
    for runner, transport in made:
        transport.release.set()
        runner.close()
        runner.wait(DEADLINE_S)


def finish(runner: Runner) -> Counters:
    runner.close()
    assert runner.wait(DEADLINE_S)
    runner.settle()
    counters = runner.counters()
    assert counters.pending == 0
    assert balanced(counters)
    return counters


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


@pytest.mark.parametrize(
    ("policy", "kept"), [("drop_oldest", [0, 8, 9]), ("drop_newest", [0, 1, 2])]
)
def test_a_stalled_transport_keeps_only_what_fits(
    started: Any, policy: str, kept: list[int]
) -> None:
    two_batches = 2 * batch_of(0).nbytes
    runner, transport = started(Scripted(stall), on_full=policy, queue_bytes=two_batches)
    runner.offer(batch_of(0))
    assert transport.entered.wait(DEADLINE_S)
    for tick in range(1, 10):
        runner.offer(batch_of(tick))  # returns at once, though nothing moves
        assert balanced(runner.counters())
    assert runner.counters().dropped == {"queue full": 7 * ROWS}
    transport.release.set()
    finish(runner)
    assert [t for t, d in transport.written if d == 0] == kept


@pytest.fixture
def lines() -> Iterator[list[str]]:
    logged: list[str] = []
    handler = logger.add(logged.append, format="{level} {message}")
    yield logged
    logger.remove(handler)


@pytest.mark.parametrize(
    ("on_full", "then"),
    [
        ("drop_oldest", "the oldest readings are dropped"),
        ("drop_newest", "new readings are dropped"),
        ("block", "the run waits for the transport"),
    ],
)
def test_a_queue_that_is_more_than_half_full_is_warned_of(
    started: Any, lines: list[str], on_full: str, then: str
) -> None:
    size = batch_of(0).nbytes
    runner, transport = started(Scripted(stall), on_full=on_full, queue_bytes=4 * size)
    runner.set_pace(on_full, 1.0)
    runner.offer(batch_of(0))
    assert transport.entered.wait(DEADLINE_S)
    for tick in (1, 2):
        runner.offer(batch_of(tick))
    assert lines == [], "half full"
    runner.offer(batch_of(3))
    runner.offer(batch_of(4))
    megabytes = f"{3 * size / 1e6:.3g} of {4 * size / 1e6:.3g} MB"
    assert lines == [
        f"WARNING transport scripted is behind: {4 * ROWS} readings wait, {megabytes} of its "
        f"queue; when it is full, {then}\n"
    ]


def test_a_file_that_cannot_be_written_has_lost_no_connection(
    started: Any, lines: list[str]
) -> None:
    scripted = Scripted(lose, lose, lose, accept)
    scripted.has_connection = False  # type: ignore[misc]
    runner, transport = started(scripted, time=SteppedTime().time)
    runner.offer(batch_of(0))
    assert finish(runner).delivered == ROWS
    assert transport.written
    # It is opened before each attempt, which proves nothing.
    assert lines == [
        "WARNING transport scripted cannot write: the line went dead; retrying\n",
        "INFO transport scripted writes again\n",
    ]
    assert runner.error is None


def test_at_speed_0_a_full_queue_is_not_warned_of(started: Any, lines: list[str]) -> None:
    size = batch_of(0).nbytes
    runner, transport = started(Scripted(stall), on_full="block", queue_bytes=4 * size)
    runner.offer(batch_of(0))
    assert transport.entered.wait(DEADLINE_S)
    for tick in (1, 2, 3, 4):
        runner.offer(batch_of(tick))
    assert lines == []


def test_block_waits_for_room_and_loses_nothing(started: Any) -> None:
    runner, transport = started(Scripted(stall), on_full="block", queue_bytes=batch_of(0).nbytes)
    offered = threading.Event()

    def offer_all() -> None:
        for tick in range(20):
            runner.offer(batch_of(tick))
        offered.set()

    threading.Thread(target=offer_all, daemon=True).start()
    assert transport.entered.wait(DEADLINE_S)
    assert not offered.is_set()
    transport.release.set()
    assert offered.wait(DEADLINE_S)
    assert finish(runner).delivered == 20 * ROWS


def test_block_fails_a_transport_that_never_moves(started: Any) -> None:
    stepped = SteppedTime()
    runner, transport = started(
        Scripted(stall), time=stepped.time, on_full="block", queue_bytes=1, stall_timeout_s=30
    )
    runner.offer(batch_of(0))
    assert transport.entered.wait(DEADLINE_S)
    runner.offer(batch_of(1))
    assert runner.state == "up"
    runner.offer(batch_of(2))
    assert stepped.pauses == [30.0]
    assert (runner.state, runner.error) == ("failed", "no progress in write() for 30 s")
    counters = runner.counters()
    assert balanced(counters)
    assert counters.dropped == {"transport failed": 2 * ROWS}


def test_progress_moves_the_deadline_of_a_blocked_offer(started: Any) -> None:
    stepped = SteppedTime()
    receipts: list[Receipt] = []

    def hold(transport: Scripted, batch: Batch, receipt: Receipt) -> None:
        receipts.append(receipt)
        stall(transport, batch, receipt)

    runner, transport = started(
        Scripted(hold), time=stepped.time, on_full="block", queue_bytes=1, stall_timeout_s=30
    )
    runner.offer(batch_of(0))
    assert transport.entered.wait(DEADLINE_S)
    runner.offer(batch_of(1))
    waited: list[float] = []

    def progress_once(
        condition: threading.Condition, predicate: Callable[[], bool], seconds: float
    ) -> bool:
        waited.append(seconds)
        if len(waited) == 1:
            stepped.now += 20
            receipts[0].delivered(1)
            stepped.now += 10
        else:
            stepped.now += seconds
        return predicate()

    runner._time = Time(lambda: stepped.now, progress_once)
    runner.offer(batch_of(2))
    assert waited == [30.0, 20.0]
    assert runner.state == "failed"


def wake_all(runner: Runner) -> None:
    hub = Hub()
    hub.connect(None, [runner], Sources([]))
    hub.wake()


@pytest.mark.parametrize("stop", [Runner.stop_waiting, Runner.close, wake_all])
def test_a_blocked_offer_returns_at_once_when_the_run_stops(
    started: Any, stop: Callable[[Runner], None]
) -> None:
    waiting = threading.Event()

    def wait_for(
        condition: threading.Condition, predicate: Callable[[], bool], seconds: float
    ) -> bool:
        waiting.set()
        return condition.wait_for(predicate, seconds)

    time = Time(wait_for=wait_for)
    runner, transport = started(
        Scripted(stall), time=time, on_full="block", queue_bytes=1, stall_timeout_s=1e6
    )
    runner.offer(batch_of(0))
    assert transport.entered.wait(DEADLINE_S)
    runner.offer(batch_of(1))
    offering = threading.Thread(target=runner.offer, args=(batch_of(2),), daemon=True)
    offering.start()
    assert waiting.wait(DEADLINE_S)
    stop(runner)
    offering.join(DEADLINE_S)
    assert not offering.is_alive()
    runner.offer(batch_of(3))  # nor does a later one wait
    assert runner.counters().dropped == {"not sent before the end": 2 * ROWS}
    transport.release.set()
    assert finish(runner).delivered == 2 * ROWS


def test_a_blocked_offer_goes_on_by_the_rule_that_a_new_pace_brings(started: Any) -> None:
    waiting = threading.Event()

    def wait_for(
        condition: threading.Condition, predicate: Callable[[], bool], seconds: float
    ) -> bool:
        waiting.set()
        return condition.wait_for(predicate, seconds)

    runner, transport = started(
        Scripted(stall),
        time=Time(wait_for=wait_for),
        on_full="block",
        queue_bytes=1,
        stall_timeout_s=1e6,
    )
    runner.offer(batch_of(0))
    assert transport.entered.wait(DEADLINE_S)
    runner.offer(batch_of(1))
    offering = threading.Thread(target=runner.offer, args=(batch_of(2),), daemon=True)
    offering.start()
    assert waiting.wait(DEADLINE_S)
    runner.set_pace("drop_oldest", 1.0)
    offering.join(DEADLINE_S)
    assert not offering.is_alive()
    assert runner.counters().dropped == {"queue full": ROWS}
    transport.release.set()
    finish(runner)
    assert {tick for tick, _ in transport.written} == {0, 2}


def test_a_transport_that_failed_stays_failed(started: Any) -> None:
    """It must not come back to life with part of its readings dropped."""

    def lose_when_released(transport: Scripted, batch: Batch, receipt: Receipt) -> None:
        transport.entered.set()
        assert transport.release.wait(DEADLINE_S)
        raise TransportError("the line went dead")

    runner, transport = started(
        Scripted(lose_when_released, accept),
        time=SteppedTime().time,
        on_full="block",
        queue_bytes=1,
    )
    runner.offer(batch_of(0))
    assert transport.entered.wait(DEADLINE_S)
    runner.offer(batch_of(1))
    runner.offer(batch_of(2))
    assert runner.state == "failed"
    transport.release.set()
    assert runner.wait(DEADLINE_S)
    assert (runner.state, transport.written) == ("failed", [])
    assert runner.counters().dropped == {"transport failed": 3 * ROWS}


def test_a_hanging_transport_is_abandoned_at_the_end(started: Any) -> None:
    stepped = SteppedTime()
    runner, transport = started(Scripted(stall), time=stepped.time, stall_timeout_s=30)
    runner.offer(batch_of(0))
    runner.offer(batch_of(1))
    assert transport.entered.wait(DEADLINE_S)
    runner.close()
    assert not runner.wait(0)
    stepped.now += 30
    assert not runner.is_stalled()
    stepped.now += 0.001
    assert runner.is_stalled()
    runner.settle()
    counters = runner.counters()
    assert (counters.unconfirmed, counters.pending) == (ROWS, 0)
    assert counters.dropped == {"not sent before the end": ROWS}
    assert (runner.state, runner.error) == ("failed", "no progress in write() for 30 s")
    assert runner.is_alive()
    transport.release.set()
    assert runner.wait(DEADLINE_S)
    assert runner.counters() == counters  # what it does afterwards changes no account


def test_a_transport_that_is_only_slow_is_not_failed_at_the_end(started: Any) -> None:
    runner, transport = started(Scripted(stall), time=SteppedTime().time, stall_timeout_s=30)
    runner.offer(batch_of(0))
    assert transport.entered.wait(DEADLINE_S)
    runner.close()
    runner.settle()
    assert (runner.state, runner.error) == ("up", None)


def test_a_first_failure_ends_it_where_the_policy_says_so(started: Any) -> None:
    refused = TransportError("connection refused")
    runner, _ = started(Scripted(connects=(refused,)), give_up_at_start=True)
    runner.wait_first_attempt(DEADLINE_S)
    assert (runner.state, runner.error) == ("failed", "connection refused")
    assert not runner.ever_connected


def test_it_tries_again_where_the_policy_says_so(started: Any) -> None:
    refused = TransportError("connection refused")
    stepped = SteppedTime()
    runner, transport = started(Scripted(connects=(refused, refused, None)), time=stepped.time)
    runner.offer(batch_of(0))
    while runner.state == "connecting":
        runner.wait_first_attempt(DEADLINE_S)
    assert finish(runner).delivered == ROWS
    assert transport.written
    assert len(stepped.pauses) == 2


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


def test_a_transport_that_connects_but_never_writes_is_tried_ever_more_rarely(
    started: Any,
) -> None:
    stepped = SteppedTime()
    runner, _ = started(Scripted(*[lose] * 5, accept), time=stepped.time)
    runner.offer(batch_of(0))
    assert finish(runner).delivered == ROWS
    # Drawn from 0.2 s to 0.4, 0.8, 1.5, 1.5, 1.5: see test_backoff.py.
    assert len(stepped.pauses) == 5


def test_a_delivery_resets_the_back_off(started: Any) -> None:
    """After it the first attempt comes at once, and the next after the shortest pause."""
    stepped = SteppedTime()
    attempts: list[int] = []
    pauses = stepped.time.wait_for

    def wait_for(
        condition: threading.Condition, predicate: Callable[[], bool], seconds: float
    ) -> bool:
        attempts.append(runner._backoff.attempts)
        return pauses(condition, predicate, seconds)

    transport = Scripted(lose, lose, lose, lose_after_two, lose, accept)
    runner = Runner("scripted", transport, POLICY, time=Time(stepped.time.monotonic, wait_for))
    runner.offer(batch_of(0))
    runner.start()
    assert finish(runner).delivered == ROWS
    assert attempts == [1, 2, 3, 1]
    assert stepped.pauses[3] <= 0.4


def test_after_a_permanent_error_it_waits_longer(started: Any) -> None:
    wrong_password = TransportError("wrong password", permanent=True)
    refused = TransportError("connection refused")
    stepped = SteppedTime()
    runner, _ = started(
        Scripted(connects=(wrong_password, wrong_password, refused, None)), time=stepped.time
    )
    runner.offer(batch_of(0))
    while runner.state == "connecting":
        runner.wait_first_attempt(DEADLINE_S)
    assert finish(runner).delivered == ROWS
    assert 0.5 <= stepped.pauses[0] <= 1.0 <= stepped.pauses[1] <= 2.0
    assert 0.2 <= stepped.pauses[2] <= 1.5


def test_a_transport_that_never_writes_counts_as_stalled(started: Any) -> None:
    stepped = SteppedTime()
    runner, _ = started(Scripted(lose), time=stepped.time, stall_timeout_s=30)
    runner.offer(batch_of(0))
    runner.close()
    deadline = time.monotonic() + DEADLINE_S
    while not runner.is_stalled():
        assert time.monotonic() < deadline
        runner.wait(0.01)
    assert stepped.now > 1030
    runner.settle()
    assert runner.state == "failed"
    assert balanced(runner.counters())


def test_an_error_that_never_mends_ends_it_before_anything_was_delivered(started: Any) -> None:
    def refuse(transport: Scripted, batch: Batch, receipt: Receipt) -> None:
        raise TransportError("not a regular file", permanent=True)

    runner, _ = started(Scripted(refuse), give_up_at_start=True)
    runner.offer(batch_of(0))
    assert runner.wait(DEADLINE_S)
    assert (runner.state, runner.error) == ("failed", "not a regular file")
    assert balanced(runner.counters())


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
