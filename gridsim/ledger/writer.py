"""The writer of the ledger, on its own thread during the run."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from loguru import logger

from gridsim.contracts.results import TickResult
from gridsim.ledger.about import About, write_about
from gridsim.ledger.fates import Fates
from gridsim.ledger.file import LedgerError, create, failed
from gridsim.ledger.happenings import Happenings
from gridsim.ledger.insert import insert
from gridsim.ledger.rows import NONE, connection_rows, rows_of

# The number of readings that may wait to be written before the run waits too.
_QUEUE = 200_000
# A transaction starts when this many readings wait, or after this time.
_BATCH_ROWS, _BATCH_S = 20_000, 0.25
_WARN_EVERY_S = 10.0
# Shorter waits give no warning, because a run at speed 0 has many of them.
_LONG_S = 0.5


@dataclass(frozen=True, slots=True)
class _Pending:
    tick: int
    result: TickResult
    wall_ms: int
    """The time at which the batch was offered."""


class Ledger:
    """The ledger of one run.

    If it cannot keep up, the run waits. If it cannot be written, the run ends.

    `record` is called from one thread at a time.
    """

    def __init__(self, path: Path, about: About, *, overwrite: bool = False) -> None:
        """Create the file and start the thread. Raises UsageError or LedgerError."""
        self.path = path
        self.waited_s = 0.0
        """The total time that the run has waited for the ledger, seconds."""
        self.fates = tuple(Fates(index) for index in range(len(about.transports)))
        """The observers of the transports, in the order of the configuration."""
        self._scenario = about.scenario
        self._last_tick = -1
        """The index of the last result."""
        self._connected_ms = np.full(len(about.scenario.roster), NONE, np.int64)
        self._connection = create(path, overwrite=overwrite)
        try:
            with self._connection:
                self._connection.execute("BEGIN")
                write_about(self._connection, about)
        except sqlite3.Error as error:
            self._connection.close()
            raise failed(path, error) from error
        self._tick = 0
        self._happenings = Happenings(self._connection, self._scenario)
        self._queue: list[_Pending] = []
        self._waiting = 0
        self._written = 0
        """The number of the first reading whose batch is not written."""
        self._changed = threading.Condition()
        self._closing = False
        self._complete = False
        self._error: LedgerError | None = None
        self._raised = False
        self._next_warning = 0.0
        self._thread = threading.Thread(target=self._work, name="ledger", daemon=True)
        self._thread.start()

    # Called from the engine's thread and the main thread.

    def record(self, result: TickResult) -> None:
        """Queue the result of a tick, before its batch is offered to transports.

        Call it once more at the end, with the result of what was still open. Raises
        LedgerError, once, if the ledger can no longer be written.
        """
        entry = _Pending(self._tick, result, time.time_ns() // 1_000_000)
        self._tick += 1
        with self._changed:
            if self._waiting and self._waiting + len(result.batch) > _QUEUE:
                self._wait_for_room(len(result.batch))
            if self._error is None:
                self._queue.append(entry)
                self._waiting += len(result.batch)
                self._changed.notify_all()
        self._raise()

    def close(self, *, complete: bool, timeout_s: float) -> None:
        """Write all that is left, including the outcomes of readings so far.

        `complete` means that all results of the run were recorded. Raises LedgerError if not
        everything could be written in time, unless `record` has already raised it.
        """
        with self._changed:
            self._closing, self._complete = True, complete
            self._changed.notify_all()
        self._thread.join(timeout_s)
        self._raise()
        if self._thread.is_alive():
            raise LedgerError(f"the ledger {self.path} is incomplete: its disk does not respond")

    def _raise(self) -> None:
        if self._error is not None and not self._raised:
            self._raised = True
            raise self._error

    def _wait_for_room(self, rows: int) -> None:
        began = time.monotonic()
        self._changed.wait_for(
            lambda: not self._waiting or self._waiting + rows <= _QUEUE or self._error is not None
        )
        now = time.monotonic()
        self.waited_s += now - began
        if now - began >= _LONG_S and now >= self._next_warning:
            self._next_warning = now + _WARN_EVERY_S
            logger.warning(
                "the ledger {} is slower than the run, which waits for it: {:.1f} s so far",
                self.path,
                self.waited_s,
            )

    # Called from the writer's thread.

    def _work(self) -> None:
        try:
            while True:
                entries, last = self._take()
                self._write(entries)
                with self._changed:
                    self._waiting -= sum(len(entry.result.batch) for entry in entries)
                    self._changed.notify_all()
                if last:
                    self._finish()
                    return
        except sqlite3.Error as error:
            self._fail(failed(self.path, error))
        except BaseException as error:
            # `record` and `close` raise it in the run's threads.
            self._fail(LedgerError(f"the ledger {self.path} failed: {error!r}"))

    def _take(self) -> tuple[list[_Pending], bool]:
        """Return the queued results, and whether these are the last."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._waiting >= _BATCH_ROWS, _BATCH_S)
            entries, self._queue = self._queue, []
            return entries, self._closing

    def _write(self, entries: Sequence[_Pending]) -> None:
        with self._connection as connection:
            connection.execute("BEGIN")
            self._write_batches(entries)
            for entry in entries:
                self._happenings.write(entry.result, entry.tick)
                self._last_tick = entry.result.tick
            self._write_fates()

    def _write_batches(self, entries: Sequence[_Pending]) -> None:
        connection, scenario = self._connection, self._scenario
        of_ticks = [entry for entry in entries if len(entry.result.batch)]
        connection.executemany(
            "INSERT INTO batches VALUES (?, ?, ?)",
            [(e.tick, e.result.batch.number, len(e.result.batch)) for e in of_ticks],
        )
        connection.executemany(
            "INSERT INTO offers VALUES (?, ?)", [(e.tick, e.wall_ms) for e in of_ticks]
        )
        if not of_ticks:
            return
        batches = [entry.result.batch for entry in of_ticks]
        rows = rows_of(batches, scenario.start_ms, scenario.tick_ms)
        insert(connection, "readings", rows.readings)
        insert(connection, "reported", rows.reported)
        insert(connection, "labels", rows.labels)
        insert(connection, "connections", connection_rows(batches, self._connected_ms))
        self._written = batches[-1].number + len(batches[-1])

    def _write_fates(self) -> None:
        # A transport may have settled readings whose batch waits for the next transaction.
        for observer in self.fates:
            fates, retries = observer.take(self._written)
            self._connection.executemany("INSERT INTO fates VALUES (?, ?, ?, ?, ?, ?)", fates)
            self._connection.executemany("INSERT INTO retries VALUES (?, ?, ?, ?)", retries)

    def _finish(self) -> None:
        connection = self._connection
        connection.execute(
            "UPDATE meta SET value = ? WHERE key = 'complete'", (int(self._complete),)
        )
        # The result of a run's end has the index of the tick that would have come next.
        ticks = self._last_tick + (not self._complete)
        connection.execute("UPDATE meta SET value = ? WHERE key = 'ticks'", (ticks,))
        # Merge the WAL into one file, which can be copied and read on a read-only disk. This fails
        # while another process reads the ledger; the ledger is valid all the same.
        try:
            connection.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.OperationalError as error:
            logger.debug("the ledger {} stays in two files: {}", self.path, error)
        connection.close()

    def _fail(self, error: LedgerError) -> None:
        with self._changed:
            self._error = error
            self._queue.clear()
            self._changed.notify_all()
        with suppress(sqlite3.Error):
            self._connection.close()
