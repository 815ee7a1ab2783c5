"""The insertion of many rows with few statements.

Python releases its global lock around every statement. If another thread computes, regaining the
lock takes up to 5 ms. The cost therefore depends on the number of statements, not on the number of
rows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Any

# The numbers of rows in one statement. They are few, because SQLite keeps every prepared statement.
_SIZES = (64, 8, 1)


def insert(connection: sqlite3.Connection, table: str, rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows that have a value for every column."""
    start = 0
    for size in _SIZES:
        while len(rows) - start >= size:
            part = rows[start : start + size]
            connection.execute(_statement(table, len(part[0]), size), [*chain.from_iterable(part)])
            start += size


@cache
def _statement(table: str, width: int, count: int) -> str:
    row = f"({', '.join('?' * width)})"
    return f"INSERT INTO {table} VALUES {', '.join([row] * count)}"
