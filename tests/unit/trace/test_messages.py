"""The messages of a watched device: attempts, drops, limits and large messages."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gridsim.api import (
    Batch,
    MessageAddress,
)
from gridsim.contracts.message import KEPT_BYTES
from gridsim.delivery import DeliveryPolicy, MessageTrace, Runner, TimedFormat
from tests.unit.delivery.scripted import Scripted, accept, batch_of, lose_after_two
from tests.unit.trace.traced import FIRST, ROSTER, SECOND, Text

ADDRESS = MessageAddress("a/b", 1)
DEADLINE_S = 20.0


def make_runner(
    trace: MessageTrace | None, *script: Any, policy: DeliveryPolicy | None = None
) -> Runner:
    transport = Scripted(*script)
    format = TimedFormat("text", Text(None, "der", ROSTER))
    transport.format = format
    policy = policy or DeliveryPolicy(10_000_000, "drop_oldest", 30, False)
    return Runner("wire", transport, policy, format=format, trace=trace)


def encoded(step: Any) -> Any:
    """Return a step of the script that encodes first, as transports do."""

    def write(transport: Scripted, batch: Batch, receipt: Any) -> None:
        transport.format.encode(batch)
        step(transport, batch, receipt)

    return write


def closed(runner: Runner) -> None:
    runner.close()
    assert runner.wait(DEADLINE_S)
    runner.settle()


def test_a_message_that_is_sent_again_is_one_message_with_its_attempts() -> None:
    trace = MessageTrace(ROSTER, wall_ms=lambda: 5)
    trace.open(FIRST)
    trace.open(2)
    runner = make_runner(trace, encoded(lose_after_two), encoded(accept))
    runner.offer(batch_of(0))
    assert trace.messages(FIRST) == ()
    runner.start()
    closed(runner)
    [first], [third] = trace.messages(FIRST), trace.messages(2)
    assert (first.fate, first.time_ms, first.payload) == ("delivered", 5, b"DER_0")
    assert third.fate == "delivered, attempt 2"
    assert trace.messages(SECOND) == ()


def test_a_reading_that_is_dropped_from_the_queue_has_a_message_without_bytes() -> None:
    trace = MessageTrace(ROSTER, wall_ms=lambda: 5)
    trace.open(FIRST)
    one = batch_of(0).nbytes
    policy = DeliveryPolicy(one, "drop_oldest", 30, False)
    runner = make_runner(trace, encoded(accept), policy=policy)
    runner.offer(batch_of(0))
    runner.offer(replace(batch_of(1), number=len(ROSTER)))
    runner.start()
    closed(runner)
    dropped, sent = trace.messages(FIRST)
    assert (dropped.fate, dropped.size, dropped.time_ms) == ("dropped: queue full", 0, 5)
    assert (sent.fate, sent.size) == ("delivered", 5)


def test_a_message_that_was_encoded_before_the_device_was_opened_is_left_out() -> None:
    trace = MessageTrace(ROSTER)

    def open_late(transport: Scripted, batch: Batch, receipt: Any) -> None:
        transport.format.encode(batch)
        trace.open(FIRST)

    runner = make_runner(trace, open_late, encoded(accept))
    runner.offer(batch_of(0))
    runner.offer(replace(batch_of(1), number=len(ROSTER)))
    runner.start()
    closed(runner)
    assert [one.fate for one in trace.messages(FIRST)] == ["delivered"]


@pytest.mark.parametrize(("count", "numbers"), [(49, (0, 48)), (50, (0, 49)), (51, (1, 50))])
def test_fifty_messages_of_both_directions_are_kept(count: int, numbers: tuple[int, int]) -> None:
    trace = MessageTrace(ROSTER)
    trace.open(FIRST)
    for n in range(count):
        key = ("in", str(n)) if n % 2 else ("wire", n)
        direction: Any = "in" if n % 2 else "out"
        trace.note([FIRST], key, direction, "wire", ADDRESS, b"x")
    messages = trace.messages(FIRST)
    assert len(messages) == min(count, 50)
    assert (messages[0].number, messages[-1].number) == numbers
    trace.settle([FIRST], ("wire", 0), "delivered", "wire", ADDRESS, add=False)
    assert (trace.messages(FIRST)[0].fate == "delivered") == (count <= 50)


def test_a_client_finds_what_has_changed_since_it_last_asked() -> None:
    trace = MessageTrace(ROSTER)
    trace.open(FIRST)
    for n in range(3):
        trace.note([FIRST], n, "out", "wire", ADDRESS, b"x")
    last = max(one.changed for one in trace.messages(FIRST))
    trace.settle([FIRST], 1, "unconfirmed", "wire", ADDRESS, add=True)
    new = [one for one in trace.messages(FIRST) if one.changed > last]
    assert [(one.number, one.fate, one.topic, one.qos) for one in new] == [
        (1, "unconfirmed", "a/b", 1)
    ]


@pytest.mark.parametrize(
    ("size", "place", "start"),
    [
        (KEPT_BYTES, 4000, 0),
        (KEPT_BYTES + 1, 100, 0),
        (20_000, 3072, 0),
        (20_000, 3073, 2049),
        (20_000, 19_990, 20_000 - KEPT_BYTES),
        (20_000, None, 0),
    ],
)
def test_a_large_message_is_cut_so_that_the_device_is_in_it(
    size: int, place: int | None, start: int
) -> None:
    trace = MessageTrace(ROSTER)
    trace.open(FIRST)
    payload = bytearray(b"." * size)
    if place is not None:
        payload[place : place + 5] = b"DER_0"
    trace.note([FIRST], 0, "out", "wire", ADDRESS, bytes(payload))
    [one] = trace.messages(FIRST)
    assert (one.size, one.start, len(one.payload)) == (size, start, min(size, KEPT_BYTES))
    assert one.payload == bytes(payload[start : start + KEPT_BYTES])
    assert (b"DER_0" in one.payload) == (place is not None)
