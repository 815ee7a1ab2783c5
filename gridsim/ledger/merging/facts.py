"""The rarer facts of all shards: settlements, episodes, and the events that were not measured."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Any, Final

from gridsim.ledger.insert import insert
from gridsim.ledger.merging.faults import FaultNumbers
from gridsim.ledger.merging.parts import ShardLedger, merged_by
from gridsim.ledger.merging.woven import woven

_ROWS: Final = 10_000
_SETTLEMENTS: Final = """
SELECT settlement, event, project, notice_ms, start_ms, settled_ms, end_ms, ending, target_kw,
  compliance, dispatched_kwh, delivered_kwh, asked_kw, able_kw, reason
FROM settlements ORDER BY settlement
"""
_NOTICE_MS, _END_MS, _ENDING = 3, 6, 7
_PHASES: Final = {"cancelled": 0, "completed": 1, "superseded": 2, "interrupted": 3}
_OPTED_OUT: Final = "opted out"

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
    for group in _blocks(row for _, _, row in merged):
        insert(connection, "episodes", group)


def merge_settlements(connection: sqlite3.Connection, parts: Sequence[ShardLedger]) -> None:
    """Write the settlements of all shards with their violations and true reductions."""
    every = merged_by([_settled(part) for part in parts])
    ids = json.loads(parts[0].reader.meta["events"])
    events = {id: index for index, id in enumerate(ids)}
    numbers: list[dict[int, int]] = [{} for _ in parts]
    count = 0
    for _, together in groupby(every, key=lambda entry: entry[0]):
        lists: list[list[list[Row]]] = [[] for _ in parts]
        for _, place, rows in together:
            lists[place] = _by_event(rows)
        settled: list[Row] = []
        for group in woven(lists, partial(_key, _endings(lists)), partial(_rank, parts[0], events)):
            for place, rows in group:
                for number, event, project, *more in rows:
                    count += 1
                    numbers[place][number] = count
                    own = int(parts[place].project[project])
                    settled.append((count, event, own, *more))
        insert(connection, "settlements", settled)
    for table, order in (("violations", "rowid"), ("true_reductions", "settlement")):
        found = [
            (numbers[place][number], *more)
            for place, part in enumerate(parts)
            for number, *more in part.reader.each(f"SELECT * FROM {table} ORDER BY {order}")
        ]
        # The sort is stable, so the intervals of a settlement stay in their order.
        insert(connection, table, sorted(found, key=lambda row: row[0]))


def merge_unmeasured(connection: sqlite3.Connection, parts: Sequence[ShardLedger]) -> None:
    """Write the events that were not measured, once each."""
    query = "SELECT event, reason FROM unmeasured ORDER BY rowid"
    rows = woven([part.reader.rows(query) for part in parts], lambda row: row)
    insert(connection, "unmeasured", [group[0][1] for group in rows])


def tick_at(part: ShardLedger, time_ms: int) -> int:
    """Return the index of the first tick that is not before a time."""
    meta = part.reader.meta
    return -(-(time_ms - int(meta["start_ms"])) // int(meta["tick_ms"]))


def _settled(part: ShardLedger) -> Iterator[tuple[int, list[Row]]]:
    """Yield the settlements of each tick, after the tick."""
    last = -1
    rows: list[Row] = []
    for row in part.reader.each(_SETTLEMENTS):
        tick = tick_at(part, row[_END_MS])
        if tick > last and rows:
            yield last, rows
            rows = []
        last = max(last, tick)
        rows.append(row)
    if rows:
        yield last, rows


def _by_event(rows: Sequence[Row]) -> list[list[Row]]:
    """Return the settlements of a tick, those of an event that ended in the same way together."""
    groups: list[list[Row]] = []
    for row in rows:
        if groups and groups[-1][0][1] == row[1]:
            ending = _ending(groups[-1])
            if _OPTED_OUT in (ending, row[_ENDING]) or ending == row[_ENDING]:
                groups[-1].append(row)
                continue
        groups.append([row])
    return groups


def _key(endings: Mapping[str, str], rows: Sequence[Row]) -> tuple[str, str]:
    """Return the event and the ending of projects that ended together."""
    event, ending = rows[0][1], _ending(rows)
    return event, endings.get(event, ending) if ending == _OPTED_OUT else ending


def _rank(
    part: ShardLedger, events: Mapping[str, int], rows: Sequence[Row]
) -> tuple[int, int, int]:
    """Return the place of settlements among those of a tick.

    Events end before others begin and supersede them, each time in the order of their announcement.
    Called events come after those of the configuration.
    """
    event, notice_ms = rows[0][1].partition("#")[0], rows[0][_NOTICE_MS]
    phase = _PHASES.get(_ending(rows), 1)
    return phase, tick_at(part, notice_ms), events.get(event, len(events))


def _ending(rows: Sequence[Row]) -> str:
    """Return the ending of the projects that took part; else "opted out"."""
    every = (str(row[_ENDING]) for row in rows)
    return next((ending for ending in every if ending != _OPTED_OUT), _OPTED_OUT)


def _endings(lists: Sequence[Sequence[Sequence[Row]]]) -> dict[str, str]:
    """Return the ending of each event in a tick that projects which opted out have, too."""
    endings: dict[str, str] = {}
    for groups in lists:
        for rows in groups:
            ending = _ending(rows)
            # A project that opted out follows no event, so that none supersedes it.
            if ending not in (_OPTED_OUT, "superseded"):
                endings[rows[0][1]] = ending
    return endings


def _blocks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    block: list[Row] = []
    for row in rows:
        block.append(row)
        if len(block) == _ROWS:
            yield block
            block = []
    yield block
