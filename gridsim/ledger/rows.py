"""The conversion of batches to rows of the ledger's tables, with a packed column in each field."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Batch, Floats, Labels, Roster
from gridsim.ledger.columns import NONE, Ints, Packed, pack, pack_places
from gridsim.ledger.insert import insert
from gridsim.simulation.scenario import Scenario

Row = tuple[Packed, ...]
Numbering = Callable[[Roster, NDArray[np.intp]], Ints]
"""A function that returns the ledger's numbers of devices, given by their indices in a roster."""


@dataclass(frozen=True, slots=True, eq=False)
class LedgerRows:
    """The rows that some batches add to the packed tables."""

    readings: Sequence[Row]
    reported: Sequence[Row]
    labels: Sequence[Row]
    connections: Sequence[Row]


class Packing:
    """The batches of consecutive ticks, joined so that small batches cost little."""

    def __init__(self, ticks: Sequence[int], batches: Sequence[Batch]) -> None:
        """Join batches that are not empty; `ticks` are those in which they were emitted."""
        self._ticks, self._batches = ticks, batches
        rows = [len(batch) for batch in batches]
        ends = np.cumsum(rows)
        self._starts: list[int] = (ends - rows).tolist()
        self._total = int(ends[-1])

    def rows(
        self, start_ms: int, tick_ms: int, connected_ms: Ints, number: Numbering
    ) -> LedgerRows:
        """Return the rows of the batches; `number` returns the ledger's numbers of devices.

        `connected_ms`, int64[devices], has the start of each device's last connection and is
        updated.
        """
        batches, starts = self._batches, self._starts
        tick, device = joined(batches, "tick"), numbered(batches, number)
        reported = _values(batches)
        shift_ms = joined(batches, "timestamp_ms") - (start_ms + tick * tick_ms)
        online = joined(batches, "is_online").astype(np.int64)
        differs = (shift_ms != 0) | (online == 0)
        true, labels = reported, None
        if any(batch.labels is not None for batch in batches):
            labels = [labels_of(batch) for batch in batches]
            true = _values(labels)
            for sent, actual in zip(reported, true, strict=True):
                differs |= sent != actual
        output, meter, soc = true
        baseline = scaled(joined(batches, "baseline"), 100)
        readings = zip(
            self._ticks,
            pack(tick, starts),
            pack_places(device, starts),
            *(pack(column, starts) for column in (output, meter, baseline, soc)),
            strict=True,
        )
        return LedgerRows(
            list(readings),
            self._some(differs, shift_ms, online, *reported),
            [] if labels is None else self._labels(labels),
            self._connections(device, start_ms, connected_ms),
        )

    def _labels(self, labels: Sequence[Labels]) -> Sequence[Row]:
        faults = joined(labels, "faults").view(np.int64)
        altered = joined(labels, "altered").astype(np.int64)
        copy = joined(labels, "copy").astype(np.int64)
        marked = (faults != 0) | (altered >= 0) | (copy != 0)
        return self._some(marked, faults, np.where(altered >= 0, altered, NONE), copy)

    def _connections(self, device: Ints, start_ms: int, last_ms: Ints) -> Sequence[Row]:
        """Return the readings with a new connection of their device."""
        since = joined(self._batches, "connection_start_ms")
        if (since == last_ms[device]).all():
            return []
        order = np.argsort(device, kind="stable")
        of, ordered = device[order], since[order]
        before = np.concatenate(([NONE], ordered[:-1]))
        first = np.ones(len(of), np.bool_)
        first[1:] = of[1:] != of[:-1]
        before[first] = last_ms[of[first]]
        last = np.roll(first, -1)
        last_ms[of[last]] = ordered[last]
        new = np.zeros(len(device), np.bool_)
        new[order[ordered != before]] = True
        return self._some(new, since - start_ms)

    def _some(self, which: NDArray[np.bool_], *columns: Ints) -> Sequence[Row]:
        """Return the rows of a sparse table: tick, number of rows, places in the batch, columns."""
        at = np.flatnonzero(which)
        bounds = (*self._starts, self._total)
        return sparse_rows(self._ticks, bounds, at, [column[at] for column in columns])


