"""The instructions and acknowledgements of all shards, joined."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple

import msgspec

from gridsim.contracts.results import EventTotals
from gridsim.ledger.insert import insert
from gridsim.ledger.merging.parts import ShardLedger, by_tick
from gridsim.ledger.merging.woven import woven
from gridsim.simulation.answers import end_of_call

_INSTRUCTIONS: Final = """
SELECT tick, project_id, der_id, instruction, source FROM instructions ORDER BY tick, sequence
"""
_ACKNOWLEDGEMENTS: Final = """
SELECT tick, time_ms, project_id, der_id, command_id, status, reason, source
FROM acknowledgements ORDER BY acknowledgement
"""
_FOR_THE_FLEET: Final = _ACKNOWLEDGEMENTS.replace("ORDER", "WHERE project_id = '' ORDER")
_CALLS: Final = "SELECT instruction FROM instructions WHERE project_id = ''"
_TOTALS: Final = """
SELECT event, sum(ending <> 'opted out'), sum(ending = 'superseded'), sum(ending = 'cancelled')
FROM settlements GROUP BY event
"""
_NONE: Final = "there is no "
_LATER: Final = {"call_event": 2, "cancel_event": 2, "inject_fault": 2, "clear_fault": 2}
_DECISIONS: Final = ("accepted", "rejected")


class _Answer(NamedTuple):
    """A row of the table acknowledgements."""

    tick: int
    time_ms: int
    project_id: str
    der_id: str | None
    command_id: str
    status: str
    reason: str
    source: str


class _Step(NamedTuple):
    """The decision on an instruction to the whole fleet, or its end."""

    command_id: str
    source: str
    decided: int
    """The tick of the decision; -1 for the end, which may come in another tick in each shard."""


def merge_instructions(connection: sqlite3.Connection, parts: Sequence[ShardLedger]) -> None:
    """Write the instructions of all shards, once if several shards have received them."""
    for tick, lists in _ticks(parts, _INSTRUCTIONS):
        rows = []
        for sequence, group in enumerate(woven(lists, _instruction)):
            _, project_id, der_id, _, source = group[0][1]
            text = _text([row[3] for _, row in group])
            rows.append((tick, sequence, project_id, der_id, text, source))
        insert(connection, "instructions", rows)


def merge_acknowledgements(connection: sqlite3.Connection, parts: Sequence[ShardLedger]) -> None:
    """Write the acknowledgements of all shards, after their settlements.

    An instruction to the whole fleet has one decision: it is accepted if a shard accepts it. It
    ends when it has ended in every shard that accepted it.
    """
    joined = _joined(connection, parts)
    given = _Given(connection)
    for tick, lists in _ticks(parts, _ACKNOWLEDGEMENTS):
        answers = [[_Answer(*row) for row in rows] for rows in lists]
        rows = []
        for group in woven(answers, lambda one: _step(one) or one, given.rank):
            answer: _Answer | None = group[0][1]
            step = None if answer is None else _step(answer)
            if step is not None:
                answer = joined.get(step)
            if answer is not None and answer.tick == tick:
                rows.append((None, *answer))
                if step is not None:
                    del joined[step]
        insert(connection, "acknowledgements", rows)


def _instruction(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the identity of an instruction; one to the whole fleet has it in every shard."""
    _, project_id, der_id, text, source = row
    if project_id:
        return row
    table = json.loads(text)
    return der_id, source, table["id"], table["command"], table.get("unreadable")


def _text(texts: Sequence[str]) -> str:
    """Return the instruction of the run, given what each shard received.

    A shard receives only those patterns of a list that match in it.
    """
    if len(set(texts)) == 1:
        return texts[0]
    tables = [json.loads(text) for text in texts]
    joined = tables[0]
    for name, value in joined.items():
        if isinstance(value, list):
            lists = [table.get(name, []) for table in tables]
            joined[name] = [group[0][1] for group in woven(lists, str)]
    return msgspec.json.encode(joined).decode()


