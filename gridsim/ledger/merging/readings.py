"""The readings of all shards, merged into the batches that one run would have had."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

import numpy as np

from gridsim.ledger.columns import Ints, pack, pack_places
from gridsim.ledger.insert import insert
from gridsim.ledger.merging.columns import QUERY, ShardColumns, Sparse, unsent_columns
from gridsim.ledger.merging.faults import FaultNumbers
from gridsim.ledger.merging.parts import ShardLedger, by_tick, damaged
from gridsim.ledger.rows import sparse_rows

ROWS: Final = 300_000
"""The number of readings that are merged at once; more if a tick has more."""
_UNSENT: Final = """
SELECT known, rows, tick, device, output, meter, baseline, soc, shift_ms, faults, copy
FROM packed_unsent WHERE rows > 0 ORDER BY known
"""
_LATE, _PRESENT, _OVERTAKEN, _COPY = range(4)
"""The sections of a batch, in their order; see `simulation.faults.delay_line`."""


@dataclass(frozen=True, slots=True, eq=False)
class Renumbered:
    """The numbers of consecutive readings of a shard in the merged ledger."""

    place: int
    """The place of the shard's ledger among those that are merged."""
    first: int
    """The number of the first reading in the shard's ledger."""
    number: Ints
    """int64[n], the number of each reading in the merged ledger."""


def merge_readings(
    connection: sqlite3.Connection,
    parts: Sequence[ShardLedger],
    faults: Sequence[FaultNumbers],
    rows: int = ROWS,
) -> Iterator[list[Renumbered]]:
    """Write the readings of all shards; yield their new numbers, some ticks at a time.

    A transaction is open. Raises NotALedger if a ledger is damaged.
    """
    numbers = [0] * len(parts)
    first = 0
    for window in _windows(parts, rows):
        columns = []
        for place, batches in enumerate(window):
            if not batches:
                continue
            part = parts[place]
            try:
                one = ShardColumns.of(place, batches, part, faults[place])
            except (ValueError, IndexError, TypeError) as error:
                raise damaged(part, f"tick {batches[0][0]:,}: {error}") from error
            if one.first != numbers[place]:
                raise damaged(part, f"the reading {numbers[place]:,} is missing")
            numbers[place] += len(one.tick)
            columns.append(one)
        number = first + _write(connection, columns, first)
        ends = np.cumsum([len(one.tick) for one in columns])
        yield [
            Renumbered(one.place, one.first, own)
            for one, own in zip(columns, np.split(number, ends[:-1]), strict=True)
        ]
        first += len(number)
    for part, found in zip(parts, numbers, strict=True):
        [(total,)] = part.reader.rows("SELECT ifnull(sum(rows), 0) FROM batches")
        if found != total:
            raise damaged(part, f"the reading {found:,} is missing")


def merge_unsent(
    connection: sqlite3.Connection, parts: Sequence[ShardLedger], faults: Sequence[FaultNumbers]
) -> None:
    """Write the readings that were never sent, of all shards. A transaction is open."""
    for known, rows in groupby(by_tick(parts, _UNSENT), itemgetter(1)):
        columns = [
            np.concatenate(parts_of_column)
            for parts_of_column in zip(
                *(unsent_columns(row[1:], parts[row[0]], faults[row[0]]) for row in rows),
                strict=True,
            )
        ]
        order = np.argsort(columns[0], kind="stable")
        packed = (pack(column[order], [0])[0] for column in columns)
        insert(connection, "packed_unsent", [(known, len(order), *packed)])


def _windows(parts: Sequence[ShardLedger], rows: int) -> Iterator[list[list[tuple[Any, ...]]]]:
    """Yield the batches of some ticks, a list for each shard."""
    window: list[list[tuple[Any, ...]]] = [[] for _ in parts]
    total, last = 0, None
    for place, *batch in by_tick(parts, QUERY):
        tick, count = batch[:2]
        if tick != last and total + count > rows and total:
            yield window
            window, total = [[] for _ in parts], 0
        window[place].append(tuple(batch))
        total, last = total + count, tick
    if total:
        yield window


