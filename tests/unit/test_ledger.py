"""The ledger holds the truth, the same at every speed, and is never incomplete in silence."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gridsim.errors import UsageError
from gridsim.ledger import NotALedger, Reader, query
from gridsim.ledger.schema import TRUTH
from tests.fixtures.ledgers import FAULTS, keep


def rows(ledger: Path, sql: str) -> list[Any]:
    with query(ledger, sql) as found:
        return list(found.rows)


def truth(ledger: Path) -> dict[str, list[Any]]:
    """All rows of the tables that know no wall clock."""
    with closing(sqlite3.connect(ledger)) as connection:
        return {
            table: connection.execute(f"SELECT * FROM {table} ORDER BY rowid").fetchall()
            for table in TRUTH
        }


def test_it_holds_every_reading_as_it_left(tmp_path: Path) -> None:
    kept = keep(tmp_path)
    messages = rows(
        kept.ledger,
        "SELECT timestamp, der_id, current_output, power_meter_measurement, baseline, current_soc "
        "FROM messages ORDER BY number",
    )
    published = [json.loads(line) for line in kept.lines]
    assert len(published) == 40 * 6
    assert messages == [
        (
            one["timestamp"],
            one["der_id"],
            one["current_output"],
            one["power_meter_measurement"],
            one["baseline"],
            None if one["current_soc"] == "null" else one["current_soc"],
        )
        for one in published
    ]


def test_a_fault_leaves_both_what_is_true_and_what_is_reported(tmp_path: Path) -> None:
    flipped = rows(
        keep(tmp_path, more=FAULTS).ledger,
        "SELECT t.current_output, m.current_output FROM truth t JOIN messages m USING (number) "
        "JOIN affected s USING (number) WHERE s.fault = 'upside_down' AND t.current_output <> 0",
    )
    assert flipped
    assert all(true == -reported for true, reported in flipped)


def test_readings_that_never_leave_are_kept_with_their_cause(tmp_path: Path) -> None:
    lost = '\n[[faults]]\nid = "gone"\ntype = "drop"\nprobability = 0.2\n'
    ledger = keep(tmp_path, more=lost).ledger
    [(unsent,)] = rows(ledger, "SELECT count(*) FROM unsent WHERE faults = 1")
    [(left,)] = rows(ledger, "SELECT count(*) FROM readings")
    assert unsent
    assert unsent + left == 40 * 6


def test_the_truth_is_the_same_however_it_was_written(tmp_path: Path) -> None:
    """In one piece, or tick by tick: the writer's pace must not show."""
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    first = truth(keep(folders[0], more=FAULTS).ledger)
    again = truth(keep(folders[1], more=FAULTS).ledger)
    assert first == again
    packed = ("packed_readings", "packed_reported", "packed_labels", "packed_connections")
    assert all(first[name] for name in (*packed, "episodes", "faults"))
    other = truth(keep(tmp_path, more=FAULTS, overrides=("simulation.seed=8",)).ledger)
    assert other["packed_readings"] != first["packed_readings"]


def test_batches_say_in_which_tick_a_late_reading_left(tmp_path: Path) -> None:
    late = rows(
        keep(tmp_path, more=FAULTS).ledger,
        "SELECT r.tick, b.tick FROM readings r JOIN devices d USING (device) JOIN batches b "
        "ON r.number >= b.first AND r.number < b.first + b.rows "
        "WHERE b.tick > r.tick AND d.der_id LIKE 'HOME_1_%'",
    )
    assert {tick for tick, _ in late} == {5, 6, 7, 8}
    assert {left for _, left in late} == {9}


def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_text("my diary")
    with pytest.raises(UsageError, match="is not a ledger"):
        keep(tmp_path, overrides=("ledger.overwrite=true",))
    assert (tmp_path / "ledger.sqlite").read_text() == "my diary"


def test_an_earlier_ledger_makes_room_only_if_told_to(tmp_path: Path) -> None:
    keep(tmp_path)
    with pytest.raises(UsageError, match="overwrite = true"):
        keep(tmp_path)
    shorter = keep(tmp_path, ticks=1, overrides=("ledger.overwrite=true",))
    assert rows(shorter.ledger, "SELECT count(*) FROM readings") == [(6,)]


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    assert keep(tmp_path).ledger.stat().st_mode & 0o777 == 0o600


def test_what_is_no_ledger_is_named(tmp_path: Path) -> None:
    for name, content in (("text", b"hello"), ("empty", b"")):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(NotALedger, match="is not a ledger"):
            Reader(path)
    other = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE t (a)")
    with pytest.raises(NotALedger, match="is not a ledger"):
        Reader(other)
    with pytest.raises(NotALedger, match="no such file"):
        Reader(tmp_path / "nowhere")


def test_a_matrix_gives_back_nulls_and_large_masks(tmp_path: Path) -> None:
    """The columns that verify reads, at the edges of 64 bits."""
    kept = keep(tmp_path)
    with Reader(kept.ledger) as reader:
        matrix = reader.matrix("SELECT NULL, -1, 9223372036854775807")
    assert matrix.dtype == np.int64
    assert matrix[0, 0] == np.iinfo(np.int64).min
    assert matrix[0, 1:].view(np.uint64).tolist() == [2**64 - 1, 2**63 - 1]


def test_a_ledger_of_another_version_is_refused(tmp_path: Path) -> None:
    kept = keep(tmp_path, ticks=1)
    assert rows(kept.ledger, "SELECT value FROM meta WHERE key = 'version'") == [(3,)]
    for version in (2, 4):
        with closing(sqlite3.connect(kept.ledger)) as connection, connection:
            connection.execute("UPDATE meta SET value = ? WHERE key = 'version'", (version,))
        with pytest.raises(
            NotALedger, match=f"has version {version}; this gridsim reads version 3"
        ):
            Reader(kept.ledger)
