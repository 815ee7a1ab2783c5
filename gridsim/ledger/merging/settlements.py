"""The settlements of all shards, with their violations and true reductions."""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from gridsim.ledger.insert import insert
from gridsim.ledger.merging.parts import ShardLedger, blocks, damaged, merged_by, tick_at
from gridsim.ledger.merging.woven import woven

_QUERY: Final = """
SELECT settlement, event, project, notice_ms, start_ms, settled_ms, end_ms, ending, target_kw,
  compliance, dispatched_kwh, delivered_kwh, asked_kw, able_kw, reason
FROM settlements ORDER BY settlement
"""
_NOTICE_MS, _END_MS, _ENDING = 3, 6, 7
_OPTED_OUT: Final = "opted out"
_PHASES: Final = {"cancelled": 0, "completed": 1, "superseded": 2, "interrupted": 3}
"""The order of endings in a tick: events end before others begin and supersede them."""
_NO_RANK: Final = (0, 0, "")

Row = tuple[Any, ...]
Rank = tuple[int, int, str]
"""The tick of an event's announcement, its place in the configuration, and its name."""


@dataclass(slots=True)
class _Ended:
    """The settlements of an event that ended together in a tick, in one shard."""

    event: str
    ending: str
    """The ending of the projects that took part; "opted out" if none did."""
    announced: Rank
    by: Rank
    """The event that superseded it, if one did."""
    rows: list[Row] = field(default_factory=list)

    @property
    def key(self) -> tuple[str, str, Rank]:
        return self.event, self.ending, self.by

    @property
    def rank(self) -> tuple[int, Rank, Rank]:
        return _PHASES.get(self.ending, 1), self.by, self.announced


class _Part:
    """The settlements of a shard."""

    def __init__(self, part: ShardLedger) -> None:
        self._part = part
        ids = json.loads(part.reader.meta.get("events", "[]"))
        self._place = {id: index for index, id in enumerate(ids)}
        # A superseded project follows another event from that moment on.
        superseded = part.reader.rows(
            "SELECT project, end_ms FROM settlements WHERE ending = 'superseded'"
        )
        wanted = set(superseded)
        self._begun: dict[tuple[int, int], Rank] = {}
        query = "SELECT project, start_ms, event, notice_ms FROM settlements"
        for project, start_ms, event, notice_ms in part.reader.each(query) if wanted else ():
            if (project, start_ms) in wanted:
                self._begun[project, start_ms] = self._announced(event, notice_ms)

    def ticks(self) -> Iterator[tuple[int, list[_Ended]]]:
        """Yield each tick with the settlements that ended together."""
        last = -1
        ended: list[_Ended] = []
        for row in self._part.reader.each(_QUERY):
            tick = tick_at(self._part, row[_END_MS])
            if tick > last and ended:
                yield last, ended
                ended = []
            last = max(last, tick)
            self._add(ended, row)
        if ended:
            yield last, ended

    def _add(self, ended: list[_Ended], row: Row) -> None:
        _, event, project = row[:3]
        ending, by = str(row[_ENDING]), _NO_RANK
        if ending == "superseded":
            by = self._begun.get((project, row[_END_MS]), _NO_RANK)
        group = ended[-1] if ended else None
        if group is not None and group.event == event:
            if group.ending == _OPTED_OUT:
                group.ending, group.by = ending, by
            if ending == _OPTED_OUT or (group.ending, group.by) == (ending, by):
                group.rows.append(row)
                return
        announced = self._announced(event, row[_NOTICE_MS])
        ended.append(_Ended(event, ending, announced, by, [row]))

    def _announced(self, event: str, notice_ms: int) -> Rank:
        place = self._place.get(event.partition("#")[0], len(self._place))
        return tick_at(self._part, notice_ms), place, event


def merge_settlements(connection: sqlite3.Connection, parts: Sequence[ShardLedger]) -> None:
    """Write the settlements of all shards in the order of one run."""
    numbers = [array("q") for _ in parts]
    count = 0
    every = merged_by([_Part(part).ticks() for part in parts])
    for _, together in groupby(every, itemgetter(0)):
        lists: list[list[_Ended]] = [[] for _ in parts]
        for _, place, ended in together:
            lists[place] = ended
        _fill_endings(lists)
        settled: list[Row] = []
        for group in woven(lists, lambda one: one.key, lambda one: one.rank):
            for place, one in group:
                for number, event, project, *more in one.rows:
                    count += 1
                    numbers[place].append(count)
                    if number != len(numbers[place]):
                        raise damaged(parts[place], f"the settlement {number - 1:,} is missing")
                    settled.append((count, event, int(parts[place].project[project]), *more))
        insert(connection, "settlements", settled)
    for table, order in (("violations", "rowid"), ("true_reductions", "settlement")):
        query = f"SELECT * FROM {table} ORDER BY {order}"
        rows = merged_by(
            [_renumbered(part, query, own) for part, own in zip(parts, numbers, strict=True)]
        )
        for block in blocks((number, *more) for number, _, more in rows):
            insert(connection, table, block)


def _renumbered(part: ShardLedger, query: str, numbers: Sequence[int]) -> Iterator[tuple[int, Row]]:
    """Yield rows with the number of their settlement in the merged ledger before each."""
    for number, *more in part.reader.each(query):
        if not 0 < number <= len(numbers):
            raise damaged(part, f"the settlement {number:,} is missing")
        yield numbers[number - 1], tuple(more)


def _fill_endings(lists: Sequence[Sequence[_Ended]]) -> None:
    """Set the ending of projects that opted out to that of other shards, whose projects took part.

    They follow no event, so that none supersedes them.
    """
    endings: Mapping[str, str] = {
        one.event: one.ending
        for ended in lists
        for one in ended
        if one.ending not in (_OPTED_OUT, "superseded")
    }
    for ended in lists:
        for one in ended:
            if one.ending == _OPTED_OUT:
                one.ending = endings.get(one.event, _OPTED_OUT)
