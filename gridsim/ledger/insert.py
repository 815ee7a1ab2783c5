"""Many rows by few statements.

Python gives its lock away around every statement, and takes up to 5 ms to get it back from a
thread that computes: what counts is how many statements there are, not how many rows.
"""

from __future__ import annotations

import sqlite3
from functools import lru_cache

from gridsim.ledger.rows import NONE, Ints

# SQLite takes 32,766 values in one statement.
_VALUES = 32_766


def insert(connection: sqlite3.Connection, table: str, rows: Ints, *, keyed: bool = True) -> None:
    """Inserts int64[n, columns]; without `keyed` the table's first column numbers itself."""
    if not len(rows):
        return
    width = rows.shape[1]
    at_once = _VALUES // width
    values = rows.ravel().tolist()
    missing = bool((rows == NONE).any())
    for start in range(0, len(rows), at_once):
        count = min(at_once, len(rows) - start)
        part = values[start * width : (start + count) * width]
        connection.execute(_statement(table, width, count, keyed, missing), part)


@lru_cache(maxsize=64)
def _statement(table: str, width: int, count: int, keyed: bool, missing: bool) -> str:
    value = f"nullif(?, {NONE + 1} - 1)" if missing else "?"
    row = ", ".join([*([] if keyed else ["NULL"]), *[value] * width])
    return f"INSERT INTO {table} VALUES {', '.join([f'({row})'] * count)}"
