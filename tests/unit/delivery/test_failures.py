"""Transports that fail, hang, or try again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from gridsim.api import (
    Batch,
    Receipt,
    TransportError,
)
from gridsim.delivery import Runner
from gridsim.delivery.connection import Time
from tests.unit.delivery.scripted import (
    DEADLINE_S,
    POLICY,
    ROWS,
    Scripted,
    accept,
    balanced,
    batch_of,
    finish,
    lose,
    lose_after_two,
    stall,
)
from tests.unit.stepping import SteppedTime


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


@pytest.mark.parametrize(("permanent", "state"), [(True, "failed"), (False, "closed")])
def test_a_loss_that_is_found_at_the_end_is_a_failure(
    started: Any, monkeypatch: pytest.MonkeyPatch, permanent: bool, state: str
) -> None:
    def close(transport: Scripted) -> None:
        if transport.written:
            raise TransportError("the file was deleted", permanent=permanent)

    monkeypatch.setattr(Scripted, "close", close)
    runner, _ = started(Scripted())
    runner.offer(batch_of(0))
    counters = finish(runner)
    assert (runner.state, runner.error) == (state, "the file was deleted" if permanent else None)
    assert (counters.delivered, balanced(counters)) == (ROWS, True)
