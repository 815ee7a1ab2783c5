"""The buffer on disk."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from loguru import logger

from gridsim.api import Batch, Roster
from gridsim.delivery.account import UNREADABLE, Fate, RemovedBatch
from gridsim.delivery.buffer.base import Buffer, QueuedBatch
from gridsim.delivery.spool.changes import Changes
from gridsim.delivery.spool.file import UNREADABLE_ERRORS, charge
from gridsim.delivery.spool.lives import Lives
from gridsim.delivery.spool.queue import SpooledBatch, SpooledQueue
from gridsim.delivery.spool.store import SpoolStore
from gridsim.delivery.spool.writer import SpoolWriter

# How long a batch waits to be in the file before it is sent; a working disk needs a millisecond.
_WRITE_S: Final = 1.0


class SpoolBuffer(Buffer):
    """A buffer whose batches outlive the process.

    Each batch is written to the file before it is sent, by a separate thread, so that a slow disk
    delays no tick. Up to `memory_bytes` stay in memory as well. While the file cannot be written,
    batches wait in memory within that bound.
    """

    def __init__(
        self,
        name: str,
        store: SpoolStore,
        roster: Roster,
        *,
        limit_bytes: int,
        memory_bytes: int,
        known_faults: int = 0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take over an open store, with the readings of earlier runs in it, and start to write.

        `name`: the transport, for the log. `known_faults`: the number of message faults of the
        configuration. Raises UsageError, and closes the store, if a waiting reading is of a device
        that is not in the roster.
        """
        self._store = store
        self._limit = limit_bytes
        self._changed = threading.Condition()
        self._queue = SpooledQueue(limit_bytes, memory_bytes)
        self._changes = Changes()
        self._urgent = self._closed = self._slow = False
        self._asked = self._taken = self._answered = 0
        """The number of the last `sync` that began, that is being answered, that is answered."""
        try:
            self._lives = Lives(store, roster, known_faults)
        except BaseException:
            store.close()
            raise
        for entry in self._lives.waiting(monotonic()):
            self._queue.append(entry)
        waiting = self._queue.waiting
        self._next = waiting[-1].seq + 1 if waiting else 1
        self._kept: list[tuple[int, int]] = []
        self._held = [(entry.rest.number, entry.rest.rows) for entry in waiting]
        self._writer = SpoolWriter(name, store, self, self._changed, memory_bytes)
        self._writer.start()

    @property
    def keeps(self) -> bool:
        return self._writer.lost is None

    @property
    def path(self) -> str:
        return str(self._store.path)

    @property
    def earlier(self) -> int:
        return sum(rows for _, rows in self._held)

    @property
    def accepted(self) -> int | None:
        return self._store.next_number

    @property
    def held(self) -> list[tuple[int, int]]:
        return self._held

    @property
    def last_tick(self) -> int:
        """The last tick in the file of the run that this one resumes; -1: none."""
        return self._store.last_tick

    def unseen(self, batch: Batch) -> Batch:
        seen = self._store.next_number - batch.number
        return batch.rows(min(seen, len(batch))) if seen > 0 else batch

    def add(self, entry: QueuedBatch, *, drop_oldest: bool, reason: str) -> list[RemovedBatch]:
        batch, size = entry.batch, charge(entry.nbytes)
        dropped: list[RemovedBatch] = []
        with self._changed:
            while not self._queue.fits(size, entry.nbytes):
                if not drop_oldest:
                    self._changes.accept(batch)
                    self._changes.settle(len(batch), "dropped", reason)
                    return [RemovedBatch(batch.number, len(batch), batch)]
                dropped.append(self._drop(self._queue.in_the_way(size), reason))
            own = SpooledBatch(
                self._next,
                None,
                batch.number,
                len(batch),
                0,
                size,
                entry.offered_at,
                written=False,
            )
            self._next += 1
            self._queue.append(own)
            self._queue.hold(own, batch, entry.nbytes)
            self._changes.add(own.seq, batch, size)
            self._wake()
        return dropped

    def prepare(self) -> list[RemovedBatch]:
        removed: list[RemovedBatch] = []
        while (entry := self._written_head()) is not None and entry.batch is None:
            try:
                batch = self._lives.load(entry)
            except UNREADABLE_ERRORS as error:
                if self._closed:
                    return removed
                message = "the spool {}: {:,} readings cannot be read: {}"
                logger.error(message, self.path, entry.rest.rows, error)
                with self._changed:
                    if not entry.removed:
                        removed.append(self._drop(entry, UNREADABLE))
            else:
                with self._changed:
                    if not entry.removed:
                        self._queue.hold(entry, batch, batch.nbytes)
        return removed

    def begin(self) -> QueuedBatch | None:
        with self._changed:
            if self._queue.begun is not None:
                raise RuntimeError("a batch is begun: commit it or put it back first")
            oldest = self._queue.oldest
            if oldest is None or (batch := oldest.batch) is None:
                return None
            entry = self._queue.begin()
            return QueuedBatch(batch, entry.offered_at, entry.nbytes)

    def settle(self, rows: int, fate: Fate, reason: str) -> None:
        with self._changed:
            entry = self._queue.begun
            if entry is not None and not self._closed:
                entry.done += rows
                self._changes.settle(rows, fate, reason)
                self._changes.done[entry.seq] = entry.done
                self._changed.notify_all()

    def commit(self) -> None:
        with self._changed:
            entry = self._queue.end()
            if not self._closed:
                self._remove(entry)

    def put_back(self, rest: QueuedBatch) -> None:
        with self._changed:
            entry = self._queue.end()
            if self._closed:
                return
            done = entry.rows - len(rest.batch)
            if done != entry.done:
                entry.done = self._changes.done[entry.seq] = done
            self._queue.hold(entry, rest.batch, rest.nbytes)
            self._queue.push_back(entry, charge(rest.nbytes))

    def clear(self, reason: str) -> list[RemovedBatch]:
        with self._changed:
            return [self._drop(entry, reason) for entry in tuple(self._queue.waiting)]

    def has_room_for(self, nbytes: int) -> bool:
        with self._changed:
            return self._queue.fits(charge(nbytes), nbytes)

    def sync(self, timeout_s: float) -> bool:
        with self._changed:
            self._asked += 1
            asked = self._asked
            self._wake()
            self._changed.wait_for(
                lambda: self._answered >= asked or self._writer.trouble is not None, timeout_s
            )
            return self._answered >= asked

    def close(self, timeout_s: float) -> list[RemovedBatch]:
        with self._changed:
            self._closed = True
        self._writer.close(timeout_s)
        with self._changed:
            left = self._queue.left
            kept = [entry.rest for entry in left if self.keeps and entry.written]
            self._kept = [(one.number, one.rows) for one in kept]
            return [entry.rest for entry in left if not (self.keeps and entry.written)]

    @property
    def kept(self) -> list[tuple[int, int]]:
        return self._kept

    @property
    def nbytes(self) -> int:
        return self._queue.charged

    @property
    def limit_bytes(self) -> int:
        return self._limit

    @property
    def oldest_at(self) -> float | None:
        with self._changed:
            oldest = self._queue.oldest
        return None if oldest is None else oldest.offered_at

    def __len__(self) -> int:
        return len(self._queue.waiting)

    # For the writer; called with the lock held.

    @property
    def has_changes(self) -> bool:
        return bool(self._changes)

    @property
    def is_urgent(self) -> bool:
        return self._urgent

    def take_changes(self) -> Changes:
        changes, self._changes = self._changes, Changes()
        self._urgent, self._taken = False, self._asked
        return changes

    def return_changes(self, changes: Changes) -> None:
        self._changes = self._changes.follow(changes)

    def changes_written(self, changes: Changes) -> None:
        self._slow, self._answered = False, self._taken
        for seq in changes.added:
            self._queue.written(seq)

    # Internal.

    def _written_head(self) -> SpooledBatch | None:
        """Return the oldest waiting batch when it is in the file.

        If the disk does not answer, or the file cannot be written, do not wait for it.
        """
        with self._changed:
            waiting = self._queue.waiting
            head = waiting[0] if waiting and not self._closed else None
            if head is not None and not self._slow:
                self._slow = not self._changed.wait_for(
                    lambda: head.written or head.removed or self._writer.trouble, _WRITE_S
                )
            return waiting[0] if waiting and not self._closed else None

    def _drop(self, entry: SpooledBatch, reason: str) -> RemovedBatch:
        """Remove a waiting batch. The lock is held."""
        rest = entry.rest
        self._queue.withdraw(entry)
        self._changes.settle(rest.rows, "dropped", reason)
        self._remove(entry)
        return rest

    def _remove(self, entry: SpooledBatch) -> None:
        self._queue.forget(entry)
        self._changes.remove(entry.seq)
        self._wake()

    def _wake(self) -> None:
        self._urgent = True
        self._changed.notify_all()
