"""From a batch to messages, in parts, and the account of what became of their rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Batch, Format, Payloads, Receipt

PART_ROWS = (512, 4096)
"""Rows of a batch's first part, which the broker waits for, and the most of a later one."""

DELIVERED = "delivered"
UNCONFIRMED = "unconfirmed"
OVERSIZE = "oversize"


@dataclass(frozen=True, slots=True, eq=False)
class Messages:
    """Messages that follow each other: one element of each column per message."""

    topic: NDArray[np.intp]
    """Index of the device, or with framing project of the project."""
    bodies: Sequence[bytes]
    sizes: NDArray[np.intp]
    """Bytes of each body."""
    rows: NDArray[np.intp]
    """How many readings each carries."""

    def __len__(self) -> int:
        return len(self.bodies)

    def part(self, start: int, stop: int) -> Messages:
        at = slice(start, stop)
        return Messages(self.topic[at], self.bodies[at], self.sizes[at], self.rows[at])

    def without(self, excluded: NDArray[np.intp]) -> Messages:
        """All but those at these indices."""
        if not len(excluded):
            return self
        kept = np.delete(np.arange(len(self)), excluded)
        bodies = [self.bodies[i] for i in kept.tolist()]
        return Messages(self.topic[kept], bodies, self.sizes[kept], self.rows[kept])


class MessageAccount:
    """Outcomes in the order of the rows; tells the receipt once per run of equal ones."""

    def __init__(self, receipt: Receipt) -> None:
        self._receipt = receipt
        self._outcome = DELIVERED
        self._rows = 0

    def add(self, outcome: str, rows: int) -> None:
        """`outcome` is DELIVERED, UNCONFIRMED, or the reason why the rows are dropped."""
        if outcome != self._outcome:
            self.tell()
            self._outcome = outcome
        self._rows += rows

    def lag(self, seconds: float) -> None:
        self._receipt.lag(seconds)

    def tell(self) -> None:
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
    """Encode a batch part by part, so that the first bytes leave before the last are made."""
    for start, stop in _cuts(format, batch):
        part = batch.rows(start, stop)
        yield as_messages(format, part, format.encode(part))


def as_messages(format: Format, batch: Batch, payloads: Payloads) -> Messages:
    """A batch that has been encoded."""
    first = batch.device[payloads.starts[:-1]]
    if format.framing == "project":
        first = batch.roster.project[first]
    bodies = payloads.bodies
    sizes = np.fromiter(map(len, bodies), np.intp, len(bodies))
    return Messages(first, bodies, sizes, np.diff(payloads.starts))


def _cuts(format: Format, batch: Batch) -> Iterator[tuple[int, int]]:
    # A project's readings of one time make one message: cut between such groups only.
    groups = batch.groups() if format.framing == "project" else None
    start = 0
    rows, most = PART_ROWS
    while start < len(batch):
        stop = min(start + rows, len(batch))
        if groups is not None:
            stop = int(groups[np.searchsorted(groups, stop)])
        yield start, stop
        start = stop
        rows = min(2 * rows, most)
