"""Records of the code under test, in the forms in which a test may hold them."""

from __future__ import annotations

import enum
import sqlite3
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pydantic import BaseModel

from gridsim.errors import UsageError
from gridsim.fixture.records import rows_of

AT = datetime(2026, 7, 1, 12, 30, 0, 250_000, tzinfo=UTC)
ROW = {"der_id": "DER_1", "timestamp": AT, "kw": 1.5}
PLAIN = {"der_id": "DER_1", "timestamp": "2026-07-01T12:30:00.250Z", "kw": 1.5}


@dataclass(frozen=True)
class Record:
    der_id: str
    timestamp: datetime
    kw: float


class Model(BaseModel):
    der_id: str
    timestamp: datetime
    kw: float


class Named(NamedTuple):
    der_id: str
    timestamp: datetime
    kw: float


def rows_of_sqlite() -> list[sqlite3.Row]:
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    rows = connection.execute(
        "SELECT 'DER_1' AS der_id, '2026-07-01T12:30:00.250Z' AS timestamp, 1.5 AS kw"
    ).fetchall()
    connection.close()
    return rows


@pytest.mark.parametrize(
    "records",
    [
        [ROW],
        (one for one in [ROW]),
        [Record("DER_1", AT, 1.5)],
        [Model(der_id="DER_1", timestamp=AT, kw=1.5)],
        [Named("DER_1", AT, 1.5)],
        rows_of_sqlite(),
        pd.DataFrame([ROW]),
        pa.Table.from_pylist([ROW]),
    ],
    ids=["dicts", "iterator", "dataclasses", "models", "tuples", "sqlite", "pandas", "arrow"],
)
def test_every_form_of_records_gives_the_same_rows(records: Any) -> None:
    assert rows_of(records, "records") == [PLAIN]


class Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (datetime(2026, 7, 1, 9, 30, tzinfo=timezone(-timedelta(hours=3))), PLAIN["timestamp"]),
        (datetime(2026, 7, 1, 9, 30), "2026-07-01T09:30:00.000"),
        (date(2026, 7, 1), "2026-07-01"),
        (pd.Timestamp("2026-07-01T12:30:00Z"), "2026-07-01T12:30:00.000Z"),
        (pd.NaT, None),
        (Decimal("1.25"), 1.25),
        (Decimal("NaN"), None),
        (float("nan"), None),
        (float("inf"), None),
        (np.float64(2.5), 2.5),
        (np.int32(3), 3),
        (np.bool_(True), True),
        (True, True),
        (None, None),
        (Colour.RED, "red"),
        (("a", 1), ["a", 1]),
        ({1: Decimal(2)}, {"1": 2.0}),
        (Path("a"), "a"),
    ],
)
def test_values_become_those_of_json(value: Any, plain: Any) -> None:
    [row] = rows_of([{"value": value}], "records")
    expected = "2026-07-01T12:30:00.000Z" if plain == PLAIN["timestamp"] else plain
    assert row == {"value": expected}
    assert type(row["value"]) is type(expected)


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ({"a": 1}, "records: error: give a list of records, not a dict"),
        (b"text", "records: error: give a list of records, not a bytes"),
        (3, "records: error: give a list of records, a DataFrame or a path, not int"),
        ([ROW, 3], r"records\[1\]: error: is not a record but int"),
        ([None], r"records\[0\]: error: is not a record but NoneType"),
    ],
)
def test_what_is_not_a_list_of_records_is_refused(records: Any, message: str) -> None:
    with pytest.raises(UsageError, match=f"^{message}$"):
        rows_of(records, "records")
