"""Data that verify cannot read, and units in the names of columns: the messages about them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gridsim.errors import UsageError
from gridsim.verify import VerifyOptions, verify
from tests.fixtures.ledgers import Kept
from tests.unit.verify.changed import unexplained
from tests.unit.verify.test_input import as_csv


def judged(kept: Kept, path: Path, data: bytes, **options: Any) -> Any:
    path.write_bytes(data)
    return verify(VerifyOptions(kept.ledger, (str(path),), **options), print)


@pytest.mark.parametrize(
    ("found", "replacement", "reason"),
    [
        (b'"baseline":', b'"baseline":9.0,"baseline":', "has the field 'baseline' twice"),
        (b'"baseline":', b'"baseline":NaN,"x":', "is not valid JSON: NaN is not a value of JSON"),
        (b"}", b"", "is not valid JSON: it ends in the middle of a record"),
        (b'{"der_id":', b"{der_id:", "is not valid JSON: expecting property name"),
    ],
)
def test_a_line_that_is_not_a_record_fails_with_its_reason(
    kept: Kept, tmp_path: Path, found: bytes, replacement: bytes, reason: str
) -> None:
    lines = list(kept.lines)
    lines[7] = lines[7].replace(found, replacement, 1)
    report = judged(kept, tmp_path / "a.jsonl", b"\n".join(lines))
    [example] = [one for one in report.differences.examples if one.kind == "unreadable"]
    assert report.outcome == "failed"
    assert example.line == 8
    assert example.detail.startswith(reason)


def test_an_element_of_an_array_with_a_field_twice_fails(kept: Kept, tmp_path: Path) -> None:
    lines = list(kept.lines)
    lines[7] = lines[7].replace(b"{", b'{"baseline":9.0,', 1)
    report = judged(kept, tmp_path / "a.json", b"[\n" + b",\n".join(lines) + b"\n]")
    assert unexplained(report) == {"unreadable": 1}
    [example] = report.differences.examples
    reason = "has the field 'baseline' twice, with different values"
    assert (example.line, example.detail) == (9, reason)


def test_a_field_twice_with_one_value_is_read(kept: Kept, tmp_path: Path) -> None:
    lines = [line.replace(b'"units":', b'"units":"kW","units":') for line in kept.lines]
    assert judged(kept, tmp_path / "a.jsonl", b"\n".join(lines)).passed


def test_a_field_twice_fails_where_blocks_are_read_fast(kept: Kept, tmp_path: Path) -> None:
    lines = [line.replace(b'"is_online":', b'"baseline":1.5,"is_online":') for line in kept.lines]
    report = judged(kept, tmp_path / "a.jsonl", b"\n".join(lines))
    assert unexplained(report) == {"unreadable": len(lines)}
    assert (
        f"{len(lines)} of {len(lines)} texts are not records, for example line 1: it has the "
        "field 'baseline' twice, with different values" in report.notes
    )


def test_a_row_of_other_length_says_so(kept: Kept, tmp_path: Path) -> None:
    rows = as_csv([json.loads(line) for line in kept.lines], {}).splitlines()
    rows[5] += ",9"
    report = judged(kept, tmp_path / "a.csv", "\n".join(rows).encode())
    [example] = report.differences.examples
    assert (example.line, example.detail) == (6, "has 15 fields, and the header 14")


@pytest.mark.parametrize(
    ("factor", "passed", "text"),
    [
        (1000, True, "current_output (W) is in W by its name"),
        (1, False, "are 1/1000 of the sent value"),
    ],
)
def test_a_unit_in_a_header_is_used(
    kept: Kept, tmp_path: Path, factor: int, passed: bool, text: str
) -> None:
    records = [json.loads(line) for line in kept.lines]
    for record in records:
        record["current_output"] *= factor
    table = as_csv(records, {"current_output": "current_output (W)"})
    report = judged(kept, tmp_path / "a.csv", table.encode())
    assert report.passed is passed
    assert text in "\n".join(report.lines())


def test_a_unit_in_a_name_of_json_is_used(kept: Kept, tmp_path: Path) -> None:
    records = [json.loads(line) for line in kept.lines]
    for record in records:
        record["power_w"] = record.pop("current_output") * 1000
    data = "\n".join(map(json.dumps, records)).encode()
    path = tmp_path / "a.jsonl"
    assert judged(kept, path, data, fields=("current_output=power_w",)).passed
    with pytest.raises(UsageError, match="'energy_kwh' is an energy"):
        judged(kept, path, data, fields=("current_output=energy_kwh",))


@pytest.mark.parametrize(
    ("wrap", "path"),
    [
        (lambda records: {"data": records}, ".data[]"),
        (lambda records: {"hits": {"hits": [{"_source": records[0]}]}}, ".hits.hits[]._source"),
        (lambda records: {"0": records[0]}, ".[]"),
    ],
)
def test_nested_records_are_refused_with_the_way_to_extract_them(
    kept: Kept, tmp_path: Path, wrap: Any, path: str
) -> None:
    records = [json.loads(line) for line in kept.lines]
    with pytest.raises(UsageError) as caught:
        judged(kept, tmp_path / "a.json", json.dumps(wrap(records)).encode())
    assert str(caught.value).endswith(f"extract them: jq -c '{path}'")


@pytest.mark.parametrize("words", [("WAHR", "FALSCH"), ("vrai", "faux"), ("Yes", "No")])
def test_booleans_of_spreadsheets_are_read(
    kept: Kept, tmp_path: Path, words: tuple[str, str]
) -> None:
    records = [json.loads(line) for line in kept.lines]
    for record in records:
        for name in ("is_online", "is_standalone"):
            record[name] = words[0] if record[name] else words[1]
    assert judged(kept, tmp_path / "a.csv", as_csv(records, {}).encode()).passed
