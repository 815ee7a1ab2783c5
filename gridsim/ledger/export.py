"""The export of a ledger's sent readings to a file, each with the true values."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

import msgspec
import numpy as np

from gridsim.errors import GridsimError, UsageError
from gridsim.helpers.timestamps import rfc3339
from gridsim.ledger.columns import NONE, Ints
from gridsim.ledger.reader import FaultNote, Reader
from gridsim.ledger.windows import Window

EXPORTED: Final = (
    "number", "seq", "timestamp", "project_id", "der_id", "type", "is_online", "current_output",
    "power_meter_measurement", "baseline", "current_soc", "connection_start_at",
    "true_current_output", "true_power_meter_measurement", "true_current_soc", "faults",
    "altered_by", "copy",
)  # fmt: skip
"""The columns of an export."""
_ROWS = 50_000
# The first characters of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

Columns = Sequence[Sequence[Any]]


def export(reader: Reader, path: Path, *, quote_formulas: bool = False) -> int:
    """Write all sent readings to a new file, and return their number.

    The file's suffix selects CSV, JSON Lines or Parquet. `quote_formulas` is that of `write_csv`,
    and serves CSV only. Raises UsageError for another suffix or
    an existing file, GridsimError if the file cannot be written.
    """
    form = _FORMS.get(path.suffix.lower())
    if form is None:
        raise UsageError(f"--to: error: {path} must end in {', '.join(_FORMS)}")
    exporter = _Exporter.of(reader)
    written = 0

    def parts() -> Iterator[Columns]:
        nonlocal written
        for window in reader.windows(_ROWS):
            written += len(window)
            yield exporter.columns(window)

    if quote_formulas and form is not _csv:
        raise UsageError(f"--quote-formulas: error: {path} is not a CSV")
    with _new_file(path):
        if form is _csv:
            _csv(path, parts(), quote_formulas=quote_formulas)
        else:
            form(path, parts())
    return written


@dataclass(frozen=True, slots=True)
class _Exporter:
    """The conversion of windows to columns of an export."""

    project_id: Sequence[str]
    """The project of each device; the next two have an entry per device, too."""
    der_id: Sequence[str]
    type: Sequence[str]
    faults: Sequence[FaultNote]

    @classmethod
    def of(cls, reader: Reader) -> _Exporter:
        devices = reader.rows(
            "SELECT project_id, der_id, type FROM devices JOIN projects USING (project) "
            "ORDER BY device"
        )
        project_id, der_id, types = zip(*devices, strict=True)
        return cls(project_id, der_id, types, reader.faults())

    def columns(self, window: Window) -> Columns:
        device = window.device.tolist()
        ids = [fault.id for fault in self.faults]
        return (
            window.number.tolist(),
            window.tick.tolist(),
            _times(window.sent_ms),
            [self.project_id[index] for index in device],
            [self.der_id[index] for index in device],
            [self.type[index] for index in device],
            window.online.tolist(),
            _values(window.sent_output, 100),
            _values(window.sent_meter, 100),
            _values(window.baseline, 100),
            _values(window.sent_soc, 10),
            _times(window.since_ms),
            _values(window.output, 100),
            _values(window.meter, 100),
            _values(window.soc, 10),
            self._causes(window),
            [None if index < 0 else ids[index] for index in window.altered.tolist()],
            window.copy.tolist(),
        )

    def _causes(self, window: Window) -> list[str]:
        """Return the ids of the faults that affected each reading, joined by " + "."""
        causes = [""] * len(window)
        known: dict[tuple[int, int], str] = {}
        at = np.flatnonzero(window.faults)
        keys = zip(window.faults[at].tolist(), window.batch[at].tolist(), strict=True)
        for row, key in zip(at.tolist(), keys, strict=True):
            if key not in known:
                known[key] = " + ".join(self._active(*key))
            causes[row] = known[key]
        return causes

    def _active(self, mask: int, tick: int) -> Iterator[str]:
        for fault in self.faults:
            until = tick if fault.until is None else fault.until
            if mask >> fault.number & 1 and fault.since <= tick <= until:
                yield fault.id


def _values(column: Ints, factor: int) -> list[float | None]:
    values: list[float | None] = (column / factor).tolist()
    for row in np.flatnonzero(column == NONE).tolist():
        values[row] = None
    return values


def _times(column: Ints) -> list[str]:
    times, places = np.unique(column, return_inverse=True)
    texts = [rfc3339(time) for time in times.tolist()]
    return [texts[place] for place in places.tolist()]


@contextmanager
def _new_file(path: Path) -> Iterator[None]:
    """Create a file that only its owner can read, and remove it if it cannot be filled."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        raise UsageError(f"--to: error: {path} exists; remove it or name another file") from None
    except OSError as error:
        raise UsageError(f"--to: error: {path} cannot be created: {error.strerror}") from error
    try:
        yield
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise GridsimError(f"{path} cannot be written: {error.strerror}") from error
        raise


def write_csv(file: TextIO, rows: Iterable[Sequence[Any]], *, quote_formulas: bool = False) -> None:
    """Write rows as CSV.

    `quote_formulas` puts an apostrophe before texts that spreadsheets take for formulas.
    """
    if quote_formulas:
        rows = ([_quoted(value) for value in row] for row in rows)
    csv.writer(file, lineterminator="\n").writerows(rows)


def _quoted(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def write_json(file: TextIO, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write rows as JSON Lines."""
    encode = msgspec.json.Encoder().encode
    for row in rows:
        file.write(encode(dict(zip(names, row, strict=True))).decode() + "\n")


def _csv(path: Path, parts: Iterator[Columns], *, quote_formulas: bool = False) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        write_csv(file, [EXPORTED])
        for columns in parts:
            write_csv(file, zip(*columns, strict=True), quote_formulas=quote_formulas)


def _json(path: Path, parts: Iterator[Columns]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for columns in parts:
            write_json(file, EXPORTED, zip(*columns, strict=True))


def _parquet(path: Path, parts: Iterator[Columns]) -> None:
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError:
        raise UsageError(
            "--to: error: writing Parquet needs pyarrow: pip install 'gridsim-der[parquet]'"
        ) from None
    text, number, whole = arrow.string(), arrow.float64(), arrow.int64()
    types = {"number": whole, "seq": whole, "is_online": arrow.bool_(), "copy": arrow.bool_()}
    powers = ("output", "measurement", "baseline", "soc")
    schema = arrow.schema(
        [(n, types.get(n, number if n.endswith(powers) else text)) for n in EXPORTED]
    )
    with parquet.ParquetWriter(path, schema) as writer:
        for columns in parts:
            table = dict(zip(EXPORTED, columns, strict=True))
            writer.write_table(arrow.table(table, schema=schema))


_FORMS: Final[dict[str, Callable[[Path, Iterator[Columns]], None]]] = {
    ".csv": _csv,
    ".jsonl": _json,
    ".parquet": _parquet,
}
