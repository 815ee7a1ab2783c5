"""Every buffer against a reference model: bounds, order and bytes."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
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


def spool(limit: int, memory_bytes: int) -> Buffer:
    # The system removes the folder of a process at its end.
    path = Path(tempfile.mkdtemp(dir=FOLDER.name)) / "spool.sqlite"
    return SpoolBuffer(
        "test",
        SpoolStore(path, WHOLE.roster, ""),
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

    def nbytes(self) -> int:
        return sum(self.size(one.batch.nbytes) for one in self.waiting)

    def fits(self, batch: Batch) -> bool:
        return not self.waiting or self.nbytes() + self.size(batch.nbytes) <= self.limit

    def add(self, new: QueuedBatch, drop_oldest: bool) -> list[QueuedBatch]:
        if not drop_oldest and not self.fits(new.batch):
            return [new]
        dropped = []
        while not self.fits(new.batch):
            dropped.append(self.waiting.pop(0))
        self.waiting.append(new)
        return dropped


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


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


def test_a_large_batch_drops_as_many_small_ones_as_it_needs(kind: Kind) -> None:
    small, large = kind.size(ROW_BYTES), kind.size(7 * ROW_BYTES)
    buffer = kind.make(10 * small)
    for number in range(10):
        assert buffer.add(entry(number, 1), drop_oldest=True, reason="full") == []
        buffer.sync(DEADLINE_S)
    dropped = buffer.add(entry(10, 7), drop_oldest=True, reason="full")
    needed = -(-large // small)
    assert removed(dropped) == [(number, 1) for number in range(needed)]
    assert buffer.nbytes == (10 - needed) * small + large
    assert [one.number for one in buffer.clear("full")] == list(range(needed, 11))
    buffer.close(DEADLINE_S)


def test_a_batch_larger_than_the_bound_is_kept_alone(kind: Kind) -> None:
    buffer = kind.make(kind.size(3 * ROW_BYTES))
    buffer.add(entry(0, 2), drop_oldest=True, reason="full")
    assert removed(buffer.add(entry(2, 9), drop_oldest=False, reason="full")) == [(2, 9)]
    assert removed(buffer.add(entry(2, 9), drop_oldest=True, reason="full")) == [(0, 2)]
    assert removed(buffer.add(entry(11, 1), drop_oldest=False, reason="full")) == [(11, 1)]
    assert removed(buffer.add(entry(11, 1), drop_oldest=True, reason="full")) == [(2, 9)]
    assert removed(buffer.clear("full")) == [(11, 1)]
    buffer.close(DEADLINE_S)


@pytest.mark.parametrize("drop_oldest", [True, False])
def test_two_threads_lose_no_row_and_double_none(kind: Kind, drop_oldest: bool) -> None:
    """One adds, the other commits or puts back, and a third reads the totals."""
    limit = 20 * kind.size(ROW_BYTES)
    buffer = kind.make(limit)
    sizes = [1 + (7 * n) % LARGEST for n in range(2000)]
    dropped: list[RemovedBatch] = []
    committed: list[int] = []
    problems: list[str] = []
    added = threading.Event()

    def add() -> None:
        number = 0
        for rows in sizes:
            new = entry(number, rows)
            dropped.extend(buffer.add(new, drop_oldest=drop_oldest, reason="full"))
            number += rows
        added.set()

    def consume() -> None:
        turn = 0
        while True:
            last = added.is_set()
            buffer.prepare()
            begun = buffer.begin()
            if begun is None:
                if last:
                    return
                continue
            turn += 1
            left = len(begun.batch) // 2 if turn % 3 else 0
            settled = len(begun.batch) - left
            committed.extend(range(begun.batch.number, begun.batch.number + settled))
            if left:
                buffer.put_back(rest_of(begun, left))
            else:
                buffer.commit()

    def read() -> None:
        # Beyond the bound by what is put back, at most.
        while not added.is_set():
            if not 0 <= buffer.nbytes <= limit + kind.size(LARGEST * ROW_BYTES):
                problems.append(f"{buffer.nbytes} bytes")
            if (buffer.oldest_at or 0.0) < 0:
                problems.append("an age before the beginning")

    threads = [threading.Thread(target=work, daemon=True) for work in (add, consume, read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
        assert not thread.is_alive()
    rows = [number for one in dropped for number in range(one.number, one.number + one.rows)]
    assert not problems
    assert committed == sorted(committed)
    assert sorted(committed + rows) == list(range(sum(sizes)))
    assert (len(buffer), buffer.nbytes, buffer.oldest_at) == (0, 0, None)
    assert buffer.close(DEADLINE_S) == []


def test_a_buffer_agrees_with_the_model(kind: Kind) -> None:
    machine: Any = type("Machine", (BufferMachine,), {"kind": kind})
    case = machine.TestCase()
    examples = 100 if kind.size is int else 10
    case.settings = settings(max_examples=examples, stateful_step_count=30, deadline=None)
    case.runTest()
