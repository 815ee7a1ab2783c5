"""The batches and the account in a spool's file."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gridsim.api import Batch, Roster
from gridsim.contracts.batch_serial import batch_from_state, batch_state, roster_fingerprint
from gridsim.contracts.tree_serial import tree_from_bytes, tree_to_bytes
from gridsim.delivery.spool.changes import Changes
from gridsim.delivery.spool.file import SpoolAccount, SpoolError, account_of, open_spool, usable
from gridsim.delivery.spool.rosters import roster_from_bytes, roster_to_bytes

# A file that was large during an outage gets small again at the end if little waits in it.
_FREE_PAGES: Final = 1000


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """A batch in the file, without its columns."""

    seq: int
    life: int
    number: int
    """The number of its first reading."""
    rows: int
    done: int
    """The number of its first readings that are settled."""
    charge: int


class SpoolStore:
    """An open spool. A life is one run that used it, or a run and those that resume it.

    Any thread may call any method.
    """

    def __init__(self, path: Path, roster: Roster, faults: str, *, continues: bool = False) -> None:
        """Open or create the file and lock it. Raises UsageError.

        `faults` identifies the message faults of the run. With `continues` the run resumes the
        last one that used the file.
        """
        self.path = path
        self.faults = faults
        self._lock = threading.Lock()
        self._connection = open_spool(path)
        try:
            with usable(path):
                self._identity = self._found()
                self.life, self.next_number, self.last_tick = self._begin(roster, faults, continues)
        except BaseException:
            self._connection.close()
            raise

    def waiting(self) -> list[StoredBatch]:
        """Return the batches in the file, the oldest first."""
        with self._lock:
            found = self._connection.execute(
                "SELECT seq, life, number, rows, ifnull(done, 0), charge "
                "FROM batches LEFT JOIN progress USING (seq) ORDER BY seq"
            ).fetchall()
        return [StoredBatch(*row) for row in found]

    def roster_of(self, life: int) -> tuple[Roster, str]:
        """Return the roster of a life, and what identifies its message faults."""
        with self._lock:
            data, faults = self._connection.execute(
                "SELECT data, faults FROM lives JOIN rosters USING (roster) WHERE life = ?", (life,)
            ).fetchone()
        return roster_from_bytes(data), faults

    def load(self, seq: int, roster: Roster) -> Batch:
        """Return the whole batch, with the roster of its life.

        Raises SerialError or sqlite3.Error if it cannot be read.
        """
        with self._lock:
            found = self._connection.execute(
                "SELECT data FROM batches WHERE seq = ?", (seq,)
            ).fetchone()
        if found is None:
            raise sqlite3.DatabaseError(f"the batch {seq} is not in the file")
        return batch_from_state(tree_from_bytes(found[0]), roster)

    def write(self, changes: Changes) -> None:
        """Write changes in one transaction. Raises sqlite3.Error or SpoolError; nothing is
        written then."""
        added = [
            (seq, self.life, one.batch.number, len(one.batch), one.charge, serial)
            for seq, one in changes.added.items()
            for serial in (tree_to_bytes(batch_state(one.batch)),)
        ]
        counts = [(fate, reason, n) for (fate, reason), n in changes.counts.items()]
        gone = [(seq,) for seq in changes.gone]
        with self._lock:
            self._check_present()
            with self._transaction() as connection:
                connection.executemany("INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?)", added)
                connection.executemany("DELETE FROM batches WHERE seq = ?", gone)
                connection.executemany("DELETE FROM progress WHERE seq = ?", gone)
                connection.executemany(
                    "INSERT OR REPLACE INTO progress VALUES (?, ?)", changes.done.items()
                )
                connection.executemany(
                    "INSERT INTO account VALUES (?, ?, ?) ON CONFLICT (fate, reason) "
                    "DO UPDATE SET readings = readings + excluded.readings",
                    counts,
                )
                connection.execute(
                    "UPDATE lives SET next_number = max(next_number, ?), "
                    "last_tick = max(last_tick, ?) WHERE life = ?",
                    (changes.next_number, changes.last_tick, self.life),
                )

    def check(self) -> None:
        """Raise SpoolError if the file was deleted or replaced."""
        with self._lock:
            self._check_present()

    def account(self) -> SpoolAccount:
        """Return the account over all lives."""
        with self._lock:
            return account_of(self._connection)

    def close(self) -> None:
        """Close the file, which releases its lock."""
        with self._lock, suppress(sqlite3.Error):
            try:
                (pages,) = self._connection.execute("PRAGMA page_count").fetchone()
                (free,) = self._connection.execute("PRAGMA freelist_count").fetchone()
                if free > _FREE_PAGES > pages - free:
                    self._connection.execute("VACUUM")
            finally:
                self._connection.close()

    # Called with the lock held, or before other threads know the store.

    def _begin(self, roster: Roster, faults: str, continues: bool) -> tuple[int, int, int]:
        """Return the run's life, its next reading number and its last tick; -1: none yet."""
        digest = roster_fingerprint(roster)
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO rosters (digest, data) VALUES (?, ?)",
                (digest, roster_to_bytes(roster)),
            )
            (number,) = connection.execute(
                "SELECT roster FROM rosters WHERE digest = ?", (digest,)
            ).fetchone()
            last = connection.execute(
                "SELECT life, next_number, last_tick FROM lives WHERE roster = ? AND faults = ? "
                "AND life = (SELECT max(life) FROM lives)",
                (number, faults),
            ).fetchone()
            life, next_number, last_tick = last if last and continues else (None, -1, -1)
            if life is None:
                life = connection.execute(
                    "INSERT INTO lives (roster, faults, next_number, last_tick) "
                    "VALUES (?, ?, -1, -1) RETURNING life",
                    (number, faults),
                ).fetchone()[0]
            connection.execute(
                "DELETE FROM lives WHERE life < ? AND life NOT IN (SELECT life FROM batches)",
                (life,),
            )
            connection.execute("DELETE FROM rosters WHERE roster NOT IN (SELECT roster FROM lives)")
        return int(life), int(next_number), int(last_tick)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
            self._connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise

    def _found(self) -> tuple[int, int]:
        found = os.stat(self.path, follow_symlinks=False)
        return found.st_dev, found.st_ino

    def _check_present(self) -> None:
        # SQLite itself would continue to write to a deleted file, which no other run can open.
        try:
            if self._found() != self._identity:
                raise SpoolError("was replaced by another file")
        except FileNotFoundError:
            raise SpoolError("was deleted, moved or renamed") from None
