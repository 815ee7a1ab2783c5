"""The insertion of many rows with few statements.

Python releases its global lock around every statement. If another thread computes, it takes up
to 5 ms to get the lock back. So the cost depends on the number of statements, not of rows.
"""

from __future__ import annotations

import sqlite3
from functools import lru_cache

from gridsim.ledger.rows import NONE, Ints

# SQLite accepts up to 32,766 values in one statement.
_VALUES = 32_766


def insert(connection: sqlite3.Connection, table: str, rows: Ints, *, keyed: bool = True) -> None:
    """Insert int64[n, columns]; without `keyed` SQLite assigns the first column."""
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
