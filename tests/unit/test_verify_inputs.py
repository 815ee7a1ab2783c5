"""Exports and captures in the forms in which programs write them."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gridsim.errors import UsageError
from gridsim.verify import VerifyOptions, VerifyReport, verify
from tests.fixtures.ledgers import FAULTS, Kept, keep

TOPIC = b"projects/HOME_1/ders/x "


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return keep(tmp_path_factory.mktemp("kept"))


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return keep(tmp_path_factory.mktemp("faulty"), more=FAULTS)


def judge(kept: Kept, folder: Path, data: bytes, name: str = "export.dat") -> VerifyReport:
    path = folder / name
    path.write_bytes(data)
    return verify(VerifyOptions(kept.ledger, (str(path),)), print)


def records(kept: Kept) -> list[dict[str, Any]]:
    return [json.loads(line) for line in kept.lines]


def wrapped(line: bytes, payload: object) -> bytes:
    message = {"tst": "2026-07-01T12:00:00.1+0200", "topic": "a/b", "qos": 0, "payload": payload}
    return json.dumps(message).encode() + b"\n"


def pretty(kept: Kept) -> bytes:
    return b"".join(json.dumps(r, indent=2).encode() + b"\n" for r in records(kept))


FORMS: dict[str, Callable[[Kept], bytes]] = {
    "JSON Lines": lambda kept: b"\n".join(kept.lines) + b"\n",
    "JSON Lines: bom": lambda kept: b"\xef\xbb\xbf" + b"\n".join(kept.lines),
    "JSON Lines: crlf": lambda kept: b"\r\n".join(kept.lines) + b"\r\n",
    "JSON Lines: gzip": lambda kept: gzip.compress(b"\n".join(kept.lines)),
    "JSON Lines: powershell": lambda kept: (
        "\ufeff".encode("utf-16-le") + b"\r\n".join(kept.lines).decode().encode("utf-16-le")
    ),
    "JSON Lines: utf-16 without a mark": lambda kept: (
        b"\n".join(kept.lines).decode().encode("utf-16-be")
    ),
    "JSON Lines: empty lines": lambda kept: b"\n\n" + b"\n\n".join(kept.lines),
    "JSON: jq": pretty,
    "JSON Lines: one array": lambda kept: json.dumps(records(kept)).encode(),
    "JSON: pretty array": lambda kept: json.dumps(records(kept), indent=4).encode(),
    "JSON: mongoexport": lambda kept: b"[" + b",\n".join(kept.lines) + b"]\n",
    "JSON: array of lines": lambda kept: b"[\n" + b",\n".join(kept.lines) + b"\n]\n",
    "JSON: concatenated": lambda kept: b"".join(kept.lines),
    "a topic before the JSON of each line": lambda kept: b"".join(
        TOPIC + line + b"\n" for line in kept.lines
    ),
    "a topic before the JSON of each line: %I %t %p": lambda kept: b"".join(
        b"2026-07-01T12:00:00+0200 a topic/with spaces " + line + b"\n" for line in kept.lines
    ),
    "a topic before the JSON of each line: %t;%p": lambda kept: b"".join(
        TOPIC.strip() + b";" + line + b"\n" for line in kept.lines
    ),
    "a topic before the JSON of each line: kcat -K:": lambda kept: b"".join(
        b"HOME_1:" + line + b"\n" for line in kept.lines
    ),
    "JSON: an array of a capture": lambda kept: json.dumps(
        [json.loads(wrapped(line, json.loads(line))) for line in kept.lines]
    ).encode(),
    "JSON: a pretty capture": lambda kept: b"".join(
        json.dumps(json.loads(wrapped(line, line.decode())), indent=2).encode()
        for line in kept.lines
    ),
    "JSON with a topic and a payload in each line": lambda kept: b"".join(
        wrapped(line, json.loads(line)) for line in kept.lines
    ),
    "JSON with a topic and a payload in each line: text": lambda kept: b"".join(
        wrapped(line, line.decode()) for line in kept.lines
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_recognised_by_its_content(kept: Kept, tmp_path: Path, form: str) -> None:
    report = judge(kept, tmp_path, FORMS[form](kept))
    assert report.outcome == "passed", "\n".join(report.lines())
    [source] = report.sources
    assert source == f"read 240 rows of {tmp_path}/export.dat: {form.split(':')[0]}"


@pytest.mark.parametrize("form", FORMS)
def test_a_changed_value_is_found_in_every_form(kept: Kept, tmp_path: Path, form: str) -> None:
    changed = Kept(kept.ledger, list(kept.lines))
    record = json.loads(kept.lines[60])
    record["power_meter_measurement"] += 0.01
    changed.lines[60] = json.dumps(record, separators=(",", ":")).encode()
    report = judge(kept, tmp_path, FORMS[form](changed))
    assert report.differences.causes["altered"] == {"unexplained": 1}


@pytest.mark.parametrize("form", ["JSON Lines", "a topic before the JSON of each line"])
def test_damaged_messages_are_explained_in_a_capture(
    faulty: Kept, tmp_path: Path, form: str
) -> None:
    report = judge(faulty, tmp_path, FORMS[form](faulty))
    assert report.outcome == "passed", "\n".join(report.lines())
    assert report.differences.causes["unreadable"]["cut"] > 0


def test_arrays_of_a_project_stay_messages(kept: Kept, tmp_path: Path) -> None:
    pairs = [records(kept)[n : n + 2] for n in range(0, 240, 2)]
    for indent in (None, 2):
        data = b"".join(json.dumps(pair, indent=indent).encode() + b"\n" for pair in pairs)
        assert judge(kept, tmp_path, data).outcome == "passed"


def test_other_messages_of_a_capture_are_left_out_and_counted(kept: Kept, tmp_path: Path) -> None:
    acknowledgement = b'{"id":"c-17","status":"accepted","timestamp":"2026-07-01T12:00:00Z"}'
    lines = [TOPIC + line for line in kept.lines]
    lines[10:10] = [b"projects/HOME_1/ders/x/ack " + acknowledgement, b"gridsim/status online"]
    report = judge(kept, tmp_path, b"\n".join(lines))
    assert report.outcome == "passed"
    assert report.sources[0].endswith("; 2 other messages left out")
    # Most messages may be others.
    others = [b"$SYS/broker/uptime 5 seconds", b"gridsim/status online"] * 60
    mixed = judge(kept, tmp_path, b"\n".join([*others, *lines]))
    assert mixed.outcome == "passed"
    assert mixed.sources[0].endswith(f"; {len(others) + 2} other messages left out")
    # A message that lost its text is still a message.
    lines[20] = TOPIC + b"(null)"
    assert judge(kept, tmp_path, b"\n".join(lines)).outcome == "failed"


def test_a_damaged_object_in_pretty_json_is_one_unreadable_record(
    kept: Kept, tmp_path: Path
) -> None:
    data = pretty(kept).replace(b'"is_online": true', b'"is_online": tru', 1)
    report = judge(kept, tmp_path, data)
    assert report.differences.causes["unreadable"] == {"unexplained": 1}
    assert report.unexplained == 1


def as_table(kept: Kept, delimiter: str, comma: bool = False) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    rows = records(kept)
    writer.writerow(rows[0])
    for row in rows:
        values = (
            str(v).replace(".", ",") if isinstance(v, float) and comma else v for v in row.values()
        )
        writer.writerow(values)
    return text.getvalue().encode()


@pytest.mark.parametrize(
    ("delimiter", "comma", "said"),
    [
        (",", False, "commas"),
        (";", False, "semicolons"),
        ("\t", False, "tabs"),
        ("|", False, "pipes"),
        (";", True, "semicolons, decimal comma"),
        (",", True, "commas, decimal comma"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_tables_as_the_world_writes_them(
    kept: Kept, tmp_path: Path, delimiter: str, comma: bool, said: str, encoding: str
) -> None:
    data = as_table(kept, delimiter, comma).decode().encode(encoding)
    report = judge(kept, tmp_path, data)
    assert report.outcome == "passed", "\n".join(report.lines())
    assert report.sources[0].endswith(f"CSV, {said}")


def test_a_table_with_sep_and_other_letters_of_names(kept: Kept, tmp_path: Path) -> None:
    table = as_table(kept, ";")
    header, _, rows = table.partition(b"\n")
    for data in (b"sep=;\n" + table, header.upper() + b"\n" + rows):
        report = judge(kept, tmp_path, data)
        assert (report.outcome, list(report.not_compared)) == ("passed", [])


@pytest.mark.parametrize("topic", [b"", TOPIC])
def test_a_field_of_other_bytes_in_the_first_record_ends_no_comparison(
    kept: Kept, tmp_path: Path, topic: bytes
) -> None:
    first = kept.lines[0].replace(b"{", b'{"no\xffte": 1, ', 1)
    data = b"\n".join(topic + line for line in (first, *kept.lines[1:]))
    assert judge(kept, tmp_path, data).expected == len(kept.lines)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"PK\x03\x04rest", "is an Excel workbook or a ZIP archive; export the sheet as CSV"),
        (b"%PDF-1.7", "is a PDF file"),
        (b"SQLite format 3\x00", "is an SQLite database; export its rows as CSV or JSON"),
        (b"\x28\xb5\x2f\xfdxx", "is compressed with zstd; decompress it first"),
        (b"\x00\x01\x02\x07", "is not text"),
        (b"hello\nworld\n", "there is no column 'der_id'"),
        (b"der_id^timestamp\nA^1\n", "Separate the columns with commas, semicolons, tabs or pipes"),
        (b'"{\\"der_id\\":1}"\n', "is JSON within a JSON text; unpack it: jq -c fromjson "),
        (b'n,body\n0,"{""der_id"":1}"\n', "column 'body' has whole records as texts; unpack it: "),
        (b'{"a": 1}\n', "no record has the field 'der_id'; other fields there: a"),
    ],
)
def test_another_file_is_named_in_one_line(
    kept: Kept, tmp_path: Path, data: bytes, said: str
) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        judge(kept, tmp_path, data)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_cut_off_in_its_compression_is_named(kept: Kept, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: Compressed file ended"):
        judge(kept, tmp_path, gzip.compress(b"\n".join(kept.lines))[:-20])


def test_a_parquet_file_that_is_none(kept: Kept, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a Parquet file"):
        judge(kept, tmp_path, b"{}", "a.parquet")
