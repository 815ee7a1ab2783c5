"""The messages of a batch, encoded in parts, and the account of their rows' outcomes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Batch, Format, Payloads, Receipt

PART_ROWS = (512, 4096)
"""The rows of a batch's first part, and the most rows of a later part.

The first part is small, so that the broker receives bytes early.
"""

DELIVERED = "delivered"
UNCONFIRMED = "unconfirmed"
OVERSIZE = "larger than the broker accepts"


@dataclass(frozen=True, slots=True, eq=False)
class Messages:
    """Consecutive messages: one element of each column per message."""

    topic: NDArray[np.intp]
    """The index of the device, or with framing project that of the project."""
    bodies: Sequence[bytes]
    sizes: NDArray[np.intp]
    """The size of each body, bytes."""
    rows: NDArray[np.intp]
    """The number of readings in each message."""

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

    def add(self, outcome: str, rows: int) -> None:
        """Add the outcome of the next rows: DELIVERED, UNCONFIRMED, or the reason of a drop."""
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
    for start, stop in _cuts(format, batch):
        part = batch.rows(start, stop)
        yield as_messages(format, part, format.encode(part))


def as_messages(format: Format, batch: Batch, payloads: Payloads) -> Messages:
    """Return the messages of a batch that has been encoded."""
    first = batch.device[payloads.starts[:-1]]
    if format.framing == "project":
        first = batch.roster.project[first]
    bodies = payloads.bodies
    sizes = np.fromiter(map(len, bodies), np.intp, len(bodies))
    return Messages(first, bodies, sizes, np.diff(payloads.starts))


def _cuts(format: Format, batch: Batch) -> Iterator[tuple[int, int]]:
    # A project's readings of one time are one message: cut only between such groups.
    groups = format.cuts(batch)
    start = 0
    rows, most = PART_ROWS
    while start < len(batch):
        stop = min(start + rows, len(batch))
        if groups is not None:
            stop = int(groups[np.searchsorted(groups, stop)])
        yield start, stop
        start = stop
        rows = min(2 * rows, most)
