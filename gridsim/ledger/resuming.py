"""A ledger that a resumed run continues: what was written after the checkpoint is removed."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from gridsim.ledger.about import About
from gridsim.ledger.columns import NONE, Ints
from gridsim.ledger.file import LedgerError, is_ledger, read_only
from gridsim.ledger.insert import insert
from gridsim.ledger.windows import read_windows
from gridsim.version import __version__

KILLED: Final = "the run was killed"
"""The reason of readings whose fate is not known, because the run that sent them was killed."""
# The column with the tick, for each table that has one.
_BY_TICK: Final = {
    "batches": "tick",
    "packed_readings": "batch",
    "packed_reported": "batch",
    "packed_labels": "batch",
    "packed_connections": "batch",
    "packed_unsent": "known",
    "instructions": "tick",
    "acknowledgements": "tick",
    "offers": "tick",
}
POSITIONS: Final = ("episodes", "settlements", "unmeasured")
"""The tables whose rows are counted, because they have no column with the tick."""
_ROWS: Final = 500_000


@dataclass(frozen=True, slots=True)
class Continuation:
    """The point from which a run that was killed goes on."""

    tick: int = 0
    """The first tick that is stepped again."""
    readings: int = 0
    """The number of readings before it."""
    positions: Mapping[str, int] = field(default_factory=dict)
    """The number of rows before it, for each of `POSITIONS`."""
    handed_on: int = 0
    """The first tick that was not handed to the transports."""
    handed: int = 0
    """The number of the first reading of that tick."""
    sent_from: Sequence[int] = ()
    """The number of the first reading that is sent, or sent again, for each transport."""
    missing: tuple[int, int] | None = None
    """The first and the last tick that are never sent; None if there is none."""
    on_recovery: str = ""
    held: Sequence[Sequence[tuple[int, int]]] = ()
    """For each transport the readings that its spool keeps: the number of the first, and rows."""


@dataclass(frozen=True, slots=True)
class Rewound:
    """The facts that a ledger has of the time before a checkpoint, and of lost fates after it."""

    connected_ms: Ints
    """The start of each device's last connection, int64[devices]."""
    settlements: int
    unknown: Sequence[Sequence[tuple[int, int]]]
    """For each transport the ranges of numbers after the checkpoint that are not sent again, and
    whose fate was not written before the kill."""


def missing_readings(path: Path, run: str, tick: int, readings: int) -> str:
    """Return why a ledger does not fit a checkpoint; "" if it does, or if it cannot be read."""
    query = "SELECT value, (SELECT ifnull(sum(rows), 0) FROM batches WHERE tick < ?) FROM meta"
    try:
        with closing(sqlite3.connect(read_only(path), uri=True)) as connection:
            own, found = connection.execute(f"{query} WHERE key = 'run'", (tick,)).fetchone()
    except (sqlite3.Error, TypeError):
        return ""
    if own != run or found == readings:
        return ""
    return f"the ledger {path} has {found:,} of the {readings:,} readings before it"


def run_of(path: Path) -> str:
    """Return the id of the run that a ledger belongs to; "" if it cannot be read."""
    try:
        with closing(sqlite3.connect(read_only(path), uri=True)) as connection:
            row = connection.execute("SELECT value FROM meta WHERE key = 'run'").fetchone()
    except sqlite3.Error:
        return ""
    return "" if row is None else str(row[0])


def is_unused(path: Path) -> bool:
    """Return whether there is no ledger at a path, or one that a run has not begun to write."""
    try:
        return (
            not path.exists() or not path.stat().st_size or (is_ledger(path) and not run_of(path))
        )
    except OSError:
        return False


