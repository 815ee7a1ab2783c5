"""Rows are inserted with few statements, of which there are few: SQLite keeps each of them."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing

import pytest

from gridsim.ledger.insert import insert


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 63, 64, 65, 200])
def test_every_row_is_inserted_in_order(count: int) -> None:
    rows = [(number, bytes([number]), None) for number in range(count)]
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t (a, b, c)")
        insert(connection, "t", rows)
        assert connection.execute("SELECT * FROM t ORDER BY rowid").fetchall() == rows


def test_any_number_of_rows_needs_three_statements() -> None:
    """At 20,000 DERs their memory was once 900 MB: 128 statements of 32,766 values."""
    statements = set()

    def seen(sql: str) -> None:
        statements.add(re.sub(r"\b\d+\b", "?", sql))

    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (a, b, c)")
        connection.set_trace_callback(seen)
        for count in range(300):
            insert(connection, "t", [(7, 8, 9)] * count)
        [(total,)] = connection.execute("SELECT count(*) FROM t")
    assert total == sum(range(300))
    inserts = [sql for sql in statements if sql.startswith("INSERT")]
    assert sorted(sql.count("?") for sql in inserts) == [3, 24, 192]
