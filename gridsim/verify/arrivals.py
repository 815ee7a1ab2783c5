"""The arrivals, as columns: the records that reached the user's system."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import compress
from operator import countOf, ne
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gridsim.helpers.tables import Decimal
from gridsim.verify.advice import advice_for
from gridsim.verify.evidence import IDENTITY, MISSING, Evidence
from gridsim.verify.fields import BIT, FIELDS, RECEIVED, SEQ
from gridsim.verify.growing import joined
from gridsim.verify.roster import LedgerRoster
from gridsim.verify.times import NO_TIME, TimeReader
from gridsim.verify.values import ABSENT, NULL, Ints, Small, booleans, converted, integers, numbers

NUMBERS: Final = {
    "current_output": 100,
    "power_meter_measurement": 100,
    "baseline": 100,
    "current_soc": 10,
}
_CONSTANT_NUMBERS = ("contract_threshold", "nameplate_capacity")
_WITH_DECIMALS = (*NUMBERS, *_CONSTANT_NUMBERS, SEQ)


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
    """True if the arrival cannot be read as a record."""
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

    def __init__(
        self,
        roster: LedgerRoster,
        evidence: Evidence,
        time: TimeReader,
        *,
        text: bool,
        decimal: Decimal = ".",
        factors: Mapping[str, float] | None = None,
    ) -> None:
        """Create a converter; with `text`, values may be written as text.

        `factors` convert the numbers of some fields to kW.

        `evidence` counts the fields, and holds the names that they have in the records.
        """
        self._decimal = decimal
        of = factors or {}
        self._factors = {name: factor * of.get(name, 1.0) for name, factor in NUMBERS.items()}
        self._constant = {name: 100 * of.get(name, 1.0) for name in _CONSTANT_NUMBERS}
        self._roster = roster
        self._evidence = evidence
        self._text = text
        self._time = time
        self._patterns = {
            name: re.compile(rf'"{re.escape(evidence.names[name])}"\s*:\s*"([^"\\]*)"'.encode())
            for name in IDENTITY
        }

    def arrivals(
        self,
        chunk: Mapping[str, Sequence[Any]],
        lines: Sequence[int],
        garbled: Mapping[int, str] | None = None,
        received_ms: Sequence[int] | None = None,
    ) -> Arrivals:
        """Convert a chunk: a column of values per field, by our names.

        `garbled` are the rows that are not records, with the reason.
        """
        n = len(lines)
        text = self._text
        values = {name: chunk.get(name) or [MISSING] * n for name in (*FIELDS, SEQ)}
        if self._decimal != ".":
            values |= {name: self._with_points(values[name]) for name in _WITH_DECIMALS}
        device = self._devices(values["der_id"])
        time_ms = self._times(values["timestamp"])
        since_ms = self._times(values["connection_start_at"])
        numeric = {
            name: numbers(values[name], factor, text=text) for name, factor in self._factors.items()
        }
        online = booleans(values["is_online"], text=text)
        seq = integers(values[SEQ], text=text)
        # A missing state of charge means the same as null: there is no storage.
        soc = numeric["current_soc"]
        soc[[row for row, value in enumerate(values["current_soc"]) if value is MISSING]] = NULL
        lost = {
            "der_id": np.array([not isinstance(v, str) for v in values["der_id"]], np.bool_),
            "timestamp": time_ms == NO_TIME,
            "connection_start_at": since_ms == NO_TIME,
            "is_online": online == ABSENT,
            SEQ: seq < 0,
            **{name: column <= NULL for name, column in numeric.items()},
            "current_soc": soc == ABSENT,
        }
        constants = dict(self._constants(values))
        lost |= {name: gone for name, (_, gone) in constants.items()}
        whole = np.ones(n, np.bool_)
        whole[list(garbled or ())] = False
        absent = np.zeros(n, np.uint16)
        for name, gone in lost.items():
            absent[gone] |= np.uint16(BIT[name])
        strange = self._strange(constants, device)
        self._keep_evidence(values, lost, strange, whole, lines, device)
        if garbled:
            self._evidence.keep_reasons(garbled, lines, device.tolist())
        return Arrivals(
            device=device,
            time_ms=time_ms,
            seq=seq,
            output=numeric["current_output"],
            meter=numeric["power_meter_measurement"],
            baseline=numeric["baseline"],
            soc=np.where(soc == ABSENT, NULL, soc).astype(np.int32),
            online=online,
            since_ms=since_ms,
            absent=absent,
            strange=strange,
            garbled=~whole,
            received_ms=self._received(chunk, n, received_ms),
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

    def _with_points(self, values: Sequence[Any]) -> Sequence[Any]:
        """Return numbers with a decimal comma as text with a decimal point; a text that has a point
        already is invalid.
        """
        comma = self._decimal
        return [
            v.replace(comma, ".")
            if isinstance(v, str) and "." not in v
            else f"{v} " + comma
            if isinstance(v, str)
            else v
            for v in values
        ]

    def _devices(self, values: Sequence[Any]) -> Small:
        index, text = self._roster.index, self._text

        def one(value: Any) -> int:
            if not isinstance(value, str):
                return -1
            found = index.get(value, -1)
            return index.get(value.strip(), -1) if text and found < 0 else found

        found = converted(values, one, np.int32)
        self._evidence.keep_unknown(values[row] for row in np.flatnonzero(found < 0).tolist())
        return found

    def _times(self, values: Sequence[Any]) -> Ints:
        return converted(values, self._time, np.int64)

    def _received(
        self, chunk: Mapping[str, Sequence[Any]], rows: int, known: Sequence[int] | None
    ) -> Ints:
        if known is not None:
            return np.array(known, np.int64)
        if not chunk.get(RECEIVED):
            return np.full(rows, NO_TIME)
        received = self._times(chunk[RECEIVED])
        self._evidence.there[RECEIVED] += int((received != NO_TIME).sum())
        return received

    def _constants(
        self, values: Mapping[str, Sequence[Any]]
    ) -> Iterator[tuple[str, tuple[Sequence[Any], NDArray[np.bool_]]]]:
        """Yield each constant field with its values, and the rows in which it cannot be read."""
        for name in self._roster.constants:
            column = values[name]
            if name in _CONSTANT_NUMBERS:
                small = numbers(column, self._constant[name], text=self._text)
                yield name, (small.tolist(), small <= NULL)
            elif name == "is_standalone":
                small = booleans(column, text=self._text)
                yield name, (small.tolist(), small == ABSENT)
            else:
                yield name, self._texts(column)

    def _texts(self, column: Sequence[Any]) -> tuple[Sequence[Any], NDArray[np.bool_]]:
        """Return the values of a text field, and the rows in which it cannot be read."""
        if set(map(type, column)) == {str}:
            if self._text:
                # Most texts are repeated.
                stripped = {text: text.strip() for text in set(column)}
                column = list(map(stripped.__getitem__, column))
            return column, np.zeros(len(column), np.bool_)
        lost = np.array([not isinstance(value, str) for value in column], np.bool_)
        if self._text:
            column = [v.strip() if isinstance(v, str) else v for v in column]
        return column, lost

    def _strange(
        self,
        constants: Mapping[str, tuple[Sequence[Any], NDArray[np.bool_]]],
        device: Small,
    ) -> NDArray[np.uint16]:
        """Return the mask of the constant fields that differ from the ledger."""
        strange = np.zeros(len(device), np.uint16)
        known, of = device >= 0, device.tolist()
        for name, (found, lost) in constants.items():
            truth = self._roster.constants[name]
            differs = np.array(list(map(ne, found, map(truth.__getitem__, of))), np.bool_)
            strange[differs & known & ~lost] |= np.uint16(BIT[name])
        return strange

    def _keep_evidence(
        self,
        values: Mapping[str, Sequence[Any]],
        lost: Mapping[str, NDArray[np.bool_]],
        strange: NDArray[np.uint16],
        whole: NDArray[np.bool_],
        lines: Sequence[int],
        device: Small,
    ) -> None:
        """Count the fields of whole records, and keep examples of values that changed."""
        evidence, devices = self._evidence, device.tolist()
        rows = int(whole.sum())
        evidence.rows += rows
        for name, gone in lost.items():
            bad = np.flatnonzero(gone & whole).tolist()
            missing = sum(values[name][row] is MISSING for row in bad)
            if name == "current_soc":  # a missing state of charge is not in `lost`
                kept = values[name] if whole.all() else compress(values[name], whole)
                missing = countOf(kept, MISSING)
            evidence.there[name] += rows - missing
            evidence.unreadable[name] += len(bad)
            if missing < rows:
                if bad and name not in evidence.advice:
                    value = values[name][bad[0]]
                    evidence.advice[name] = advice_for(name, value, self._text, self._decimal)
                evidence.keep(name, values[name], bad, lines, devices)
            odd = np.flatnonzero((strange & BIT[name]) != 0).tolist()
            evidence.keep(f"{name}=", values[name], odd, lines, devices)
