"""A transport whose behaviour a test scripts, and the batches for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np

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
from gridsim.testing import START_MS, make_batch, make_roster, make_run

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


def finish(runner: Runner) -> Counters:
    runner.close()
    assert runner.wait(DEADLINE_S)
    runner.settle()
    counters = runner.counters()
    assert counters.pending == 0
    assert balanced(counters)
    return counters
