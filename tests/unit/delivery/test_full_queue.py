"""A queue that is full: its rules, its warning, and a run that waits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from gridsim.api import (
    Batch,
    Receipt,
)
from gridsim.delivery import Runner
from gridsim.delivery.connection import Time
from gridsim.running.hub import Hub
from gridsim.sources import Sources
from tests.unit.delivery.scripted import (
    DEADLINE_S,
    ROWS,
    Scripted,
    accept,
    balanced,
    batch_of,
    finish,
    lose,
    stall,
)
from tests.unit.stepping import SteppedTime


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


@pytest.mark.parametrize(
    ("on_full", "then"),
    [
        ("drop_oldest", "the oldest readings are dropped"),
        ("drop_newest", "new readings are dropped"),
        ("block", "the run waits for the transport"),
    ],
)
def test_a_queue_that_is_more_than_half_full_is_warned_of(
    started: Any, log_lines: list[str], on_full: str, then: str
) -> None:
    size = batch_of(0).nbytes
    runner, transport = started(Scripted(stall), on_full=on_full, queue_bytes=4 * size)
    runner.set_pace(on_full, 1.0)
    runner.offer(batch_of(0))
    assert transport.entered.wait(DEADLINE_S)
    for tick in (1, 2):
        runner.offer(batch_of(tick))
    assert log_lines == [], "half full"
    runner.offer(batch_of(3))
    runner.offer(batch_of(4))
    megabytes = f"{3 * size / 1e6:.3g} of {4 * size / 1e6:.3g} MB"
    assert log_lines == [
        f"WARNING transport scripted is behind: {4 * ROWS} readings wait, {megabytes} of its "
        f"queue; when it is full, {then}\n"
    ]


def test_a_file_that_cannot_be_written_has_lost_no_connection(
    started: Any, log_lines: list[str]
) -> None:
    scripted = Scripted(lose, lose, lose, accept)
    scripted.has_connection = False  # type: ignore[misc]
    runner, transport = started(scripted, time=SteppedTime().time)
    runner.offer(batch_of(0))
    assert finish(runner).delivered == ROWS
    assert transport.written
    # It is opened before each attempt, which proves nothing.
    assert log_lines == [
        "WARNING transport scripted cannot write: the line went dead; retrying\n",
        "INFO transport scripted writes again\n",
    ]
    assert runner.error is None


def test_at_speed_0_a_full_queue_is_not_warned_of(started: Any, log_lines: list[str]) -> None:
    size = batch_of(0).nbytes
    runner, transport = started(Scripted(stall), on_full="block", queue_bytes=4 * size)
    runner.offer(batch_of(0))
    assert transport.entered.wait(DEADLINE_S)
    for tick in (1, 2, 3, 4):
        runner.offer(batch_of(tick))
    assert log_lines == []


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
