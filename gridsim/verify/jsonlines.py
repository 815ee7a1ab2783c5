"""The parser of JSON Lines and of messages: objects, or arrays of objects (framing project)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import IO, Any

import msgspec

from gridsim.verify.advice import path_to, why_no_record
from gridsim.verify.arrivals import Arrivals
from gridsim.verify.captures import is_wrapped, payloads
from gridsim.verify.evidence import IDENTITY, MISSING
from gridsim.verify.fields import FIELDS, RECEIVED, SEQ
from gridsim.verify.jsonstream import JsonStream
from gridsim.verify.reading import Reading
from gridsim.verify.skeleton import SkeletonParser
from gridsim.verify.strict import StrictParser
from gridsim.verify.times import NO_TIME

_LINES = 20_000
_BLOCK_BYTES = 2_000_000
_PART_BYTES = 40_000
# After this many consecutive parts that differ from gridsim's form, the fast parser is no longer
# tried.
_FAILURES = 16
_NOT_JSON = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the whole lines of a file in blocks; the last line may have no end."""
    parts: list[bytes] = []
    while part := file.read(_BLOCK_BYTES):
        end = part.rfind(b"\n") + 1
        if end:
            yield b"".join([*parts, memoryview(part)[:end]])
            parts = []
        parts.append(part[end:])
    if rest := b"".join(parts):
        yield rest


class _Wrapped(msgspec.Struct):
    """A message in a capture as JSON (mosquitto_sub -F %J)."""

    topic: Any
    payload: msgspec.Raw
    tst: Any = None


