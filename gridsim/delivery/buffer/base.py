"""The contract of a buffer: a queue of batches, bounded in bytes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from gridsim.api import Batch


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

    Any thread may call any method. `begin`, `commit` and `put_back` belong to one consumer.
    """

    @abstractmethod
    def add(self, entry: QueuedBatch, *, drop_oldest: bool) -> list[QueuedBatch]:
        """Append a batch and return the batches that were dropped, oldest first.

        If the bound would be exceeded, `drop_oldest` drops as many waiting batches as needed.
        Otherwise the new batch itself is dropped. A batch larger than the bound is accepted
        when it is alone. A batch that is begun is never dropped.
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
    def clear(self) -> list[QueuedBatch]:
        """Remove all waiting batches and return them, oldest first."""

    @abstractmethod
    def has_room_for(self, nbytes: int) -> bool:
        """Return whether `add` would append a batch of this size without dropping any."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """The bytes of the waiting batches."""

    @property
    @abstractmethod
    def oldest_at(self) -> float | None:
        """The time at which the oldest batch, begun or waiting, was offered; None without one."""

    @abstractmethod
    def __len__(self) -> int:
        """Return how many batches wait."""
