"""The faults of all shards, and their numbers in the merged ledger."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from gridsim.errors import UsageError
from gridsim.ledger.columns import NONE, Ints, unpack
from gridsim.ledger.merging.parts import ShardLedger
from gridsim.ledger.merging.woven import woven

FaultRow = tuple[int, str, str, str, int, int, int | None]
"""A row of the table faults."""
_NUMBERS: Final = 63
"""The number of bits in labels."""
_FOREVER: Final = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, eq=False)
class FaultNumbers:
    """The indices and numbers of a shard's faults in the merged ledger."""

    same: bool
    """True if they do not change."""
    index: Ints
    """int64[faults], the index of each fault of the shard."""
    bits: Sequence[tuple[int, int, int, int]]
    """The shard's number of each fault, the first and last tick with it, and the number in the
    merged ledger."""

    def indices(self, fault: Ints) -> Ints:
        """Return the indices of faults that are given by those of the shard; NONE stays."""
        known = fault != NONE
        return np.where(known, self.index[np.where(known, fault, 0)], NONE)

    def labels(self, mask: Ints, tick: Ints) -> Ints:
        """Return the labels of readings that left in these ticks, int64[n] each."""
        new = np.zeros(len(mask), np.int64)
        for number, since, until, bit in self.bits:
            has = (mask >> number & 1).astype(np.bool_) & (since <= tick) & (tick <= until)
            new[has] |= np.int64(1) << bit
        return new


def merge_faults(
    parts: Sequence[ShardLedger],
) -> tuple[list[FaultRow], list[FaultNumbers]]:
    """Return the merged faults, and their numbers for each shard.

    Raises UsageError if the shards have other faults in their configuration, or more than 63 at
    once.
    """
    query = "SELECT fault, id, type, of, number, since, until FROM faults ORDER BY fault"
    rows: list[list[FaultRow]] = [[_row(row) for row in part.reader.rows(query)] for part in parts]
    if all(one == rows[0] for one in rows):
        same = FaultNumbers(True, np.arange(len(rows[0])), ())
        return rows[0], [same] * len(parts)
    last = [_last_ticks(part, own) for part, own in zip(parts, rows, strict=True)]
    merged: list[FaultRow] = []
    index: list[dict[int, int]] = [{} for _ in parts]
    ends: list[int] = []
    # Faults of the configuration have the same index everywhere; injected ones may be of one
    # shard, or of several.
    groups = woven(rows, lambda row: (row[5], row[1], row[2]))
    for group in sorted(groups, key=lambda group: group[0][1][5]):
        _, (_, id, type, of, number, since, _) = group[0]
        fault = len(merged)
        until = max(last[place][row[0]] for place, row in group)
        if since or any(number == row[4] for row in merged):
            number = _free(merged, ends, since)
        merged.append((fault, id, type, of, number, since, None))
        ends.append(until)
        for place, row in group:
            index[place][row[0]] = fault
    return merged, [
        FaultNumbers(
            False,
            np.array([own[row[0]] for row in every], np.int64),
            [
                (row[4], row[5], _FOREVER if row[6] is None else row[6], merged[own[row[0]]][4])
                for row in every
            ],
        )
        for every, own in zip(rows, index, strict=True)
    ]


def _free(merged: list[FaultRow], ends: Sequence[int], since: int) -> int:
    """Return a number that no fault has at a tick, and note the end of the one that had it."""
    taken = {row[4] for row, end in zip(merged, ends, strict=True) if end >= since}
    number = next((n for n in range(_NUMBERS) if n not in taken), None)
    if number is None:
        raise UsageError(
            f"error: the shards have more than {_NUMBERS} faults at tick {since:,}, the most that "
            "one ledger can hold"
        )
    for place, row in enumerate(merged):
        if row[4] == number and row[6] is None:
            merged[place] = (*row[:6], since - 1)
    return number


def _last_ticks(part: ShardLedger, faults: Sequence[FaultRow]) -> dict[int, int]:
    """Return the last tick in which each fault of a shard uses its number."""
    last = {row[0]: _FOREVER if row[6] is None else row[6] for row in faults}
    ends = _ends(part)
    injected = [row for row in faults if (row[1], row[5]) in ends]
    if not injected:
        return last
    for row in injected:
        last[row[0]] = min(last[row[0]], ends[row[1], row[5]])
    # Readings that were held back leave with the label of a fault that has ended.
    for query in (
        "SELECT batch, rows, faults FROM packed_labels",
        "SELECT known, rows, faults FROM packed_unsent WHERE rows > 0",
    ):
        for tick, count, packed in part.reader.each(query):
            mask = int(np.bitwise_or.reduce(unpack([packed], [count])))
            for fault, _, _, _, number, since, until in injected:
                if mask >> number & 1 and since <= tick <= (tick if until is None else until):
                    last[fault] = max(last[fault], tick)
    return last


def _ends(part: ShardLedger) -> dict[tuple[str, int], int]:
    """Return the tick in which each injected fault has ended, by its id and first tick."""
    injected: dict[tuple[str, str], tuple[str, int]] = {}
    query = "SELECT tick, instruction, source FROM instructions ORDER BY tick, sequence"
    for tick, text, source in part.reader.each(query):
        table = json.loads(text)
        if table["command"] == "inject_fault" and "unreadable" not in table:
            own = table.get("fault") or table.get("type", "")
            injected.setdefault((table["id"], source), (own, tick))
    query = (
        "SELECT command_id, source, tick FROM acknowledgements WHERE status = 'completed' "
        # A fault that has failed keeps its number.
        "OR (status = 'cancelled' AND reason LIKE 'by %')"
    )
    return {
        injected[id, source]: tick
        for id, source, tick in part.reader.each(query)
        if (id, source) in injected
    }


def _row(row: tuple[Any, ...]) -> FaultRow:
    fault, id, type, of, number, since, until = row
    return fault, id, type, of, number, since, until
