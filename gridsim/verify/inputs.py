"""The reader of files from a user's back-end."""

from __future__ import annotations

import csv
import gzip
import io
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

from gridsim.errors import UsageError
from gridsim.verify.arrivals import Arrivals, Columns
from gridsim.verify.fields import FIELDS, RECEIVED, SEQ
from gridsim.verify.jsonlines import JsonParser
from gridsim.verify.roster import LedgerRoster

STDIN = "-"
_ROWS = 20_000
# The most characters of a header that an error shows.
_SHOWN = 300
_NEEDED = ("der_id", "timestamp")


def read_file(
    name: str, roster: LedgerRoster, names: Mapping[str, str], *, several: bool
) -> Iterator[Arrivals]:
    """Yield the arrivals of a file; its name or first line decides on the format.

    `several` is as in `JsonParser`. Raises UsageError if the file cannot be read, or if it lacks a
    column that verify needs.
    """
    try:
        if name.removesuffix(".gz").endswith((".parquet", ".pq")):
            yield from _parquet(name, roster, names)
            return
        with ExitStack() as stack:
            file = _open(name, stack)
            first = file.readline()
            rest = _with_first(first, file)
            if name.removesuffix(".gz").endswith(".csv") or not _is_json(first):
                yield from _csv(name, rest, roster, names)
            else:
                columns = Columns(roster, names, text=False)
                yield from JsonParser(columns, names, several=several).lines(rest)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{name}: error: cannot be read: {reason}") from error


def _open(name: str, stack: ExitStack) -> IO[bytes]:
    if name == STDIN:
        return sys.stdin.buffer
    if name.endswith(".gz"):
        return cast("IO[bytes]", stack.enter_context(gzip.open(name, "rb")))
    return stack.enter_context(Path(name).open("rb"))


def _with_first(first: bytes, file: IO[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from file


def _is_json(first: bytes) -> bool:
    """Return whether a first line is JSON, and not a CSV header."""
    text = first.lstrip(b"\xef\xbb\xbf \t")
    return not text.strip() or text[:1] in (b"{", b"[")


def _csv(
    name: str, lines: Iterator[bytes], roster: LedgerRoster, names: Mapping[str, str]
) -> Iterator[Arrivals]:
    columns = Columns(roster, names, text=True)
    text = (line.decode("utf-8-sig", errors="replace") for line in lines)
    reader = csv.reader(text)
    try:
        header = next(reader, [])
        places = {ours: header.index(named) for ours, named in names.items() if named in header}
        _check(name, header, places, names)
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


def _parquet(name: str, roster: LedgerRoster, names: Mapping[str, str]) -> Iterator[Arrivals]:
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError:
        raise UsageError(
            f"{name}: error: reading Parquet needs pyarrow: pip install 'gridsim-der[parquet]'"
        ) from None
    columns = Columns(roster, names, text=True)
    data: Any = name
    if name.endswith(".gz"):
        with gzip.open(name) as packed:
            data = io.BytesIO(packed.read())
    try:
        with parquet.ParquetFile(data) as file:
            header = file.schema_arrow.names
            found = {ours: named for ours, named in names.items() if named in header}
            _check(name, header, found, names)
            row = 1
            for batch in file.iter_batches(_ROWS, columns=list(found.values())):
                chunk = {ours: batch.column(named).to_pylist() for ours, named in found.items()}
                yield columns.arrivals(chunk, range(row, row + len(batch)))
                row += len(batch)
    except arrow.ArrowException as error:
        raise UsageError(f"{name}: error: is not a valid Parquet file: {error}") from error


def _check(
    name: str, header: Sequence[str], found: Mapping[str, object], names: Mapping[str, str]
) -> None:
    for field in (*_NEEDED, RECEIVED, SEQ, *FIELDS):
        column = names.get(field)
        renamed = column is not None and column != field
        if column is not None and field not in found and (field in _NEEDED or renamed):
            flag = "--received-at NAME" if field == RECEIVED else f"--field {field}=NAME"
            raise UsageError(
                f"{name}: error: there is no column {column!r}; there are: {_shown(header)}. "
                f"Name the column with {flag}"
            )


def _shown(header: Sequence[str]) -> str:
    """Return the first names, without unprintable characters: the file may have any content."""
    names = ", ".join(header)
    printable = "".join(c if c.isprintable() else "?" for c in names[:_SHOWN])
    return (printable or "none") + (", ..." if len(names) > _SHOWN else "")
