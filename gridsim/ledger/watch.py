"""The check that a ledger's file was not deleted or changed by another program."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from gridsim.ledger.file import HEADER_BYTES, LedgerError, identity, is_header, read_only, release

COMPANIONS = ("-wal", "-shm")
"""The suffixes of the files that SQLite keeps beside a database in the mode WAL."""


class FileWatch:
    """The ledger's files as SQLite has opened them.

    SQLite itself would continue to write to a deleted file, which no other program can open.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        """Watch a file that is open for reading.

        The descriptor must stay open as long as SQLite's connection, because closing it would
        release SQLite's locks.
        """
        self._path = path
        self._descriptor = descriptor
        self._known: dict[str, tuple[int, int]] = {"": identity(os.fstat(descriptor))}
        self._size = 0

    def check(self) -> None:
        """Raise LedgerError if a file is gone, or is not the one that was opened."""
        self._check_one("")
        for suffix in COMPANIONS:
            self._check_one(suffix)
        size = os.fstat(self._descriptor).st_size
        if size < self._size:
            raise self._error(f"was truncated to {size:,} bytes by another program")
        self._size = size
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        if not is_header(os.read(self._descriptor, HEADER_BYTES)):
            raise self._error("was overwritten by another program")

    def close(self) -> None:
        """Close the file. Call it after SQLite's connection is closed."""
        release(self._descriptor)

    def _check_one(self, suffix: str) -> None:
        name = self._path.name + suffix
        try:
            found = identity(os.stat(self._path.with_name(name), follow_symlinks=False))
        except OSError as error:
            if suffix not in self._known:
                return  # SQLite makes it at the first write
            if isinstance(error, FileNotFoundError | NotADirectoryError):
                raise self._error("was deleted, moved or renamed", suffix) from error
            raise self._error(f"cannot be examined: {error.strerror}", suffix) from error
        if self._known.setdefault(suffix, found) != found:
            raise self._error("was replaced by another file", suffix)

    def _error(self, what: str, suffix: str = "") -> LedgerError:
        named = f"the ledger {self._path}"
        if suffix:
            named = f"the file {self._path}{suffix}, a part of the ledger,"
        return LedgerError(
            f"{named} {what} while the run wrote it, so the run's record is incomplete; "
            "leave the ledger's files alone until the run has ended"
        )


def confirm(path: Path, run: str, readings: int) -> None:
    """Raise LedgerError unless a closed ledger belongs to this run and has all its readings."""
    query = "SELECT value, (SELECT ifnull(sum(rows), 0) FROM batches) FROM meta WHERE key = 'run'"
    try:
        with closing(sqlite3.connect(read_only(path), uri=True)) as connection:
            found = connection.execute(query).fetchone()
    except sqlite3.Error as error:
        raise LedgerError(f"the ledger {path} cannot be read after the run: {error}") from error
    if found != (run, readings):
        raise LedgerError(
            f"the ledger {path} does not have the {readings:,} readings of the run, because "
            "another program has changed it; leave it alone until the run has ended"
        )
