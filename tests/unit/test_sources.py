"""The inbox, and the worker that serves a source: nothing that one does harms the run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from loguru import logger

from gridsim.api import Acknowledgement, Inbox, Request, Settings, Source, Target, TransportError
from gridsim.running.inbox import CommandInbox
from gridsim.sources import Sources, SourceWorker
from gridsim.testing import START_MS, make_run

DER = Target("PRJ_0", "DER_0")
DEADLINE_S = 20.0


class Wire(Source):
    """A source whose far end is the test."""

    def __init__(self) -> None:
        super().__init__(Settings(), make_run())
        self.incoming: list[Request] = []
        self.told: list[Acknowledgement] = []
        self.connects = 0
        self.closes = 0
        self.fault: BaseException | None = None
        """Raised once, by whichever method comes next."""
        self.unreachable = 0
        """How many more attempts to connect fail."""

    def describe(self) -> str:
        return "a wire"

    def connect(self) -> None:
        self.connects += 1
        if self.unreachable:
            self.unreachable -= 1
            raise TransportError("nobody there")

    def serve(self, inbox: Inbox, timeout_s: float) -> None:
        self._fail()
        while self.incoming:
            inbox.post(self.incoming.pop(0))
        time.sleep(0.001)

    def acknowledge(self, acknowledgements: Sequence[Acknowledgement]) -> None:
        self._fail()
        self.told += acknowledgements

    def close(self) -> None:
        self.closes += 1

    def _fail(self) -> None:
        fault, self.fault = self.fault, None
        if fault is not None:
            raise fault


def told(id: str, source: str = "wire") -> Acknowledgement:
    return Acknowledgement(DER, id, "accepted", "", 0, START_MS, source)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


@contextmanager
def served(wire: Wire, inbox: CommandInbox | None = None) -> Iterator[SourceWorker]:
    inbox = CommandInbox() if inbox is None else inbox
    worker = SourceWorker("wire", wire, inbox, lambda: (7, START_MS))
    sources = Sources([worker])
    sources.start()
    try:
        yield worker
    finally:
        sources.close()
        assert sources.wait(DEADLINE_S)


def test_an_inbox_keeps_order_and_its_bound() -> None:
    inbox = CommandInbox(limit=2)
    requests = [Request(DER, bytes([n])) for n in range(3)]
    assert [inbox.post(request) for request in requests] == [True, True, False]
    assert inbox.drain() == tuple(requests[:2])
    assert inbox.drain() == ()
    assert inbox.post(requests[2])


def test_an_inbox_keeps_no_more_of_a_request_than_it_takes_to_refuse_it() -> None:
    inbox = CommandInbox()
    inbox.post(Request(DER, bytes(10_000_000)))
    [request] = inbox.drain()
    assert len(request.payload) < 10_000


def test_an_inbox_takes_requests_from_many_threads() -> None:
    inbox = CommandInbox(limit=1000)
    accepted: list[bool] = []

    def post() -> None:
        accepted.extend([inbox.post(Request(DER, b"{}")) for _ in range(400)])

    threads = [threading.Thread(target=post) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert accepted.count(True) == len(inbox.drain()) == 1000


def test_requests_come_in_with_the_name_of_their_source() -> None:
    wire, inbox = Wire(), CommandInbox()
    wire.incoming = [Request(DER, b"one"), Request(DER, b"two")]
    with served(wire, inbox):
        until(lambda: not wire.incoming)
    assert inbox.drain() == (Request(DER, b"one", "wire"), Request(DER, b"two", "wire"))


def test_a_source_gets_its_own_acknowledgements_only() -> None:
    wire = Wire()
    with served(wire) as worker:
        worker.offer([told("a"), told("b", "other"), told("c")])
        until(lambda: len(wire.told) == 2)
    assert [one.id for one in wire.told] == ["a", "c"]


def test_what_is_told_last_is_handed_over_before_the_end() -> None:
    wire = Wire()
    with served(wire) as worker:
        worker.wait_first_attempt(DEADLINE_S)
        worker.offer([told("last")])
    assert [one.id for one in wire.told] == ["last"]
    assert worker.state == "closed"


def test_a_full_inbox_is_answered_at_once() -> None:
    wire, inbox = Wire(), CommandInbox(limit=1)
    wire.incoming = [Request(DER, b"{}"), Request(DER, b'{"id": "c-9"}'), Request(DER, b"\xff")]
    with served(wire, inbox):
        until(lambda: len(wire.told) == 2)
    assert [(one.id, one.status, one.tick) for one in wire.told] == [
        ("c-9", "rejected", 7),
        ("", "rejected", 7),
    ]
    assert "too many commands are waiting" in wire.told[0].reason


def test_it_connects_again_and_tells_what_was_under_way() -> None:
    wire = Wire()
    with served(wire) as worker:
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
    assert [one.id for one in wire.told] == ["a"]


def test_one_that_never_connects_says_why_and_ends_when_told() -> None:
    wire = Wire()
    wire.unreachable = 1_000_000
    with served(wire) as worker:
        worker.wait_first_attempt(DEADLINE_S)
        assert worker.error == "nobody there"
        assert worker.state == "connecting"


@pytest.mark.parametrize("fault", [ValueError("a defect"), SystemExit(3)])
def test_a_defect_takes_it_out_alone(fault: BaseException) -> None:
    wire = Wire()
    with served(wire) as worker:
        wire.fault = fault
        until(lambda: worker.state == "failed")
        worker.offer([told("a")] * 10)
        assert type(fault).__name__ in str(worker.error)
    assert wire.told == []


@pytest.mark.parametrize("odd", ["text", Request("PRJ_0", b"{}"), Request(DER, "{}")])  # type: ignore[arg-type]
def test_what_is_no_request_takes_out_the_source_that_posts_it(odd: Any) -> None:
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
    assert lines == ["source wire has not returned and is left behind\n"]