def _joined(connection: sqlite3.Connection, parts: Sequence[ShardLedger]) -> dict[_Step, _Answer]:
    """Return the joined answers to instructions to the whole fleet."""
    given: dict[_Step, list[tuple[int, _Answer]]] = {}
    for place, part in enumerate(parts):
        for row in part.reader.each(_FOR_THE_FLEET):
            answer = _Answer(*row)
            step = _step(answer)
            assert step is not None
            given.setdefault(step, []).append((place, answer))
    if not given:
        return {}
    totals = _totals(connection, parts)
    joined = {}
    accepted: dict[tuple[str, str], set[int]] = {}
    for step, answers in given.items():
        if step.decided >= 0:
            joined[step] = _decision([answer for _, answer in answers])
            own = accepted.setdefault((step.command_id, step.source), set())
            own.update(place for place, answer in answers if answer.status == "accepted")
    for step, answers in given.items():
        if step.decided < 0 and accepted.get((step.command_id, step.source), set()) <= {
            place for place, _ in answers
        }:
            joined[step] = _end([answer for _, answer in answers], totals.get(step.command_id))
    return joined


def _decision(answers: Sequence[_Answer]) -> _Answer:
    """Return the decision for the run: that of a shard that accepts; else the least general."""
    # A shard without the event or the fault knows only that.
    return min(answers, key=lambda one: (one.status != "accepted", one.reason.startswith(_NONE)))


def _end(answers: Sequence[_Answer], totals: EventTotals | None) -> _Answer:
    """Return the end of an instruction that has ended in all shards."""
    last = max(answer.tick for answer in answers)
    final = [answer for answer in answers if answer.tick == last]
    cancelled = [answer for answer in final if answer.status == "cancelled"]
    answer = (cancelled or final)[0]
    if cancelled or totals is None:
        return answer
    status, reason = end_of_call(totals)
    return answer._replace(status=status, reason=reason)


def _totals(
    connection: sqlite3.Connection, parts: Sequence[ShardLedger]
) -> Mapping[str, EventTotals]:
    """Return the totals of each called event over all shards, by the id of its instruction."""
    ids: dict[str, str] = {}
    for part in parts:
        for (text,) in part.reader.each(_CALLS):
            table = json.loads(text)
            if table["command"] == "call_event":
                ids.setdefault(table["event"], table["id"])
    rows = connection.execute(_TOTALS) if ids else ()
    found: dict[str, EventTotals] = {}
    for event, took_part, superseded, cancelled in rows:
        id = ids.get(event.partition("#")[0])
        if id is not None:
            own = EventTotals(took_part, superseded=superseded, cancelled=cancelled)
            found[id] = found.get(id, EventTotals()).plus(own)
    return found


class _Given:
    """The instructions of the merged ledger, in their order."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        query = (
            "SELECT json_extract(instruction, '$.id'), source, project_id, der_id, "
            "json_extract(instruction, '$.command') FROM instructions ORDER BY tick, sequence"
        )
        self._known: dict[tuple[Any, ...], tuple[int, str]] = {
            tuple(key): (number, str(command))
            for number, (*key, command) in enumerate(connection.execute(query))
        }

    def rank(self, answer: _Answer) -> tuple[int, int]:
        """Return the place of an answer among those of a tick.

        Commands are decided first, then those end that are over; then it is the turn of events and
        faults.
        """
        key = answer.command_id, answer.source, answer.project_id, answer.der_id
        number, command = self._known.get(key, (len(self._known), ""))
        phase = _LATER.get(command, 0)
        return phase + (answer.status not in _DECISIONS), number


def _step(answer: _Answer) -> _Step | None:
    """Return the step of an answer; None if its instruction is not to the whole fleet."""
    if answer.project_id:
        return None
    decided = answer.tick if answer.status in _DECISIONS else -1
    return _Step(answer.command_id, answer.source, decided)


def _ticks(
    parts: Sequence[ShardLedger], query: str
) -> Iterator[tuple[int, list[list[tuple[Any, ...]]]]]:
    """Yield each tick with the rows of each shard."""
    for tick, rows in groupby(by_tick(parts, query), itemgetter(1)):
        lists: list[list[tuple[Any, ...]]] = [[] for _ in parts]
        for place, *row in rows:
            lists[place].append(tuple(row))
        yield tick, lists
