"""The thread that writes a spool."""

from __future__ import annotations

import sqlite3
import threading
from typing import Final, Protocol

from loguru import logger

from gridsim.delivery.spool.changes import Changes
from gridsim.delivery.spool.file import UNREADABLE_ERRORS, SpoolError
from gridsim.delivery.spool.store import SpoolStore

# Readings that are settled while their batch is being sent are written this often.
_PROGRESS_S: Final = 0.05
# Without changes, the file is looked for this often.
_IDLE_S: Final = 1.0
# The pauses between attempts to write a file that cannot be written.
_RETRY_S: Final = (0.2, 5.0)


class ChangeQueue(Protocol):
    """The changes that wait to be written. All methods are called with the lock held."""

    @property
    def has_changes(self) -> bool:
        """True if something waits to be written."""

    @property
    def is_urgent(self) -> bool:
        """True if it must be written at once."""

    def take_changes(self) -> Changes:
        """Return the changes, which are being written from now on."""

    def return_changes(self, changes: Changes) -> None:
        """Take back changes that could not be written."""

    def changes_written(self, changes: Changes) -> None:
        """Note that changes are in the file."""


class SpoolWriter:
    """The writer of a spool. If the file cannot be written, it keeps trying; a file that is gone
    or damaged is not used any more. Each such problem is logged once.
    """

    def __init__(
        self,
        name: str,
        store: SpoolStore,
        queue: ChangeQueue,
        changed: threading.Condition,
        memory_bytes: int,
    ) -> None:
        """Start nothing yet. `changed` guards the queue and is notified of urgent changes."""
        self.trouble: str | None = None
        """The reason why the file cannot be written now."""
        self.lost: str | None = None
        """The reason why the file cannot be used any more in this run."""
        self._name = name
        self._store = store
        self._queue = queue
        self._changed = changed
        self._memory_bytes = memory_bytes
        self._closing = False
        self._thread = threading.Thread(target=self._work, name=f"spool {name}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self, timeout_s: float) -> bool:
        """Write what is left, close the file, and return whether that was done in time."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    # Called from the writer's thread.

    def _work(self) -> None:
        pause_s = 0.0
        while True:
            changes, last = self._take(pause_s)
            try:
                self._store.check()
                if changes:
                    self._store.write(changes)
            except (OSError, SpoolError, *UNREADABLE_ERRORS) as error:
                self._failed(changes, error)
                pause_s = min(max(2 * pause_s, _RETRY_S[0]), _RETRY_S[1])
            else:
                pause_s = 0.0
                self._succeeded(changes)
            if last or self.lost is not None:
                # What was written before can still be read, even from a file that was deleted.
                with self._changed:
                    self._changed.wait_for(lambda: self._closing)
                self._store.close()
                return

    def _take(self, pause_s: float) -> tuple[Changes, bool]:
        """Wait for changes and return them, and whether they are the last."""
        with self._changed:
            if pause_s:
                self._changed.wait_for(lambda: self._closing, pause_s)
            elif not (self._closing or self._queue.has_changes or self._queue.is_urgent):
                self._changed.wait(_IDLE_S)
            if not pause_s and self._queue.has_changes:
                self._changed.wait_for(lambda: self._closing or self._queue.is_urgent, _PROGRESS_S)
            return self._queue.take_changes(), self._closing

    def _succeeded(self, changes: Changes) -> None:
        with self._changed:
            if self.trouble is not None:
                self.trouble = None
                logger.info("transport {}: the spool {} is written again", self._name, self._path)
            self._queue.changes_written(changes)
            self._changed.notify_all()

    def _failed(self, changes: Changes, error: Exception) -> None:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        gone = isinstance(error, SpoolError)
        damaged = not isinstance(error, OSError | sqlite3.OperationalError)
        is_final = gone or damaged or code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
        reason = str(error) if gone else f"cannot be written: {error}"
        with self._changed:
            self._queue.return_changes(changes)
            before, self.trouble = self.trouble, reason
            if is_final:
                self.lost = reason
            self._changed.notify_all()
        if before != reason:
            logger.error(
                "transport {}: the spool {} {}; readings wait in memory, up to {:.3g} MB{}",
                self._name,
                self._path,
                reason,
                self._memory_bytes / 1e6,
                "" if is_final else ", until it can be written",
            )

    @property
    def _path(self) -> str:
        return str(self._store.path)
