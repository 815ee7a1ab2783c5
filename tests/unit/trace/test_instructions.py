"""The instructions of a watched device and their answers."""

from __future__ import annotations

from typing import Any

from gridsim.api import (
    Acknowledgement,
    Command,
    Target,
    read_instruction,
)
from gridsim.delivery import MessageTrace
from gridsim.delivery.sent import SentMessages
from gridsim.running.inbox import CommandInbox
from gridsim.sources import SourceWorker
from gridsim.testing import START_MS, make_batch
from tests.unit.delivery.scripted import Scripted
from tests.unit.sources.wires import Wire
from tests.unit.trace.traced import FIRST, ROSTER, Text


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
