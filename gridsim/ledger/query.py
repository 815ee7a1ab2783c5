"""SQL over a whole ledger, including its readings."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gridsim.errors import UsageError
from gridsim.ledger.file import read_only
from gridsim.ledger.reader import Reader
from gridsim.ledger.tables import TABLES, create_tables, fill_tables

_READING = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)


@dataclass(frozen=True, slots=True)
class LedgerQuery:
    """The result of a query: names of columns, and an iterator over the rows."""

    columns: Sequence[str]
    rows: Iterator[tuple[Any, ...]]


@contextmanager
def query(path: Path, sql: str) -> Iterator[LedgerQuery]:
    """Run a SELECT over the tables and views of a ledger, including those with its readings.

    Readings are unpacked into temporary tables first, if the query needs them. Raises NotALedger,
    and UsageError if the SQL is invalid or does more than read.
    """
    with Reader(path) as reader, closing(_connect(path)) as connection:
        create_tables(connection)
        needed = _Needed()
        connection.set_authorizer(needed)
        try:
            connection.execute(f"EXPLAIN {sql}").close()
            connection.set_authorizer(None)
            fill_tables(connection, reader, needed.tables)
            connection.set_authorizer(needed)
            cursor = connection.execute(sql)
            names = [column[0] for column in cursor.description]
            yield LedgerQuery(names, _rows(cursor))
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise _invalid(error, needed) from error


def describe(path: Path) -> Iterator[str]:
    """Yield a line for each table and view that a query can name, with its columns."""
    with Reader(path), closing(_connect(path)) as connection:
        create_tables(connection)
        every = "SELECT name FROM {} WHERE type IN ('table', 'view') ORDER BY type DESC, rowid"
        for schema in ("sqlite_temp_schema", "sqlite_schema"):
            for (name,) in connection.execute(every.format(schema)).fetchall():
                columns = connection.execute("SELECT name FROM pragma_table_info(?)", (name,))
                yield f"{name}: {', '.join(column for (column,) in columns)}"


class _Needed:
    """SQLite's authorizer: collects the temporary tables that a query reads; refuses to write."""

    def __init__(self) -> None:
        self.tables: set[str] = set()
        self.refused = False

    def __call__(self, action: int, first: str | None, *_: str | None) -> int:
        if action == sqlite3.SQLITE_READ:
            if first in TABLES:
                self.tables.add(first)
            return sqlite3.SQLITE_OK
        if action in _READING:
            return sqlite3.SQLITE_OK
        self.refused = True
        return sqlite3.SQLITE_DENY


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(read_only(path), uri=True, isolation_level=None)


def _rows(cursor: sqlite3.Cursor) -> Iterator[tuple[Any, ...]]:
    with closing(cursor):
        yield from cursor


def _invalid(error: Exception, needed: _Needed) -> UsageError:
    if needed.refused:
        return UsageError("the query: error: a ledger can only be read; use one SELECT")
    return UsageError(f"the query: error: {error}")
