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
from gridsim.contracts.tree_serial import SerialError, tree_from_bytes, tree_to_bytes
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
    roster: int
    """The number of its roster in the file."""
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
        self._rosters: list[tuple[Roster, int]] = []
        """The rosters of this run, with their numbers in the file."""
        self._connection = open_spool(path)
        try:
            with usable(path):
                self._identity = self._found()
                self.life, self.next_number, self.last_tick = self._begin(continues)
                self._connection.execute(
                    "DELETE FROM rosters WHERE roster NOT IN (SELECT roster FROM batches)"
                )
                with self._transaction():
                    self._number_of(roster)
        except BaseException:
            self._connection.close()
            raise

    def waiting(self) -> list[StoredBatch]:
        """Return the batches in the file, the oldest first. Raises SerialError or sqlite3.Error."""
        with self._lock:
            found = self._connection.execute(
                "SELECT seq, life, roster, number, rows, ifnull(done, 0), charge "
                "FROM batches LEFT JOIN progress USING (seq) ORDER BY seq"
            ).fetchall()
        if not all(type(value) is int for row in found for value in row):
            raise SerialError("a number in it is not one")
        return [StoredBatch(*row) for row in found]

    def roster(self, number: int) -> Roster:
        """Return a roster; it is the object that this run gave, if there is one."""
        with self._lock:
            for roster, known in self._rosters:
                if known == number:
                    return roster
            (data,) = self._connection.execute(
                "SELECT data FROM rosters WHERE roster = ?", (number,)
            ).fetchone()
        return roster_from_bytes(data)

    def faults_of(self, life: int) -> str:
        """Return what identifies the message faults of a life."""
        with self._lock:
            (faults,) = self._connection.execute(
                "SELECT faults FROM lives WHERE life = ?", (life,)
            ).fetchone()
        return str(faults)

    def load(self, seq: int, roster: Roster | None = None) -> Batch:
        """Return the whole batch; `roster`: the one that its number means, if it is at hand.

        Raises SerialError or sqlite3.Error if it cannot be read.
        """
        with self._lock:
            found = self._connection.execute(
                "SELECT roster, data FROM batches WHERE seq = ?", (seq,)
            ).fetchone()
        if found is None:
            raise sqlite3.DatabaseError(f"the batch {seq} is not in the file")
        number, data = found
        return batch_from_state(tree_from_bytes(data), roster or self.roster(number))

    def write(self, changes: Changes) -> None:
        """Write changes in one transaction. Raises sqlite3.Error or SpoolError; nothing is
        written then."""
        serials = {seq: tree_to_bytes(batch_state(one.batch)) for seq, one in changes.added.items()}
        counts = [(fate, reason, n) for (fate, reason), n in changes.counts.items()]
        gone = [(seq,) for seq in changes.gone]
        with self._lock:
            self._check_present()
            with self._transaction() as connection:
                added = [
                    (
                        seq,
                        self.life,
                        self._number_of(one.batch.roster),
                        one.batch.number,
                        len(one.batch),
                        one.charge,
                        serials[seq],
                    )
                    for seq, one in changes.added.items()
                ]
                connection.executemany("INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?)", added)
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

    def _begin(self, continues: bool) -> tuple[int, int, int]:
        """Return the run's life, its next reading number and its last tick; -1: none yet."""
        with self._transaction() as connection:
            last = connection.execute(
                "SELECT life, next_number, last_tick FROM lives ORDER BY life DESC LIMIT 1"
            ).fetchone()
            life, next_number, last_tick = last if last and continues else (None, -1, -1)
            if life is None:
                life = connection.execute(
                    "INSERT INTO lives (faults, next_number, last_tick) VALUES (?, -1, -1) "
                    "RETURNING life",
                    (self.faults,),
                ).fetchone()[0]
            # The process was killed before it removed a batch that was settled.
            connection.execute(
                "DELETE FROM batches WHERE seq IN "
                "(SELECT seq FROM batches JOIN progress USING (seq) WHERE done >= rows)"
            )
            connection.execute("DELETE FROM progress WHERE seq NOT IN (SELECT seq FROM batches)")
            connection.execute(
                "DELETE FROM lives WHERE life < ? AND life NOT IN (SELECT life FROM batches)",
                (life,),
            )
        return int(life), int(next_number), int(last_tick)

    def _number_of(self, roster: Roster) -> int:
        """Return the number of a roster, which is added to the file if it is new."""
        for known, number in self._rosters:
            if known is roster:
                return number
        digest = roster_fingerprint(roster)
        self._connection.execute(
            "INSERT OR IGNORE INTO rosters (digest, data) VALUES (?, ?)",
            (digest, roster_to_bytes(roster)),
        )
        (number,) = self._connection.execute(
            "SELECT roster FROM rosters WHERE digest = ?", (digest,)
        ).fetchone()
        # The newest first: a reloaded configuration can make an equal roster.
        self._rosters.insert(0, (roster, int(number)))
        return int(number)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        rosters = self._rosters.copy()
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
            self._connection.execute("COMMIT")
        except BaseException:
            self._rosters = rosters
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
