"""The inputs of the comparison: CSV, Parquet, arrays, absurd values."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest

from gridsim.errors import UsageError
from gridsim.verify import VerifyOptions, verify
from tests.fixtures.ledgers import Kept
from tests.unit.verify.changed import unexplained


def as_csv(records: list[dict[str, Any]], names: dict[str, str]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [names.get(name, name) for name in records[0]])
    writer.writeheader()
    for record in records:
        writer.writerow({names.get(name, name): value for name, value in record.items()})
    return text.getvalue()


def test_csv_with_names_of_ones_own_and_gzip(kept: Kept, tmp_path: Path) -> None:
    records = [json.loads(line) for line in kept.lines]
    for record in records:
        # As databases print them.
        record["timestamp"] = record["timestamp"].replace("T", " ").replace("Z", "+00:00")
        record["current_soc"] = "" if record["current_soc"] == "null" else record["current_soc"]
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(as_csv(records[1:], {"der_id": "device"}).encode()))
    options = VerifyOptions(kept.ledger, (str(path),), fields=("der_id=device",))
    assert unexplained(verify(options, print)) == {"missing": 1}
    with pytest.raises(UsageError, match="there is no column 'der_id'"):
        verify(VerifyOptions(kept.ledger, (str(path),)), print)


def test_only_the_fields_that_a_user_keeps_are_compared(kept: Kept, tmp_path: Path) -> None:
    records = [json.loads(line) for line in kept.lines]
    few = [{k: r[k] for k in ("der_id", "timestamp", "current_output")} for r in records]
    path = tmp_path / "few.csv"
    path.write_text(as_csv(few, {}))
    assert verify(VerifyOptions(kept.ledger, (str(path),)), print).passed


def test_parquet(kept: Kept, tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    records = [json.loads(line) for line in kept.lines]
    for record in records:
        record["current_soc"] = None if record["current_soc"] == "null" else record["current_soc"]
    path = tmp_path / "rows.parquet"
    parquet.write_table(arrow.Table.from_pylist(records[:-2]), path)
    assert unexplained(verify(VerifyOptions(kept.ledger, (str(path),)), print)) == {"missing": 2}


def test_arrays_of_a_project_and_rows_in_another_order(kept: Kept) -> None:
    records = [json.loads(line) for line in kept.lines]
    pairs = [records[i : i + 2] for i in range(0, len(records), 2)]
    arrays = [json.dumps(pair).encode() for pair in pairs]
    assert kept.compare(arrays).passed
    by_device = sorted(kept.lines, reverse=True)
    assert not kept.compare(by_device).passed
    assert kept.compare(by_device, unordered=True).passed


def test_when_a_reading_was_received_gives_its_delay(kept: Kept) -> None:
    import sqlite3

    connection = sqlite3.connect(kept.ledger)
    offers = dict(connection.execute("SELECT tick, wall_ms FROM offers"))
    connection.close()
    lines = []
    for row, line in enumerate(kept.lines):
        record = json.loads(line) | {"at": (offers[row // 6] + 250) / 1000}
        lines.append(json.dumps(record).encode())
    late = kept.compare(lines, received_at="at").late
    assert late is not None
    assert late.p50_s == pytest.approx(0.25, abs=0.002)
    assert late.readings == 240


def test_bad_input_is_named(kept: Kept, tmp_path: Path) -> None:
    for options, message in (
        (VerifyOptions(kept.ledger), "give files"),
        (VerifyOptions(kept.ledger, (str(tmp_path / "no.csv"),)), "cannot be read"),
        (VerifyOptions(kept.ledger, ("-",), fields=("der=x",)), "did you mean 'der_id'"),
        (VerifyOptions(kept.ledger, ("-",), transport="mqtt"), "no transport 'mqtt'"),
        (VerifyOptions(kept.ledger, ("-",), tolerate=-1), "--tolerate"),
    ):
        with pytest.raises(UsageError, match=message):
            verify(options, print)


@pytest.mark.parametrize(
    "odd",
    [
        {"current_output": 10**400},
        {"current_soc": -(10**400)},
        {"contract_threshold": 10**400},
        {"timestamp": "1" * 30},
        {"der_id": ["HOME_1_BAT"]},
    ],
)
def test_absurd_values_are_differences_like_others(kept: Kept, odd: dict[str, Any]) -> None:
    lines = [*kept.lines[:60], json.dumps(json.loads(kept.lines[60]) | odd).encode()]
    assert not kept.compare([*lines, *kept.lines[61:]]).passed


def test_an_absurd_seq_is_none(kept: Kept) -> None:
    lines = [json.dumps(json.loads(line) | {"seq": 10**30}).encode() for line in kept.lines]
    assert kept.compare(lines).passed


@pytest.mark.parametrize("when", [1e300, "1e300", 10**400, "9" * 40], ids=range(4))
def test_an_absurd_time_of_receipt_is_none(kept: Kept, when: object) -> None:
    lines = [json.dumps(json.loads(line) | {"at": when}).encode() for line in kept.lines]
    lines[-1] = json.dumps(json.loads(lines[-1]) | {"at": "2026-07-01T12:01:00Z"}).encode()
    report = kept.compare(lines, received_at="at")
    assert report.passed
    assert report.late is not None
    assert report.late.readings == 1


def test_absurd_values_in_a_csv_are_differences_like_others(kept: Kept, tmp_path: Path) -> None:
    records = [{**json.loads(line), "seq": float(row // 6)} for row, line in enumerate(kept.lines)]
    path = tmp_path / "odd.csv"
    path.write_text(as_csv(records, {}))
    assert verify(VerifyOptions(kept.ledger, (str(path),)), print).passed
    records[60] |= {"seq": "9" * 40, "timestamp": "9" * 40}
    path.write_text(as_csv(records, {}))
    assert not verify(VerifyOptions(kept.ledger, (str(path),)), print).passed


def test_rubbish_leaves_the_terminal_in_peace(kept: Kept, tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_bytes(b"\x1b[2J\x07,device" + b"x" * 5000)
    with pytest.raises(UsageError, match="is not text: byte 5, in line 1, is 0x07"):
        verify(VerifyOptions(kept.ledger, (str(path),)), print)
    path.write_bytes(b"\x1b[2J,device" + b"x" * 5000 + b"\n1,2\n")
    with pytest.raises(UsageError, match="no column 'der_id'") as caught:
        verify(VerifyOptions(kept.ledger, (str(path),)), print)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000
    path.write_text("der_id,timestamp\n")
    with pytest.raises(UsageError, match="column with --received-at NAME"):
        verify(VerifyOptions(kept.ledger, (str(path),), received_at="at"), print)


def test_the_report_can_be_read_by_machines(broken: Kept) -> None:
    report = broken.compare(broken.lines[:-1])
    told = json.loads(json.dumps(report.as_json()))
    assert told["unexplained"] == 1
    assert told["missing"]["by_cause"]["unexplained"] == 1
    assert sum(one.get("expected", 0) for one in told["projects"].values()) == told["expected"]
    assert told["examples"][0]["kind"] == "missing"


@pytest.mark.parametrize("field", ["der_id", "timestamp", "current_output", "seq"])
def test_a_name_that_no_record_has_is_a_mistake(kept: Kept, field: str) -> None:
    with pytest.raises(UsageError, match=f"--field {field}: error: .* 'nix'"):
        kept.compare(fields=(f"{field}=nix",))
    with pytest.raises(UsageError, match=r"--received-at: error: .* 'nix'"):
        kept.compare(received_at="nix")
