"""The buffer in memory."""

from __future__ import annotations

import threading
from collections import deque

from gridsim.contracts.batch import can_join, join
from gridsim.delivery.account import RemovedBatch
from gridsim.delivery.buffer.base import Buffer, QueuedBatch


class MemoryBuffer(Buffer):
    """A buffer whose batches are lost with the process."""

    def __init__(self, limit_bytes: int, rows_at_once: int = 0) -> None:
        self._limit = limit_bytes
        self.rows_at_once = rows_at_once
        """Batches that wait are begun as one, up to this number of rows in all."""
        self._bytes = 0
        self._waiting: deque[QueuedBatch] = deque()
        self._begun: QueuedBatch | None = None
        self._lock = threading.Lock()

    def add(self, entry: QueuedBatch, *, drop_oldest: bool, reason: str) -> list[RemovedBatch]:
        dropped: list[RemovedBatch] = []
        with self._lock:
            while not self._fits(entry.nbytes):
                if not drop_oldest:
                    return [_removed(entry)]
                dropped.append(_removed(self._take()))
            self._waiting.append(entry)
            self._bytes += entry.nbytes
        return dropped

    def begin(self) -> QueuedBatch | None:
        with self._lock:
            if self._begun is not None:
                raise RuntimeError("a batch is begun: commit it or put it back first")
            if self._waiting:
                self._begun = self._take_joined()
            return self._begun

    def commit(self) -> None:
        with self._lock:
            self._end()

    def put_back(self, rest: QueuedBatch) -> None:
        with self._lock:
            self._end()
            self._waiting.appendleft(rest)
            self._bytes += rest.nbytes

    def clear(self, reason: str) -> list[RemovedBatch]:
        with self._lock:
            cleared = [_removed(entry) for entry in self._waiting]
            self._waiting.clear()
            self._bytes = 0
        return cleared

    def has_room_for(self, nbytes: int) -> bool:
        with self._lock:
            return self._fits(nbytes)

    @property
    def nbytes(self) -> int:
        return self._bytes

    @property
    def limit_bytes(self) -> int:
        return self._limit

    @property
    def oldest_at(self) -> float | None:
        with self._lock:
            oldest = self._begun or (self._waiting[0] if self._waiting else None)
        return None if oldest is None else oldest.offered_at

    def __len__(self) -> int:
        return len(self._waiting)

    # Called with the lock held.

    def _fits(self, nbytes: int) -> bool:
        return not self._waiting or self._bytes + nbytes <= self._limit

    def _take(self) -> QueuedBatch:
        entry = self._waiting.popleft()
        self._bytes -= entry.nbytes
        return entry

    def _take_joined(self) -> QueuedBatch:
        entries = [self._take()]
        rows = len(entries[0].batch)
        while self._waiting:
            following = self._waiting[0].batch
            rows += len(following)
            if rows > self.rows_at_once or not can_join(entries[-1].batch, following):
                break
            entries.append(self._take())
        first = entries[0]
        if len(entries) == 1:
            return first
        batch = join([entry.batch for entry in entries])
        return QueuedBatch(batch, first.offered_at, sum(entry.nbytes for entry in entries))

    def _end(self) -> None:
        if self._begun is None:
            raise RuntimeError("no batch is begun")
        self._begun = None


def _removed(entry: QueuedBatch) -> RemovedBatch:
    return RemovedBatch(entry.batch.number, len(entry.batch), entry.batch)
