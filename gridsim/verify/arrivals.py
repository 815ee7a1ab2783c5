"""The arrivals, as columns: the records that reached the user's system."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from operator import ne
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gridsim.verify.fields import BIT, FIELDS, RECEIVED, SEQ
from gridsim.verify.growing import joined
from gridsim.verify.roster import LedgerRoster
from gridsim.verify.values import (
    ABSENT,
    NO_TIME,
    NULL,
    Ints,
    Small,
    booleans,
    clock,
    integers,
    numbers,
)

MISSING: Final = object()
"""The value in a chunk for a field that a record does not have."""
NUMBERS: Final = {
    "current_output": 100,
    "power_meter_measurement": 100,
    "baseline": 100,
    "current_soc": 10,
}
_CONSTANT_NUMBERS = ("contract_threshold", "nameplate_capacity")


@dataclass(frozen=True, slots=True, eq=False)
class Arrivals:
    """The columns of n arrivals, in the order of arrival."""

    device: Small
    """The device; -1 if it is not known."""
    time_ms: Ints
    seq: Ints
    """The sequence number; -1 if it is not known."""
    output: Small
    meter: Small
    baseline: Small
    soc: Small
    online: Small
    since_ms: Ints
    absent: NDArray[np.uint16]
    """A mask of the fields that are missing or cannot be read."""
    strange: NDArray[np.uint16]
    """A mask of the constant fields that differ from the ledger."""
    garbled: NDArray[np.bool_]
    """True if the arrival is not a record."""
    received_ms: Ints
    """The time of arrival; NO_TIME if it is not known."""
    line: Ints
    """The line or position in the source, from 1."""

    def __len__(self) -> int:
        return len(self.device)

    def take(self, rows: NDArray[np.intp]) -> Arrivals:
        return Arrivals(*(getattr(self, f.name)[rows] for f in fields(self)))

    @classmethod
    def joined(cls, parts: Iterable[Arrivals]) -> Arrivals:
        """Join parts; there must be at least one."""
        names = [f.name for f in fields(cls)]
        return cls(*joined([getattr(part, name) for name in names] for part in parts))


class Columns:
    """A converter from chunks of records to arrivals."""

    def __init__(self, roster: LedgerRoster, names: Mapping[str, str], *, text: bool) -> None:
        """Create a converter.

        `names` are the fields' names in the records; with `text`, all values are texts.
        """
        self._roster = roster
        self._names = names
        self._text = text
        self._time = clock(text=text)
        # The time of arrival is the user's own field, so its type is not known.
        self._received = clock(text=True)
        self._patterns = {
            name: re.compile(rf'"{re.escape(names[name])}"\s*:\s*"([^"\\]*)"'.encode())
            for name in ("der_id", "timestamp")
        }

    def arrivals(
        self,
        chunk: Mapping[str, Sequence[Any]],
        lines: Sequence[int],
        garbled: Sequence[int] = (),
        received_ms: Sequence[int] | None = None,
    ) -> Arrivals:
        """Convert a chunk: a column of values per field, by our names.

        `garbled` are the rows that are not records.
        """
        n = len(lines)
        chunk = {name: chunk.get(name, [MISSING] * n) for name in (*FIELDS, SEQ)} | {
            RECEIVED: chunk.get(RECEIVED, [])
        }
        roster, text = self._roster, self._text
        absent = np.zeros(n, np.uint16)
        found = roster.index.get
        device = np.array(
            [found(v, -1) if isinstance(v, str) else -1 for v in chunk["der_id"]], np.int32
        )
        time_ms = self._times(chunk["timestamp"], self._time)
        since_ms = self._times(chunk["connection_start_at"], self._time)
        columns = {
            name: numbers(chunk[name], factor, text=text) for name, factor in NUMBERS.items()
        }
        online = booleans(chunk["is_online"], text=text)
        not_text = np.array([not isinstance(v, str) for v in chunk["der_id"]], np.bool_)
        absent[not_text] |= BIT["der_id"]
        absent[time_ms == NO_TIME] |= BIT["timestamp"]
        absent[since_ms == NO_TIME] |= BIT["connection_start_at"]
        absent[online == ABSENT] |= BIT["is_online"]
        for name, column in columns.items():
            absent[column == ABSENT if name == "current_soc" else column <= NULL] |= BIT[name]
        # A missing state of charge means the same as null: there is no storage.
        left_out = np.array([v is MISSING for v in chunk["current_soc"]], np.bool_)
        absent[left_out] &= ~np.uint16(BIT["current_soc"])
        strange = self._compare_constants(chunk, device, absent)
        mask = np.zeros(n, np.bool_)
        mask[list(garbled)] = True
        if received_ms is None:
            received = (
                self._times(chunk[RECEIVED], self._received)
                if len(chunk[RECEIVED])
                else np.full(n, NO_TIME)
            )
        else:
            received = np.array(received_ms, np.int64)
        return Arrivals(
            device=device,
            time_ms=time_ms,
            seq=integers(chunk[SEQ], text=text),
            output=columns["current_output"],
            meter=columns["power_meter_measurement"],
            baseline=columns["baseline"],
            soc=np.where(columns["current_soc"] == ABSENT, NULL, columns["current_soc"]).astype(
                np.int32
            ),
            online=online,
            since_ms=since_ms,
            absent=absent,
            strange=strange,
            garbled=mask,
            received_ms=received,
            line=np.array(lines, np.int64),
        )

    def salvage(self, body: bytes, *, several: bool) -> list[tuple[str | object, str | object]]:
        """Return (der_id, timestamp) of the records in a text that is not valid JSON.

        There is one pair, or several if `several`, because a message then contains the records
        of a project.
        """
        ids, times = self._found("der_id", body), self._found("timestamp", body)
        known = [name for name in ids if name in self._roster.index]
        time = next((text for text in times if self._time(text) != NO_TIME), MISSING)
        if not several or len(known) < 2:
            return [(next(iter(known or ids), MISSING), time)]
        # A message's records have the same time; a text may contain the same record twice.
        return [(name, time) for name in dict.fromkeys(known)]

    def _found(self, name: str, body: bytes) -> list[str]:
        matches = self._patterns[name].finditer(body)
        return [match[1].decode(errors="replace") for match in matches]

    def _times(self, values: Sequence[Any], read: Callable[[Any], int]) -> Ints:
        return np.array([read(value) for value in values], np.int64)

    def _compare_constants(
        self, chunk: Mapping[str, Sequence[Any]], device: Small, absent: NDArray[np.uint16]
    ) -> NDArray[np.uint16]:
        """Return the mask of the constant fields that differ; add missing ones to `absent`."""
        strange = np.zeros(len(device), np.uint16)
        known, of = device >= 0, device.tolist()
        for name, truth in self._roster.constants.items():
            values = chunk[name]
            if name in _CONSTANT_NUMBERS:
                found: Sequence[Any] = numbers(values, 100, text=self._text).tolist()
                lost = [value <= NULL for value in found]
            elif name == "is_standalone":
                found = booleans(values, text=self._text).tolist()
                lost = [value == ABSENT for value in found]
            else:
                found = values
                lost = [not isinstance(value, str) for value in values]
            absent[np.array(lost, np.bool_)] |= BIT[name]
            differs = list(map(ne, found, map(truth.__getitem__, of)))
            strange[np.array(differs, np.bool_) & known & ~np.array(lost, np.bool_)] |= BIT[name]
        return strange
