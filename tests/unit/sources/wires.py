"""A source whose connection a test controls."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from gridsim.api import (
    Acknowledgement,
    Command,
    Inbox,
    Instruction,
    Settings,
    Source,
    Target,
    TransportError,
)
from gridsim.delivery.connection import REAL_TIME, Time
from gridsim.running.inbox import CommandInbox
from gridsim.sources import MAX_UNANSWERED, Sources, SourceWorker
from gridsim.testing import START_MS, make_run

DER = Target("PRJ_0", "DER_0")
DEADLINE_S = 20.0


class Wire(Source):
    """A source whose far end is the test."""

    def __init__(self) -> None:
        super().__init__(Settings(), make_run())
        self.incoming: list[Instruction] = []
        self.posted: list[bool] = []
        """The values that `post` returned."""
        self.told: list[Acknowledgement] = []
        self.connects = 0
        self.closes = 0
        self.fault: BaseException | None = None
        """Raised once, by whichever method comes next."""
        self.refuses: Mapping[int, str] | None = None
        self.unreachable = 0
        """The number of further attempts to connect that fail."""

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
            self.posted.append(inbox.post(self.incoming.pop(0)))
        time.sleep(0.001)

    def acknowledge(self, acknowledgements: Sequence[Acknowledgement]) -> Mapping[int, str] | None:
        self._fail()
        self.told += acknowledgements
        return self.refuses

    def close(self) -> None:
        self.closes += 1

    def _fail(self) -> None:
        fault, self.fault = self.fault, None
        if fault is not None:
            raise fault


def off(id: str) -> Command:
    return Command(DER, id, "disconnect")


def told(id: str, source: str = "wire") -> Acknowledgement:
    return Acknowledgement(DER, id, "accepted", "", 0, START_MS, source)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


@contextmanager
def served(
    wire: Wire,
    inbox: CommandInbox | None = None,
    *,
    limit: int = MAX_UNANSWERED,
    time: Time = REAL_TIME,
) -> Iterator[SourceWorker]:
    inbox = CommandInbox() if inbox is None else inbox
    worker = SourceWorker("wire", wire, inbox, lambda: (7, START_MS), limit=limit, time=time)
    sources = Sources([worker])
    sources.start()
    try:
        yield worker
    finally:
        sources.close()
        assert sources.wait(DEADLINE_S)
