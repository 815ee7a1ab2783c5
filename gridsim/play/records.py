"""The records of an export: their texts as recorded, and their fields."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import IO, Any, Final

import msgspec
import numpy as np

from gridsim.contracts.record import FIELDS
from gridsim.errors import UsageError
from gridsim.helpers.tables import NO_TIME
from gridsim.verify.captures import form_of, payloads
from gridsim.verify.opening import SAMPLE_BYTES, STDIN, open_bytes
from gridsim.verify.times import TimeReader
from gridsim.verify.values import Ints

# A part is read within one tick, which should not be late because of it.
_ROWS: Final = 2_000
_LONGEST: Final = 10_000_000
_NOT_JSON = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_DELIMITERS: Final = (b",", b";", b"\t", b"|")
_TRUE: Final = ("true", "True", "TRUE", "1", "t")
_FALSE: Final = ("false", "False", "FALSE", "0", "f")

Values = Mapping[str, Sequence[Any]]


@dataclass(slots=True)
class UnreadableRecords:
    """The records that cannot be read."""

    count: int = 0
    first: str = ""
    """The line of the first one, and the reason."""

    def add(self, line: int, reason: str) -> None:
        """Count a record."""
        self.first = self.first or f"line {line:,}: {reason}"
        self.count += 1


@dataclass(frozen=True, slots=True, eq=False)
class RecordPart:
    """Consecutive records, as columns of length n."""

    texts: Sequence[bytes]
    """The text of each record; the texts of JSON in an array are those of its elements."""
    der_id: Sequence[str]
    time_ms: Ints
    values: Values
    """The other fields by name, as they were read: None where a record lacks it."""
    kind: str
    """The format of the texts: json or csv."""

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True, slots=True, eq=False)
class RecordReader:
    """A reader of one file, from its start."""

    path: str
    names: Mapping[str, str]
    """The name in the file of each field that has another one than in the record."""
    time: TimeReader
    unreadable: UnreadableRecords = field(default_factory=UnreadableRecords)
    header: list[bytes] = field(default_factory=list)
    """The header of a table, once it has been read."""
    delimiter: list[bytes] = field(default_factory=list)

    def parts(self) -> Iterator[RecordPart]:
        """Yield the records in the order of the file, with bounded memory. Raises UsageError."""
        if self.path == STDIN:
            raise UsageError(
                "gridsim play: error: standard input cannot be read twice: give a file"
            )
        try:
            with ExitStack() as stack:
                file, first = open_bytes(self.path, stack)
                if first.startswith(b"PAR1"):
                    raise UsageError(
                        f"{self.path}: error: play does not read Parquet: convert it to JSON Lines"
                    )
                form = form_of(first, whole=len(first) < SAMPLE_BYTES)
                if form == "stream":
                    raise UsageError(
                        f"{self.path}: error: has no JSON value in each line; convert it: "
                        "jq -c '.[]' or jq -c ."
                    )
                lines = _lines(file)
                if form == "csv":
                    yield from self._table(lines)
                elif form == "capture":
                    yield from self._json(
                        (number, text) for number, text, is_one in payloads(lines) if is_one
                    )
                else:
                    numbered = enumerate(lines, start=1)
                    yield from self._json(numbered, wrapped=form == "wrapped")
        except (OSError, EOFError, zlib.error) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UsageError(f"{self.path}: error: cannot be read: {reason}") from error

    def name(self, field_name: str) -> str:
        """Return the name of a field in the file."""
        return self.names.get(field_name, field_name)

    def _json(
        self, lines: Iterator[tuple[int, bytes]], *, wrapped: bool = False
    ) -> Iterator[RecordPart]:
        record = msgspec.defstruct(
            "Record",
            [(name, Any, msgspec.field(name=self.name(name), default=None)) for name in FIELDS],
            gc=False,
        )
        decode = msgspec.json.Decoder(record).decode
        elements = msgspec.json.Decoder(list[msgspec.Raw]).decode
        unwrap = msgspec.json.Decoder(_Message).decode
        texts: list[bytes] = []
        records: list[Any] = []
        for number, line in lines:
            text = line.strip()
            if not text:
                continue
            try:
                if wrapped:
                    text = bytes(unwrap(text).payload)
                    if text.startswith(b'"'):
                        text = msgspec.json.decode(text, type=str).encode()
                found = [bytes(one) for one in elements(text)] if text[:1] == b"[" else [text]
            except _NOT_JSON as error:
                self.unreadable.add(number, _reason(error))
                continue
            for one in found:
                try:
                    read: Any = decode(one)
                except _NOT_JSON as error:
                    self.unreadable.add(number, _reason(error))
                    continue
                if self._is_reading(number, read.der_id, read.timestamp):
                    texts.append(one)
                    records.append(read)
            if len(texts) >= _ROWS:
                yield self._part(texts, records)
                texts, records = [], []
        if texts:
            yield self._part(texts, records)

    def _part(self, texts: list[bytes], records: list[Any]) -> RecordPart:
        values = {name: [getattr(one, name) for one in records] for name in FIELDS}
        time = np.array([self.time(value) for value in values["timestamp"]], np.int64)
        return RecordPart(texts, values["der_id"], time, values, "json")

    def _is_reading(self, line: int, der_id: object, time: object) -> bool:
        if not isinstance(der_id, str) or not der_id:
            self.unreadable.add(line, f"has no text in {self.name('der_id')!r}")
        elif self.time(time) == NO_TIME:
            self.unreadable.add(line, f"has no time in {self.name('timestamp')!r}")
        else:
            return True
        return False

    def _table(self, lines: Iterator[bytes]) -> Iterator[RecordPart]:
        rows = _rows(lines)
        number, top = next(rows)
        delimiter = max(_DELIMITERS, key=top.count)
        self.header[:], self.delimiter[:] = [top], [delimiter]
        split = delimiter.decode()
        try:
            header = _cells(top, split)
        except csv.Error as error:
            raise UsageError(
                f"{self.path}: error: is neither JSON Lines nor CSV with a header: "
                f"{_csv_reason(error)}"
            ) from error
        places = {
            name: header.index(self.name(name)) for name in FIELDS if self.name(name) in header
        }
        for name in ("der_id", "timestamp"):
            if name not in places:
                raise UsageError(
                    f"{self.path}: error: there is no column {self.name(name)!r}; there are: "
                    f"{', '.join(header)[:300]}. Name the column with --field {name}=NAME"
                )
        texts: list[bytes] = []
        cells: list[list[str]] = []
        for number, text in rows:
            if not text.strip():
                continue
            try:
                row = _cells(text, split)
            except csv.Error as error:
                self.unreadable.add(number, f"is not a row of CSV: {_csv_reason(error)}")
                continue
            if len(row) != len(header):
                self.unreadable.add(
                    number, f"has {len(row):,} fields, and the header {len(header):,}"
                )
            elif self._is_reading(number, row[places["der_id"]], row[places["timestamp"]]):
                texts.append(text)
                cells.append(row)
            if len(texts) >= _ROWS:
                yield self._rows_part(texts, cells, places, split)
                texts, cells = [], []
        if texts:
            yield self._rows_part(texts, cells, places, split)

    def _rows_part(
        self, texts: list[bytes], rows: list[list[str]], places: Mapping[str, int], split: str
    ) -> RecordPart:
        columns: dict[str, Sequence[Any]] = {
            name: [row[place] for row in rows] for name, place in places.items()
        }
        time = np.array([self.time(text) for text in columns["timestamp"]], np.int64)
        for name in places:
            if (convert := _CELLS.get(name)) is not None:
                decimal = split != ","
                columns[name] = [convert(text, decimal) for text in columns[name]]
        return RecordPart(texts, list(columns["der_id"]), time, columns, "csv")


class _Message(msgspec.Struct):
    """A message in a capture as JSON (mosquitto_sub -F %J)."""

    payload: msgspec.Raw


def _cells(row: bytes, delimiter: str) -> list[str]:
    """Return the cells of a row. Raises csv.Error."""
    return next(csv.reader([row.decode(errors="replace")], delimiter=delimiter))


def _number(text: str, comma: bool) -> float | None:
    try:
        return float(text.replace(",", ".") if comma else text)
    except ValueError:
        return None


def _boolean(text: str, _comma: bool) -> bool | None:
    return True if text in _TRUE else False if text in _FALSE else None


_CELLS: Final[Mapping[str, Callable[[str, bool], Any]]] = {
    "is_online": _boolean,
    "is_standalone": _boolean,
    "current_output": _number,
    "power_meter_measurement": _number,
    "baseline": _number,
    "contract_threshold": _number,
    "current_soc": _number,
    "nameplate_capacity": _number,
}


def _reason(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return f"is not a JSON record: {text[:1].lower()}{text[1:]}"


def _csv_reason(error: csv.Error) -> str:
    """Return the reason without the advice that the module has for programmers."""
    return str(error).partition(" - ")[0]


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines of a file without their ends; a line of 10 MB or more is cut."""
    while line := file.readline(_LONGEST):
        yield line.rstrip(b"\r\n")


def _rows(lines: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield the rows of a table, each with its line; a quoted field may have line ends."""
    parts: list[bytes] = []
    quotes = begins = 0
    for number, line in enumerate(lines, start=1):
        begins = begins or number
        parts.append(line)
        quotes += line.count(b'"')
        if quotes % 2 == 0:
            yield begins, b"\n".join(parts)
            parts, quotes, begins = [], 0, 0
    if parts:
        yield begins, b"\n".join(parts)
