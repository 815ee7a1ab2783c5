"""The evidence of a comparison: the fields of the user's data, and those that can be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from gridsim.verify.fields import BIT, FIELDS, SEQ

MISSING: Final = object()
"""The value in a chunk for a field that a record does not have."""
GARBLED: Final = ""
"""The name under which the reasons why a text is not a record are stored."""
IDENTITY: Final = ("der_id", "timestamp")
"""The fields that identify a reading; each other field has a value that is compared."""

_SAMPLES = 20
# Faults may garble many records; the stored reasons must include one of a record without a fault.
_REASONS = 2000
_IDS = 1000
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class UnreadableField:
    """A field that the user's data has, and in which some values cannot be read."""

    field: str
    name: str
    """The user's name for the field."""
    unreadable: int
    rows: int
    """The number of records."""
    line: int
    """The line of the first value that cannot be read."""
    value: str
    """The first such value, as text; empty if the record does not have the field."""
    advice: str = ""
    """The reason why that value cannot be read, or what to do; empty if nothing is known."""

    def __str__(self) -> str:
        part = f"{self.unreadable:,} of {self.rows:,}"
        of = f"all {self.rows:,}" if self.unreadable == self.rows else part
        what = "is missing or cannot be read" if not self.value else "cannot be read"
        example = f": {self.value}" if self.value else ""
        advice = f" ({self.advice})" if self.advice else ""
        where = f"for example in line {self.line}{example}{advice}"
        return f"{self.name} {what} in {of} records, {where}"


@dataclass(slots=True)
class Evidence:
    """The counts of the records and of their fields, collected while data is read."""

    names: Mapping[str, str]
    """The user's name of each field."""
    rows: int = 0
    there: Counter[str] = field(default_factory=Counter)
    """The number of records that have each field."""
    unreadable: Counter[str] = field(default_factory=Counter)
    """The number of records in which each field is missing or cannot be read."""
    others: list[str] = field(default_factory=list)
    """Names in the data that are not the name of any field."""
    sources: list[str] = field(default_factory=list)
    """A line about each file: its form and its number of records."""
    advice: dict[str, str] = field(default_factory=dict)
    """The reason why the first value of each field cannot be read, or what to do."""
    units: dict[str, str] = field(default_factory=dict)
    """The units of columns that are not in kW, by the user's name."""
    unknown_ids: Counter[str] = field(default_factory=Counter)
    """The number of records of each id that is not known, of the first such ids."""
    nested: str = ""
    """The path of jq to the records, if they are within other objects."""
    _samples: dict[str, dict[tuple[int, int], str]] = field(default_factory=dict)

    def keep(
        self,
        name: str,
        values: Sequence[Any],
        rows: Iterable[int],
        lines: Sequence[int],
        devices: Sequence[int],
    ) -> None:
        """Keep some values of a field; `lines` and `devices` belong to `values`."""
        kept = self._samples.setdefault(name, {})
        for row in rows:
            if len(kept) >= _SAMPLES:
                return
            kept.setdefault((lines[row], devices[row]), shown(values[row]))

    def keep_unknown(self, ids: Iterable[Any]) -> None:
        """Count records by their ids, which are not known."""
        kept = self.unknown_ids
        for id in ids:
            if isinstance(id, str) and (id in kept or len(kept) < _IDS):
                kept[id] += 1

    def keep_reasons(
        self, reasons: Mapping[int, str], lines: Sequence[int], devices: Sequence[int]
    ) -> None:
        """Keep the reasons, by row, why some texts are not records."""
        kept = self._samples.setdefault(GARBLED, {})
        for row, reason in reasons.items():
            if len(kept) >= _REASONS:
                return
            kept.setdefault((lines[row], devices[row]), reason)

    def first_reason(self) -> tuple[int, str]:
        """Return the line of the first text that is not a record, and the reason; 0 if none."""
        kept = self._samples.get(GARBLED, {})
        return next(((line, reason) for (line, _), reason in kept.items()), (0, ""))

    def keep_names(self, names: Iterable[str]) -> None:
        """Keep the names in the data that are not the name of any field."""
        known = {*self.names.values(), *self.others}
        self.others += [name for name in names if name not in known]

    def sample(self, name: str, line: int, device: int) -> str:
        """Return a value of a field as text; empty if it was not kept."""
        return self._samples.get(name, {}).get((line, device), "")

    def unreadable_fields(self) -> list[UnreadableField]:
        """Return the fields that are there and have values that cannot be read."""
        return [
            UnreadableField(
                name,
                self.names.get(name, name),
                self.unreadable[name],
                self.rows,
                *next(((at[0], text) for at, text in self._samples.get(name, {}).items()), (0, "")),
                self.advice.get(name, ""),
            )
            for name in (*FIELDS, SEQ)
            if self.there[name] and self.unreadable[name]
        ]

    @property
    def kept(self) -> np.uint16:
        """The mask of the fields in the data."""
        names = [name for name in (*FIELDS, SEQ) if self.there[name] or name in IDENTITY]
        return np.uint16(sum(BIT[name] for name in names))

    @property
    def has_values(self) -> bool:
        """True if the data has a field whose values are compared."""
        return any(self.there[name] for name in FIELDS if name not in IDENTITY)

    def not_compared(self, sent: Iterable[str]) -> list[str]:
        """Return the sent fields that the data does not have; a similar name is shown with it."""
        similar = {_plain(name): name for name in self.others}
        found = []
        for name in sent:
            if self.there[name]:
                continue
            other = similar.get(_plain(name))
            flag = f" (is it {other!r}? --field {name}={other})" if other is not None else ""
            found.append(f"{name}{flag}")
        return found


def _plain(name: str) -> str:
    """Return a name without the differences between camelCase, snake_case and others."""
    return "".join(filter(str.isalnum, name)).casefold()


def shown(value: Any) -> str:
    """Return a user's value as printable text, quoted and shortened; empty for MISSING."""
    if value is MISSING:
        return ""
    if value in ("", None):
        return "empty" if value == "" else "null"
    try:
        text = f"'{value}'" if isinstance(value, str) else repr(value)
    except ValueError:
        text = "a number with thousands of digits"
    printable = "".join(c if c.isprintable() else "?" for c in text[: _SHOWN + 1])
    return printable if len(printable) <= _SHOWN else printable[: _SHOWN - 3] + "..."
