"""The changes of a spool that are not written yet."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from gridsim.api import Batch
from gridsim.delivery.account import Fate
from gridsim.delivery.spool.file import ACCEPTED


@dataclass(frozen=True, slots=True)
class Addition:
    """A batch that is not in the file yet."""

    batch: Batch
    charge: int


@dataclass(slots=True)
class Changes:
    """The changes that one transaction writes: a removal and its reason are never apart."""

    added: dict[int, Addition] = field(default_factory=dict)
    """The new batches by their place in the queue, `seq`."""
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """The readings accepted or settled, by fate and reason."""
    done: dict[int, int] = field(default_factory=dict)
    """The number of settled readings of a batch, by `seq`."""
    gone: set[int] = field(default_factory=set)
    """The batches that are settled as a whole."""
    next_number: int = -1
    """The number after the last reading that was accepted; -1: none was."""
    last_tick: int = -1
    """The last tick that was accepted."""

    def __bool__(self) -> bool:
        return bool(self.added or self.counts or self.done or self.gone)

    def add(self, seq: int, batch: Batch, charge: int) -> None:
        """Add a batch."""
        self.added[seq] = Addition(batch, charge)
        self.accept(batch)

    def accept(self, batch: Batch) -> None:
        """Count the readings of a batch as accepted."""
        self.counts[ACCEPTED, ""] += len(batch)
        self.next_number = max(self.next_number, batch.number + len(batch))
        self.last_tick = max(self.last_tick, int(batch.tick.max()))

    def settle(self, rows: int, fate: Fate, reason: str) -> None:
        """Count the fate of some readings."""
        if rows:
            self.counts[fate, reason] += rows

    def remove(self, seq: int) -> None:
        """Remove a batch."""
        self.done.pop(seq, None)
        if self.added.pop(seq, None) is None:
            self.gone.add(seq)

    def follow(self, earlier: Changes) -> Changes:
        """Return both changes as one; `earlier` could not be written."""
        for seq in tuple(self.gone):
            earlier.done.pop(seq, None)
            if earlier.added.pop(seq, None) is not None:
                self.gone.discard(seq)
        return Changes(
            {**earlier.added, **self.added},
            earlier.counts + self.counts,
            {**earlier.done, **self.done},
            earlier.gone | self.gone,
            max(earlier.next_number, self.next_number),
            max(earlier.last_tick, self.last_tick),
        )
