"""The policy for a transport, and the account of its readings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from gridsim.api import Batch

OnFull = Literal["drop_oldest", "drop_newest", "block"]
Fate = Literal["delivered", "unconfirmed", "dropped"]

QUEUE_FULL = "queue full"
"""Drop reason: the queue was full."""
NOT_SENT = "not sent before the end"
"""Drop reason: the run ended first."""
UNREADABLE = "unreadable in the spool"
"""Drop reason: the file of the spool is damaged there."""


def default_on_full(speed: float) -> OnFull:
    """Return the rule for a full queue at a speed, if the configuration has none.

    In real time (up to speed 1) a slow transport must not delay the run. A faster run, or a run at
    speed 0, waits instead of losing readings.
    """
    return "drop_oldest" if 0 < speed <= 1 else "block"


@dataclass(frozen=True, slots=True)
class DeliveryPolicy:
    """The rules by which a runner serves its transport."""

    queue_bytes: int
    on_full: OnFull
    stall_timeout_s: float
    """The longest time without progress, in a blocked offer or the final flush, before the
    transport fails."""
    give_up_at_start: bool
    """True if the transport fails, instead of retrying, when its first connection fails."""
    on_full_set: bool = False
    """True if the configuration sets `on_full`, so that its drops are intended."""


@dataclass(slots=True)
class Counters:
    """Numbers of readings, and of reconnections."""

    accepted: int = 0
    delivered: int = 0
    unconfirmed: int = 0
    pending: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    """Readings dropped, by reason."""
    reconnects: int = 0
    earlier: int = 0
    """The part of `accepted` that an earlier run left in a spool."""

    def copy(self) -> Counters:
        """Return a copy that does not change any more."""
        return Counters(
            self.accepted,
            self.delivered,
            self.unconfirmed,
            self.pending,
            Counter(self.dropped),
            self.reconnects,
            self.earlier,
        )


@dataclass(frozen=True, slots=True)
class RemovedBatch:
    """A waiting batch, or the rest of one, that left its buffer without being sent."""

    number: int
    """The number of its first reading."""
    rows: int
    batch: Batch | None
    """None if it is not in memory."""


class Observer(Protocol):
    """The receiver of the fate of every reading of one transport, each exactly once.

    Called from several threads, one at a time, and must return at once. Readings are identified by
    number: the `Batch.number` of the first, and a count.
    """

    def settled(self, first: int, rows: int, fate: Fate, reason: str) -> None:
        """Note the fate of some readings; `reason` is empty unless they were dropped."""

    def again(self, first: int, rows: int) -> None:
        """Note that the transport failed while sending these readings: they may arrive twice."""

    def kept(self, first: int, rows: int) -> None:
        """Note that the run ends and these readings wait in a spool for the next run."""


class BatchObserver(Protocol):
    """The receiver of the fate of readings with the batch that has them."""

    def settled(self, batch: Batch, first: int, rows: int, fate: Fate, reason: str) -> None:
        """Note the fate of readings of a batch, by the number of the first."""


class ReadingAccount:
    """The account of every reading's fate, which also notifies observers.

    Not thread-safe: the runner's lock guards it.
    """

    def __init__(self, observer: Observer | None, messages: BatchObserver | None = None) -> None:
        self.counters = Counters()
        self._observer = observer
        self.messages = messages
        """The receiver of fates with their batches; None: nothing is traced."""
        self._begun: Batch | None = None
        """The begun batch."""
        self._next = 0
        """The number of the first reading in the begun batch that is not settled."""

    def take_over(self, rows: int) -> None:
        """Count readings of an earlier run."""
        self.counters.earlier += rows
        self.accept(rows)

    def accept(self, rows: int) -> None:
        """Count readings that were offered."""
        self.counters.accepted += rows
        self.counters.pending += rows

    def begin(self, batch: Batch) -> None:
        """Note the batch that is written from now on."""
        self._begun, self._next = batch, batch.number

    def settle_next(self, rows: int, fate: Fate, reason: str = "") -> None:
        """Settle the next readings of the begun batch."""
        if self._begun is not None:
            self._settle(self._begun, self._next, rows, fate, reason)
        self._next += rows

    def drop(self, batches: Iterable[RemovedBatch], reason: str) -> int:
        """Settle batches that a buffer has removed; return the number of their readings."""
        dropped = 0
        for one in batches:
            self._settle(one.batch, one.number, one.rows, "dropped", reason)
            dropped += one.rows
        return dropped

    def again(self, first: int, rows: int) -> None:
        """Note readings that will be sent again."""
        if self._observer is not None and first >= 0:
            self._observer.again(first, rows)

    def keep(self, kept: Iterable[tuple[int, int]]) -> None:
        """Note readings that a spool keeps for the next run: they stay pending."""
        if self._observer is None:
            return
        for first, rows in kept:
            if first >= 0:
                self._observer.kept(first, rows)
        begun = self._begun
        if begun is not None and (rest := begun.number + len(begun) - self._next) > 0:
            # It may be at the far end already.
            self.again(self._next, rest)

    def _settle(self, batch: Batch | None, first: int, rows: int, fate: Fate, reason: str) -> None:
        """Move readings from pending to their fate."""
        self.counters.pending -= rows
        match fate:
            case "delivered":
                self.counters.delivered += rows
            case "unconfirmed":
                self.counters.unconfirmed += rows
            case "dropped":
                self.counters.dropped[reason] += rows
        # A number below 0 is of an earlier run, whose readings this run's ledger does not have.
        if self._observer is not None and first >= 0:
            self._observer.settled(first, rows, fate, reason)
        if self.messages is not None and batch is not None:
            self.messages.settled(batch, first, rows, fate, reason)
