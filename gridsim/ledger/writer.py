"""Writes the ledger on a thread of its own, as the run goes on."""

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

# How many readings may wait to be written before the run has to wait, too.
_QUEUE = 200_000
# A transaction is begun when so many readings wait, or the first has waited for so long.
_ENOUGH, _PATIENCE_S = 20_000, 0.25
_SAY_EVERY_S = 10.0
# Shorter waits are nothing to speak of before the end: a run as fast as it can has many.
_LONG_S = 0.5


@dataclass(frozen=True, slots=True)
class _Pending:
    tick: int
    outcome: TickResult
    wall_ms: int
    """When its batch was offered."""


class Ledger:
    """One run's ledger. It is never incomplete in silence: where it cannot keep up the run
    waits, and where it cannot be written the run ends.

    `record` is called from one thread at a time.
    """

    def __init__(self, path: Path, about: About, *, overwrite: bool = False) -> None:
        """Raises UsageError if another file is in the way, LedgerError if it cannot be made."""
        self.path = path
        self.waited_s = 0.0
        """How long the run has waited for the ledger in all."""
        self.fates = tuple(Fates(index) for index in range(len(about.transports)))
        """The observers of the transports, in their order."""
        self._scenario = about.scenario
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
        self._told = False
        self._quiet_until = 0.0
        self._thread = threading.Thread(target=self._work, name="ledger", daemon=True)
        self._thread.start()

    # Called from the engine's thread and the main thread.

    def record(self, outcome: TickResult) -> None:
        """Takes what a tick brought forth, just before its batch is offered to transports, and
        at the end what was still open.

        Raises LedgerError, once, if the ledger cannot be written any more.
        """
        entry = _Pending(self._tick, outcome, time.time_ns() // 1_000_000)
        self._tick += 1
        with self._changed:
            if self._waiting and self._waiting + len(outcome.batch) > _QUEUE:
                self._wait_for_room(len(outcome.batch))
            if self._error is None:
                self._queue.append(entry)
                self._waiting += len(outcome.batch)
                self._changed.notify_all()
        self._raise()

    def close(self, *, complete: bool, timeout_s: float) -> None:
        """Writes all that is left, and what became of the readings until now.

        `complete` says that the run has told everything. Raises LedgerError if not all could
        be written, or not in time, and `record` has not said so.
        """
        with self._changed:
            self._closing, self._complete = True, complete
            self._changed.notify_all()
        self._thread.join(timeout_s)
        self._raise()
        if self._thread.is_alive():
            raise LedgerError(f"the ledger {self.path} is incomplete: its disk does not answer")

    def _raise(self) -> None:
        if self._error is not None and not self._told:
            self._told = True
            raise self._error

    def _wait_for_room(self, rows: int) -> None:
        began = time.monotonic()
        self._changed.wait_for(
            lambda: not self._waiting or self._waiting + rows <= _QUEUE or self._error is not None
        )
        now = time.monotonic()
        self.waited_s += now - began
        if now - began >= _LONG_S and now >= self._quiet_until:
            self._quiet_until = now + _SAY_EVERY_S
            logger.warning(
                "the ledger {} is slower than the run, which waits for it: {:.1f} s in all",
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
                    self._waiting -= sum(len(entry.outcome.batch) for entry in entries)
                    self._changed.notify_all()
                if last:
                    self._finish()
                    return
        except sqlite3.Error as error:
            self._fail(failed(self.path, error))
        except BaseException as error:
            # Whatever it is, the run must hear of it.
            self._fail(LedgerError(f"the ledger {self.path} failed: {error!r}"))

    def _take(self) -> tuple[list[_Pending], bool]:
        """What has come, and whether nothing more will."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._waiting >= _ENOUGH, _PATIENCE_S)
            entries, self._queue = self._queue, []
            return entries, self._closing

    def _write(self, entries: Sequence[_Pending]) -> None:
        with self._connection as connection:
            connection.execute("BEGIN")
            self._write_batches(entries)
            for entry in entries:
                self._happenings.write(entry.outcome, entry.tick)
            self._write_fates()

    def _write_batches(self, entries: Sequence[_Pending]) -> None:
        connection, scenario = self._connection, self._scenario
        of_ticks = [entry for entry in entries if len(entry.outcome.batch)]
        connection.executemany(
            "INSERT INTO batches VALUES (?, ?, ?)",
            [(e.tick, e.outcome.batch.number, len(e.outcome.batch)) for e in of_ticks],
        )
        connection.executemany(
            "INSERT INTO offers VALUES (?, ?)", [(e.tick, e.wall_ms) for e in of_ticks]
        )
        if not of_ticks:
            return
        batches = [entry.outcome.batch for entry in of_ticks]
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
        # One file again, that can be copied and read from where nothing can be written. Where
        # somebody is reading just now this cannot be had, and is no loss.
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
