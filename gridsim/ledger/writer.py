"""The writer of the ledger, on its own thread during the run."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from gridsim.contracts.results import TickResult
from gridsim.ledger.about import About, write_about
from gridsim.ledger.columns import NONE
from gridsim.ledger.fates import Fates
from gridsim.ledger.file import LedgerError, create, failed, reopen, seal
from gridsim.ledger.happenings import Happenings
from gridsim.ledger.insert import insert
from gridsim.ledger.pending import PendingResult, SlownessLog
from gridsim.ledger.places import Places
from gridsim.ledger.resuming import POSITIONS, Continuation, Rewound, rewind
from gridsim.ledger.rows import insert_batches
from gridsim.ledger.watch import FileWatch, confirm

# The run waits while the oldest uncommitted result is older than this, so that a killed run loses
# at most this time.
_OLDEST_S = 0.25
# The number of readings that may wait to be written before the run waits too.
_QUEUE = 200_000
# A transaction starts when this many readings wait, or when the oldest has waited for this time.
_BATCH_ROWS, _BATCH_S = 20_000, 0.1
# Without results, outcomes are written and the file is checked after this time.
_IDLE_S = 0.25


class Ledger:
    """The ledger of one run.

    If it cannot keep up, the run waits. If it cannot be written, the run ends.

    `record` is called from one thread at a time.
    """

    def __init__(
        self,
        path: Path,
        about: About,
        *,
        overwrite: bool = False,
        continuation: Continuation | None = None,
    ) -> None:
        """Create the file and start the thread. Raises UsageError or LedgerError.

        With `continuation` the file is that of a run that was killed, and is continued.
        """
        self.path = path
        self.waited_s = 0.0
        """The total time that the run has waited for the ledger, seconds."""
        self.fates = tuple(Fates(index) for index in range(len(about.transports)))
        """The observers of the transports, in the order of the configuration."""
        self._scenario = about.scenario
        self._run = about.run
        at = Continuation() if continuation is None else continuation
        self.positions = dict.fromkeys(POSITIONS, 0) | dict(at.positions)
        """The rows recorded so far in the tables that have no column with the tick."""
        if continuation is None:
            self._connection, descriptor = create(path, overwrite=overwrite)
        else:
            self._connection, descriptor = reopen(path, about.run)
        self.rewound: Rewound | None = None
        """The facts of a ledger that is continued; None: it is new."""
        self._watch = FileWatch(path, descriptor)
        self._tick = self._committed = at.tick
        self._last_tick = at.tick - 1
        """The index of the last result."""
        self._about: About | None = None
        """The description of the run from the next result on, after a reload."""
        self._written = at.readings
        """The number of the first reading whose batch is not written."""
        try:
            with self._connection:
                self._connection.execute("BEGIN")
                if continuation is None:
                    write_about(self._connection, about)
                self._places = Places(self._connection)
                self._happenings = Happenings(self._connection, self._scenario, self._places)
                self._connected_ms = np.full(len(self._places.device), NONE, np.int64)
                if continuation is not None:
                    self.rewound = rewind(self._connection, path, about, at)
                    self._connected_ms = self.rewound.connected_ms
                    self._happenings.restore(self.rewound.settlements)
        except BaseException as error:
            self._close()
            if isinstance(error, sqlite3.Error):
                raise failed(path, error) from error
            raise
        self._queue: list[PendingResult] = []
        """The results that are not committed; the writer removes them after the commit."""
        self._waiting = 0
        self._changed = threading.Condition()
        self._closing = False
        self._complete = False
        self._asked = self._answered = 0
        """The number of the last `sync` that began, and of the last that is done."""
        self._error: LedgerError | None = None
        self._raised = False
        self._slowness = SlownessLog(path)
        self._thread = threading.Thread(target=self._work, name="ledger", daemon=True)
        self._thread.start()

    # Called from the engine's thread and the main thread.

    def reload(self, about: About) -> None:
        """Record another description of the run with the next result, that of its reload."""
        self._about = about

    def record(self, result: TickResult) -> None:
        """Queue the result of a tick, before its batch is offered to transports.

        Call it once more at the end, with the result of everything that was still open. Raises
        LedgerError, once, if the ledger can no longer be written.
        """
        rows = len(result.batch)
        with self._changed:
            if self._queue and not self._has_room(rows):
                self._wait_for_room(rows)
            if self._error is None:
                now_s = time.monotonic()
                about, self._about = self._about, None
                now_ms = time.time_ns() // 1_000_000
                self._queue.append(PendingResult(self._tick, result, now_ms, now_s, about))
                self._waiting += rows
                self.positions["episodes"] += len(result.episodes)
                self.positions["settlements"] += len(result.settlements)
                self.positions["unmeasured"] += len(result.unmeasured)
                if len(self._queue) == 1 or self._waiting >= _BATCH_ROWS:
                    self._changed.notify_all()
        self._tick += result.reload is None
        self._raise()

    def sync(self, timeout_s: float) -> None:
        """Write all that was recorded, including the outcomes of readings so far.

        Raises LedgerError if that fails or takes longer.
        """
        with self._changed:
            self._asked += 1
            asked = self._asked
            self._changed.notify_all()
            done = self._changed.wait_for(
                lambda: self._answered >= asked or self._error is not None, timeout_s
            )
        self._raise()
        if not done:
            raise LedgerError(f"the ledger {self.path} was not written within {timeout_s:g} s")

    def wait_committed(self, tick: int, timeout_s: float) -> bool:
        """Wait until the results of all ticks before `tick` are written; return whether so."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._committed >= tick or self._error is not None, timeout_s
            )
            return self._committed >= tick and self._error is None

    def close(self, *, complete: bool, timeout_s: float) -> None:
        """Write all that is left, including the outcomes of readings so far.

        `complete` means that all results of the run were recorded. Raises LedgerError if not
        everything could be written in time, unless `record` has already raised it.
        """
        with self._changed:
            self._closing, self._complete = True, complete
            self._changed.notify_all()
        self._thread.join(timeout_s)
        if self._thread.is_alive() and self._error is None:
            self._error = LedgerError(
                f"the ledger {self.path} is incomplete: its disk does not respond"
            )
        self._raise()

    @property
    def error(self) -> LedgerError | None:
        """The error that ended the writing, or None."""
        return self._error

    def _raise(self) -> None:
        if self._error is not None and not self._raised:
            self._raised = True
            raise self._error

    def _has_room(self, rows: int) -> bool:
        if not self._queue or self._error is not None:
            return True
        young = time.monotonic() - self._queue[0].queued_s < _OLDEST_S
        return young and self._waiting + rows <= _QUEUE

    def _wait_for_room(self, rows: int) -> None:
        began = time.monotonic()
        self._changed.wait_for(lambda: self._has_room(rows))
        now = time.monotonic()
        self.waited_s += now - began
        self._slowness.note(now - began, self.waited_s)

    # Called from the writer's thread.

    def _work(self) -> None:
        try:
            while True:
                entries, asked, last = self._take()
                self._watch.check()
                self._write(entries)
                with self._changed:
                    self._answered = asked
                    self._committed += sum(one.result.reload is None for one in entries)
                    del self._queue[: len(entries)]
                    self._waiting -= sum(len(entry.result.batch) for entry in entries)
                    self._changed.notify_all()
                if last:
                    self._finish()
                    return
        except sqlite3.Error as error:
            self._fail(failed(self.path, error))
        except LedgerError as error:
            self._fail(error)
        except BaseException as error:
            # `record` and `close` raise it in the run's threads.
            self._fail(LedgerError(f"the ledger {self.path} failed: {error!r}"))

    def _take(self) -> tuple[list[PendingResult], int, bool]:
        """Return the queued results, the number of the last `sync`, and whether these are the last.

        The results stay in the queue.
        """
        with self._changed:
            if not self._queue:
                self._changed.wait_for(lambda: self._is_asked() or self._queue, _IDLE_S)
            if self._queue:
                age = time.monotonic() - self._queue[0].queued_s
                self._changed.wait_for(
                    lambda: self._is_asked() or self._waiting >= _BATCH_ROWS,
                    max(0.0, _BATCH_S - age),
                )
            return self._queue.copy(), self._asked, self._closing

    def _is_asked(self) -> bool:
        """Return whether to write at once, without waiting for more."""
        return self._closing or self._asked > self._answered

    def _write(self, entries: Sequence[PendingResult]) -> None:
        # A transport may have settled readings whose batch waits for the next transaction.
        written = max((e.result.batch.number + len(e.result.batch) for e in entries), default=0)
        self._written = max(self._written, written)
        outcomes = [observer.take(self._written) for observer in self.fates]
        if not entries and not any(fates or retries for fates, retries in outcomes):
            return
        with self._connection as connection:
            connection.execute("BEGIN")
            for entry in entries:
                if entry.about is not None:
                    self._extend(entry.about)
            batches = {e.tick: (e.result.batch, e.wall_ms) for e in entries if len(e.result.batch)}
            insert_batches(connection, self._scenario, batches, self._connected_ms, self._places.of)
            for entry in entries:
                self._happenings.write(entry.result, entry.tick)
                self._last_tick = entry.result.tick
            for fates, retries in outcomes:
                insert(connection, "fates", fates)
                insert(connection, "retries", retries)

    def _extend(self, about: About) -> None:
        """Add the devices of a reload."""
        self._places.add(about)
        more = len(self._places.device) - len(self._connected_ms)
        self._connected_ms = np.append(self._connected_ms, np.full(more, NONE, np.int64))

    def _finish(self) -> None:
        # The result of a run's end has the index of the tick that would have come next.
        ticks = self._last_tick + (not self._complete)
        seal(self._connection, self.path, complete=self._complete, ticks=ticks)
        confirm(self.path, self._run, self._written)
        self._watch.close()

    def _fail(self, error: LedgerError) -> None:
        with self._changed:
            self._error = error
            self._queue.clear()
            self._changed.notify_all()
        self._close()

    def _close(self) -> None:
        with suppress(sqlite3.Error):
            self._connection.close()
        self._watch.close()
