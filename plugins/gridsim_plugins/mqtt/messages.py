"""From a batch to messages, in parts, and the account of what became of their rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from gridsim.api import Batch, Format, Receipt
from gridsim_plugins.mqtt.frames import packet_size

PART_ROWS = 4096

DELIVERED = "delivered"
UNCONFIRMED = "unconfirmed"
OVERSIZE = "oversize"


@dataclass(frozen=True, slots=True, eq=False)
class Messages:
    """Messages that follow each other: one element of each list per message."""

    topic: list[int]
    """Index of the device, or with framing project of the project."""
    bodies: Sequence[bytes]
    rows: list[int]
    """How many readings each carries."""


class SizeLimit:
    """Finds the messages that a broker would cut the connection for."""

    def __init__(self, topics: Sequence[str], max_packet: int, *, qos: int, v5: bool) -> None:
        self._topic_bytes = [len(topic.encode()) for topic in topics]
        self._longest = max(self._topic_bytes, default=0)
        self._max_packet = max_packet
        self._size = partial(packet_size, qos=qos, v5=v5)

    def exceeded_by(self, messages: Messages) -> set[int]:
        """Indices of the messages whose packet would be too large."""
        largest = max(map(len, messages.bodies), default=0)
        if self._size(self._longest, largest) <= self._max_packet:
            return set()
        return {
            i
            for i, (topic, body) in enumerate(zip(messages.topic, messages.bodies, strict=True))
            if self._size(self._topic_bytes[topic], len(body)) > self._max_packet
        }


class Account:
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
    roster = batch.roster
    for start, stop in _cuts(format, batch):
        part = batch.rows(start, stop)
        payloads = format.encode(part)
        first = part.device[payloads.starts[:-1]]
        if format.framing == "project":
            first = roster.project[first]
        yield Messages(first.tolist(), payloads.bodies, np.diff(payloads.starts).tolist())


def _cuts(format: Format, batch: Batch) -> Iterator[tuple[int, int]]:
    if format.framing == "der":
        for start in range(0, len(batch), PART_ROWS):
            yield start, min(start + PART_ROWS, len(batch))
        return
    # A project's readings of one time make one message: cut between such groups only.
    groups = batch.groups()
    start = 0
    while start < len(batch):
        end = min(start + PART_ROWS, len(batch))
        stop = int(groups[np.searchsorted(groups, end)])
        yield start, stop
        start = stop
