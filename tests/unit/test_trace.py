"""The trace of a device's messages: what delivery and sources record, and that it costs nothing
while no device is watched."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gridsim.api import (
    Acknowledgement,
    Batch,
    Command,
    Format,
    MessageAddress,
    Payloads,
    Target,
    TracedMessage,
    read_instruction,
)
from gridsim.contracts.message import KEPT_BYTES
from gridsim.delivery import DeliveryPolicy, MessageTrace, Runner, TimedFormat
from gridsim.delivery.sent import SentMessages
from gridsim.running.control import RunControl
from gridsim.running.inbox import CommandInbox
from gridsim.running.plan import Options, make_plan
from gridsim.running.run import Run
from gridsim.sources import SourceWorker
from gridsim.sources.exchange import Exchange
from gridsim.testing import START_MS, make_batch, make_roster
from tests.unit.delivery.scripted import Scripted, accept, batch_of, lose_after_two
from tests.unit.sources.wires import Wire, until

ROSTER = make_roster((3, 2))
FIRST, SECOND = 0, 1
ADDRESS = MessageAddress("a/b", 1)
DEADLINE_S = 20.0

PLUGINS = '''
from gridsim.api import (
    Command, Receipt, Settings, Source, Target, Transport, View, hookimpl, read_instruction
)

class Tape(Transport[Settings]):
    def describe(self): return "a tape"
    def connect(self): pass
    def close(self): pass
    def write(self, batch, receipt):
        self.format.encode(batch)
        receipt.delivered(len(batch) - 1)
        receipt.dropped(1, "the tape is short")

class Own(Tape):
    """A transport that does not use its format."""
    def write(self, batch, receipt):
        receipt.unconfirmed(len(batch))

class Box(Source[Settings]):
    def describe(self): return "a box"
    def connect(self): self.given = False
    def close(self): pass
    def serve(self, inbox, timeout_s):
        if not self.given:
            self.given = True
            b = Target("HOME", "B")
            inbox.post(read_instruction(b'{"command": "disconnect",  "id": "c-1"}', b))
            inbox.post(Command(b, "c-2", "set_power", 1.0))
            inbox.post(read_instruction(b"\\xff no JSON", Target("HOME")))
            inbox.post(read_instruction(b'{"id": "c-3"}', Target("HOME", "A")))
    def acknowledge(self, acknowledgements): pass

class Window(View[Settings]):
    def start(self, control): pass
    def show(self, snapshot): pass
    def close(self): pass

@hookimpl
def gridsim_register(register):
    register.transport("tape", Tape)
    register.transport("own", Own)
    register.source("box", Box)
    register.view("window", Window)
'''

CONFIG = """
[simulation]
plugins = ["./third_party.py"]
speed = 0
start = 2026-07-01T12:00:00Z

[[projects]]
id = "HOME"
load = { type = "constant", kw = 1.0 }
[[projects.ders]]
id = "A"
type = "generator"
nameplate_capacity = 5.0
[[projects.ders]]
id = "B"
type = "generator"
nameplate_capacity = 5.0

[[transports]]
type = "tape"
framing = "FRAMING"
[[transports]]
type = "own"
[[sources]]
type = "box"
[[views]]
type = "window"
"""


@contextmanager
def watching(folder: Path, framing: str) -> Iterator[tuple[Run, RunControl]]:
    (folder / "third_party.py").write_text(PLUGINS)
    path = folder / "c.toml"
    path.write_text(CONFIG.replace("FRAMING", framing))
    run = Run(make_plan(Options(config=path)), clock="manual")
    assert run._monitor is not None
    control = RunControl(run, run._monitor)
    control.watch("B")
    with run:
        yield run, control


def of(messages: Sequence[TracedMessage], channel: str, direction: str) -> list[TracedMessage]:
    return [one for one in messages if (one.channel, one.direction) == (channel, direction)]


@pytest.mark.parametrize("framing", ["der", "project"])
def test_third_party_transports_and_sources_are_traced_without_doing_anything(
    tmp_path: Path, framing: str
) -> None:
    with watching(tmp_path, framing) as (run, control):
        until(lambda: run.status().sources[0].posted == 4)
        run.advance(2)
        run.stop()
        messages = control.watch("B").messages
    tape, own = of(messages, "tape", "out"), of(messages, "own", "out")
    assert [one.fate for one in tape] == ["dropped: the tape is short"] * 2
    assert [(one.fate, one.payload, one.size) for one in own] == [("unconfirmed", b"", 0)] * 2
    for one in tape:
        reading = json.loads(one.payload)
        ids = [reading["der_id"]] if framing == "der" else [each["der_id"] for each in reading]
        assert ids == (["B"] if framing == "der" else ["A", "B"])
        assert (one.topic, one.qos, one.size, one.start) == ("", None, len(one.payload), 0)
    came = of(messages, "box", "in")
    assert [one.fate.partition(":")[0] for one in came] == ["accepted", "accepted", "rejected"]
    assert came[0].payload == b'{"command": "disconnect",  "id": "c-1"}'
    assert json.loads(came[1].payload) == {
        "id": "c-2",
        "command": "set_power",
        "value": 1.0,
        "unit": "kW",
    }
    assert (came[2].payload, came[2].size) == (b"\xff no JSON", 9)
    answers = of(messages, "box", "out")
    assert [json.loads(one.payload)["id"] for one in answers] == ["c-1", "c-2", ""]
    assert {one.fate for one in answers} == {"delivered"}
    assert [one.number for one in messages] == list(range(len(messages)))
    assert len({one.changed for one in messages}) == len(messages)


class Text(Format):
    """A format whose payload names the device."""

    def encode(self, batch: Batch) -> Payloads:
        bodies = [f"{batch.roster.der_id[row]}".encode() for row in batch.device.tolist()]
        return Payloads(bodies, np.arange(len(batch) + 1))


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


class Untouchable:
    """An object that must not be used."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"{name} was used")


