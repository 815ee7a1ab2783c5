"""SQL and exports see every reading of a ledger, and can only read."""

from __future__ import annotations

import csv
import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gridsim.errors import UsageError
from gridsim.ledger import NotALedger, Reader, query
from gridsim.ledger.export import EXPORTED, export
from gridsim.ledger.query import describe
from tests.fixtures.ledgers import FAULTS, Kept, copy_of_kept, keep

LOST = '\n[[faults]]\nid = "gone"\ntype = "drop"\nprobability = 0.2\n'


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return copy_of_kept(tmp_path, FAULTS + LOST)


def rows(ledger: Path, sql: str) -> list[Any]:
    with query(ledger, sql) as found:
        return list(found.rows)


def test_a_query_has_the_names_of_its_columns(kept: Kept) -> None:
    with query(kept.ledger, "SELECT number AS n, seq FROM truth ORDER BY 1 LIMIT 2") as found:
        assert found.columns == ["n", "seq"]
        assert list(found.rows) == [(0, 0), (1, 0)]


def test_the_tables_of_readings_fit_together(kept: Kept) -> None:
    [(readings,)] = rows(kept.ledger, "SELECT count(*) FROM readings")
    assert readings == len(kept.lines)
    for view in ("truth", "messages"):
        assert rows(kept.ledger, f"SELECT count(*) FROM {view}") == [(readings,)]
    [(labelled,)] = rows(kept.ledger, "SELECT count(*) FROM labels WHERE faults")
    [(affected,)] = rows(kept.ledger, "SELECT count(DISTINCT number) FROM affected")
    assert labelled == affected > 0
    differ = (
        "SELECT number IN (SELECT number FROM reported), count(*) "
        "FROM messages m JOIN truth t USING (number) "
        "WHERE (m.current_output, m.timestamp) IS NOT (t.current_output, t.timestamp) GROUP BY 1"
    )
    [(reported, changed)] = rows(kept.ledger, differ)
    assert reported == 1
    assert changed > 0


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("", "incomplete input"),
        ("SELEC 1", 'near "SELEC": syntax error'),
        ("SELECT * FROM reading", "no such table: reading"),
        ("SELECT kw FROM truth", "no such column: kw"),
        ("SELECT 1; SELECT 2", "one statement at a time"),
        ("DELETE FROM batches", "can only be read"),
        ("CREATE TEMP TABLE t (a)", "can only be read"),
        ("DROP TABLE readings", "can only be read"),
        ("INSERT INTO temp.labels VALUES (1, 1, 1, 1)", "can only be read"),
        ("ATTACH 'other.sqlite' AS other", "can only be read"),
        ("PRAGMA user_version = 7", "can only be read"),
        ("SELECT load_extension('x')", "not authorized"),
    ],
)
def test_bad_sql_is_an_error_and_changes_nothing(kept: Kept, sql: str, message: str) -> None:
    before = kept.ledger.read_bytes()
    with pytest.raises(UsageError, match=message), query(kept.ledger, sql):
        pass
    assert kept.ledger.read_bytes() == before
    assert not Path("other.sqlite").exists()


def test_a_query_needs_a_ledger(tmp_path: Path) -> None:
    with pytest.raises(NotALedger, match="no such file"), query(tmp_path / "none", "SELECT 1"):
        pass


def test_every_table_is_listed_with_its_columns(kept: Kept) -> None:
    lines = list(describe(kept.ledger))
    assert lines[0].startswith("truth: number, seq, timestamp, project_id, der_id, type")
    assert "batches: tick, first, rows" in lines
    for line in lines:
        name, _, columns = line.partition(": ")
        rows(kept.ledger, f"SELECT {columns} FROM {name} LIMIT 1")


def test_small_tables_are_open_to_any_program(kept: Kept) -> None:
    with closing(sqlite3.connect(kept.ledger)) as connection:
        faults = connection.execute("SELECT id FROM faults ORDER BY fault").fetchall()
        [(emitted,)] = connection.execute("SELECT sum(rows) FROM batches")
    assert [name for (name,) in faults] == ["away", "upside_down", "twice", "cut", "gone"]
    assert emitted == len(kept.lines)


