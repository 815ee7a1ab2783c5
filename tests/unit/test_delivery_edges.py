"""A runner at its edges: exact counts, reasons and names."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from loguru import logger

from gridsim.api import Batch, MessageAddress, Receipt, Roster, Transport, TransportError
from gridsim.delivery import DeliveryPolicy, MessageTrace, Runner, TimedFormat
from gridsim.delivery.receipt import CountingReceipt, Settled
from gridsim.delivery.sent import SentMessages
from gridsim.delivery.timing import percentiles
from gridsim.testing import PlainFormat, make_batch, make_roster, make_run

ROSTER = make_roster((3, 2))
ROWS = len(ROSTER)
POLICY = DeliveryPolicy(
    queue_bytes=10_000_000, on_full="drop_oldest", stall_timeout_s=30, give_up_at_start=False
)
DEADLINE_S = 20.0


class Gate(Transport):
    """A transport whose writes wait until they are let through."""

    def __init__(self) -> None:
        format = PlainFormat(None, "der", ROSTER)
        super().__init__(None, format, make_run(ROSTER))
        self.entered, self.open, self.idles = (threading.Event() for _ in range(3))
        self.error: Exception | None = None
        self.written: list[int] = []
        """The ticks of the batches that were written."""

    def describe(self) -> str:
        return "gate"

    def connect(self) -> None:
        pass

    def write(self, batch: Batch, receipt: Receipt) -> None:
        self.entered.set()
        assert self.open.wait(DEADLINE_S)
        if self.error is not None:
            raise self.error
        self.written.append(int(batch.tick[0]))

    def idle(self) -> None:
        self.idles.set()
        assert self.open.wait(DEADLINE_S)

    def close(self) -> None:
        pass


def batch_of(tick: int, roster: Roster = ROSTER) -> Batch:
    batch = make_batch(roster)
    return replace(batch, tick=np.full(len(batch), tick))


Start = Callable[..., tuple[Runner, Gate]]


@pytest.fixture
def started() -> Iterator[Start]:
    made: list[tuple[Runner, Gate]] = []

    def start(**policy: Any) -> tuple[Runner, Gate]:
        gate = Gate()
        runner = Runner("gate", gate, replace(POLICY, **policy))
        made.append((runner, gate))
        runner.start()
        return runner, gate

    yield start
    for runner, gate in made:
        gate.open.set()
        runner.close()
        runner.wait(DEADLINE_S)


def hold(runner: Runner, gate: Gate) -> None:
    """Offer tick 0 and wait until its write has begun."""
    runner.offer(batch_of(0))
    assert gate.entered.wait(DEADLINE_S)


def test_a_large_batch_takes_the_place_of_several_small_ones(started: Start) -> None:
    large = batch_of(9, make_roster((9, 9)))
    small = batch_of(0).nbytes
    runner, gate = started(queue_bytes=large.nbytes)
    hold(runner, gate)
    fit = large.nbytes // small
    assert fit >= 2
    for tick in range(1, fit + 1):
        runner.offer(batch_of(tick))
    assert runner.counters().dropped == {}
    runner.offer(large)
    counters = runner.counters()
    assert counters.dropped == {"queue full": fit * ROWS}
    assert counters.pending == ROWS + len(large)
    gate.open.set()
    assert runner.wait_settled(DEADLINE_S)
    assert gate.written == [0, 9]


def test_it_is_settled_once_nothing_is_pending(started: Start) -> None:
    runner, gate = started()
    assert runner.wait_settled(0.0)
    hold(runner, gate)
    assert not runner.wait_settled(0.0)
    gate.open.set()
    assert runner.wait_settled(DEADLINE_S)
    assert runner.counters().delivered == ROWS


def test_a_wait_for_a_transport_that_has_failed_returns_at_once(started: Start) -> None:
    runner, gate = started(give_up_at_start=True)
    hold(runner, gate)
    gate.error = TransportError("full", permanent=True)
    gate.open.set()
    assert runner.wait(DEADLINE_S)
    assert runner.wait_settled(1e6)
    assert runner.counters().dropped == {"transport failed": ROWS}


def test_what_waits_while_it_closes_for_good_is_not_sent(started: Start) -> None:
    runner, gate = started()
    hold(runner, gate)
    gate.error = TransportError("gone", permanent=True)
    runner.close()
    gate.open.set()
    assert runner.wait(DEADLINE_S)
    assert (runner.state, runner.counters().dropped) == ("closed", {"not sent before the end": 5})


def test_a_reading_that_comes_after_the_end_is_dropped_by_its_state(started: Start) -> None:
    runner, gate = started()
    gate.open.set()
    runner.close()
    assert runner.wait(DEADLINE_S)
    runner.offer(batch_of(1))
    assert runner.counters().dropped == {"transport closed": ROWS}


def test_the_method_and_thread_of_a_plugin_have_their_names(started: Start) -> None:
    runner, gate = started()
    assert gate.idles.wait(DEADLINE_S)
    assert runner.hanging_in(0.0) == "idle"
    assert runner.hanging_in(1e6) == ""
    assert [one.daemon for one in threading.enumerate() if one.name == "transport gate"] == [True]
    gate.open.set()
    hold(runner, gate)
    assert runner.wait_settled(DEADLINE_S)
    runner.close()
    assert runner.wait(DEADLINE_S)
    assert runner.hanging_in(0.0) == ""


def test_a_drop_is_logged_with_the_transport_the_reason_and_the_number(started: Start) -> None:
    lines: list[str] = []
    handler = logger.add(lines.append, format="{level} {message}", level="WARNING")
    try:
        runner, gate = started(on_full="drop_newest", queue_bytes=1)
        hold(runner, gate)
        for tick in (1, 2, 3):
            runner.offer(batch_of(tick))
    finally:
        logger.remove(handler)
    # Then not again for ten seconds.
    assert lines == ["WARNING transport gate: readings dropped (queue full), 5 so far\n"]
    assert runner.counters().dropped == {"queue full": 2 * ROWS}


def test_parts_of_a_batch_are_traced_like_the_whole() -> None:
    trace = MessageTrace(ROSTER)
    format = TimedFormat("plain", PlainFormat(None, "der", ROSTER))
    format.sent = SentMessages(trace, "gate", Gate())
    trace.open(4)
    list(format.encode_parts(batch_of(0), 2))
    whole = PlainFormat(None, "der", ROSTER).encode(batch_of(0)).bodies
    assert [one.payload for one in trace.messages(4)] == [whole[4]]


@pytest.mark.parametrize(
    ("size", "places", "start"),
    [
        (4096, (4000,), 0),  # it fits
        (4097, (3072,), 0),
        (4097, (3073,), 1),  # the end of the message
        (30_000, (3072,), 0),
        (30_000, (3073,), 2049),
        (30_000, (5000, 20_000), 3976),  # the first of two
        (30_000, (29_990,), 25_904),
        (30_000, (), 0),
    ],
)
def test_the_part_of_a_large_message_that_is_kept(
    size: int, places: tuple[int, ...], start: int
) -> None:
    body = bytearray(b"." * size)
    for place in places:
        body[place : place + 5] = b"DER_4"
    trace = MessageTrace(ROSTER)
    trace.open(4)
    trace.note([4], "key", "out", "gate", MessageAddress("a/b", 1), bytes(body))
    (one,) = trace.messages(4)
    assert (one.start, one.size, one.payload) == (start, size, bytes(body[start : start + 4096]))


def test_a_lag_is_a_time_that_has_passed() -> None:
    lags: list[float] = []
    fates: list[Settled] = []
    receipt = CountingReceipt(3, fates.append, lags.append)
    for seconds in (0, 0.25):
        receipt.lag(seconds)
    assert lags == [0.0, 0.25]
    for wrong in (-1e-9, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=f"a receipt for a lag of {wrong} s"):
            receipt.lag(wrong)
    receipt.delivered(3)
    receipt.unconfirmed(0)
    with pytest.raises(ValueError, match="a receipt for 1 rows, but 0 are left"):
        receipt.dropped(1, "late")
    assert (receipt.left, fates) == (0, [Settled(3, "delivered"), Settled(0, "unconfirmed")])


def test_the_median_and_the_99th_percentile() -> None:
    assert percentiles(np.empty(0)) == (0.0, 0.0)
    assert percentiles(np.array([3.0])) == (3.0, 3.0)
    assert percentiles(np.arange(101.0)) == (50.0, 99.0)
