"""Batches of recorded readings, and the formats that write their texts as recorded."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Batch, Format, Framing, Payloads, Roster, Settings
from gridsim.errors import UsageError
from gridsim.helpers.tables import NO_TIME
from gridsim.play.records import RecordPart, RecordReader
from gridsim.play.stamps import Mover

_NUMBERS: Final = (
    "current_output",
    "power_meter_measurement",
    "baseline",
    "contract_threshold",
    "current_soc",
)
# The size of an object for a text, besides its characters.
_OBJECT_BYTES: Final = 57


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RecordedBatch(Batch):
    """A batch whose readings have the texts in which they were recorded."""

    texts: Sequence[bytes] = ()
    """The text of each row."""

    @property
    def nbytes(self) -> int:
        """The size of the columns and the texts in bytes."""
        texts = sum(map(len, self.texts)) + _OBJECT_BYTES * len(self.texts)
        return Batch.nbytes.fget(self) + texts  # type: ignore[attr-defined, no-any-return]

    def rows(self, start: int, stop: int | None = None) -> RecordedBatch:
        """Return the rows from `start` to before `stop`."""
        part = Batch.rows(self, start, stop)
        assert isinstance(part, RecordedBatch)
        return replace(part, texts=self.texts[start:stop])

    def followed_by(self, others: Sequence[Batch]) -> RecordedBatch:
        """Return the rows of this batch and of others, with their texts, in one."""
        whole = Batch.followed_by(self, others)
        assert isinstance(whole, RecordedBatch)
        texts = [text for one in (self, *others) for text in getattr(one, "texts", ())]
        return replace(whole, texts=texts)


def batch_of(part: RecordPart, roster: Roster, index: dict[str, int]) -> RecordedBatch:
    """Return the batch of records; `index` has the place of each der_id in the roster.

    Its ticks are 0, and missing values are NaN.
    """
    n = len(part)
    since = part.values.get("connection_start_at_ms")
    online = part.values.get("is_online")
    numbers: dict[str, Any] = {name: _numbers(part.values.get(name), n) for name in _NUMBERS}
    return RecordedBatch(
        roster=roster,
        device=np.array([index[der_id] for der_id in part.der_id], np.intp),
        tick=np.zeros(n, np.int64),
        timestamp_ms=part.time_ms,
        is_online=np.ones(n, np.bool_)
        if online is None
        else np.array([value is not False for value in online], np.bool_),
        connection_start_ms=np.zeros(n, np.int64) if since is None else np.array(since, np.int64),
        texts=part.texts,
        **numbers,
    )


def _numbers(values: Sequence[Any] | None, n: int) -> NDArray[np.float64]:
    if values is None:
        return np.full(n, np.nan)
    return np.array([value if type(value) in (int, float) else np.nan for value in values])


class RecordedJson(Format[Settings]):
    """The texts of a recording in JSON: an object per reading, or an array per project."""

    is_json = True

    def encode(self, batch: Batch) -> Payloads:
        return _payloads(self, batch)


class RecordedCsv(Format[Settings]):
    """The rows of a recorded table."""

    framings = ("der",)

    def encode(self, batch: Batch) -> Payloads:
        return _payloads(self, batch)


def recorded_format(kind: str, header: bytes) -> Callable[[Any, Framing, Roster], Format[Any]]:
    """Return a function that makes the format of a recording of a kind, json or csv."""

    def make(_settings: Any, framing: Framing, roster: Roster) -> Format[Any]:
        if kind == "json":
            return RecordedJson(Settings(), framing, roster)
        format = RecordedCsv(Settings(), framing, roster)
        format.header = header
        return format

    return make


def _payloads(format: Format[Any], batch: Batch) -> Payloads:
    texts = batch.texts if isinstance(batch, RecordedBatch) else ()
    starts = format.starts(batch)
    if format.framing == "der":
        return Payloads(list(texts), starts)
    bodies = [b"[%b]" % b",".join(texts[a:b]) for a, b in pairwise(starts.tolist())]
    return Payloads(bodies, starts)


class TextMover:
    """A function that moves the timestamps in recorded texts by whole seconds; all else stays."""

    def __init__(self, reader: RecordReader, kind: str, seconds: int) -> None:
        self._move = Mover(seconds)
        self._path, self._name = reader.path, reader.name("timestamp")
        quoted = re.escape(self._name.encode())
        self._field = re.compile(rb'("%b"\s*:\s*)("[^"\\]*"|-?\d+(?:\.\d+)?)(?=\s*[,}])' % quoted)
        self._is_json = kind == "json"
        if not self._is_json:
            self._delimiter = reader.delimiter[0]
            split = self._delimiter.decode()
            header = next(csv.reader([reader.header[0].decode()], delimiter=split))
            self._place, self._width = header.index(self._name), len(header)

    def __call__(self, texts: Sequence[bytes]) -> list[bytes]:
        """Return the texts with moved timestamps. Raises UsageError for a time that cannot be."""
        move = self._moved_json if self._is_json else self._moved_csv
        return [move(text) for text in texts]

    def _moved_json(self, text: bytes) -> bytes:
        # A nested object may have the same key: only the last one outside is moved.
        matches = list(self._field.finditer(text))
        match = matches[0] if len(matches) == 1 else self._outside(text, matches)
        if match is None:
            raise self._error(text)
        return b"".join((text[: match.start(2)], self._time(match[2]), text[match.end(2) :]))

    def _outside(self, text: bytes, matches: list[re.Match[bytes]]) -> re.Match[bytes] | None:
        for match in reversed(matches):
            before = re.sub(rb'"(?:[^"\\]|\\.)*"', b"", text[: match.start()])
            if before.count(b"{") - before.count(b"}") == 1:
                return match
        return None

    def _moved_csv(self, text: bytes) -> bytes:
        cells = text.split(self._delimiter)
        if len(cells) == self._width and b'"' not in text:
            cells[self._place] = self._time(cells[self._place])
            return self._delimiter.join(cells)
        split = self._delimiter.decode()
        row = next(csv.reader([text.decode()], delimiter=split))
        row[self._place] = self._time(row[self._place].encode()).decode()
        file = io.StringIO()
        csv.writer(file, delimiter=split, lineterminator="").writerow(row)
        return file.getvalue().encode()

    def _time(self, text: bytes) -> bytes:
        try:
            return self._move(text)
        except ValueError:
            raise self._error(text) from None

    def _error(self, text: bytes) -> UsageError:
        shown = ascii(text[:60].decode(errors="replace"))
        return UsageError(
            f"{self._path}: error: the time in {shown} cannot be moved: leave out --shift"
        )


def times_known(part: RecordPart, time: Callable[[Any], int]) -> RecordPart:
    """Return a part with `connection_start_at` in ms, for the formats that write columns."""
    since = part.values.get("connection_start_at")
    if since is None:
        return part
    known = [max(time(value), 0) if time(value) != NO_TIME else 0 for value in since]
    return replace(part, values={**part.values, "connection_start_at_ms": known})
