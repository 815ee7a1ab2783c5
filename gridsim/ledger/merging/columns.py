"""The readings of one shard as columns, with the numbers of the merged ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from gridsim.ledger.columns import Ints, unpack
from gridsim.ledger.merging.faults import FaultNumbers
from gridsim.ledger.merging.parts import ShardLedger

QUERY: Final = """
SELECT b.tick, b.rows, b.first, o.wall_ms,
  r.tick, r.device, r.output, r.meter, r.baseline, r.soc,
  w.rows, w.place, w.shift_ms, w.online, w.output, w.meter, w.soc,
  l.rows, l.place, l.faults, l.altered, l.copy, c.rows, c.place, c.since_ms
FROM batches b JOIN packed_readings r ON r.batch = b.tick
LEFT JOIN packed_reported w ON w.batch = b.tick
LEFT JOIN packed_labels l ON l.batch = b.tick
LEFT JOIN packed_connections c ON c.batch = b.tick
LEFT JOIN offers o ON o.tick = b.tick
WHERE b.rows > 0 ORDER BY b.tick
"""
# The columns of the query that belong to each sparse table.
_REPORTED, _LABELS, _CONNECTIONS = slice(10, 17), slice(17, 22), slice(22, 25)


@dataclass(frozen=True, slots=True, eq=False)
class Sparse:
    """The columns of some of the readings."""

    at: Ints
    """The index of each of these readings."""
    columns: Sequence[Ints]


@dataclass(frozen=True, slots=True, eq=False)
class ShardColumns:
    """Some batches of a shard, as columns of length n; `device` as in the merged ledger."""

    place: int
    """The place of the shard's ledger among those that are merged."""
    first: int
    """The shard's number of the first reading."""
    batch: Ints
    """The tick in which the reading was sent."""
    tick: Ints
    """The tick in which the reading was taken."""
    device: Ints
    output: Ints
    meter: Ints
    baseline: Ints
    soc: Ints
    reported: Sparse
    labels: Sparse
    connections: Sparse
    offered: Sequence[tuple[int, int]]
    """The time at which each batch was offered, UTC ms, after its tick."""

    @classmethod
    def of(
        cls,
        place: int,
        batches: Sequence[tuple[Any, ...]],
        part: ShardLedger,
        faults: FaultNumbers,
    ) -> ShardColumns:
        """Unpack the rows of `QUERY`."""
        columns = list(zip(*batches, strict=True))
        ticks, counts, firsts, walls = columns[:4]
        rows = np.array(counts, np.int64)
        starts = np.cumsum(rows) - rows
        batch = np.repeat(np.array(ticks, np.int64), rows)
        mask, altered, copy = (labels := _sparse(columns[_LABELS], starts)).columns
        if not faults.same:
            mask = faults.labels(mask, batch[labels.at])
            altered = faults.indices(altered)
        output, meter, baseline, soc = (unpack(column, counts) for column in columns[6:10])
        return cls(
            place=place,
            first=firsts[0],
            batch=batch,
            tick=unpack(columns[4], counts),
            device=part.device[unpack(columns[5], counts, places=True)],
            output=output,
            meter=meter,
            baseline=baseline,
            soc=soc,
            reported=_sparse(columns[_REPORTED], starts),
            labels=Sparse(labels.at, (mask, altered, copy)),
            connections=_sparse(columns[_CONNECTIONS], starts),
            offered=[(tick, wall) for tick, wall in zip(ticks, walls, strict=True) if wall],
        )

    @property
    def is_plain(self) -> bool:
        """True if every reading was sent once, in its own tick."""
        return not self.labels.columns[2].any() and bool((self.tick == self.batch).all())


def unsent_columns(row: Sequence[Any], part: ShardLedger, faults: FaultNumbers) -> tuple[Ints, ...]:
    """Return the columns of a row of `packed_unsent`, from `tick` on."""
    known, rows, *packed = row
    tick, device, *values, mask, copy = (unpack([one], [rows]) for one in packed)
    if not faults.same:
        mask = faults.labels(mask, np.full(rows, known))
    return (tick, part.device[device], *values, mask, copy)


def _sparse(columns: Sequence[Sequence[Any]], starts: Ints) -> Sparse:
    counts, places, *packed = columns
    there = [i for i, count in enumerate(counts) if count]
    rows = [counts[i] for i in there]
    own = unpack([places[i] for i in there], rows, places=True)
    at: Ints = own + np.repeat(starts[there], rows)
    return Sparse(at, [unpack([column[i] for i in there], rows) for column in packed])