def _write(connection: sqlite3.Connection, columns: Sequence[ShardColumns], first: int) -> Ints:
    """Write the batches of some ticks; return the place of each reading among them, int64[n]."""
    batch = _joined(columns, "batch")
    order = _order(columns, batch)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    found, counts = np.unique(batch, return_counts=True)
    ends = np.cumsum(counts)
    ticks: list[int] = found.tolist()
    starts: list[int] = (ends - counts).tolist()
    bounds = (*starts, len(order))
    names = ("output", "meter", "baseline", "soc")
    readings = zip(
        ticks,
        pack(_joined(columns, "tick")[order], starts),
        pack_places(_joined(columns, "device")[order], starts),
        *(pack(_joined(columns, name)[order], starts) for name in names),
        strict=True,
    )
    offered: dict[int, int] = {}
    for one in columns:
        for tick, wall_ms in one.offered:
            offered[tick] = min(offered.get(tick, wall_ms), wall_ms)
    sizes = [
        (tick, first + start, count)
        for tick, start, count in zip(ticks, starts, counts.tolist(), strict=True)
    ]
    insert(connection, "batches", sizes)
    insert(connection, "offers", sorted(offered.items()))
    insert(connection, "packed_readings", list(readings))
    for table in ("reported", "labels", "connections"):
        sparse = _sparse([getattr(one, table) for one in columns], columns, place)
        rows = sparse_rows(ticks, bounds, sparse.at, sparse.columns)
        insert(connection, f"packed_{table}", rows)
    return place


def _order(columns: Sequence[ShardColumns], batch: Ints) -> Ints:
    """Return the order of the readings that one run would have had.

    Each shard's readings of a tick are in order, so the shards are merged section by section.
    """
    if all(one.is_plain for one in columns):
        return np.argsort(batch, kind="stable")
    section = np.concatenate([_section(one) for one in columns])
    return np.lexsort((_joined(columns, "tick"), section, batch))


def _section(one: ShardColumns) -> Ints:
    """Return the section of each reading: late, present, overtaken, or a copy."""
    is_copy = np.zeros(len(one.tick), np.bool_)
    is_copy[one.labels.at] = one.labels.columns[2] != 0
    is_late = ~is_copy & (one.tick < one.batch)
    # Overtaken readings come after the present ones; without these, after the late ones, from
    # which their times fall back.
    begins = ~is_copy & ~is_late
    begins[1:] |= (
        is_late[1:]
        & is_late[:-1]
        & (one.batch[1:] == one.batch[:-1])
        & (one.tick[1:] < one.tick[:-1])
    )
    begun = np.cumsum(begins)
    starts = np.flatnonzero(np.diff(one.batch, prepend=-1))
    before: Ints = np.repeat(
        begun[starts] - begins[starts], np.diff(np.append(starts, len(one.batch)))
    )
    section = np.full(len(one.tick), _PRESENT)
    section[is_late] = np.where(begun > before, _OVERTAKEN, _LATE)[is_late]
    section[is_copy] = _COPY
    return section


def _sparse(parts: Sequence[Sparse], columns: Sequence[ShardColumns], place: Ints) -> Sparse:
    """Join the rows of a sparse table, in the order of the merged readings."""
    offsets = np.cumsum([0, *(len(one.tick) for one in columns)])[:-1].tolist()
    at = place[np.concatenate([one.at + n for one, n in zip(parts, offsets, strict=True)])]
    order = np.argsort(at)
    joined = zip(*(one.columns for one in parts), strict=True)
    return Sparse(at[order], [np.concatenate(column)[order] for column in joined])


def _joined(columns: Sequence[ShardColumns], name: str) -> Ints:
    every = [getattr(one, name) for one in columns]
    return every[0] if len(every) == 1 else np.concatenate(every)
