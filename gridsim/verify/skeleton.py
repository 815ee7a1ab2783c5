"""The fastest parser for JSON Lines: lines that differ only in their values are read as columns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridsim.verify.arrivals import Arrivals
from gridsim.verify.bytefields import LONGEST_RUN, PAD, ByteFields, digests_of, runs_of_times
from gridsim.verify.fields import FIELDS, RECEIVED, SEQ
from gridsim.verify.pairing import Keys
from gridsim.verify.reading import Reading
from gridsim.verify.times import NO_TIME
from gridsim.verify.values import NULL, Ints, Small
from gridsim.verify.whole import whole_arrivals

_COMMA, _NEWLINE = b",\n"
_MEMBER: Final = re.compile(
    rb'([ \t]*\{?[ \t]*"([^"\\]*)"[ \t]*:[ \t]*)'
    rb'("[^"\\]*"|[-.0-9]+|true|false|null)([ \t\r]*\}?[ \t\r]*)'
)
_CACHED: Final = 131_072
_TEXTS: Final = (
    "der_id", "timestamp", "units", "project_id", "connection_start_at", "type",
)  # fmt: skip


_STEADY: Final = frozenset({
    "units", "project_id", "connection_start_at", "type", "is_standalone", "contract_threshold",
    "nameplate_capacity",
})  # fmt: skip
"""The fields that are usually the same in all readings of a device."""


@dataclass(frozen=True, slots=True)
class _Member:
    """A name and its value in each line: the text before the value, and after it."""

    field: str
    before: bytes
    after: bytes


@dataclass(frozen=True, slots=True, eq=False)
class _Lines:
    """Lines of one layout: the places of their members, int64[lines, members]."""

    data: NDArray[np.uint8]
    start: Ints
    end: Ints
    members: tuple[_Member, ...]

    def fields(self, place: int, rows: NDArray[np.intp] | None = None) -> ByteFields | None:
        """Return the values of a member; None if the text around a value differs."""
        member = self.members[place]
        start, end = self.start[:, place], self.end[:, place]
        if rows is not None:
            start, end = start[rows], end[rows]
        end = end - len(member.after)
        fields = ByteFields(self.data, start, len(member.before), end)
        if not fields.valid or not fields.follow(member.before):
            return None
        if any((self.data[end + at] != byte).any() for at, byte in enumerate(member.after)):
            return None
        return fields

    def run(self, first: int, last: int) -> ByteFields:
        """Return the whole text of the members from `first` to `last`."""
        return ByteFields(self.data, self.start[:, first], 0, self.end[:, last], LONGEST_RUN)

    def runs(self) -> Iterator[tuple[int, int]]:
        """Yield the first and the last place of each run of steady members."""
        steady = groupby(range(len(self.members)), lambda at: self.members[at].field in _STEADY)
        for places in (list(group) for is_steady, group in steady if is_steady):
            yield places[0], places[-1]


class SkeletonParser:
    """A converter for lines with the same members in the same order and layout.

    Each line must have all fields of the record, as gridsim writes them, and no other.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        names = reading.evidence.names
        self._fields = {names[name].encode(): name for name in FIELDS if name in names}
        roster = reading.roster
        ids = self._ids = digests_of(roster.der_id)
        self._order = np.argsort(ids)
        self._ordered = ids[self._order]
        once = len(np.unique(ids)) == len(ids) and bool((ids != 0).all())
        plain = all(name.isprintable() for name in names.values())
        self.usable = once and plain and len(ids) > 0 and not names.keys() & {SEQ, RECEIVED}
        constants = roster.constants
        self._texts = {
            name: digests_of([str(text) for text in constants[name]])
            for name in ("project_id", "type", "units")
        }
        self._numbers = {
            name: np.array(constants[name], np.int64)
            for name in ("is_standalone", "contract_threshold", "nameplate_capacity")
        }
        # For each run of steady fields: the key of each device's last correct text.
        self._runs: dict[str, Keys] = {}
        self._since = np.full(len(ids), NO_TIME, np.int64)
        self._there = self._also = np.empty(0, np.bool_)

    def arrivals(self, block: bytes, first_line: int) -> Arrivals | None:
        """Return the arrivals of whole lines; None if any is of another kind."""
        if not block.endswith(b"\n"):
            block += b"\n"
        members = self._members_of(block[: block.index(b"\n") + 1])
        if members is None:
            return None
        data = np.frombuffer(block + bytes(PAD), np.uint8)
        ends = self._marks(data[: len(block)])
        width = len(members)
        n = len(ends) // width
        if n * width != len(ends):
            return None
        # If the last mark of each line is one of the n line ends, all others are commas.
        lasts = data[ends[width - 1 :: width]]
        if (lasts != _NEWLINE).any() or np.count_nonzero(self._also[: len(block)]) != n:
            return None
        starts = np.empty_like(ends)
        starts[0], starts[1:] = 0, ends[:-1] + 1
        lines = _Lines(data, starts.reshape(n, width), ends.reshape(n, width), members)
        return self._converted(lines, n, first_line)

    def _marks(self, data: NDArray[np.uint8]) -> Ints:
        """Return the places of commas and line ends."""
        if len(self._there) < len(data):
            self._there, self._also = (np.empty(len(data), np.bool_) for _ in range(2))
        there, also = self._there[: len(data)], self._also[: len(data)]
        # In parts that stay in the processor's cache.
        for at in range(0, len(data), _CACHED):
            part = slice(at, at + _CACHED)
            np.equal(data[part], _COMMA, out=there[part])
            np.equal(data[part], _NEWLINE, out=also[part])
            np.logical_or(there[part], also[part], out=there[part])
        return np.flatnonzero(there)

    def _converted(self, lines: _Lines, n: int, first_line: int) -> Arrivals | None:
        spans = {}
        for place, member in enumerate(lines.members):
            if member.field not in _STEADY:
                fields = lines.fields(place)
                if fields is None:
                    return None
                spans[member.field] = fields
        device = self._devices(spans["der_id"].digests())
        if device is None:
            return None
        since_ms = self._since[device]
        if not all(self._steady(lines, *run, device, since_ms) for run in lines.runs()):
            return None
        online, valid = spans["is_online"].booleans()
        if not valid.all():
            return None
        powers = []
        for name in ("current_output", "power_meter_measurement", "baseline"):
            value, valid = spans[name].numbers(2)
            if not valid.all():
                return None
            powers.append(value)
        soc = self._soc(spans["current_soc"])
        if soc is None:
            return None
        time_ms = runs_of_times(spans["timestamp"], self._time)
        if (time_ms == NO_TIME).any():
            return None
        output, meter, baseline = powers
        return whole_arrivals(
            self._reading.evidence,
            first_line,
            device=device,
            time_ms=time_ms,
            output=output,
            meter=meter,
            baseline=baseline,
            soc=soc,
            online=online,
            since_ms=since_ms,
        )

    def _steady(self, lines: _Lines, first: int, last: int, device: Small, since_ms: Ints) -> bool:
        """Return whether the fields from `first` to `last` are correct in all lines.

        Only texts that differ from the last one of the device are read; their
        `connection_start_at` is written to `since_ms`.
        """
        run = lines.run(first, last)
        rows: NDArray[np.intp] = np.arange(len(device))
        if run.valid:
            keys = run.digests()
            known = self._runs.setdefault(
                lines.members[first].field, np.zeros(len(self._ids), np.uint64)
            )
            rows = np.flatnonzero((keys != known[device]) | (keys == 0))
            if not len(rows):
                return True
        own = device[rows]
        for place in range(first, last + 1):
            fields = lines.fields(place, rows)
            if fields is None:
                return False
            if (name := lines.members[place].field) != "connection_start_at":
                if not self._right(name, fields, own):
                    return False
                continue
            found = since_ms[rows] = runs_of_times(fields, self._time)
            if (found == NO_TIME).any():
                return False
            self._since[own] = found
        if run.valid:
            # Of several texts of a device the last one is stored, like the last of its times.
            known[own] = keys[rows]
        return True

    def _right(self, name: str, fields: ByteFields, device: Small) -> bool:
        """Return whether a steady field is as sent in all rows."""
        if (texts := self._texts.get(name)) is not None:
            own = texts[device]
            return bool((own != 0).all() and (fields.digests() == own).all())
        value, valid = fields.booleans() if name == "is_standalone" else fields.numbers(2)
        return bool(valid.all() and (value == self._numbers[name][device]).all())

    def _devices(self, digests: Keys) -> Small | None:
        """Return the devices of ids, or None if one is not known."""
        first = int(np.searchsorted(self._ordered, digests[0]))
        if first == len(self._ordered) or self._ordered[first] != digests[0]:
            return None
        # Most exports have the devices in the order of the configuration.
        device = (self._order[first] + np.arange(len(digests))) % len(self._ids)
        rows = np.flatnonzero(self._ids[device] != digests)
        if len(rows):
            at = np.searchsorted(self._ordered, digests[rows])
            np.minimum(at, len(self._ordered) - 1, out=at)
            if (self._ordered[at] != digests[rows]).any():
                return None
            device[rows] = self._order[at]
        found: Small = device.astype(np.int32)
        return found

    def _soc(self, fields: ByteFields) -> Small | None:
        """Return states of charge in tenths; null is NULL, also as text."""
        null, quoted = fields.nulls()
        null |= quoted
        value, valid = fields.numbers(1)
        if not (valid | null).all():
            return None
        value[null] = NULL
        return value

    def _time(self, text: str) -> int:
        """Return a time in any form; NO_TIME if JSON may write it in another way."""
        plain = text.isascii() and text.isprintable() and '"' not in text and "\\" not in text
        return self._reading.time(text) if plain else NO_TIME

    def _members_of(self, line: bytes) -> tuple[_Member, ...] | None:
        """Return the members of a line, or None if it has another form."""
        parts = line[:-1].split(b",")
        if len(parts) != len(self._fields):
            return None
        members = []
        for place, part in enumerate(parts):
            match = _MEMBER.fullmatch(part)
            field = None if match is None else self._fields.get(match[2])
            if match is None or field is None:
                return None
            before, after = match[1], match[4]
            if before.count(b"{") != (place == 0) or after.count(b"}") != (place == len(parts) - 1):
                return None
            if field in _TEXTS:
                if match[3][:1] != b'"':
                    return None
                before, after = before + b'"', b'"' + after
            members.append(_Member(field, before, after))
        if len({member.field for member in members}) != len(self._fields):
            return None
        return tuple(members)
