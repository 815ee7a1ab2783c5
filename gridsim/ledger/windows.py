"""The readings of a ledger as NumPy columns, a window of ticks at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridsim.ledger.columns import NONE, Ints, unpack

ROWS = 500_000
"""The default number of readings of a window."""

_QUERY = """
SELECT b.tick, b.first, b.rows, r.tick, r.device, r.output, r.meter, r.baseline, r.soc,
  w.rows, w.place, w.shift_ms, w.online, w.output, w.meter, w.soc,
  l.rows, l.place, l.faults, l.altered, l.copy, c.rows, c.place, c.since_ms
FROM batches b JOIN packed_readings r ON r.batch = b.tick
LEFT JOIN packed_reported w ON w.batch = b.tick
LEFT JOIN packed_labels l ON l.batch = b.tick
LEFT JOIN packed_connections c ON c.batch = b.tick
ORDER BY b.tick
"""


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """The readings that were sent in consecutive ticks, as columns of length n, by number.

    Powers are in hundredths of a kW, states of charge in tenths of a percent, times in ms since
    1970, UTC. NONE means no value.
    """

    number: Ints
    batch: Ints
    """The tick in which the reading was sent."""
    tick: Ints
    """The tick in which the reading was taken."""
    device: Ints
    output: Ints
    """The true output. The next three columns are true too."""
    meter: Ints
    baseline: Ints
    soc: Ints
    differs: NDArray[np.bool_]
    """True if the sent reading differs from the true values, or is not online."""
    sent_ms: Ints
    """The timestamp as it was sent."""
    online: NDArray[np.bool_]
    sent_output: Ints
    sent_meter: Ints
    sent_soc: Ints
    since_ms: Ints
    """The start of the device's connection."""
    connects: NDArray[np.bool_]
    """True for the first reading of a connection."""
    faults: NDArray[np.uint64]
    """Bit i is set if the fault with the number i affected the reading."""
    altered: Ints
    """The fault that altered the reading's message; -1 if none did."""
    copy: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.number)


@dataclass(frozen=True, slots=True, eq=False)
class Unsent:
    """The readings that were never sent, as columns of length n."""

    known: Ints
    """The tick in which it was known that the reading would not be sent."""
    tick: Ints
    device: Ints
    output: Ints
    meter: Ints
    baseline: Ints
    soc: Ints
    sent_ms: Ints
    """The timestamp that the reading would have had."""
    faults: NDArray[np.uint64]
    copy: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.known)


def read_windows(
    connection: sqlite3.Connection, start_ms: int, tick_ms: int, rows: int
) -> Iterator[Window]:
    """Yield all readings, by number, in windows of whole ticks."""
    [(devices,)] = connection.execute("SELECT count(*) FROM devices")
    connected_ms = np.full(devices, NONE, np.int64)
    batches: list[tuple[Any, ...]] = []
    total = 0
    with closing(connection.execute(_QUERY)) as cursor:
        for batch in cursor:
            if batches and total + batch[2] > rows:
                yield _window(batches, start_ms, tick_ms, connected_ms)
                batches, total = [], 0
            batches.append(batch)
            total += batch[2]
    if batches:
        yield _window(batches, start_ms, tick_ms, connected_ms)


def read_unsent(connection: sqlite3.Connection, start_ms: int, tick_ms: int) -> Unsent:
    """Return the readings that were never sent."""
    query = (
        "SELECT known, rows, tick, device, output, meter, baseline, soc, shift_ms, faults, copy "
        "FROM packed_unsent ORDER BY known"
    )
    found = connection.execute(query).fetchall()
    known, rows, *packed = zip(*found, strict=True) if found else [()] * 11
    tick, device, output, meter, baseline, soc, shift_ms, faults, copy = (
        unpack(column, rows) for column in packed
    )
    return Unsent(
        np.repeat(np.array(known, np.int64), rows), tick, device, output, meter, baseline, soc,
        start_ms + tick * tick_ms + shift_ms, faults.view(np.uint64), copy != 0,
    )  # fmt: skip


