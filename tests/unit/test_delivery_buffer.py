"""Every buffer against a reference model: bounds, order and bytes."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import settings

from gridsim.delivery.account import RemovedBatch
from tests.unit.buffer_model import (
    DEADLINE_S,
    KINDS,
    LARGEST,
    ROW_BYTES,
    BufferMachine,
    Kind,
    entry,
    removed,
    rest_of,
)


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
