"""The sent readings of a ledger, as columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridsim.ledger import Reader
from gridsim.ledger.columns import NONE
from gridsim.ledger.windows import ROWS, Window, join_windows
from gridsim.verify.growing import joined
from gridsim.verify.values import NULL, Ints, Small, small

DELIVERED: Final = 0
UNCONFIRMED: Final = 1
DROPPED: Final = 2
PENDING: Final = 3
FATES: Final = ("delivered", "unconfirmed", "dropped", "pending")


@dataclass(frozen=True, slots=True, eq=False)
class Sent:
    """The columns of n sent readings, by number, with the values that were sent."""

    number: Ints
    tick: Small
    device: Small
    time_ms: Ints
    output: Small
    meter: Small
    baseline: Small
    soc: Small
    online: Small
    since_ms: Ints
    differs: NDArray[np.bool_]
    """True if a reading differs from the true values."""
    faults: NDArray[np.uint64]
    altered: Small
    """The fault that altered the reading's message; -1 if none did."""
    copy: NDArray[np.bool_]
    left: Small
    """The tick in which the reading was sent."""
    fate: NDArray[np.int8]
    """The fate of the reading in the compared transport."""
    reason: Small
    """The reason of a drop: an index into `reasons`."""
    retried: NDArray[np.bool_]
    """True if the reading was in flight when the transport failed: it may arrive twice."""
    message: Ints
    """The message of each reading; readings of one message have the same number."""
    reasons: Sequence[str]

    def __len__(self) -> int:
        return len(self.number)

    @property
    def seq(self) -> Small:
        """The number of a reading within its device: that of its tick."""
        return self.tick

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Sent:
        columns = {name: getattr(self, name)[rows] for name in _COLUMNS}
        return Sent(**columns, reasons=self.reasons)

    @classmethod
    def joined(cls, parts: Iterable[Sent]) -> Sent:
        """Join parts of one ledger; there must be at least one."""
        parts = iter(parts)
        first = next(parts)
        every = ([getattr(part, name) for name in _COLUMNS] for part in chain([first], parts))
        return cls(**dict(zip(_COLUMNS, joined(every), strict=True)), reasons=first.reasons)


_COLUMNS: Final = [field.name for field in fields(Sent) if field.name != "reasons"]


class SentWindows:
    """The sent readings of a ledger and their fate in one transport, in windows of ticks.

    They can be read several times.
    """

    def __init__(self, reader: Reader, transport: int, framing: str, *, no_soc: int = NULL) -> None:
        """Open; `no_soc` is the state of charge that is sent where there is no storage."""
        self._reader = reader
        self._no_soc = no_soc
        self._outcomes = _Outcomes(reader, transport)
        self._project: Ints | None = None
        if framing == "project":
            self._project = reader.matrix("SELECT project FROM devices ORDER BY device")[:, 0]
        self.reasons = self._outcomes.reasons
        self._offers = reader.matrix(
            "SELECT first, wall_ms FROM batches LEFT JOIN offers USING (tick) "
            "WHERE rows > 0 ORDER BY first"
        )

    def read(self, rows: int = ROWS) -> Iterator[Sent]:
        """Yield the windows in order, each of at least one tick and up to `rows` readings.

        The numbers of messages are unique over all windows.
        """
        messages = 0
        for window in self._reader.windows(rows):
            sent = self._sent(window, messages)
            messages = int(sent.message[-1]) + 1
            yield sent

    def nothing(self) -> Sent:
        """Return a window without readings."""
        return self._sent(join_windows([]), 0)

    def whole(self) -> Sent:
        """Return all readings."""
        return Sent.joined(chain([self.nothing()], self.read()))

    def offered_ms(self, number: Ints) -> Ints:
        """Return the times at which readings were offered to the transports, by the wall clock.

        A time is NONE if it is not known.
        """
        if not len(self._offers):
            return np.full(len(number), NONE)
        offered: Ints = self._offers[_before(self._offers[:, 0], number), 1]
        return offered

    def _sent(self, window: Window, messages: int) -> Sent:
        fate, reason, retried = self._outcomes.of(window.number)
        altered = window.altered.astype(np.int32)
        message = window.number
        if self._project is not None:
            message = _messages(self._project[window.device], window)
            altered = _spread(altered, message)
            message = message + messages
        soc = small(window.sent_soc, NONE)
        if self._no_soc != NULL:
            soc[soc == NULL] = self._no_soc
        return Sent(
            number=window.number,
            tick=window.tick.astype(np.int32),
            device=window.device.astype(np.int32),
            time_ms=window.sent_ms,
            output=small(window.sent_output, NONE),
            meter=small(window.sent_meter, NONE),
            baseline=small(window.baseline, NONE),
            soc=soc,
            online=window.online.astype(np.int32),
            since_ms=window.since_ms,
            differs=window.differs,
            faults=window.faults,
            altered=altered,
            copy=window.copy,
            left=window.batch.astype(np.int32),
            fate=fate,
            reason=reason,
            retried=retried,
            message=message,
            reasons=self.reasons,
        )