def join_windows(windows: Iterable[Window]) -> Window:
    """Return all windows as one."""
    none, false = np.empty(0, np.int64), np.empty(0, np.bool_)
    empty = Window(
        number=none, batch=none, tick=none, device=none, output=none, meter=none, baseline=none,
        soc=none, differs=false, sent_ms=none, online=false, sent_output=none, sent_meter=none,
        sent_soc=none, since_ms=none, connects=false, faults=np.empty(0, np.uint64), altered=none,
        copy=false,
    )  # fmt: skip
    parts = [empty, *windows]
    names = [field.name for field in fields(Window)]
    return Window(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _window(
    batches: Sequence[tuple[Any, ...]], start_ms: int, tick_ms: int, connected_ms: Ints
) -> Window:
    columns = list(zip(*batches, strict=True))
    ticks, firsts, rows = (np.array(column, np.int64) for column in columns[:3])
    counts = columns[2]
    starts = np.cumsum(rows) - rows
    tick = unpack(columns[3], counts)
    device = unpack(columns[4], counts, places=True)
    output, meter, baseline, soc = (unpack(column, counts) for column in columns[5:9])
    differs = np.zeros(len(tick), np.bool_)
    sent_ms = start_ms + tick * tick_ms
    online = np.ones(len(tick), np.bool_)
    sent = [output, meter, soc]
    at, (shift_ms, up, *values) = _sparse(columns[9:16], starts)
    if len(at):
        differs[at] = True
        sent_ms[at] += shift_ms
        online[at] = up != 0
        sent = [column.copy() for column in sent]
        for column, part in zip(sent, values, strict=True):
            column[at] = part
    faults = np.zeros(len(tick), np.uint64)
    altered = np.full(len(tick), -1, np.int64)
    copy = np.zeros(len(tick), np.bool_)
    at, (mask, by, again) = _sparse(columns[16:21], starts)
    faults[at] = mask.view(np.uint64)
    altered[at] = np.where(by == NONE, -1, by)
    copy[at] = again != 0
    at, (since_ms,) = _sparse(columns[21:24], starts)
    connects = np.zeros(len(tick), np.bool_)
    connects[at] = True
    sent_output, sent_meter, sent_soc = sent
    return Window(
        number=np.arange(len(tick)) + np.repeat(firsts - starts, rows),
        batch=np.repeat(ticks, rows),
        tick=tick,
        device=device,
        output=output,
        meter=meter,
        baseline=baseline,
        soc=soc,
        differs=differs,
        sent_ms=sent_ms,
        online=online,
        sent_output=sent_output,
        sent_meter=sent_meter,
        sent_soc=sent_soc,
        since_ms=_connections(device, at, start_ms + since_ms, connected_ms),
        connects=connects,
        faults=faults,
        altered=altered,
        copy=copy,
    )


def _sparse(columns: Sequence[Sequence[Any]], starts: Ints) -> tuple[Ints, list[Ints]]:
    """Return the rows of a sparse table in the window, and its columns."""
    counts, places, *packed = columns
    there = [i for i, count in enumerate(counts) if count]
    rows = [counts[i] for i in there]
    own = unpack([places[i] for i in there], rows, places=True)
    at: Ints = own + np.repeat(starts[there], rows)
    return at, [unpack([column[i] for i in there], rows) for column in packed]


def _connections(device: Ints, at: Ints, since_ms: Ints, connected_ms: Ints) -> Ints:
    """Return the start of each reading's connection.

    `since_ms` has the starts of new connections, from the rows `at` on. `connected_ms`,
    int64[devices], has those of earlier readings and is updated.
    """
    connected: Ints = connected_ms[device]
    if not len(at):
        return connected
    new = np.zeros(len(connected_ms), np.bool_)
    new[device[at]] = True
    rows = np.flatnonzero(new[device])
    # Device and row are combined, so that one search finds the last new connection of a device.
    span = len(device)
    order = np.argsort(device[at] * span + at)
    keys, starts = (device[at] * span + at)[order], since_ms[order]
    found = np.searchsorted(keys, device[rows] * span + rows, "right") - 1
    own = found >= 0
    own[own] = keys[found[own]] // span == device[rows][own]
    connected[rows[own]] = starts[found[own]]
    connected_ms[keys // span] = starts
    return connected