class JsonParser:
    """A converter from texts to arrivals; one text may contain several records."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._evidence = reading.evidence
        names = reading.evidence.names
        self._columns = reading.columns(text=reading.loose, names=names)
        self._fields = [name for name in (*FIELDS, SEQ, RECEIVED) if name in names]
        self._names = [names[name] for name in self._fields]
        record = msgspec.defstruct(
            "Record",
            [
                (name, Any, msgspec.field(name=names[name], default=MISSING))
                for name in self._fields
            ],
            gc=False,
        )
        self._record: Any = record
        self._decoder: Any = msgspec.json.Decoder(record | list[record])  # type: ignore[valid-type]
        self._named = False
        self._known = frozenset(self._names)
        self._keys = [msgspec.json.encode(name) for name in self._names]
        self._id = msgspec.json.encode(names["der_id"])
        self.others = 0
        """The number of messages that are not readings."""

    def lines(self, file: IO[bytes]) -> Iterator[Arrivals]:
        """Yield the arrivals of a file's lines; empty lines are skipped.

        Blocks of lines in gridsim's form take a fast parser or, if their lines have the same
        layout, the fastest one.
        """
        strict, skeleton = StrictParser(self._reading), SkeletonParser(self._reading)
        scaled = bool(self._evidence.units)
        failures, first = 0 if strict.usable and not scaled else _FAILURES, 1
        uneven = 0 if skeleton.usable and not scaled else _FAILURES
        for block in _blocks(file):
            # A part that differs from gridsim's form is halved, so that few lines take the slow
            # parser.
            parts = [block]
            while parts:
                part = parts.pop()
                found = skeleton.arrivals(part, first) if uneven < _FAILURES else None
                uneven = uneven + 1 if found is None else 0
                if found is None and failures < _FAILURES:
                    found = strict.arrivals(part, first)
                middle = part.find(b"\n", len(part) // 2) + 1
                if found is not None:
                    failures = 0
                    if not self._named:
                        self._keep_names_of(part.split(b"\n", 1)[0])
                    first += len(found)
                    yield found
                elif failures < _FAILURES and len(part) > _PART_BYTES and 0 < middle < len(part):
                    parts += [part[middle:], part[:middle]]
                    continue
                else:
                    failures += 1
                    yield from self._lenient(part, first)
                    first += part.count(b"\n")

    def _lenient(self, block: bytes, first: int) -> Iterator[Arrivals]:
        lines = block.split(b"\n")
        numbered = ((n, line) for n, line in enumerate(lines, start=first) if line.strip())
        while part := list(islice(numbered, _LINES)):
            yield self.texts([line for _, line in part], [n for n, _ in part])

    def capture(self, lines: Iterable[bytes]) -> Iterator[Arrivals]:
        """Yield the arrivals of lines that each have a topic before the message."""
        messages = payloads(lines)
        while part := list(islice(messages, _LINES)):
            kept = [(n, text) for n, text, reading in part if reading and self._is_reading(text)]
            self.others += len(part) - len(kept)
            yield self.texts([text for _, text in kept], [n for n, _ in kept])

    def wrapped(self, lines: Iterable[bytes]) -> Iterator[Arrivals]:
        """Yield the arrivals of lines that are objects with a topic and a payload."""
        decode = msgspec.json.Decoder(_Wrapped).decode
        numbered = ((n, line) for n, line in enumerate(lines, start=1) if line.strip())
        while part := list(islice(numbered, _LINES)):
            texts, places, times = [], [], []
            for number, line in part:
                text, received = line, NO_TIME
                try:
                    message = decode(line)
                    # mosquitto_sub writes `Z+0200` for an offset of two hours.
                    time = message.tst
                    time = time.replace("Z+", "+") if isinstance(time, str) else time
                    received = self._reading.time(time)
                    text = bytes(message.payload)
                    if text.startswith(b'"'):
                        text = msgspec.json.decode(text, type=str).encode()
                except _NOT_JSON:
                    pass
                if self._is_reading(text):
                    texts.append(text)
                    places.append(number)
                    times.append(received)
                else:
                    self.others += 1
            known = None if RECEIVED in self._fields else times
            yield self.texts(texts, places, known)

    def stream(self, file: IO[bytes]) -> Iterator[Arrivals]:
        """Yield the arrivals of a text in which a record may extend over lines."""
        values = JsonStream(file, self._known).values()
        while part := list(islice(values, _LINES)):
            records: list[dict[str, Any]] = []
            lines: list[int] = []
            garbled: dict[int, str] = {}
            for line, value in map(self._unwrapped, part):
                if isinstance(value, dict):
                    self._keep_names(value)
                    records.append(value)
                    lines.append(line)
                    continue
                body = value.encode()
                reason = why_no_record(body, self._known)
                for found in self._columns.salvage(body, several=self._reading.several):
                    garbled[len(records)] = reason
                    records.append(dict(zip(map(self._name, IDENTITY), found, strict=True)))
                    lines.append(line)
            chunk = {
                field: [record.get(name, MISSING) for record in records]
                for field, name in zip(self._fields, self._names, strict=True)
            }
            yield self._columns.arrivals(chunk, lines, garbled)

    def _unwrapped(self, place: tuple[int, Any]) -> tuple[int, Any]:
        """Return the payload of a value that is a message of a capture, with its line."""
        line, value = place
        if is_wrapped(value):
            value = value["payload"]
            if isinstance(value, str):
                with suppress(*_NOT_JSON):
                    value = msgspec.json.decode(value)
        return line, value

    def texts(
        self,
        texts: Sequence[bytes],
        places: Sequence[int],
        received_ms: Sequence[int] | None = None,
    ) -> Arrivals:
        """Return the arrivals of texts, each with its position in the source."""
        records: list[Any] = []
        of: list[int] = []
        garbled: dict[int, str] = {}
        decode = self._decoder.decode
        for index, text in enumerate(texts):
            try:
                found = decode(text)
            except _NOT_JSON:
                found = None
            twice = found is not None and self._may_repeat(text, found)
            reason = why_no_record(text, self._known) if twice or found is None else ""
            if found is None or reason:
                salvaged = self._columns.salvage(text, several=self._reading.several)
                for der_id, timestamp in salvaged:
                    garbled[len(records)] = reason
                    of.append(index)
                    records.append(self._record(der_id=der_id, timestamp=timestamp))
                continue
            if not self._named:
                self._keep_names_of(text)
            if isinstance(found, list):
                records += found
                of += [index] * len(found)
            else:
                records.append(found)
                of.append(index)
        columns = zip(*map(msgspec.structs.astuple, records), strict=True)
        chunk = dict(zip(self._fields, columns, strict=False))
        lines = [places[index] for index in of]
        times = None if received_ms is None else [received_ms[index] for index in of]
        return self._columns.arrivals(chunk, lines, garbled, times)

    def _keep_names_of(self, text: bytes) -> None:
        """Note the names of the fields in a text.

        The decoder of records reads past a field that is not theirs, also if it is not UTF-8.
        """
        with suppress(*_NOT_JSON):
            self._keep_names(msgspec.json.decode(text))

    def _may_repeat(self, text: bytes, found: Any) -> bool:
        """Return whether a record may have a field more than once."""
        most = len(found) if isinstance(found, list) else 1
        return any(text.count(key) > most for key in self._keys)

    def _name(self, field: str) -> str:
        return self._evidence.names[field]

    def _is_reading(self, text: bytes) -> bool:
        """Return false for a message of another kind: valid JSON without the field der_id."""
        if self._id in text:
            return True
        try:
            msgspec.json.decode(text)
        except _NOT_JSON:
            return True
        return False

    def _keep_names(self, value: Any) -> None:
        """Keep the names of the first record that are not a field's."""
        if self._named:
            return
        record = value[0] if isinstance(value, list) and value else value
        if isinstance(record, dict):
            self._evidence.keep_names(record)
            self._named = True
            path = path_to(self._name("der_id"), record)
            self._evidence.nested = f".{path.removeprefix('.')}" if path else ""
