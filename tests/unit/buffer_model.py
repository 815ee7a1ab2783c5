"""The reference model of a buffer, and the machine that compares both after each operation."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gridsim.api import Batch
from gridsim.delivery.account import RemovedBatch
from gridsim.delivery.buffer import Buffer, MemoryBuffer, QueuedBatch
from gridsim.delivery.spool import SpoolBuffer, SpoolStore
from gridsim.delivery.spool.file import charge
from gridsim.testing import make_batch, make_roster

DEADLINE_S = 20.0

LARGEST = 12
WHOLE = make_batch(make_roster((LARGEST,)))
ROW_BYTES = WHOLE.nbytes // LARGEST
"""All rows have the same number of bytes."""


@dataclass(frozen=True)
class Kind:
    """A kind of buffer: how to make one with a bound, and what a batch counts for in it."""

    make: Callable[[int], Buffer]
    size: Callable[[int], int]


def spool(limit: int, memory_bytes: int, path: Path | None = None) -> Buffer:
    continues = path is not None
    path = path or Path(tempfile.mkdtemp(dir=FOLDER.name)) / "spool.sqlite"
    return SpoolBuffer(
        "test",
        SpoolStore(path, WHOLE.roster, "", continues=continues),
        WHOLE.roster,
        limit_bytes=limit,
        memory_bytes=memory_bytes,
    )


FOLDER = tempfile.TemporaryDirectory(prefix="gridsim-spools-")
KINDS = {
    "memory": Kind(MemoryBuffer, int),
    "disk": Kind(lambda limit: spool(limit, 10**9), charge),
    "disk beyond memory": Kind(lambda limit: spool(limit, 1), charge),
}


def entry(number: int, rows: int) -> QueuedBatch:
    """Return a batch of so many rows, the first with this number, offered at its number."""
    batch = replace(WHOLE.rows(0, rows), number=number)
    return QueuedBatch(batch, float(number), batch.nbytes)


def rest_of(whole: QueuedBatch, left: int) -> QueuedBatch:
    batch = whole.batch.rows(len(whole.batch) - left)
    return QueuedBatch(batch, whole.offered_at, batch.nbytes)


def name(one: QueuedBatch) -> tuple[int, int, float]:
    return one.batch.number, len(one.batch), one.offered_at


def removed(entries: Iterable[RemovedBatch]) -> list[tuple[int, int]]:
    return [(one.number, one.rows) for one in entries]


def parts(entries: Iterable[QueuedBatch]) -> list[tuple[int, int]]:
    return [(one.batch.number, len(one.batch)) for one in entries]


class Model:
    """The reference: plain lists, and sums that are made anew each time."""

    def __init__(self, limit: int, size: Callable[[int], int] = int) -> None:
        self.limit = limit
        self.size = size
        self.waiting: list[QueuedBatch] = []
        self.begun: QueuedBatch | None = None
        self.rows: dict[int, int] = {}
        """The rows of each whole batch, by its number."""

    def nbytes(self) -> int:
        return sum(self.size(one.batch.nbytes) for one in self.waiting)

    def fits(self, batch: Batch) -> bool:
        return not self.waiting or self.nbytes() + self.size(batch.nbytes) <= self.limit

    def add(self, new: QueuedBatch, drop_oldest: bool) -> list[QueuedBatch]:
        if not drop_oldest and not self.fits(new.batch):
            return [new]
        self.rows[new.batch.number] = len(new.batch)
        dropped = []
        while not self.fits(new.batch):
            dropped.append(self.waiting.pop(0))
        self.waiting.append(new)
        return dropped

    def is_whole(self) -> bool:
        """Return whether no batch is the rest of one: the file keeps its whole size."""
        batches = [one.batch for one in (self.begun, *self.waiting) if one is not None]
        return all(len(batch) == self.rows.get(batch.number) for batch in batches)


class BufferMachine(RuleBasedStateMachine):
    """Random operations on a buffer and on the model, which must agree after each."""

    kind: Kind
    buffer: Buffer

    @initialize(rows=st.integers(0, LARGEST), more=st.sampled_from([-1, 0, 1]))
    def start(self, rows: int, more: int) -> None:
        limit = max(rows * self.kind.size(ROW_BYTES) + more, 1)
        self.buffer = self.kind.make(limit)
        self.model = Model(limit, self.kind.size)
        self.number = 0

    def teardown(self) -> None:
        self.buffer.close(DEADLINE_S)

    @rule(rows=st.integers(1, LARGEST), drop_oldest=st.booleans())
    def add(self, rows: int, drop_oldest: bool) -> None:
        new = entry(self.number, rows)
        self.number += rows
        dropped = self.buffer.add(new, drop_oldest=drop_oldest, reason="full")
        assert removed(dropped) == parts(self.model.add(new, drop_oldest))
        # While it is not in the file, a batch counts for the bound of the memory, too.
        assert self.buffer.sync(DEADLINE_S) or self.kind.size is int

    @precondition(lambda self: self.model.begun is None)
    @rule()
    def begin(self) -> None:
        expected = self.model.waiting.pop(0) if self.model.waiting else None
        assert self.buffer.prepare() == []
        begun = self.buffer.begin()
        assert (begun and name(begun)) == (expected and name(expected))
        self.model.begun = expected

    @precondition(lambda self: self.model.begun is not None)
    @rule()
    def begin_twice(self) -> None:
        with pytest.raises(RuntimeError, match="a batch is begun"):
            self.buffer.begin()

    @precondition(lambda self: self.model.begun is not None)
    @rule()
    def commit(self) -> None:
        self.buffer.commit()
        self.model.begun = None

    @precondition(lambda self: self.model.begun is not None)
    @rule(data=st.data())
    def put_back(self, data: st.DataObject) -> None:
        assert self.model.begun is not None
        left = data.draw(st.integers(1, len(self.model.begun.batch)))
        rest = rest_of(self.model.begun, left)
        self.buffer.put_back(rest)
        self.model.waiting.insert(0, rest)
        self.model.begun = None

    @precondition(lambda self: self.model.begun is None)
    @rule()
    def end_nothing(self) -> None:
        with pytest.raises(RuntimeError, match="no batch is begun"):
            self.buffer.commit()
        with pytest.raises(RuntimeError, match="no batch is begun"):
            self.buffer.put_back(entry(0, 1))

    @precondition(lambda self: self.buffer.keeps and self.model.is_whole())
    @rule()
    def start_again(self) -> None:
        """End the process and resume the run: the begun batch waits again."""
        limit, path = self.model.limit, Path(self.buffer.path)
        assert self.buffer.close(DEADLINE_S) == []
        self.buffer = spool(limit, 1, path)
        model = self.model
        begun = [] if model.begun is None else [model.begun]
        at = self.buffer.oldest_at or 0.0
        model.waiting = [replace(one, offered_at=at) for one in (*begun, *model.waiting)]
        model.begun = None

    @rule()
    def clear(self) -> None:
        assert removed(self.buffer.clear("full")) == parts(self.model.waiting)
        self.model.waiting.clear()

    @invariant()
    def agrees(self) -> None:
        model = self.model
        assert len(self.buffer) == len(model.waiting)
        assert self.buffer.nbytes == model.nbytes()
        oldest = model.begun or (model.waiting[0] if model.waiting else None)
        assert self.buffer.oldest_at == (None if oldest is None else oldest.offered_at)
        for rows in range(1, LARGEST + 1):
            batch = WHOLE.rows(0, rows)
            assert self.buffer.has_room_for(batch.nbytes) == model.fits(batch)
