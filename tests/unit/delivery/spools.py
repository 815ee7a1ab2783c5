"""Spools for tests, and runs that use them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from gridsim.api import Batch, Roster
from gridsim.delivery import Counters, Runner
from gridsim.delivery.account import QUEUE_FULL, RemovedBatch
from gridsim.delivery.buffer import QueuedBatch
from gridsim.delivery.spool import SpoolAccount, SpoolBuffer, SpoolStore
from tests.unit.delivery.scripted import DEADLINE_S, ROSTER, ROWS, Scripted, balanced, batch_of

Lives = Callable[..., tuple[Runner, Scripted]]


def opened(path: Path, roster: Roster = ROSTER, faults: str = "", **options: Any) -> SpoolBuffer:
    limits = {"limit_bytes": 10**8, "memory_bytes": 10**8, "known_faults": 0, **options}
    continues = bool(limits.pop("continues", False))
    store = SpoolStore(path, roster, faults, continues=continues)
    return SpoolBuffer("scripted", store, roster, **limits)


def numbered(tick: int, roster: Roster = ROSTER) -> Batch:
    return replace(batch_of(tick, roster), number=tick * len(roster))


def ended(runner: Runner) -> Counters:
    runner.close()
    assert runner.wait(DEADLINE_S)
    runner.settle()
    counters = runner.counters()
    assert balanced(counters)
    return counters


def sums_to_zero(account: SpoolAccount) -> bool:
    settled = account.delivered + account.dropped.total() + account.unconfirmed
    return account.accepted == settled + account.pending


def rows_of(ticks: range) -> list[tuple[int, int]]:
    return [(tick, device) for tick in ticks for device in range(ROWS)]


def add(buffer: SpoolBuffer, batch: Batch) -> list[RemovedBatch]:
    entry = QueuedBatch(batch, 0.0, batch.nbytes)
    return buffer.add(entry, drop_oldest=True, reason=QUEUE_FULL)


def waiting(buffer: SpoolBuffer) -> list[Batch]:
    found = []
    while buffer.prepare() == [] and (entry := buffer.begin()) is not None:
        found.append(entry.batch)
        buffer.settle(len(entry.batch), "delivered", "")
        buffer.commit()
    return found


def changed(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.executescript(statement)
    connection.close()


def opened_unseen(path: Path, batch: Batch) -> Batch:
    buffer = opened(path)
    try:
        return buffer.unseen(batch)
    finally:
        buffer.close(DEADLINE_S)
