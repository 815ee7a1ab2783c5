"""The newest readings of one device, from a ledger that a run may still write."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np

from gridsim.ledger.columns import NONE, Packed

_QUERY = """
SELECT b.rows, r.tick, r.device, r.output, r.meter, r.soc,
  w.rows, w.place, w.output, w.meter, w.soc, l.rows, l.place, l.faults, l.altered, l.copy
FROM batches b JOIN packed_readings r ON r.batch = b.tick
LEFT JOIN packed_reported w ON w.batch = b.tick
LEFT JOIN packed_labels l ON l.batch = b.tick
WHERE b.tick BETWEEN ? AND ? AND b.rows > 0 ORDER BY b.tick DESC
"""
_INSTRUMENTS = "SELECT number, since, until FROM faults WHERE of = 'instrument'"
_UNSENT = """
SELECT rows, tick, device, output, meter, soc, copy FROM packed_unsent
WHERE known BETWEEN ? AND ? AND rows > 0 ORDER BY known DESC
"""


@dataclass(frozen=True, slots=True)
class PastReading:
    """One reading of a device, in the units of the ledger; NONE means no value."""

    tick: int
    true: tuple[int, int, int]
    """Output, meter and state of charge."""
    sent: tuple[int, int, int] | None
    """The same as sent; None if the reading was never sent."""
    faulty: bool
    """True if a fault affected the reading."""


def read_past(
    connection: sqlite3.Connection, device: int, first: int, last: int, budget_s: float
) -> list[PastReading]:
    """Return the readings of a device that were sent in the ticks `first` to `last`, by tick.
    Beyond `budget_s` the older ones are left out.
    """
    found: dict[int, PastReading] = {}
    until = time.monotonic() + budget_s
    instruments = connection.execute(_INSTRUMENTS).fetchall()
    with closing(connection.execute(_QUERY, (first, last))) as cursor:
        for row in cursor:
            for one in _sent(row, device, instruments):
                found.setdefault(one.tick, one)
            if time.monotonic() > until:
                break
    with closing(connection.execute(_UNSENT, (first, last))) as cursor:
        for rows, tick, places, *values, copy in cursor:
            for at in _places(places, rows, device):
                if not _value(copy, rows, at):
                    true = _values(values, rows, at)
                    own = _value(tick, rows, at)
                    found.setdefault(own, PastReading(own, true, None, True))
            if time.monotonic() > until:
                break
    return [found[tick] for tick in sorted(found)]


def _sent(
    row: Sequence[Any], device: int, instruments: Sequence[tuple[int, int, int | None]]
) -> Iterator[PastReading]:
    rows, tick, places = row[:3]
    for at in _places(places, rows, device):
        true = sent = _values(row[3:6], rows, at)
        differ = _among(row[6], row[7], at)
        if differ is not None:
            sent = _values(row[8:11], row[6], differ)
        faulty, label = False, _among(row[11], row[12], at)
        if label is not None:
            faults, altered, copy = (_value(column, row[11], label) for column in row[13:16])
            if copy:
                continue
            own = _value(tick, rows, at)
            for number, since, until in instruments:
                if since <= own and (until is None or own <= until):
                    faults &= ~(1 << number)
            faulty = bool(faults) or altered != NONE
        yield PastReading(_value(tick, rows, at), true, sent, faulty)


def _values(columns: Sequence[Packed], rows: int, at: int) -> tuple[int, int, int]:
    output, meter, soc = (_value(column, rows, at) for column in columns)
    return output, meter, soc


def _value(packed: Packed, rows: int, at: int) -> int:
    """Return one value of a packed column."""
    if not isinstance(packed, bytes):
        return NONE if packed is None else packed
    size = len(packed) // rows
    value = int.from_bytes(packed[at * size : (at + 1) * size], "little", signed=True)
    return NONE if value == -(1 << 8 * size - 1) else value


def _places(packed: Packed, rows: int, wanted: int) -> list[int]:
    """Return the places of a value in a packed column of places."""
    if packed is None:
        return [wanted] if wanted < rows else []
    if not isinstance(packed, bytes):
        return list(range(rows)) if packed == wanted else []
    return np.flatnonzero(np.frombuffer(packed, f"<i{len(packed) // rows}") == wanted).tolist()


def _among(rows: int | None, places: Packed, at: int) -> int | None:
    """Return the row of a sparse table for a place, or None."""
    return next(iter(_places(places, rows, at)), None) if rows else None
