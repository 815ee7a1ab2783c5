"""Records within texts are named, with a command that unpacks them."""

from __future__ import annotations

import base64
import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from gridsim.verify.packing import packed_cells, packed_lines, packed_value, steps_to_records

RECORD = '{"der_id":"A","note":"a \\"b\\""}'
TWICE = json.dumps(RECORD)
BASE64 = base64.b64encode(RECORD.encode()).decode()
UNPACK = "> records.jsonl"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (TWICE, f"is JSON within a JSON text; unpack it: jq -c fromjson a.txt {UNPACK}"),
        (
            json.dumps(TWICE),
            f"is JSON within a JSON text; unpack it: jq -c 'fromjson | fromjson' a.txt {UNPACK}",
        ),
        (json.dumps(json.dumps([{"der_id": "A"}] * 9))[:200], "is JSON within a JSON text; "),
        (BASE64, f"is JSON in base64; unpack it: jq -cR '@base64d | fromjson' a.txt {UNPACK}"),
        (json.dumps(BASE64), "is JSON in base64; unpack it: jq -c '@base64d | fromjson' a.txt"),
        (RECORD, ""),
        ("der_id,timestamp", ""),
        ('"der_id"', ""),
        ("abcd", ""),
        ("12", ""),
        ("[]", ""),
        ("[" * 9000, ""),
        ("", ""),
    ],
)
def test_lines(line: str, said: str) -> None:
    found = packed_lines("a.txt", line.encode())
    assert found.startswith(said)
    assert bool(found) is bool(said)


def test_a_value_names_its_steps() -> None:
    assert packed_value(BASE64) == "is JSON in base64; unpack it, with jq: @base64d | fromjson"
    assert packed_value(TWICE) == "is JSON within a JSON text; unpack it, with jq: fromjson"
    assert packed_value(json.dumps([RECORD])).endswith("unpack it, with jq: .[] | fromjson")
    assert [packed_value(text) for text in (RECORD, "[]", "[1]", '["A"]', "[", "x", "")] == [""] * 7
    assert steps_to_records(json.dumps(json.dumps(json.dumps(TWICE)))) == []


def table(delimiter: str, escape: str | None, head: list[str], cell: str) -> str:
    text = io.StringIO()
    writer = csv.writer(
        text, delimiter=delimiter, escapechar=escape, doublequote=not escape, lineterminator="\n"
    )
    writer.writerows([*([head] if head else []), ["1", cell], ["2", cell]])
    return text.getvalue()


@pytest.mark.parametrize(
    ("delimiter", "escape", "head"),
    [(",", None, ["n", 'the "body"']), (";", None, []), ("\t", "\\", ["n", "body"])],
)
def test_the_command_for_cells_writes_the_records(
    tmp_path: Path, delimiter: str, escape: str | None, head: list[str]
) -> None:
    path = tmp_path / "it's.csv"
    path.write_text(table(delimiter, escape, head, RECORD))
    said = packed_cells(str(path), path.read_bytes())
    assert said.startswith(f"column {head[1]!r} has" if head else "column 2 has whole records")
    assert ("with backslashes" in said) is (escape is not None)
    command = said.partition("unpack it: ")[2].replace("python3", sys.executable, 1)
    subprocess.run(command, shell=True, cwd=tmp_path, check=True)
    assert (tmp_path / "records.jsonl").read_text().splitlines() == [RECORD, RECORD]


def test_cells_of_other_kinds() -> None:
    head = ["n", "body"]
    coded = packed_cells("-", table(",", None, head, BASE64).encode())
    assert coded.endswith(f"< FILE | jq -cR '@base64d | fromjson' {UNPACK}")
    listed = packed_cells(
        "a.csv", table(",", None, head, json.dumps([json.loads(RECORD)])).encode()
    )
    assert listed.startswith("column 'body' has whole records as texts; ")
    python = packed_cells("a.csv", table(",", None, head, repr({"der_id": "A"})).encode())
    assert python == "column 'body' has the texts of Python objects; write them with json.dumps"
    assert packed_cells("a.csv", table(",", None, head, "A").encode()) == ""
    assert packed_cells("a.csv", b"") == ""