def rewind(connection: sqlite3.Connection, path: Path, about: About, at: Continuation) -> Rewound:
    """Remove what was written after a checkpoint, and note the resumption. A transaction is open.

    Readings from before the checkpoint without a fate, which no spool holds, were lost with the
    run, or their fates were: they are unconfirmed. Raises LedgerError if the ledger lacks readings
    from before the checkpoint.
    """
    for table, column in _BY_TICK.items():
        connection.execute(f"DELETE FROM {table} WHERE {column} >= ?", (at.tick,))
    for table in POSITIONS:
        connection.execute(f"DELETE FROM {table} WHERE rowid > ?", (at.positions.get(table, 0),))
    settlements = at.positions.get("settlements", 0)
    # Those that belong to settlements before the checkpoint are replaced by the same again.
    for table in ("violations", "true_reductions"):
        connection.execute(f"DELETE FROM {table} WHERE settlement > ?", (settlements,))
    # A reload just before the checkpoint is part of it.
    connection.execute(
        "DELETE FROM reloads WHERE tick > ? OR (tick = ? AND configuration != ?)",
        (at.tick, at.tick, about.configuration_hash),
    )
    reloaded = connection.execute("SELECT 1 FROM reloads WHERE tick = ?", (at.tick,)).fetchone()
    configured = len(about.scenario.faults)
    connection.execute(
        "DELETE FROM faults WHERE fault >= ? AND since >= ?",
        (configured, at.tick + (reloaded is not None)),
    )
    connection.execute("UPDATE faults SET until = NULL WHERE until >= ?", (at.tick - 1,))
    [(readings,)] = connection.execute("SELECT ifnull(sum(rows), 0) FROM batches")
    if readings != at.readings:
        raise LedgerError(
            f"the ledger {path} has {readings:,} of the {at.readings:,} readings before the "
            "checkpoint: start a new run with another ledger"
        )
    now_ms = time.time_ns() // 1_000_000
    unknown = []
    for transport, first in enumerate(at.sent_from):
        held = at.held[transport] if at.held else ()
        gaps = _rewind_fates(connection, transport, first, held)
        rows = [
            (transport, start, min(end, at.readings) - start, "unconfirmed", KILLED, now_ms)
            for start, end in gaps
            if start < at.readings
        ]
        insert(connection, "fates", rows)
        unknown.append([(max(start, at.readings), end) for start, end in gaps if end > at.readings])
        again = [*held, (first, at.handed - first)]
        retries = [(transport, start, rows, now_ms) for start, rows in again if rows > 0]
        insert(connection, "retries", retries)
    first_missing, last_missing = at.missing or (None, None)
    connection.execute(
        "INSERT INTO resumptions VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)",
        (
            at.tick,
            at.handed_on,
            first_missing,
            last_missing,
            at.on_recovery,
            now_ms,
            __version__,
        ),
    )
    connection.execute("UPDATE meta SET value = 0 WHERE key IN ('complete', 'ticks')")
    return Rewound(_connections(connection, about), settlements, unknown)


def _rewind_fates(
    connection: sqlite3.Connection, transport: int, first: int, held: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Remove the fates of readings that are sent again: from the number `first` on, and `held`.

    A spool may hold readings whose fate it has not noted yet. Returns the ranges of earlier
    readings without a fate, which no spool holds.
    """
    for start, end in (*((one, one + rows) for one, rows in held), (first, None)):
        _forget(connection, transport, start, end)
    query = "SELECT first, rows FROM fates WHERE transport = ?"
    known = [*connection.execute(query, (transport,)), *held]
    return list(_gaps(known, first))


def _forget(connection: sqlite3.Connection, transport: int, start: int, end: int | None) -> None:
    """Remove the fates of the readings from `start` to before `end`; None: of all later ones."""
    where = "WHERE transport = ? AND first + rows > ?"
    values = [transport, start]
    if end is not None:
        where += " AND first < ?"
        values.append(end)
    query = f"SELECT first, rows, fate, reason, wall_ms FROM fates {where}"
    kept = []
    for first, rows, *fate in connection.execute(query, values).fetchall():
        if first < start:
            kept.append((transport, first, start - first, *fate))
        if end is not None and first + rows > end:
            kept.append((transport, end, first + rows - end, *fate))
    connection.execute(f"DELETE FROM fates {where}", values)
    insert(connection, "fates", kept)


def _gaps(known: Sequence[tuple[int, int]], end: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges of numbers below `end` that no (first, rows) covers."""
    at = 0
    for first, rows in sorted(known):
        if first >= end:
            break
        if first > at:
            yield at, first
        at = max(at, first + rows)
    if at < end:
        yield at, end


def _connections(connection: sqlite3.Connection, about: About) -> Ints:
    """Return the start of each device's last connection, as the ledger has it."""
    scenario = about.scenario
    [(devices,)] = connection.execute("SELECT count(*) FROM devices")
    since_ms = np.full(devices, NONE, np.int64)
    for window in read_windows(connection, scenario.start_ms, scenario.tick_ms, _ROWS):
        at = np.flatnonzero(window.connects)
        since_ms[window.device[at]] = window.since_ms[at]
    return since_ms