def exported(kept: Kept, name: str) -> Path:
    path = kept.ledger.with_name(name)
    with Reader(kept.ledger) as reader:
        assert export(reader, path) == len(kept.lines)
    assert path.stat().st_mode & 0o777 == 0o600
    return path


def test_an_export_agrees_with_the_views(kept: Kept) -> None:
    with exported(kept, "readings.jsonl").open() as file:
        records = [json.loads(line) for line in file]
    assert all(tuple(record) == EXPORTED for record in records)
    sql = (
        "SELECT m.number, m.seq, m.timestamp, m.project_id, m.der_id, m.type, m.is_online, "
        "m.current_output, m.power_meter_measurement, m.baseline, m.current_soc, "
        "t.current_output, t.power_meter_measurement, t.current_soc, m.altered_by, m.copy "
        "FROM messages m JOIN truth t USING (number) ORDER BY number"
    )
    left_out = ("connection_start_at", "faults")
    assert [
        tuple(value for name, value in record.items() if name not in left_out) for record in records
    ] == rows(kept.ledger, sql)
    affected = [
        (record["number"], fault)
        for record in records
        for fault in record["faults"].split(" + ")
        if fault
    ]
    assert sorted(affected) == sorted(rows(kept.ledger, "SELECT number, fault FROM affected"))


def test_csv_and_parquet_hold_the_same(kept: Kept) -> None:
    arrow = pytest.importorskip("pyarrow.parquet")
    with exported(kept, "readings.jsonl").open() as file:
        records = [json.loads(line) for line in file]
    with exported(kept, "readings.csv").open(newline="") as file:
        texts = list(csv.DictReader(file))
    assert texts == [
        {name: "" if value is None else str(value) for name, value in record.items()}
        for record in records
    ]
    assert arrow.read_table(exported(kept, "readings.parquet")).to_pylist() == records


@pytest.mark.parametrize("name", ["readings.csv", "readings.jsonl"])
def test_verify_accepts_an_export(tmp_path: Path, name: str) -> None:
    """Its columns have the names of the record, so that it can be compared like any other data."""
    kept = keep(tmp_path)
    lines = exported(kept, name).read_bytes()
    path = tmp_path / f"held-{name}"
    path.write_bytes(lines)
    report = kept.compare_file(path)
    assert (report.received, report.differences.unexplained) == (240, 0)


def test_an_export_replaces_no_file(kept: Kept) -> None:
    path = kept.ledger.with_name("readings.csv")
    path.write_text("mine")
    with Reader(kept.ledger) as reader:
        with pytest.raises(UsageError, match="exists; remove it or name another file"):
            export(reader, path)
        with pytest.raises(UsageError, match=r"must end in \.csv, \.jsonl, \.parquet"):
            export(reader, path.with_suffix(".xlsx"))
        with pytest.raises(UsageError, match="cannot be created: No such file"):
            export(reader, path.parent / "none" / "readings.csv")
    assert path.read_text() == "mine"


def test_the_examples_of_the_documentation_run(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (Path(__file__).parents[2] / "docs" / "ledger.md").read_text()
    [sql] = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    statements = [one for one in sql.split(";") if one.strip()]
    assert len(statements) == 4
    found = [rows(kept.ledger, statement) for statement in statements]
    assert len(found[0]) == 6
    assert {fault for fault, _ in found[1]} == {"away", "upside_down", "twice", "cut"}
    folder = kept.ledger.parent / "out"
    folder.mkdir()
    kept.ledger.rename(folder / kept.ledger.name)
    monkeypatch.chdir(folder.parent)
    [code] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(compile(code, "docs/ledger.md", "exec"), {})
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("['fault', 'count(*)'] [('away', ")
    assert said[1].startswith(f"0 39 {len(kept.lines)} ")
