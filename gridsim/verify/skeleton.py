"""The fastest way for JSON Lines: lines that differ in their values only are read as columns."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridsim.verify.arrivals import Arrivals
from gridsim.verify.bytefields import PAD, ByteFields, StampMemo, digests_of, runs_of_times
from gridsim.verify.fields import BIT, FIELDS, RECEIVED, SEQ
from gridsim.verify.pairing import Keys
from gridsim.verify.reading import Reading
from gridsim.verify.times import NO_TIME
from gridsim.verify.values import NULL, Ints, Small

_COMMA, _NEWLINE = b",\n"
_MEMBER: Final = re.compile(
    rb'([ \t]*\{?[ \t]*"([^"\\]*)"[ \t]*:[ \t]*)'
    rb'("[^"\\]*"|[-.0-9]+|true|false|null)([ \t\r]*\}?[ \t\r]*)'
)
_TEXTS: Final = (
    "der_id", "timestamp", "units", "project_id", "connection_start_at", "type",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Member:
    """A name and its value in each line: the text before the value, and after it."""

    field: str
    before: bytes
    after: bytes


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
        # The text of each device that was found to be right.
        self._words = {name: np.zeros(len(ids), np.uint64) for name in self._numbers}
        self._since = StampMemo(len(ids), self._time)
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
        marks = data[ends].reshape(n, width)
        if (marks[:, :-1] != _COMMA).any() or (marks[:, -1] != _NEWLINE).any():
            return None
        starts = np.empty_like(ends)
        starts[0], starts[1:] = 0, ends[:-1] + 1
        spans: dict[str, ByteFields] = {}
        for place, member in enumerate(members):
            start, end = starts[place::width], ends[place::width]
            after = len(member.after)
            fields = ByteFields(data, start, len(member.before), end - after)
            if not fields.valid or not fields.follow(member.before):
                return None
            if any((data[end - after + k] != byte).any() for k, byte in enumerate(member.after)):
                return None
            spans[member.field] = fields
        return self._converted(spans, n, first_line)

    def _marks(self, data: NDArray[np.uint8]) -> Ints:
        """Return the places of commas and line ends."""
        if len(self._there) < len(data):
            self._there, self._also = (np.empty(len(data), np.bool_) for _ in range(2))
        there, also = self._there[: len(data)], self._also[: len(data)]
        np.equal(data, _COMMA, out=there)
        np.equal(data, _NEWLINE, out=also)
        np.logical_or(there, also, out=there)
        return np.flatnonzero(there)

    def _converted(self, spans: dict[str, ByteFields], n: int, first_line: int) -> Arrivals | None:
        device = self._devices(spans["der_id"].digests())
        if device is None:
            return None
        for name, digests in self._texts.items():
            own = digests[device]
            if (own == 0).any() or (spans[name].digests() != own).any():
                return None
        for name, words in self._words.items():
            word = spans[name].short()
            new = np.flatnonzero((word != words[device]) | (word == 0))
            if len(new):
                value, valid = (
                    spans[name].booleans() if name == "is_standalone" else spans[name].numbers(2)
                )
                if not valid.all() or (value != self._numbers[name][device]).any():
                    return None
                words[device] = word
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
        times = (
            runs_of_times(spans["timestamp"], self._time),
            self._since.times(spans["connection_start_at"], device),
        )
        if any((time == NO_TIME).any() for time in times):
            return None
        evidence = self._reading.evidence
        evidence.rows += n
        for name in FIELDS:
            evidence.there[name] += n
        output, meter, baseline = powers
        return Arrivals(
            device=device,
            time_ms=times[0],
            seq=np.broadcast_to(np.int64(-1), n),
            output=output,
            meter=meter,
            baseline=baseline,
            soc=soc,
            online=online,
            since_ms=times[1],
            absent=np.broadcast_to(np.uint16(BIT[SEQ]), n),
            strange=np.broadcast_to(np.uint16(0), n),
            garbled=np.broadcast_to(np.bool_(False), n),
            received_ms=np.broadcast_to(np.int64(NO_TIME), n),
            line=np.arange(first_line, first_line + n),
        )

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
