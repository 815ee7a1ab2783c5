"""From a batch's columns to one text per row, fast.

Each device has a template into which its constants are already written; only what changes
from tick to tick is formatted. A template is made anew when one of its constants changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridsim.contracts.batch import UNITS, Batch, Roster
from gridsim.contracts.record import FIELDS, SEQUENCE, RecordField
from gridsim.numeric.randomness import Floats
from gridsim.numeric.timestamps import rfc3339

# Printf specifications for bytes: %a is repr, the shortest text that gives the same float
# back, and a precision of 0 makes it swallow its value.
_VARIABLE = {
    "timestamp": "%b",
    "current_output": "%.2f",
    "power_meter_measurement": "%.2f",
    "baseline": "%.2f",
    "current_soc": "%.1f",
    SEQUENCE: "%d",
}
_SHORTEST, _SWALLOW = "%a", "%.0a"


@dataclass(frozen=True, slots=True)
class RowLayout:
    """How a format puts a row together: opening, name and value by name and value, closing."""

    prefixes: Sequence[str]
    """What stands before each field's value."""
    quote: Callable[[str], str]
    """A string as the format writes it."""
    missing_soc: str | None
    """What is written for a missing state of charge; None leaves the field out."""
    missing: str | None
    """What is written for any other missing value; None leaves the field out."""
    opening: str = ""
    separator: str = ","
    closing: str = ""


class RowEncoder:
    """Encodes batches row by row. Not for use by two threads at once."""

    def __init__(self, fields: Sequence[RecordField], roster: Roster, layout: RowLayout) -> None:
        self._roster = roster
        self._layout = layout
        self._prefixes = [prefix.replace("%", "%%") for prefix in layout.prefixes]
        self._sources = [field.source for field in fields]
        self._may_miss = [
            name
            for name in self._sources
            if name == "current_soc" or name not in (*FIELDS, SEQUENCE)
        ]
        self._changing = [
            name for name in self._sources if name in _VARIABLE or name in self._may_miss
        ]
        n = len(roster)
        self._templates: list[bytes] = [b""] * n
        # What each template was made for. No row equals the first values.
        self._shape = np.full(n, -1, np.int64)
        self._threshold: Floats = np.full(n, np.nan)
        self._connection_ms = np.zeros(n, np.int64)

    def encode(self, batch: Batch) -> list[bytes]:
        """One text per row, in the order of the rows."""
        columns = [self._values(name, batch) for name in self._changing]
        values: Iterable[tuple[Any, ...]] = zip(*columns, strict=False) if columns else repeat(())
        return [
            template % row for template, row in zip(self._for_rows(batch), values, strict=False)
        ]

    def _values(self, name: str, batch: Batch) -> Iterable[Any]:
        if name == "timestamp":
            return _stamps(batch.timestamp_ms)
        values: list[Any] = _column(name, batch).tolist()
        return values

    def _for_rows(self, batch: Batch) -> list[bytes]:
        """The template of each row."""
        device = batch.device
        shape = batch.is_online.astype(np.int64)
        for bit, name in enumerate(self._may_miss, 1):
            shape |= np.isnan(_column(name, batch)).astype(np.int64) << bit
        stale = np.flatnonzero(
            (shape != self._shape[device])
            | (batch.contract_threshold != self._threshold[device])
            | (batch.connection_start_ms != self._connection_ms[device])
        )
        templates = [self._templates[index] for index in device.tolist()]
        for row in stale.tolist():
            missing = [name for bit, name in enumerate(self._may_miss, 1) if shape[row] >> bit & 1]
            templates[row] = self._templates[device[row]] = self._template(batch, row, missing)
        changed = device[stale]
        self._shape[changed] = shape[stale]
        self._threshold[changed] = batch.contract_threshold[stale]
        self._connection_ms[changed] = batch.connection_start_ms[stale]
        return templates

    def _template(self, batch: Batch, row: int, missing: Sequence[str]) -> bytes:
        layout = self._layout
        parts: list[str] = []
        swallowed = ""
        for prefix, name in zip(self._prefixes, self._sources, strict=True):
            if name in missing:
                value = layout.missing_soc if name == "current_soc" else layout.missing
                swallowed += _SWALLOW
            else:
                value = self._value(name, batch, row)
            if value is not None:
                parts.append(prefix + swallowed + value)
                swallowed = ""
        text = layout.opening + layout.separator.join(parts) + layout.closing + swallowed
        return text.encode()

    def _value(self, name: str, batch: Batch, row: int) -> str:
        """What a template says for a field: the text itself, or a specification."""
        roster = self._roster
        device = int(batch.device[row])
        project = int(roster.project[device])
        match name:
            case "timestamp":
                return self._layout.quote(_VARIABLE[name])
            case "der_id":
                return self._constant(roster.der_id[device])
            case "project_id":
                return self._constant(roster.project_id[project])
            case "type":
                return self._constant(roster.type[device])
            case "units":
                return self._constant(UNITS)
            case "connection_start_at":
                return self._constant(rfc3339(int(batch.connection_start_ms[row])))
            case "is_online":
                return _boolean(batch.is_online[row])
            case "is_standalone":
                return _boolean(roster.is_standalone[project])
            case "contract_threshold":
                return f"{batch.contract_threshold[row]:.2f}"
            case "nameplate_capacity":
                return f"{roster.nameplate_capacity[device]:.2f}"
            case _ if name in _VARIABLE:
                return _VARIABLE[name]
            case _:
                return "%.2f" if roster.columns[name] == UNITS else _SHORTEST

    def _constant(self, text: str) -> str:
        return self._layout.quote(text).replace("%", "%%")


def _column(name: str, batch: Batch) -> NDArray[Any]:
    if name == SEQUENCE:
        return batch.tick
    column: NDArray[Any] = getattr(batch, name) if name in _VARIABLE else batch.extra[name]
    return column


def _stamps(times_ms: NDArray[np.int64]) -> Iterator[bytes]:
    """RFC 3339 texts, each distinct time formatted once."""
    if len(times_ms) and (times_ms == times_ms[0]).all():
        return repeat(rfc3339(int(times_ms[0])).encode())
    times = times_ms.tolist()
    text = {time: rfc3339(time).encode() for time in set(times)}
    return (text[time] for time in times)


def _boolean(value: object) -> str:
    return "true" if value else "false"