class _Outcomes:
    """The fates in one transport, as runs of consecutive readings."""

    def __init__(self, reader: Reader, transport: int) -> None:
        of = f"WHERE transport = {transport:d}"
        seen = f"SELECT reason FROM fates {of} AND reason <> '' GROUP BY reason"
        self.reasons: list[str] = [
            reason for (reason,) in reader.rows(f"{seen} ORDER BY min(rowid)")
        ]
        fates, reasons = _index("fate", FATES), _index("reason", self.reasons)
        runs = reader.matrix(f"SELECT first, rows, {fates}, {reasons} FROM fates {of}")
        runs = runs[np.argsort(runs[:, 0], kind="stable")]
        # What a spool kept may have been sent later in the run, after a reload or a resumption.
        is_kept = runs[:, 2] == PENDING
        self._kept, self._runs = runs[is_kept], runs[~is_kept]
        self._retries = reader.matrix(f"SELECT first, rows FROM retries {of}")

    def of(self, number: Ints) -> tuple[NDArray[np.int8], Small, NDArray[np.bool_]]:
        """Return the fate, the reason and whether it was retried, for consecutive numbers."""
        fate = np.full(len(number), PENDING, np.int8)
        reason = np.full(len(number), -1, np.int32)
        retried = np.zeros(len(number), np.bool_)
        if len(number):
            for part in (self._kept, self._runs):
                at, runs = _covered(part, int(number[0]), len(number))
                fate[at], reason[at] = runs[:, 2], runs[:, 3]
            retried[_covered(self._retries, int(number[0]), len(number))[0]] = True
        return fate, reason, retried


def _index(column: str, texts: Sequence[str]) -> str:
    """Return the SQL expression for the index of a text in `texts`; -1 if it is missing there."""
    quoted = (text.replace("'", "''") for text in texts)
    cases = (f"WHEN '{text}' THEN {index}" for index, text in enumerate(quoted))
    return f"CASE {column} {' '.join(cases)} ELSE -1 END" if texts else "-1"


def _covered(runs: Ints, first: int, rows: int) -> tuple[Ints, Ints]:
    """Return the places that runs (first, rows, ...) cover in a window, and the run of each."""
    start = np.maximum(runs[:, 0] - first, 0)
    end = np.minimum(runs[:, 0] + runs[:, 1] - first, rows)
    there = np.flatnonzero(start < end)
    counts = end[there] - start[there]
    ends = np.cumsum(counts)
    at = np.arange(int(ends[-1]) if len(ends) else 0)
    at += np.repeat(start[there] - ends + counts, counts)
    return at, np.repeat(runs[there], counts, axis=0)


def _before(firsts: Ints, number: NDArray[np.int64]) -> NDArray[np.intp]:
    return np.maximum(np.searchsorted(firsts, number, side="right") - 1, 0)


def _messages(project: Ints, window: Window) -> Ints:
    """Return the message of each reading with framing project: one per project and time."""
    change = np.ones(len(window), np.bool_)
    change[1:] = window.device[1:] <= window.device[:-1]
    for column in (project, window.sent_ms, window.batch):
        change[1:] |= column[1:] != column[:-1]
    message: Ints = np.cumsum(change) - 1
    return message


def _spread(altered: Small, message: Ints) -> Small:
    """Return `altered` spread to all readings of the same message."""
    by_message = np.full(int(message.max(initial=-1)) + 1, -1, np.int32)
    marked = np.flatnonzero(altered >= 0)
    # If there are several faults, the first one counts.
    at, first = np.unique(message[marked], return_index=True)
    by_message[at] = altered[marked[first]]
    spread: Small = by_message[message]
    return spread
