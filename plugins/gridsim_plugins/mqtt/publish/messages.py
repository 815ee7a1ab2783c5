"""The messages of a batch, encoded in parts, and the account of their rows' outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from gridsim.api import PART_ROWS, Batch, Format, Payloads, Receipt

FIRST_ROWS = 512
"""The number of rows of a batch's first part: it is small, so that the broker receives bytes early.

Each part is twice as large as the one before, up to PART_ROWS.
"""

DELIVERED = "delivered"
UNCONFIRMED = "unconfirmed"
OVERSIZE = "larger than the broker accepts"


@dataclass(frozen=True, slots=True, eq=False)
class Messages:
    """Consecutive messages: one element of each column per message."""

    topic: NDArray[np.intp]
    """The index of the topic, as `make_topics` counts them."""
    bodies: Sequence[bytes]
    sizes: NDArray[np.intp]
    """The size of each body, bytes."""
    rows: NDArray[np.intp]
    """The number of readings in each message; of several messages of a reading, the last has 1."""

    def __len__(self) -> int:
        return len(self.bodies)

    def part(self, start: int, stop: int) -> Messages:
        if start == 0 and stop == len(self):
            return self
        at = slice(start, stop)
        return Messages(self.topic[at], self.bodies[at], self.sizes[at], self.rows[at])

    def without(self, excluded: NDArray[np.intp]) -> Messages:
        """Return the messages without those at the indices `excluded`."""
        if not len(excluded):
            return self
        kept = np.delete(np.arange(len(self)), excluded)
        bodies = [self.bodies[i] for i in kept.tolist()]
        return Messages(self.topic[kept], bodies, self.sizes[kept], self.rows[kept])


class MessageAccount:
    """The outcomes in the order of the rows; equal consecutive outcomes are reported together."""

    def __init__(self, receipt: Receipt) -> None:
        self._receipt = receipt
        self._outcome = DELIVERED
        self._rows = 0
        self._partial = ""
        """The outcome of an earlier message of the next reading that was not delivered."""

    def add(self, outcome: str, rows: int) -> None:
        """Add the outcome of the next rows: DELIVERED, UNCONFIRMED, or the reason of a drop.

        Several messages of one reading have 0 rows but for the last; a reading is delivered if
        all are.
        """
        if not rows:
            self._partial = self._partial or ("" if outcome == DELIVERED else outcome)
            return
        if self._partial:
            partial, self._partial = self._partial, ""
            self.add(partial if outcome == DELIVERED else outcome, 1)
            rows -= 1
        if outcome != self._outcome:
            self.report()
            self._outcome = outcome
        self._rows += rows

    def lag(self, seconds: float) -> None:
        self._receipt.lag(seconds)

    def report(self) -> None:
        rows, self._rows = self._rows, 0
        if not rows:
            return
        if self._outcome == DELIVERED:
            self._receipt.delivered(rows)
        elif self._outcome == UNCONFIRMED:
            self._receipt.unconfirmed(rows)
        else:
            self._receipt.dropped(rows, self._outcome)


def encoded(format: Format, batch: Batch) -> Iterator[Messages]:
    """Encode a batch part by part, so that sending starts before encoding ends."""
    parts = (batch.rows(start, stop) for start, stop in _cuts(format, batch))
    return all_messages(format, ((part, format.encode(part)) for part in parts))


def gathered(parts: Iterable[Messages], most: int) -> Iterator[Messages]:
    """Join consecutive messages until they have `most` readings or more."""
    kept: list[Messages] = []
    rows = 0
    for part in parts:
        kept.append(part)
        rows += int(part.rows.sum())
        if rows >= most:
            yield _joined(kept)
            kept, rows = [], 0
    if kept:
        yield _joined(kept)


def _joined(parts: Sequence[Messages]) -> Messages:
    if len(parts) == 1:
        return parts[0]
    return Messages(
        np.concatenate([part.topic for part in parts]),
        list(chain.from_iterable(part.bodies for part in parts)),
        np.concatenate([part.sizes for part in parts]),
        np.concatenate([part.rows for part in parts]),
    )


def all_messages(format: Format, parts: Iterable[tuple[Batch, Payloads]]) -> Iterator[Messages]:
    """Yield the messages of parts of a batch that have been encoded.

    Readings without a message count with the next message, or are left without an outcome.
    """
    before = 0
    for part, payloads in parts:
        messages = _messages(format, part, payloads)
        if not len(messages):
            before += len(part)
            continue
        messages.rows[0] += before
        before = 0
        yield messages


def _messages(format: Format, batch: Batch, payloads: Payloads) -> Messages:
    """Return the messages of a batch; with framing measurand, a body may be empty."""
    bodies, starts = payloads.bodies, payloads.starts
    topic = batch.device[starts[:-1]]
    if format.framing == "project":
        topic = batch.roster.project[topic]
    elif format.framing == "batch":
        topic = np.zeros_like(topic)
    sizes = np.fromiter(map(len, bodies), np.intp, len(bodies))
    if format.framing != "measurand":
        return Messages(topic, bodies, sizes, np.diff(starts))
    count = len(format.measurands)
    topic = topic * count + np.arange(len(bodies)) % count
    kept = np.flatnonzero(sizes)
    # A message also counts the readings after its own that have none.
    ends = np.append(starts[kept][1:], len(batch))
    rows = np.diff(ends, prepend=0)
    return Messages(topic[kept], [bodies[i] for i in kept.tolist()], sizes[kept], rows)


def _cuts(format: Format, batch: Batch) -> Iterator[tuple[int, int]]:
    # A project's readings of one time are one message: cut only between these groups.
    groups = format.cuts(batch)
    start = 0
    rows = FIRST_ROWS
    while start < len(batch):
        stop = min(start + rows, len(batch))
        if groups is not None:
            stop = int(groups[np.searchsorted(groups, stop)])
        yield start, stop
        start = stop
        rows = min(2 * rows, PART_ROWS)
