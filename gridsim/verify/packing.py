"""Records within texts: JSON that is encoded twice, in base64, or in the cells of a table."""

from __future__ import annotations

import base64
import csv
import json
import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

_MOST_STEPS: Final = 4
_LINES: Final = 2
# The beginning of JSON within a JSON text, whose end is not in the sample.
_TWICE: Final = re.compile(r'\s*"\s*[\[{][\s{]*\\"')
_PYTHON: Final = re.compile(r"\[?\{'\w+': ")


def steps_to_records(text: str) -> list[str]:
    """Return the steps of jq from a text to its records; empty if it has none."""
    steps = []
    for _ in range(_MOST_STEPS):
        try:
            found = json.loads(text)
            steps.append("fromjson")
        except (ValueError, RecursionError):
            try:
                found = base64.b64decode(text.strip(), validate=True).decode()
            except ValueError:
                return []
            steps.append("@base64d")
        records = found if isinstance(found, list) else [found]
        if records and all(isinstance(record, dict) for record in records):
            return steps
        if not isinstance(found, str):
            return []
        text = found
    return []


def packed_value(text: str) -> str:
    """Return why a text is not a record, if it has records within; or an empty text."""
    if text[:1] not in "[{":
        steps = steps_to_records(text)
        steps = steps[1:] if steps[:1] == ["fromjson"] else steps
        return f"{_what(steps)}; unpack it, with jq: {' | '.join(steps)}" if steps else ""
    with suppress(ValueError, RecursionError):
        found = json.loads(text)
        if isinstance(found, list) and found and isinstance(found[0], str):
            steps = steps_to_records(found[0])
            return f"{_what(steps)}; unpack it, with jq: .[] | {' | '.join(steps)}" if steps else ""
    return ""


def packed_lines(name: str, first: bytes) -> str:
    """Return what a file is, and how to unpack it, if its first line has records within a text."""
    line, _, rest = first.lstrip().decode(errors="replace").partition("\n")
    steps = steps_to_records(line)
    if not steps and not rest and _TWICE.match(line):
        steps = ["fromjson", "fromjson"]
    command = _jq(steps)
    if not command:
        return ""
    return f"{_what(steps[-2:])}; unpack it: {command} {_shown(name)} > records.jsonl"


def packed_cells(name: str, first: bytes) -> str:
    """Return which column of a table has records as texts, and how to unpack it; or empty."""
    lines = first.decode(errors="replace").splitlines()[:_LINES]
    for delimiter, escape in ((d, e) for e in (None, "\\") for d in ",;\t|"):
        rows = []
        with suppress(csv.Error):
            rows = [*csv.reader(lines, delimiter=delimiter, escapechar=escape)]
        for number, place, cell in _cells(rows):
            header = rows[0] if number else None
            column = f"column {header[place]!r}" if header else f"column {place + 1}"
            if _PYTHON.match(cell):
                return f"{column} has the texts of Python objects; write them with json.dumps"
            if steps := steps_to_records(cell):
                more = {"delimiter": delimiter} if delimiter != "," else {}
                more |= {"escapechar": escape} if escape else {}
                options = "".join(f", {key}={json.dumps(value)}" for key, value in more.items())
                kind, key = ("DictReader", header[place]) if header else ("reader", place)
                rows_of = f"csv.{kind}(sys.stdin{options})"
                code = f"import csv, sys; [print(r[{json.dumps(key)}]) for r in {rows_of}]"
                command = f"python3 -c {shlex.quote(code)} < {_shown(name)}"
                command += f" | {then}" if (then := _jq(steps)) else ""
                escaped = ", with backslashes before their quotes" if escape else ""
                return (
                    f"{column} has whole records as texts{escaped}; unpack it: {command} "
                    "> records.jsonl"
                )
    return ""


def _cells(rows: list[list[str]]) -> Iterator[tuple[int, int, str]]:
    """Yield row, column and text of each cell below a name, and of a table without a header."""
    for number, row in enumerate(rows):
        if len(row) <= len(rows[0]):
            for place, cell in enumerate(row):
                yield number, place, cell


def _jq(steps: list[str]) -> str:
    """Return the command that unpacks lines; empty if the lines are records."""
    is_json = steps[:1] == ["fromjson"]
    own = steps[1:] if is_json else steps
    return f"jq -c{'' if is_json else 'R'} {shlex.quote(' | '.join(own))}" if own else ""


def _shown(name: str) -> str:
    return "FILE" if name == "-" or name.endswith(".gz") else shlex.quote(name)


def _what(steps: list[str]) -> str:
    return "is JSON in base64" if "@base64d" in steps else "is JSON within a JSON text"
