"""The worker of a source: connections, defects and acknowledgements."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from loguru import logger

from gridsim.api import (
    Acknowledgement,
    Inbox,
    Target,
    TransportError,
)
from gridsim.running.inbox import CommandInbox
from gridsim.sources import SourceCounters, Sources, SourceWorker
from gridsim.testing import START_MS
from tests.unit.sources.wires import DEADLINE_S, DER, Wire, off, served, told, until
from tests.unit.stepping import SteppedTime


def test_requests_come_in_with_the_name_of_their_source() -> None:
    wire, inbox = Wire(), CommandInbox()
    wire.incoming = [off("one"), off("two")]
    with served(wire, inbox):
        until(lambda: not wire.incoming)
    assert inbox.drain() == tuple(replace(off(id), source="wire") for id in ("one", "two"))


def test_instructions_that_another_shard_answers_are_ignored() -> None:
    wire, inbox = Wire(), CommandInbox()
    worker = SourceWorker("wire", wire, inbox, lambda: (0, START_MS), is_for=lambda one: one != DER)
    other = replace(off("two"), target=Target("PRJ_9"))
    assert worker.post(off("one"))
    assert worker.post(other)
    assert [one.id for one in inbox.drain()] == ["two"]
    assert worker.counters() == SourceCounters(posted=1, unanswered=1)


def test_a_source_gets_its_own_acknowledgements_only() -> None:
    wire = Wire()
    with served(wire) as worker:
        worker.offer([told("a"), told("b", "other"), told("c")])
        until(lambda: len(wire.told) == 2)
    assert [one.id for one in wire.told] == ["a", "c"]


def test_acknowledgements_that_the_far_end_refuses_are_counted() -> None:
    wire = Wire()
    wire.refuses = {0: "Not authorized", 2: "Quota exceeded"}
    with served(wire) as worker:
        worker.offer([told("a"), told("b"), told("c")])
        until(lambda: len(wire.told) == 3)
    assert worker.counters() == SourceCounters(acknowledged=1, undelivered=2)


def test_what_is_told_last_is_handed_over_before_the_end() -> None:
    wire = Wire()
    with served(wire) as worker:
        worker.wait_first_attempt(DEADLINE_S)
        worker.offer([told("last")])
    assert [one.id for one in wire.told] == ["last"]
    assert worker.state == "closed"


class Waiting(Wire):
    """A source whose far end answers only when it is in a hurry."""

    def __init__(self) -> None:
        super().__init__()
        self.hurried = threading.Event()

    def acknowledge(self, acknowledgements: Sequence[Acknowledgement]) -> None:
        assert self.hurried.wait(DEADLINE_S)
        super().acknowledge(acknowledgements)

    def hurry(self) -> None:
        self.hurried.set()
        raise ValueError("too fast")


def test_the_end_hurries_a_source_and_survives_its_error() -> None:
    wire = Waiting()
    worker = SourceWorker("wire", wire, CommandInbox(), lambda: (0, 0))
    worker.start()
    worker.wait_first_attempt(DEADLINE_S)
    worker.offer([told("c-1")])
    worker.close()
    assert worker.wait(DEADLINE_S)
    assert [one.id for one in wire.told] == ["c-1"]
    assert worker.state == "closed"


def test_it_connects_again_and_tells_what_was_under_way() -> None:
    wire, stepped = Wire(), SteppedTime()
    with served(wire, time=stepped.time) as worker:
        worker.wait_first_attempt(DEADLINE_S)
        assert worker.state == "up"
        wire.unreachable = 2
        wire.fault = TransportError("cut")
        worker.offer([told("a")])
        until(lambda: bool(wire.told))
        assert worker.state == "up"
        assert worker.error is None
    assert wire.connects == 4
    assert wire.closes >= wire.connects
    assert len(stepped.pauses) == 3
    assert worker.counters().reconnects == 1
    assert [one.id for one in wire.told] == ["a"]


def test_one_that_never_connects_says_why_and_ends_when_told() -> None:
    wire = Wire()
    wire.unreachable = 1_000_000
    with served(wire) as worker:
        worker.wait_first_attempt(DEADLINE_S)
        assert worker.error == "nobody there"
        assert worker.state == "connecting"


@pytest.mark.parametrize("fault", [ValueError("a defect"), SystemExit(3)])
def test_a_defect_disables_it_alone(fault: BaseException) -> None:
    wire = Wire()
    with served(wire) as worker:
        wire.fault = fault
        until(lambda: worker.state == "failed")
        worker.offer([told("a")] * 10)
        assert type(fault).__name__ in str(worker.error)
        worker.offer([told("a")])
    assert wire.told == []
    # What it will never read is released, and counted.
    assert worker.counters() == SourceCounters(undelivered=11)


@pytest.mark.parametrize("odd", ["text", DER, replace(off("c"), target="PRJ_0")])  # type: ignore[arg-type]
def test_what_is_no_instruction_disables_the_source_that_posts_it(odd: Any) -> None:
    """Not the run, which would fail where the request is read."""
    wire, inbox = Wire(), CommandInbox()
    wire.incoming = [odd]
    with served(wire, inbox) as worker:
        until(lambda: worker.state == "failed")
    assert "must" in str(worker.error)
    assert inbox.drain() == ()


def test_one_that_does_not_return_is_named() -> None:
    wire, release = Wire(), threading.Event()
    wire.serve = lambda inbox, timeout_s: release.wait(DEADLINE_S)  # type: ignore[method-assign,assignment]
    sources = Sources([SourceWorker("wire", wire, CommandInbox(), lambda: (7, START_MS))])
    lines: list[str] = []
    handler = logger.add(lines.append, format="{message}")
    try:
        sources.start()
        until(lambda: sources.workers[0].state == "up")
        sources.close()
        assert not sources.wait(0.05)
    finally:
        release.set()
        assert sources.wait(DEADLINE_S)
        logger.remove(handler)
    assert lines == [
        "source wire did not stop in time; abandoning its thread. The totals leave out "
        "instructions that the source has not read, and answers that it may still send\n"
    ]


def test_no_acknowledgement_is_dropped_while_the_source_is_away() -> None:
    """However many wait: their number is bounded by what was posted."""
    wire = Wire()
    with served(wire) as worker:
        worker.wait_first_attempt(DEADLINE_S)
        released = threading.Event()
        wire.connect = lambda: released.wait(DEADLINE_S)  # type: ignore[method-assign,assignment]
        wire.fault = TransportError("cut")
        until(lambda: worker.state == "connecting")
        for first in range(0, 150_000, 1000):
            worker.offer([told(str(number)) for number in range(first, first + 1000)])
        assert worker.counters().waiting == 150_000
        released.set()
        until(lambda: len(wire.told) == 150_000)
    assert [one.id for one in wire.told] == [str(number) for number in range(150_000)]
    assert worker.counters() == SourceCounters(acknowledged=150_000, reconnects=1)


def test_answers_that_the_end_comes_before_are_counted_and_logged() -> None:
    wire = Wire()
    lines: list[str] = []
    wire.unreachable = 1_000_000
    handler = logger.add(lines.append, format="{message}")
    try:
        with served(wire) as worker:
            worker.wait_first_attempt(DEADLINE_S)
            worker.offer([told("a"), told("b")])
        worker.offer([told("c")])
    finally:
        logger.remove(handler)
    assert worker.state == "closed"
    assert worker.counters() == SourceCounters(undelivered=3)
    assert lines == [
        "source wire cannot connect: nobody there; retrying\n",
        "source wire: acknowledgements not handed over, 2 in total (source closed)\n",
    ]


def test_an_error_that_does_not_mend_is_retried_ever_later_up_to_half_a_minute() -> None:
    wire, stepped = Wire(), SteppedTime()
    refusals = [TransportError("wrong password", permanent=True) for _ in range(7)]
    refusals.append(TransportError("refused"))

    def connect() -> None:
        if refusals:
            raise refusals.pop(0)

    wire.connect = connect  # type: ignore[method-assign]
    with served(wire, time=stepped.time) as worker:
        until(lambda: worker.state == "up")
    *permanent, passing = stepped.pauses
    longest = [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    for pause_s, ceiling in zip(permanent, longest, strict=True):
        assert ceiling / 2 <= pause_s <= ceiling
    assert passing <= 1.5


@pytest.mark.parametrize(("held_s", "pauses"), [(10.0, 1), (10.001, 0)])
def test_a_connection_that_held_resets_the_back_off(held_s: float, pauses: int) -> None:
    wire, stepped = Wire(), SteppedTime()
    with served(wire, time=stepped.time) as worker:
        until(lambda: worker.state == "up")
        stepped.now += held_s
        wire.fault = TransportError("cut")
        until(lambda: wire.connects == 2)
    assert len(stepped.pauses) == pauses


def test_acknowledgements_are_handed_over_in_parts_so_that_the_source_serves() -> None:
    wire = Wire()
    served_after: list[int] = []
    serve, many = wire.serve, 1_200

    def note(inbox: Inbox, timeout_s: float) -> None:
        served_after.append(len(wire.told))
        serve(inbox, timeout_s)

    wire.serve = note  # type: ignore[method-assign]
    wire.unreachable = 1
    with served(wire) as worker:
        worker.offer([told(str(n)) for n in range(many)])
        until(lambda: len(wire.told) == many)
    assert [one.id for one in wire.told] == [str(n) for n in range(many)]
    assert {500, 1000, 1200} <= set(served_after)


def test_the_answers_that_there_is_no_time_for_at_the_end_are_counted() -> None:
    wire, stepped = Wire(), SteppedTime()
    wire.unreachable = 0

    def acknowledge(acknowledgements: Sequence[Acknowledgement]) -> None:
        wire.told += acknowledgements
        stepped.now += 0.2

    wire.acknowledge = acknowledge  # type: ignore[method-assign]
    worker = SourceWorker("wire", wire, CommandInbox(), lambda: (7, START_MS), time=stepped.time)
    worker.offer([told(str(n)) for n in range(3_000)])
    serving = threading.Event()
    wire.connect = serving.wait  # type: ignore[method-assign,assignment]
    worker.start()
    worker.close()
    serving.set()
    assert worker.wait(DEADLINE_S)
    counters = worker.counters()
    # One part as always, and two more in the 0.3 s.
    assert (counters.acknowledged, counters.undelivered) == (1_500, 1_500)


@pytest.mark.parametrize("returned", [2, {3: "no"}, {-1: "no"}, {0: None}, ["no"]])
def test_refusals_that_are_not_those_of_the_answers_disable_the_source(returned: Any) -> None:
    wire = Wire()
    wire.refuses = returned
    with served(wire) as worker:
        worker.offer([told("a"), told("b"), told("c")])
        until(lambda: worker.state == "failed")
    assert "the reason for each refusal by its index" in str(worker.error)
    assert worker.counters().undelivered == 3
