"""The readings of a ledger as rows of temporary tables, for SQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import repeat
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gridsim.ledger.columns import NONE
from gridsim.ledger.insert import insert
from gridsim.ledger.reader import Reader
from gridsim.ledger.schema import TIME
from gridsim.ledger.windows import Unsent, Window

_ROWS = 50_000

# Powers in hundredths of a kW, states of charge in tenths of a percent, times in ms since 1970.
TABLES: Final = {
    "readings": "number INTEGER PRIMARY KEY, tick, device, output, meter, baseline, soc",
    "reported": "number INTEGER PRIMARY KEY, time_ms, online, output, meter, soc",
    "labels": "number INTEGER PRIMARY KEY, faults, altered, copy",
    "connections": "number INTEGER PRIMARY KEY, device, since_ms",
    "unsent": (
        "unsent INTEGER PRIMARY KEY, known, tick, device, output, meter, baseline, soc, time_ms, "
        "faults, copy"
    ),
}
"""The columns of the temporary tables."""

_START = "(SELECT value FROM meta WHERE key = 'start_ms')"
_TICK = "(SELECT value FROM meta WHERE key = 'tick_ms')"
_LEFT = "(SELECT b.tick FROM batches b WHERE b.first <= l.number ORDER BY b.first DESC LIMIT 1)"
"""The tick in which a labelled reading was sent."""
_TRUE_TIME = f"({_START} + r.tick * {_TICK})"

_VIEWS: Final = f"""
CREATE TEMP VIEW truth AS SELECT
  r.number, r.tick AS seq, {TIME.format(_TRUE_TIME)} AS timestamp, p.project_id, d.der_id,
  d.type, r.output / 100.0 AS current_output, r.meter / 100.0 AS power_meter_measurement,
  r.baseline / 100.0 AS baseline, r.soc / 10.0 AS current_soc,
  coalesce(l.faults, 0) AS faults, coalesce(l.copy, 0) AS copy
FROM readings r JOIN devices d USING (device) JOIN projects p USING (project)
LEFT JOIN labels l USING (number);
CREATE TEMP VIEW messages AS SELECT
  r.number, r.tick AS seq,
  {TIME.format(f"coalesce(w.time_ms, {_TRUE_TIME})")} AS timestamp, p.project_id, d.der_id,
  d.type, coalesce(w.online, 1) AS is_online,
  CASE WHEN w.number IS NULL THEN r.output ELSE w.output END / 100.0 AS current_output,
  CASE WHEN w.number IS NULL THEN r.meter ELSE w.meter END / 100.0 AS power_meter_measurement,
  r.baseline / 100.0 AS baseline,
  CASE WHEN w.number IS NULL THEN r.soc ELSE w.soc END / 10.0 AS current_soc,
  coalesce(l.faults, 0) AS faults, f.id AS altered_by, coalesce(l.copy, 0) AS copy
FROM readings r JOIN devices d USING (device) JOIN projects p USING (project)
LEFT JOIN reported w USING (number) LEFT JOIN labels l USING (number)
LEFT JOIN faults f ON f.fault = l.altered;
CREATE TEMP VIEW affected AS SELECT l.number, f.id AS fault
FROM labels l JOIN faults f ON (l.faults >> f.number) & 1 AND {_LEFT} >= f.since
  AND (f.until IS NULL OR {_LEFT} <= f.until);
"""


def create_tables(connection: sqlite3.Connection) -> None:
    """Create the temporary tables, empty, and their views."""
    for name, columns in TABLES.items():
        connection.execute(f"CREATE TEMP TABLE {name} ({columns})")
    for statement in _VIEWS.split(";\n"):
        connection.execute(statement)


def fill_tables(connection: sqlite3.Connection, reader: Reader, names: set[str]) -> None:
    """Fill the named temporary tables of a connection from a ledger.

    The connection must be in autocommit mode.
    """
    connection.execute("BEGIN")
    if "unsent" in names:
        insert(connection, "temp.unsent", list(_unsent(reader.unsent())))
    names = names - {"unsent"}
    for window in reader.windows(_ROWS) if names else ():
        if "readings" in names:
            insert(connection, "temp.readings", list(_readings(window)))
        if "reported" in names:
            insert(connection, "temp.reported", list(_reported(window)))
        if "labels" in names:
            insert(connection, "temp.labels", list(_labels(window)))
        if "connections" in names:
            insert(connection, "temp.connections", list(_connections(window)))
    connection.execute("COMMIT")


def _readings(window: Window) -> Iterator[tuple[Any, ...]]:
    values = (window.output, window.meter, window.baseline, window.soc)
    keys = (column.tolist() for column in (window.number, window.tick, window.device))
    return zip(*keys, *map(_values, values), strict=True)


def _reported(window: Window) -> Iterator[tuple[Any, ...]]:
    at = np.flatnonzero(window.differs)
    values = (window.sent_output, window.sent_meter, window.sent_soc)
    return zip(
        window.number[at].tolist(),
        window.sent_ms[at].tolist(),
        window.online[at].astype(np.int64).tolist(),
        *(_values(column[at]) for column in values),
        strict=True,
    )


def _labels(window: Window) -> Iterator[tuple[Any, ...]]:
    at = np.flatnonzero((window.faults != 0) | (window.altered >= 0) | window.copy)
    altered = window.altered[at]
    return zip(
        window.number[at].tolist(),
        window.faults[at].view(np.int64).tolist(),
        _values(np.where(altered < 0, NONE, altered)),
        window.copy[at].astype(np.int64).tolist(),
        strict=True,
    )


def _connections(window: Window) -> Iterator[tuple[Any, ...]]:
    at = np.flatnonzero(window.connects)
    columns = (window.number, window.device, window.since_ms)
    return zip(*(column[at].tolist() for column in columns), strict=True)


def _unsent(unsent: Unsent) -> Iterator[tuple[Any, ...]]:
    keys = (column.tolist() for column in (unsent.known, unsent.tick, unsent.device))
    values = (unsent.output, unsent.meter, unsent.baseline, unsent.soc)
    return zip(
        repeat(None, len(unsent)),
        *keys,
        *map(_values, values),
        unsent.sent_ms.tolist(),
        unsent.faults.view(np.int64).tolist(),
        unsent.copy.astype(np.int64).tolist(),
        strict=True,
    )


def _values(column: NDArray[np.int64]) -> list[int | None]:
    values: list[int | None] = column.tolist()
    if (column == NONE).any():
        return [None if value == NONE else value for value in values]
    return values
