"""A whole table of text: its columns as texts, numbers and times; errors name file and line."""

from __future__ import annotations

import csv
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gridsim.helpers.randomness import Floats
from gridsim.helpers.tables.dialect import Dialect, column_of, detect, is_comment, is_rule
from gridsim.helpers.tables.numbers import Decimal, is_missing, parse_numbers, why_not
from gridsim.helpers.tables.text import lines_of, read_text
from gridsim.helpers.tables.units import is_row_of_units

_SHOWN = 300  # characters of a header in an error
_DETECT_LINES = 3000


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The rows of a table under its header."""

    path: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    lines: Sequence[int]
    """The line number of each row in the file, from 1."""
    dialect: Dialect
    encoding: str
    preamble: Sequence[str]
    """The lines before the header."""
    footer: Sequence[str]
    """The lines at the end, after a blank line, whose fields differ from those of the table."""

    def __len__(self) -> int:
        return len(self.rows)

    def has(self, *names: str) -> bool:
        """Return true if there is a column with one of these names."""
        return self._place(names) is not None

    def name(self, *names: str) -> str:
        """Return the name in the header of the first of these columns that exists.

        It raises ValueError if none does.
        """
        return self.header[self._known(names)]

    def texts(self, *names: str) -> list[str]:
        """Return the first of these columns as text; raise ValueError if none exists."""
        place = self._known(names)
        return [row[place].strip() for row in self.rows]

    def numbers(self, *names: str) -> Floats:
        """Return a column of finite numbers, float64[rows]; a ValueError names the line."""
        texts = self.texts(*names)
        values = parse_numbers(texts, self.dialect.decimal, certain=self.dialect.given)
        if (wrong := np.flatnonzero(np.isnan(values))).size:
            row = int(wrong[0])
            reason = why_not(texts[row], self.dialect.decimal)
            raise self.error(row, f"{self.name(*names)} is {reason}")
        return values

    def numbers_or_gaps(self, *names: str) -> Floats:
        """Return a column of numbers, float64[rows]; NaN where a text marks a missing value.

        It raises ValueError, which names the line, for any other text that is not a number.
        """
        texts = self.texts(*names)
        values = parse_numbers(texts, self.dialect.decimal, certain=self.dialect.given)
        for row in np.flatnonzero(np.isnan(values)).tolist():
            if not is_missing(texts[row]):
                reason = why_not(texts[row], self.dialect.decimal)
                raise self.error(row, f"{self.name(*names)} is {reason}")
        return values

    def error(self, row: int, problem: str) -> ValueError:
        """Return an error that names the file and the line of a row, for the caller to raise."""
        return ValueError(f"{self.path}, line {self.lines[row]}: {problem}")

    def _place(self, names: Sequence[str]) -> int | None:
        try:
            return column_of(self.header, names)
        except ValueError as error:
            raise ValueError(f"{self.path}, line {self.dialect.header_line}: {error}") from None

    def _known(self, names: Sequence[str]) -> int:
        place = self._place(names)
        if place is None:
            raise ValueError(
                f"{self.path}: there is no column {names[0]!r}; there are: {shown(self.header)}"
            )
        return place


def read_table(
    path: str | Path,
    wanted: Collection[str] = (),
    *,
    delimiter: str = "",
    decimal: Decimal | None = None,
    encoding: str = "",
    units: bool = True,
) -> Table:
    """Return the table of a text file: a header, then rows; lines that begin with # are comments.

    Encoding, delimiter, decimal mark, and the lines before the header are found as `encoding_of`
    and `detect` describe. `wanted` are names of columns by which the header is recognised. A row of
    units under the header becomes part of it, unless `units` is false. It raises ValueError, which
    names the file, if the file cannot be read, or if a row and the header differ in their number of
    fields.
    """
    text, encoding = read_text(path, encoding)
    lines = lines_of(text)
    try:
        dialect = detect(lines[:_DETECT_LINES], wanted, delimiter=delimiter, decimal=decimal)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    first = dialect.header_line
    numbered = [
        (number, line)
        for number, line in enumerate(lines[first:], start=first + 1)
        if line.strip() and not is_comment(line)
    ]
    reader = csv.reader(
        (line for _, line in numbered), delimiter=dialect.delimiter, skipinitialspace=True
    )
    rows: list[list[str]] = []
    numbers: list[int] = []
    footer: list[str] = []
    width = len(dialect.header)
    try:
        for row in reader:
            number = numbered[reader.line_num - 1][0]
            if is_rule(row, dialect.delimiter):
                continue
            fields = _fitted(row, width)
            if len(fields) != width:
                if rows and not lines[number - 2].strip():
                    footer = lines[number - 1 :]
                    break
                problem = f"{len(fields)} fields, but the header has {width}"
                raise ValueError(f"{path}, line {number}: {problem}")
            rows.append(fields)
            numbers.append(number)
    except csv.Error as error:
        number = numbered[max(reader.line_num - 1, 0)][0]
        raise ValueError(f"{path}, line {number}: {error}") from None
    header = dialect.header
    if units and rows and is_row_of_units(rows[0]):
        header = tuple(
            f"{name} [{unit}]" if (unit := own.strip(" ()[]")) else name
            for name, own in zip(header, rows.pop(0), strict=True)
        )
        del numbers[0]
    if not rows:
        raise ValueError(f"{path}: a header and at least one row are needed")
    return Table(str(path), header, rows, numbers, dialect, encoding, lines[: first - 1], footer)


def describe(table: Table, *words: str) -> str:
    """Return a line for the log: `p.csv: read 192 rows, semicolons, decimal comma, ...`."""
    parts = [f"read {len(table):,} rows", table.dialect.describe()]
    if not table.encoding.startswith("utf-8"):
        parts.append(table.encoding)
    if skipped := len(table.footer):
        parts.append(f"{skipped} lines after the table skipped")
    return f"{table.path}: {', '.join([*parts, *words])}"


def shown(names: Sequence[str]) -> str:
    """Return the first names of a header, without unprintable characters."""
    text = ", ".join(names)
    printable = "".join(c if c.isprintable() else "?" for c in text[:_SHOWN])
    return (printable or "none") + (", ..." if len(text) > _SHOWN else "")


def shortened(text: str) -> str:
    """Return the start of a field, quoted, for an error."""
    return f"{text[:40]!r}" + ("..." if len(text) > 40 else "")


def _fitted(row: list[str], width: int) -> list[str]:
    """Return a row without empty fields beyond the width of the header."""
    while len(row) > width and not row[-1].strip():
        row = row[:-1]
    return row
