"""The batches of a spool that wait, and where their readings are."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from gridsim.api import Batch
from gridsim.delivery.account import RemovedBatch


@dataclass(slots=True, eq=False)
class SpooledBatch:
    """A batch that is begun or waits, in memory or in the file or both."""

    seq: int
    origin: tuple[int, int] | None
    """The numbers of the life and the roster that it had in the file; None: it is of this process.
    """
    number: int
    """The number of its first reading, settled or not."""
    rows: int
    """The number of all its readings."""
    done: int
    """The number of its first readings that are settled."""
    charge: int
    offered_at: float
    batch: Batch | None = None
    """The readings that were not settled when it was begun; None if only in the file."""
    nbytes: int = 0
    """The bytes of `batch`."""
    written: bool = True
    removed: bool = False

    @property
    def rest(self) -> RemovedBatch:
        """The readings that are not settled."""
        return RemovedBatch(self.number + self.done, self.rows - self.done, self.batch)


class SpooledQueue:
    """The waiting batches of a spool within two bounds: the file's, and the memory's for batches
    that are not in the file. Not thread-safe.
    """

    def __init__(self, limit_bytes: int, memory_bytes: int) -> None:
        self.waiting: deque[SpooledBatch] = deque()
        self.begun: SpooledBatch | None = None
        self.charged = 0
        """The bytes of the waiting batches in the file."""
        self._limit = limit_bytes
        self._memory = memory_bytes
        self._held = 0
        """The bytes of the batches in memory."""
        self._unwritten: dict[int, SpooledBatch] = {}
        """The batches that are not in the file, by `seq`."""
        self._unwritten_bytes = 0

    @property
    def oldest(self) -> SpooledBatch | None:
        """The oldest batch, begun or waiting."""
        return self.begun or (self.waiting[0] if self.waiting else None)

    @property
    def left(self) -> list[SpooledBatch]:
        """All batches, begun and waiting, the oldest first."""
        return [*self.waiting] if self.begun is None else [self.begun, *self.waiting]

    def fits(self, charge: int, nbytes: int) -> bool:
        """Return whether a new batch is within both bounds; a batch alone always is."""
        if self.waiting and self.charged + charge > self._limit:
            return False
        begun = self.begun
        own = 0 if begun is None or begun.written else begun.nbytes
        unwritten = self._unwritten_bytes - own
        return not unwritten or unwritten + nbytes <= self._memory

    def in_the_way(self, charge: int) -> SpooledBatch:
        """Return the waiting batch to drop if a new one does not fit."""
        if self.charged + charge > self._limit:
            return self.waiting[0]
        return next(one for one in self._unwritten.values() if one is not self.begun)

    def append(self, entry: SpooledBatch) -> None:
        """Add a new batch at the end."""
        self.waiting.append(entry)
        self.charged += entry.charge
        if not entry.written:
            self._unwritten[entry.seq] = entry

    def begin(self) -> SpooledBatch:
        """Take the oldest waiting batch off the queue."""
        entry = self.begun = self.waiting.popleft()
        self.charged -= entry.charge
        return entry

    def end(self) -> SpooledBatch:
        """Return the begun batch, which is not begun any more. Raises RuntimeError."""
        if self.begun is None:
            raise RuntimeError("no batch is begun")
        entry, self.begun = self.begun, None
        return entry

    def push_back(self, entry: SpooledBatch, charge: int) -> None:
        """Put a batch at the head again."""
        entry.charge = charge
        self.waiting.appendleft(entry)
        self.charged += charge

    def withdraw(self, entry: SpooledBatch) -> None:
        """Take a waiting batch off the queue, wherever it is."""
        self.waiting.remove(entry)
        self.charged -= entry.charge

    def hold(self, entry: SpooledBatch, batch: Batch, nbytes: int) -> None:
        """Keep the readings of a batch in memory."""
        self.release(entry)
        entry.batch, entry.nbytes = batch, nbytes
        self._held += nbytes
        if not entry.written:
            self._unwritten_bytes += nbytes

    def release(self, entry: SpooledBatch) -> None:
        """Forget the readings of a batch in memory."""
        self._held -= entry.nbytes
        if not entry.written:
            self._unwritten_bytes -= entry.nbytes
        entry.batch, entry.nbytes = None, 0

    def forget(self, entry: SpooledBatch) -> None:
        """Forget a batch that was taken off the queue."""
        entry.removed = True
        self.release(entry)
        self._unwritten.pop(entry.seq, None)

    def written(self, seq: int) -> None:
        """Note that a batch is in the file. It stays in memory if there is room, or if it is the
        next."""
        entry = self._unwritten.pop(seq, None)
        if entry is None:
            return
        self._unwritten_bytes -= entry.nbytes
        entry.written = True
        if self._held > self._memory and entry is not self.begun and entry is not self.waiting[0]:
            self.release(entry)