def test_nothing_is_looked_at_while_no_device_is_watched() -> None:
    trace = MessageTrace(ROSTER)
    trace.open(FIRST)
    trace.close(FIRST)
    nothing: Any = Untouchable()
    sent = SentMessages(trace, "wire", nothing)
    sent.encoded(nothing, nothing)
    sent.settled(nothing, nothing, nothing, nothing, nothing)
    exchange = Exchange(trace, "box", nothing)
    exchange.received(nothing)
    exchange.answered(nothing)
    exchange.handing_over(nothing)
    exchange.handed_over(nothing, nothing)
    trace.open(FIRST)
    with pytest.raises(AssertionError, match="device was used"):
        sent.encoded(nothing, nothing)


def test_a_device_gets_the_instructions_to_itself_its_project_and_the_fleet() -> None:
    trace = MessageTrace(ROSTER)
    for one in range(len(ROSTER)):
        trace.open(one)
    assert trace.concerned(Target("PRJ_0", "DER_1")) == [1]
    assert trace.concerned(Target("PRJ_1", "DER_1")) == []
    assert trace.concerned(Target("PRJ_1")) == [3, 4]
    assert trace.concerned(Target("")) == [0, 1, 2, 3, 4]
    assert trace.concerned(Target("", "DER_1")) == []


def test_a_refused_instruction_is_shown_with_the_reason() -> None:
    trace = MessageTrace(ROSTER)
    trace.open(FIRST)
    wire = Wire()
    worker = SourceWorker("wire", wire, CommandInbox(limit=1), lambda: (7, START_MS), trace=trace)
    target = Target("PRJ_0", "DER_0")
    for n in range(2):
        text = f'{{"id": "c-{n}", "command": "disconnect"}}'.encode()
        worker.post(read_instruction(text, target, topic=f"t/{n}", qos=1))
    first, second = trace.messages(FIRST)
    assert (first.fate, first.topic, first.qos) == ("pending", "t/0", 1)
    assert second.fate == "rejected: too many commands are waiting: send fewer, or later"
    worker.offer([Acknowledgement(target, "c-0", "completed", "", 1, START_MS, "wire")])
    assert trace.messages(FIRST)[0].fate == "completed"


def test_the_text_of_an_instruction_is_not_kept_after_it_was_posted() -> None:
    inbox = CommandInbox()
    worker = SourceWorker("wire", Wire(), inbox, lambda: (7, START_MS))
    read = read_instruction(b'{"id": "c", "command": "connect"}' + b" " * 5000, Target("P", "D"))
    assert read.received is not None
    assert (len(read.received.payload), read.received.size) == (4096, 5033)
    assert read == Command(Target("P", "D"), "c", "connect")
    worker.post(read)
    [posted] = inbox.drain()
    assert posted.received is None


def test_a_transport_whose_address_fails_is_traced_without_one() -> None:
    class Broken(Scripted):
        def address(self, device: int) -> Any:
            raise ZeroDivisionError("a defect")

    trace = MessageTrace(ROSTER)
    trace.open(FIRST)
    sent = SentMessages(trace, "wire", Broken())
    batch = make_batch(ROSTER)
    sent.encoded(batch, Text(None, "der", ROSTER).encode(batch))
    [one] = trace.messages(FIRST)
    assert (one.topic, one.qos, one.payload) == ("", None, b"DER_0")
