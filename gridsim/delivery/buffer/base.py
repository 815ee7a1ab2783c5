"""The contract of a buffer: a queue of batches, bounded in bytes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from gridsim.api import Batch
from gridsim.delivery.account import Fate, RemovedBatch


@dataclass(frozen=True, slots=True)
class QueuedBatch:
    """A waiting batch, or the rest of one."""

    batch: Batch
    offered_at: float
    """Monotonic seconds."""
    nbytes: int
    """The batch's `nbytes`, stored because the sum takes time."""


class Buffer(ABC):
    """The batches that wait for one transport, first in, first out.

    One batch at a time is begun: it has left the queue, but the buffer keeps it until it is
    committed or put back. `nbytes`, `len` and the bound count waiting batches only.

    Any thread may call any method. `prepare`, `begin`, `settle`, `commit` and `put_back` belong to
    one consumer.
    """

    @abstractmethod
    def add(self, entry: QueuedBatch, *, drop_oldest: bool, reason: str) -> list[RemovedBatch]:
        """Append a batch and return the batches that were dropped, oldest first.

        If the bound would be exceeded, `drop_oldest` drops as many waiting batches as needed.
        Otherwise the new batch itself is dropped. A batch larger than the bound is accepted
        when it is alone. A batch that is begun is never dropped. `reason` is why they are dropped,
        for the buffer's own account.
        """

    @abstractmethod
    def begin(self) -> QueuedBatch | None:
        """Take the oldest batch off the queue and return it, None if there is no batch.

        Raises RuntimeError if another batch is begun.
        """

    @abstractmethod
    def commit(self) -> None:
        """Forget the begun batch. Raises RuntimeError if no batch is begun."""

    @abstractmethod
    def put_back(self, rest: QueuedBatch) -> None:
        """Return the rest of the begun batch to the head of the queue, even beyond the bound.

        Raises RuntimeError if no batch is begun.
        """

    @abstractmethod
    def clear(self, reason: str) -> list[RemovedBatch]:
        """Remove all waiting batches and return them, oldest first; `reason` is as in `add`."""

    @abstractmethod
    def has_room_for(self, nbytes: int) -> bool:
        """Return whether `add` would append a batch of this size without dropping any."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """The bytes of the waiting batches."""

    @property
    @abstractmethod
    def limit_bytes(self) -> int:
        """The bound."""

    @property
    @abstractmethod
    def oldest_at(self) -> float | None:
        """The time at which the oldest batch, begun or waiting, was offered; None without one."""

    @abstractmethod
    def __len__(self) -> int:
        """Return how many batches wait."""

    # What only a buffer that outlives the process does.

    @property
    def path(self) -> str:
        """The file in which batches wait; empty: they wait in memory."""
        return ""

    @property
    def keeps(self) -> bool:
        """True if waiting batches outlive the process."""
        return False

    @property
    def earlier(self) -> int:
        """The number of readings of earlier runs that waited when this one started."""
        return 0

    @property
    def accepted(self) -> int | None:
        """The number after the last reading that was accepted before the run was resumed.

        -1: none was; None: the buffer does not outlive the process.
        """
        return None

    @property
    def held(self) -> list[tuple[int, int]]:
        """The batches that waited at the start: the number of the first reading, and the rows."""
        return []

    def unseen(self, batch: Batch) -> Batch:
        """Return the rows of a batch that were not accepted before the run was resumed."""
        return batch

    def prepare(self) -> list[RemovedBatch]:
        """Do the part of the next `begin` that takes time, such as reading from a disk.

        Returns the batches that cannot be read, which are removed. Without it, `begin` may
        return None although a batch waits.
        """
        return []

    def settle(self, rows: int, fate: Fate, reason: str) -> None:
        """Note the fate of the next rows of the begun batch."""
        return

    def sync(self, timeout_s: float) -> bool:
        """Wait until all changes so far outlive the process, and return whether they do."""
        return False

    @property
    def kept(self) -> list[tuple[int, int]]:
        """The readings that wait for the next run after `close`: numbers of the first, and rows."""
        return []

    def close(self, timeout_s: float) -> list[RemovedBatch]:
        """Release everything, and return the batches that do not outlive the process."""
        return []
