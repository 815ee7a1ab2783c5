"""The queue of batches that wait for a transport, bounded in bytes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from gridsim.api import Batch


@dataclass(frozen=True, slots=True)
class QueuedBatch:
    """A batch, or what is left of it, and when it was offered (monotonic seconds)."""

    batch: Batch
    offered_at: float


class BatchQueue:
    """First in, first out. Not thread-safe: the runner's lock guards it."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._bytes = 0
        self._entries: deque[QueuedBatch] = deque()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def oldest_at(self) -> float | None:
        """When the oldest entry was offered."""
        return self._entries[0].offered_at if self._entries else None

    def has_room_for(self, batch: Batch) -> bool:
        # A batch larger than the whole queue passes when it is alone.
        return not self._entries or self._bytes + batch.nbytes <= self._limit

    def put(self, entry: QueuedBatch) -> None:
        self._entries.append(entry)
        self._bytes += entry.batch.nbytes

    def put_back(self, entry: QueuedBatch) -> None:
        """At the head again: what a failed write has left."""
        self._entries.appendleft(entry)
        self._bytes += entry.batch.nbytes

    def take(self) -> QueuedBatch:
        """The oldest entry."""
        entry = self._entries.popleft()
        self._bytes -= entry.batch.nbytes
        return entry

    def clear(self) -> list[Batch]:
        """Empties it; returns what it held."""
        batches = [entry.batch for entry in self._entries]
        self._entries.clear()
        self._bytes = 0
        return batches
