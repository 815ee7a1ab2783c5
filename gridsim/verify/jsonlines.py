"""The parser of JSON Lines and of messages: objects, or arrays of objects (framing project)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import msgspec

from gridsim.verify.arrivals import MISSING, Arrivals, Columns
from gridsim.verify.fields import FIELDS, RECEIVED, SEQ

_LINES = 20_000


class JsonParser:
    """A converter from texts to arrivals; one text may contain several records."""

    def __init__(self, columns: Columns, names: Mapping[str, str], *, several: bool) -> None:
        """Create a parser; with `several`, a message has all records of a project and time."""
        self._columns = columns
        self._several = several
        self._fields = [name for name in (*FIELDS, SEQ, RECEIVED) if name in names]
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

    def lines(self, lines: Iterable[bytes]) -> Iterator[Arrivals]:
        """Yield the arrivals of a file's lines; empty lines are skipped."""
        count = 0
        source = iter(lines)
        while part := list(islice(source, _LINES)):
            numbers = range(count + 1, count + len(part) + 1)
            count += len(part)
            kept = [(line, n) for line, n in zip(part, numbers, strict=True) if line.strip()]
            if kept:
                yield self.texts([line for line, _ in kept], [n for _, n in kept])

    def texts(
        self,
        texts: Sequence[bytes],
        places: Sequence[int],
        received_ms: Sequence[int] | None = None,
    ) -> Arrivals:
        """Return the arrivals of texts, each with its position in the source."""
        records: list[Any] = []
        of: list[int] = []
        garbled: list[int] = []
        decode = self._decoder.decode
        for index, text in enumerate(texts):
            try:
                found = decode(text)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                for der_id, timestamp in self._columns.salvage(text, several=self._several):
                    garbled.append(len(records))
                    of.append(index)
                    records.append(self._record(der_id=der_id, timestamp=timestamp))
                continue
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
