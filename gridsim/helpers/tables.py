"""CSV files; every error names the file and the line."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from pathlib import Path

import numpy as np

from gridsim.helpers.randomness import Floats


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a CSV file under its header."""

    path: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    lines: Sequence[int]
    """The line number of each row in the file, from 1."""

    def __len__(self) -> int:
        return len(self.rows)

    def has(self, name: str) -> bool:
        return name in self.header

    def texts(self, name: str) -> list[str]:
        """Return a column as text; raise ValueError if it does not exist."""
        if name not in self.header:
            known = ", ".join(self.header)
            raise ValueError(f"{self.path}: there is no column {name!r}; there are: {known}")
        place = self.header.index(name)
        return [row[place].strip() for row in self.rows]

    def numbers(self, name: str) -> Floats:
        """Return a column of finite numbers, float64[rows]; a ValueError names the line."""
        texts = self.texts(name)
        values = np.empty(len(texts))
        for row, text in enumerate(texts):
            try:
                value = float(text)
            except ValueError:
                value = float("nan")
            if not isfinite(value):
                raise self.error(row, f"{name} is {text!r}, which is not a number")
            values[row] = value
        return values

    def times(self, name: str) -> list[datetime]:
        """Return a column of ISO 8601 times; a ValueError names the line."""
        times = []
        for row, text in enumerate(self.texts(name)):
            try:
                times.append(datetime.fromisoformat(text))
            except ValueError:
                problem = f"{name} is {text!r}, which is not an ISO 8601 time"
                raise self.error(row, problem) from None
        return times

    def error(self, row: int, problem: str) -> ValueError:
        """Return an error that names the file and the line of a row, for the caller to raise."""
        return ValueError(f"{self.path}, line {self.lines[row]}: {problem}")


def read_table(path: str) -> Table:
    """Return the table of a CSV file: a header, then rows; lines that begin with # are comments.

    Fields are separated by commas, or by semicolons if the header has no comma. It raises
    ValueError if the file cannot be read or is not text, or if a row and the header differ in
    their number of fields.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text at byte {error.start}") from None
    numbered = [
        (number, line)
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if len(numbered) < 2:
        raise ValueError(f"{path}: a header and at least one row are needed")
    delimiter = "," if "," in numbered[0][1] else ";"
    every = list(csv.reader((line for _, line in numbered), delimiter=delimiter))
    header = [name.strip() for name in every[0]]
    table = Table(path, header, every[1:], [number for number, _ in numbered[1:]])
    for row, fields in enumerate(table.rows):
        if len(fields) != len(header):
            raise table.error(row, f"{len(fields)} fields, but the header has {len(header)}")
    return table
