"""Rows of CSV and of Parquet."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import IO, Any

from gridsim.errors import UsageError
from gridsim.verify.arrivals import Arrivals
from gridsim.verify.evidence import IDENTITY, shown
from gridsim.verify.fields import FIELDS, RECEIVED, SEQ
from gridsim.verify.reading import Reading

_ROWS = 20_000
# The most characters of a header that an error shows.
_SHOWN = 300


def csv_rows(name: str, file: IO[bytes], reading: Reading) -> Iterator[Arrivals]:
    """Yield the arrivals of a CSV file."""
    columns = reading.columns(text=True)
    text = (line.decode("utf-8", errors="replace") for line in file)
    reader = csv.reader(text)
    try:
        header = next(reader, [])
        places = _places(name, header, reading)
        width = max(places.values()) + 1
        while rows := list(islice(reader, _ROWS)):
            kept = [row for row in rows if row]
            # A truncated row is not a record, but its first values may identify the reading.
            short = [index for index, row in enumerate(kept) if len(row) < width]
            for index in short:
                kept[index] = kept[index] + [""] * (width - len(kept[index]))
            chunk = {ours: [row[place] for row in kept] for ours, place in places.items()}
            start = reader.line_num - len(rows) + 1
            numbers = [start + index for index, row in enumerate(rows) if row]
            yield columns.arrivals(chunk, numbers, short)
    except csv.Error as error:
        raise UsageError(f"{name}: error: line {reader.line_num}: {error}") from error


def parquet_rows(name: str, file: str | IO[bytes], reading: Reading) -> Iterator[Arrivals]:
    """Yield the arrivals of a Parquet file."""
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError:
        raise UsageError(
            f"{name}: error: reading Parquet needs pyarrow: pip install 'gridsim-der[parquet]'"
        ) from None
    columns = reading.columns(text=True)
    try:
        with parquet.ParquetFile(file) as table:
            header = table.schema_arrow.names
            places = _places(name, header, reading)
            found = {ours: header[place] for ours, place in places.items()}
            row = 1
            for batch in table.iter_batches(_ROWS, columns=list(found.values())):
                chunk = {ours: batch.column(named).to_pylist() for ours, named in found.items()}
                yield columns.arrivals(chunk, range(row, row + len(batch)))
                row += len(batch)
    except arrow.ArrowException as error:
        raise UsageError(f"{name}: error: is not a valid Parquet file: {error}") from error


def _check_names(
    name: str, header: Sequence[str], found: Mapping[str, Any], reading: Reading
) -> None:
    """Raise UsageError if a field that verify needs, or that the user names, is not there."""
    names = reading.evidence.names
    for field in (*IDENTITY, RECEIVED, SEQ, *FIELDS):
        column = names.get(field)
        renamed = column is not None and column != field
        if column is not None and field not in found and (field in IDENTITY or renamed):
            flag = "--received-at NAME" if field == RECEIVED else f"--field {field}=NAME"
            raise UsageError(
                f"{name}: error: there is no column {column!r}; there are: {_shown(header)}. "
                f"Name the column with {flag}"
            )


def _places(name: str, header: Sequence[str], reading: Reading) -> dict[str, int]:
    """Return the place of each field's column. Raises UsageError."""
    names = reading.evidence.names
    places = {ours: header.index(named) for ours, named in names.items() if named in header}
    _check_names(name, header, places, reading)
    for named in (header[place] for place in places.values()):
        if header.count(named) > 1:
            raise UsageError(
                f"{name}: error: there are {header.count(named)} columns {shown(named)}; "
                "leave only one of them"
            )
    reading.evidence.keep_names(header)
    return places


def _shown(header: Sequence[str]) -> str:
    """Return the first names, without unprintable characters: the file may have any content."""
    names = ", ".join(header)
    printable = "".join(c if c.isprintable() else "?" for c in names[:_SHOWN])
    return (printable or "none") + (", ..." if len(names) > _SHOWN else "")
