"""The outcomes of the readings of all shards, with the numbers of the merged ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from gridsim.ledger.columns import Ints
from gridsim.ledger.insert import insert
from gridsim.ledger.merging.parts import ShardLedger
from gridsim.ledger.merging.readings import Renumbered

# Outcomes of consecutive readings are one row if they are equal, and of the same time within this.
_TOGETHER_MS: Final = 100
_FATES: Final = "first, rows, wall_ms, fate, reason FROM fates"
_RETRIES: Final = "first, rows, wall_ms FROM retries"

Row = tuple[Any, ...]


class MergedOutcomes:
    """The fates and retries of one transport, merged while the readings are."""

    def __init__(self, parts: Sequence[ShardLedger], transport: int) -> None:
        self._transport = transport
        self._fates = [_Ranges(part, _FATES, transport) for part in parts]
        self._retries = [_Ranges(part, _RETRIES, transport) for part in parts]

    def write(self, connection: sqlite3.Connection, renumbered: Sequence[Renumbered]) -> None:
        """Write the outcomes of these readings. A transaction is open."""
        own = self._transport
        fates = _renumbered(self._fates, renumbered)
        insert(
            connection,
            "fates",
            [(own, first, rows, fate, why, ms) for first, rows, ms, fate, why in _joined(fates)],
        )
        retries = _renumbered(self._retries, renumbered)
        insert(connection, "retries", [(own, *retry) for retry in sorted(retries)])


class _Ranges:
    """Rows that are about ranges of readings: `first` and `rows`, then the other columns."""

    def __init__(self, part: ShardLedger, columns: str, transport: int) -> None:
        query = f"SELECT {columns} WHERE transport = ? AND rows > 0 ORDER BY first, rowid"
        self._rows = part.reader.each(query, (transport,))
        self._next: Row | None = next(self._rows, None)
        self._open: list[Row] = []

    def until(self, end: int) -> list[Row]:
        """Remove and return the ranges, or the parts of them, before the reading `end`."""
        while self._next is not None and self._next[0] < end:
            self._open.append(self._next)
            self._next = next(self._rows, None)
        found, self._open = self._open, []
        for place, (first, rows, *more) in enumerate(found):
            if first + rows > end:
                found[place] = (first, end - first, *more)
                self._open.append((end, first + rows - end, *more))
        return found


def _renumbered(ranges: Sequence[_Ranges], renumbered: Sequence[Renumbered]) -> list[Row]:
    """Return the ranges of these readings with their new numbers."""
    found: list[Row] = []
    for one in renumbered:
        rows = ranges[one.place].until(one.first + len(one.number))
        if rows:
            found += _split(rows, one)
    return found


def _split(rows: Sequence[Row], one: Renumbered) -> Iterator[Row]:
    """Yield the ranges as ranges of consecutive new numbers."""
    first = np.array([row[0] for row in rows], np.int64) - one.first
    count = np.array([row[1] for row in rows], np.int64)
    ends = np.cumsum(count)
    row = np.repeat(np.arange(len(rows)), count)
    number: Ints = one.number[np.arange(len(row)) + np.repeat(first - (ends - count), count)]
    order = np.lexsort((number, row))
    number = number[order]
    begins = np.flatnonzero(
        (np.diff(row, prepend=-1) != 0) | (np.diff(number, prepend=number[:1]) != 1)
    )
    sizes = np.diff(np.append(begins, len(number)))
    of = row[begins].tolist()
    for start, size, place in zip(number[begins].tolist(), sizes.tolist(), of, strict=True):
        yield (start, size, *rows[place][2:])


def _joined(fates: list[Row]) -> Iterator[Row]:
    """Yield fates by number, joining those of consecutive readings that are equal."""
    fates.sort(key=lambda row: row[0])
    last: list[Any] = []
    for first, rows, wall_ms, *fate in fates:
        if (
            last
            and first == last[0] + last[1]
            and fate == last[3:]
            and abs(wall_ms - last[2]) <= _TOGETHER_MS
        ):
            last[1] += rows
            continue
        if last:
            yield tuple(last)
        last = [first, rows, wall_ms, *fate]
    if last:
        yield tuple(last)