def sparse_rows(
    ticks: Sequence[int], bounds: Sequence[int], at: Ints, columns: Sequence[Ints]
) -> Sequence[Row]:
    """Return the rows of a sparse table: tick, number of rows, places in the batch, columns.

    Batch i has the readings from `bounds[i]` to before `bounds[i + 1]`; `at`, ascending, has the
    readings that the columns describe.
    """
    if not len(at):
        return []
    firsts = np.searchsorted(at, bounds)
    counts = np.diff(firsts)
    there = np.flatnonzero(counts).tolist()
    starts: list[int] = firsts[there].tolist()
    places = at - np.repeat(bounds[:-1], counts)
    return list(
        zip(
            (ticks[i] for i in there),
            counts[there].tolist(),
            pack_places(places, starts),
            *(pack(column, starts) for column in columns),
            strict=True,
        )
    )


def insert_batches(
    connection: sqlite3.Connection,
    scenario: Scenario,
    batches: Mapping[int, tuple[Batch, int]],
    connected_ms: Ints,
    number: Numbering,
) -> None:
    """Insert the batches of consecutive ticks, each with the time at which it was offered, UTC ms.

    They are not empty; `connected_ms` and `number` as in `Packing.rows`. A transaction is open.
    """
    if not batches:
        return
    packing = Packing([*batches], [batch for batch, _ in batches.values()])
    rows = packing.rows(scenario.start_ms, scenario.tick_ms, connected_ms, number)
    sizes = [(tick, batch.number, len(batch)) for tick, (batch, _) in batches.items()]
    for table, values in (
        ("batches", sizes),
        ("offers", [(tick, wall_ms) for tick, (_, wall_ms) in batches.items()]),
        ("packed_readings", rows.readings),
        ("packed_reported", rows.reported),
        ("packed_labels", rows.labels),
        ("packed_connections", rows.connections),
    ):
        insert(connection, table, values)


def unsent_row(
    batches: Sequence[Batch], known: int, start_ms: int, tick_ms: int, number: Numbering
) -> Row:
    """Return the row for the readings of batches that were never sent, as known at a tick."""
    labels = [labels_of(batch) for batch in batches]
    output, meter, soc = _values(labels)
    tick = joined(batches, "tick")
    columns = (
        tick,
        numbered(batches, number),
        output,
        meter,
        scaled(joined(batches, "baseline"), 100),
        soc,
        joined(batches, "timestamp_ms") - (start_ms + tick * tick_ms),
        joined(labels, "faults").view(np.int64),
        joined(labels, "copy").astype(np.int64),
    )
    return (known, len(tick), *(pack(column, [0])[0] for column in columns))


def numbered(batches: Sequence[Batch], number: Numbering) -> Ints:
    """Return the ledger's numbers of the devices of all batches."""
    parts = [number(batch.roster, batch.device) for batch in batches]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def scaled(values: Floats, factor: int) -> Ints:
    """Return values times `factor`, rounded to integers; NONE for NaN."""
    missing = np.isnan(values)
    if not missing.any():
        return np.rint(values * factor).astype(np.int64)
    return np.where(
        missing, NONE, np.rint(np.where(missing, 0.0, values) * factor).astype(np.int64)
    )


def labels_of(batch: Batch) -> Labels:
    """Return the batch's labels, or labels without any fault."""
    return Labels.blank(batch) if batch.labels is None else batch.labels


def _values(parts: Sequence[Batch] | Sequence[Labels]) -> tuple[Ints, Ints, Ints]:
    """Return output, meter and state of charge."""
    return (
        scaled(joined(parts, "current_output"), 100),
        scaled(joined(parts, "power_meter_measurement"), 100),
        scaled(joined(parts, "current_soc"), 10),
    )


def joined(parts: Sequence[Batch] | Sequence[Labels], name: str) -> NDArray[Any]:
    """Return a column of all parts."""
    columns = [getattr(part, name) for part in parts]
    return columns[0] if len(columns) == 1 else np.concatenate(columns)
