"""The fates of readings in a ledger that a resumed run continues."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest

from gridsim.ledger.resuming import _rewind_fates
from gridsim.ledger.schema import TABLES


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript(TABLES)
        connection.execute("INSERT INTO fates VALUES (1, 0, 99, 'delivered', '', 7)")
        for first, rows in ((0, 10), (10, 5), (20, 10)):
            connection.execute(
                "INSERT INTO fates VALUES (0, ?, ?, 'delivered', '', 7)", (first, rows)
            )
        yield connection


@pytest.mark.parametrize(
    ("first", "held", "left", "unknown"),
    [
        (30, [], [(0, 10), (10, 5), (20, 10)], [(15, 20)]),
        (31, [], [(0, 10), (10, 5), (20, 10)], [(15, 20), (30, 31)]),
        (20, [], [(0, 10), (10, 5)], [(15, 20)]),
        (15, [], [(0, 10), (10, 5)], []),
        (14, [], [(0, 10), (10, 4)], []),
        (0, [], [], []),
        (30, [(8, 4), (15, 5)], [(0, 8), (12, 3), (20, 10)], []),
        (30, [(0, 30)], [], []),
        (30, [(2, 1), (29, 1)], [(0, 2), (3, 7), (10, 5), (20, 9)], [(15, 20)]),
    ],
)
def test_only_readings_that_are_not_sent_again_keep_their_fate(
    database: sqlite3.Connection,
    first: int,
    held: Sequence[tuple[int, int]],
    left: list[tuple[int, int]],
    unknown: list[tuple[int, int]],
) -> None:
    assert _rewind_fates(database, 0, first, held) == unknown
    query = "SELECT first, rows FROM fates WHERE transport = ? ORDER BY first"
    assert database.execute(query, (0,)).fetchall() == left
    assert database.execute(query, (1,)).fetchall() == [(0, 99)]
