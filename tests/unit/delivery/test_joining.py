"""Batches that wait for a transport, and are written as one."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gridsim.api import PART_ROWS, Batch, Labels
from gridsim.contracts.batch import COLUMNS, can_join, join
from gridsim.delivery import Runner
from gridsim.delivery.buffer import MemoryBuffer, QueuedBatch
from gridsim.testing import PlainFormat, make_batch, make_roster, make_run
from gridsim_plugins.transports.file import File
from tests.unit.delivery.scripted import POLICY, Scripted

ROSTER = make_roster([4])
WHOLE = make_batch(ROSTER)


def part(start: int, stop: int) -> QueuedBatch:
    batch = WHOLE.rows(start, stop)
    return QueuedBatch(batch, 100.0 + start, batch.nbytes)


def filled(rows_at_once: int, *entries: QueuedBatch) -> MemoryBuffer:
    buffer = MemoryBuffer(1_000_000, rows_at_once)
    for entry in entries:
        buffer.add(entry, drop_oldest=False, reason="")
    return buffer


def begun(buffer: MemoryBuffer) -> list[tuple[int, int]]:
    """The number and the rows of each batch that is begun, until none waits."""
    found = []
    while (entry := buffer.begin()) is not None:
        found.append((entry.batch.number, len(entry.batch)))
        buffer.commit()
    return found


@pytest.mark.parametrize("labelled", [False, True])
def test_parts_joined_are_the_whole(labelled: bool) -> None:
    whole = replace(WHOLE, extra={"x": np.arange(4.0)})
    if labelled:
        whole = replace(whole, labels=Labels.blank(whole))
    joined = join([whole.rows(0, 1), whole.rows(1, 3), whole.rows(3)])
    assert joined.number == whole.number
    for name in COLUMNS:
        column = getattr(joined, name)
        assert column.tobytes() == getattr(whole, name).tobytes()
        assert not column.flags.writeable
    assert joined.extra["x"].tolist() == [0, 1, 2, 3]
    if labelled:
        assert joined.labels is not None
        for f in fields(Labels):
            column = getattr(joined.labels, f.name)
            assert column.tobytes() == getattr(whole.labels, f.name).tobytes()
    assert join([whole]) is whole


@pytest.mark.parametrize(
    "following",
    [
        WHOLE.rows(3),
        replace(WHOLE.rows(2), roster=make_roster([4])),
        replace(WHOLE.rows(2), extra={"x": np.zeros(2)}),
        replace(WHOLE.rows(2), labels=Labels.blank(WHOLE.rows(2))),
    ],
    ids=["a gap", "another roster", "another column", "labels"],
)
def test_only_the_next_readings_in_the_same_columns_are_joined(following: Batch) -> None:
    assert can_join(WHOLE.rows(0, 2), WHOLE.rows(2))
    assert not can_join(WHOLE.rows(0, 2), following)
    entry = QueuedBatch(following, 1.0, following.nbytes)
    assert len(begun(filled(100, part(0, 2), entry))) == 2


@pytest.mark.parametrize(
    ("rows_at_once", "wanted"),
    [
        (0, [(0, 1), (1, 2), (3, 1)]),
        (2, [(0, 1), (1, 2), (3, 1)]),
        (3, [(0, 3), (3, 1)]),
        (4, [(0, 4)]),
    ],
)
def test_batches_are_joined_up_to_a_number_of_rows(
    rows_at_once: int, wanted: list[tuple[int, int]]
) -> None:
    assert begun(filled(rows_at_once, part(0, 1), part(1, 3), part(3, 4))) == wanted


@pytest.mark.parametrize(
    ("changed", "rows"),
    [
        ({}, PART_ROWS),
        ({"rotate_mb": 1}, 0),
        ({"gzip": True}, 0),
        ({"framing": "project"}, 0),
    ],
)
def test_batches_are_joined_for_a_file_where_the_bytes_stay_the_same(
    tmp_path: Path, changed: dict[str, Any], rows: int
) -> None:
    given = {"path": str(tmp_path / "x"), **changed}
    framing = given.pop("framing", "der")
    settings = File.Settings.model_validate(given)
    file = File(settings, PlainFormat(settings, framing, ROSTER), make_run(ROSTER))
    assert file.rows_at_once == rows


class Joining(Scripted):
    rows_at_once = 100


def test_a_run_that_promises_a_rate_joins_nothing() -> None:
    runner = Runner("x", Joining(), POLICY)
    buffer = runner._buffer
    assert isinstance(buffer, MemoryBuffer)
    assert buffer.rows_at_once == 100
    runner.set_pace("drop_oldest", 1.0)
    assert buffer.rows_at_once == 0
    runner.set_pace("block", 0.0)
    assert buffer.rows_at_once == 100


def test_the_rest_of_joined_batches_is_begun_again_with_what_waits() -> None:
    buffer = filled(3, part(0, 1), part(1, 3), part(3, 4))
    entry = buffer.begin()
    assert entry is not None
    assert (entry.offered_at, entry.nbytes) == (100.0, part(0, 1).nbytes + part(1, 3).nbytes)
    assert (buffer.nbytes, buffer.oldest_at) == (part(3, 4).nbytes, 100.0)
    rest = entry.batch.rows(2)
    buffer.put_back(QueuedBatch(rest, entry.offered_at, rest.nbytes))
    assert begun(buffer) == [(2, 2)]
    assert buffer.nbytes == 0
