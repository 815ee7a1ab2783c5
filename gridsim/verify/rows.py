"""Rows of CSV and of Parquet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from gridsim.errors import UsageError
from gridsim.helpers.tables import TableStream
from gridsim.verify.arrivals import Arrivals
from gridsim.verify.evidence import IDENTITY
from gridsim.verify.fields import FIELDS, RECEIVED, SEQ, TIMES
from gridsim.verify.reading import Reading

_ROWS = 20_000
_CHARACTERS = 4_000_000
# The largest number of characters of a header that an error shows.
_SHOWN = 300


class NoColumnError(UsageError):
    """A column that verify needs is missing."""


def open_table(name: str, file: IO[bytes], reading: Reading) -> TableStream:
    """Open a table of text. Raises UsageError if it is not one, or lacks a column."""
    names = reading.evidence.names
    try:
        return TableStream(
            name, file, tuple(names.values()), decimal=reading.decimal, errors="replace"
        )
    except ValueError as error:
        raise UsageError(_as_error(name, error)) from None


def csv_rows(name: str, table: TableStream, reading: Reading) -> Iterator[Arrivals]:
    """Yield the arrivals of a table of text."""
    try:
        places = {ours: table.column(named) for ours, named in reading.evidence.names.items()}
        found = {ours: place for ours, place in places.items() if place is not None}
        _check(name, table.header, found, reading)
        names = {ours: table.header[place] for ours, place in found.items()}
        columns = reading.columns(text=True, decimal=table.dialect.decimal, names=names)
        for chunk in table.chunks(_CHARACTERS):
            values = {ours: chunk.columns[place] for ours, place in found.items()}
            for ours in TIMES:
                reading.time.learn(values.get(ours, ()))
            width = len(table.header)
            ragged = {
                row: f"has {count} field{'s' * (count != 1)}, and the header {width}"
                for row, count in chunk.ragged.items()
            }
            yield columns.arrivals(values, chunk.lines, ragged)
    except ValueError as error:
        raise UsageError(_as_error(name, error)) from None


def parquet_rows(name: str, file: str | IO[bytes], reading: Reading) -> Iterator[Arrivals]:
    """Yield the arrivals of a Parquet file."""
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError:
        raise UsageError(
            f"{name}: error: reading Parquet needs pyarrow: pip install 'gridsim-der[parquet]'"
        ) from None
    try:
        with parquet.ParquetFile(file) as table:
            header = table.schema_arrow.names
            names = reading.evidence.names.items()
            places = {ours: header.index(named) for ours, named in names if named in header}
            _check(name, header, places, reading)
            found = {ours: header[place] for ours, place in places.items()}
            columns = reading.columns(text=True, names=found)
            row = 1
            for batch in table.iter_batches(_ROWS, columns=list(found.values())):
                chunk = {ours: _values(batch.column(named)) for ours, named in found.items()}
                yield columns.arrivals(chunk, range(row, row + len(batch)))
                row += len(batch)
    except arrow.ArrowException as error:
        raise UsageError(f"{name}: error: is not a valid Parquet file: {error}") from error


def _values(column: Any) -> list[Any]:
    """Return the values of a column; texts may be written as bytes, without their type."""
    values: list[Any] = column.to_pylist()
    if column.type not in ("binary", "large_binary"):
        return values
    return [value.decode("utf-8", "replace") if value is not None else None for value in values]


def _check(name: str, header: Sequence[str], found: Mapping[str, int], reading: Reading) -> None:
    """Raise NoColumnError if a field that verify needs, or that the user names, is missing."""
    names = reading.evidence.names
    for field in (*IDENTITY, RECEIVED, SEQ, *FIELDS):
        column = names.get(field)
        renamed = column is not None and column != field
        if column is not None and field not in found and (field in IDENTITY or renamed):
            flag = "--received-at NAME" if field == RECEIVED else f"--field {field}=NAME"
            advice = f"Name the column with {flag}"
            if len(header) == 1:
                advice = "Separate the columns with commas, semicolons, tabs or pipes"
            raise NoColumnError(
                f"{name}: error: there is no column {column!r}; there are: {_shown(header)}. "
                f"{advice}"
            )
    used = set(found.values())
    reading.evidence.keep_names(n for place, n in enumerate(header) if place not in used)


def _as_error(name: str, error: ValueError) -> str:
    """Return the text of a table's error, with the options of the command line."""
    text = str(error).removeprefix(name).removeprefix(": ").removeprefix(", ")
    return f"{name}: error: {text.replace('set decimal', 'give --decimal')}"


def _shown(header: Sequence[str]) -> str:
    """Return the first names, without unprintable characters: the file may have any content."""
    names = ", ".join(header)
    printable = "".join(c if c.isprintable() else "?" for c in names[:_SHOWN])
    return (printable or "none") + (", ..." if len(names) > _SHOWN else "")
