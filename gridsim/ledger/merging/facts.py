"""The episodes of faults of all shards, and the events that were not measured."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from gridsim.ledger.insert import insert
from gridsim.ledger.merging.faults import FaultNumbers
from gridsim.ledger.merging.parts import ShardLedger, blocks, merged_by, tick_at
from gridsim.ledger.merging.woven import woven

Row = tuple[Any, ...]


def merge_episodes(
    connection: sqlite3.Connection, parts: Sequence[ShardLedger], faults: Sequence[FaultNumbers]
) -> None:
    """Write the episodes of all shards: by tick, by fault, then in the order of the shards."""

    def rows(place: int) -> Iterator[tuple[tuple[int, int], Row]]:
        part, numbers = parts[place], faults[place]
        query = "SELECT fault, device, start_ms, end_ms FROM episodes ORDER BY episode"
        last = (-1, -1)
        for fault, device, start_ms, end_ms in part.reader.each(query):
            number = int(numbers.index[fault])
            # The order of each shard stays, also if its times are not in order.
            last = max(last, (tick_at(part, end_ms), number))
            yield last, (None, number, int(part.device[device]), start_ms, end_ms)

    merged = merged_by([rows(place) for place in range(len(parts))])
    for group in blocks(row for _, _, row in merged):
        insert(connection, "episodes", group)


def merge_unmeasured(connection: sqlite3.Connection, parts: Sequence[ShardLedger]) -> None:
    """Write the events that were not measured, once each."""
    query = "SELECT event, reason FROM unmeasured ORDER BY rowid"
    rows = woven([part.reader.rows(query) for part in parts], lambda row: row)
    insert(connection, "unmeasured", [group[0][1] for group in rows])
