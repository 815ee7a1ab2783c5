"""The spool's file: an SQLite database that one run at a time can open."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

from gridsim.contracts.tree_serial import SerialError
from gridsim.errors import GridsimError, UsageError

APPLICATION_ID: Final = 0x6E657273
"""The id in the file's header that distinguishes a spool from other SQLite files."""
VERSION: Final = 1
PAGE_BYTES: Final = 4096

# `number`, `rows`: the reading numbers of a batch in the run that emitted it, here a life. `done`:
# how many of its first readings are settled. `charge`: its share of the bound, bytes.
TABLES: Final = """
CREATE TABLE rosters (roster INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, data BLOB NOT NULL);
CREATE TABLE lives (
  life INTEGER PRIMARY KEY, faults TEXT NOT NULL,
  next_number INTEGER NOT NULL, last_tick INTEGER NOT NULL);
CREATE TABLE batches (
  seq INTEGER PRIMARY KEY, life INTEGER NOT NULL, roster INTEGER NOT NULL, number INTEGER NOT NULL,
  rows INTEGER NOT NULL, charge INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE progress (seq INTEGER PRIMARY KEY, done INTEGER NOT NULL);
CREATE TABLE account (
  fate TEXT NOT NULL, reason TEXT NOT NULL, readings INTEGER NOT NULL, PRIMARY KEY (fate, reason));
"""
ACCEPTED: Final = "accepted"
"""The name in the table account that is not a fate."""

AT: Final = "[transports.spool] path: error: "
"""The place of an error in the configuration."""
_BUSY: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
# SQLite's log of changes is merged into the file when it has 1,000 pages, and then cut to this.
_LOG_BYTES: Final = 8_000_000


UNREADABLE_ERRORS: Final = (sqlite3.Error, SerialError, ValueError, TypeError)
"""The errors of a file that is damaged or hostile."""


class SpoolError(GridsimError):
    """The file of a spool is gone or damaged, so it cannot be used any more in this run."""


@dataclass(frozen=True, slots=True)
class SpoolAccount:
    """The account of a spool over all runs that used it, in readings.

    accepted = delivered + dropped + unconfirmed + pending, in every committed state.
    """

    accepted: int = 0
    delivered: int = 0
    unconfirmed: int = 0
    pending: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    """Readings dropped, by reason."""


def open_spool(path: Path) -> sqlite3.Connection:
    """Open a spool, or create one that only its owner can read, and lock it until it is closed.

    The lock is SQLite's own, which the system releases when the process ends. Raises UsageError if
    the file cannot be used; it is not changed then.
    """
    problem = unusable_spool(path)
    if problem is not None:
        raise UsageError(f"{AT}{problem}")
    with usable(path):
        return _opened(path)


@contextmanager
def usable(path: Path) -> Iterator[None]:
    """Turn an error of SQLite or of the system into a UsageError about the file."""
    try:
        yield
    except (OSError, *UNREADABLE_ERRORS) as error:
        raise UsageError(f"{AT}{_why(path, error)}") from error


def unusable_spool(path: Path) -> str | None:
    """Return the reason why a path cannot be a spool, or None. Reads no file and writes nothing."""
    try:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            return f"{path} is not a regular file; name another"
        folder = path.parent
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        if not folder.is_dir():
            return f"{path} cannot be created: {folder} is not a folder"
        if not os.access(folder, os.W_OK | os.X_OK):
            # SQLite keeps its log of changes beside the file.
            return f"{path} cannot be written: no permission to write in {folder.absolute()}"
        if path.exists() and not os.access(path, os.R_OK | os.W_OK):
            return f"{path} cannot be written: no permission"
    except OSError as error:
        return f"{path} cannot be used: {error.strerror or error}"
    return None


def read_account(path: Path) -> SpoolAccount:
    """Return the account of a spool that no run uses. Raises UsageError."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True)) as connection:
            return account_of(connection)
    except UNREADABLE_ERRORS as error:
        raise UsageError(_why(path, error)) from error


def account_of(connection: sqlite3.Connection) -> SpoolAccount:
    """Return the account of an open spool; zeros if a run was killed while it created the file."""
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not tables:
        return SpoolAccount()
    counts = {
        (fate, reason): int(readings)
        for fate, reason, readings in connection.execute(
            "SELECT fate, reason, readings FROM account"
        )
    }
    waiting = "SELECT ifnull(sum(rows), 0) - (SELECT ifnull(sum(done), 0) FROM progress)"
    (pending,) = connection.execute(f"{waiting} FROM batches").fetchone()
    return SpoolAccount(
        counts.get((ACCEPTED, ""), 0),
        counts.get(("delivered", ""), 0),
        counts.get(("unconfirmed", ""), 0),
        pending,
        Counter({reason: n for (fate, reason), n in counts.items() if fate == "dropped"}),
    )


def charge(nbytes: int) -> int:
    """Return the bytes that a batch with columns of `nbytes` takes in the file, at most.

    A row that is smaller than a page shares the page with as many rows as fit; a larger one has
    its own pages.
    """
    # The names and lengths of the columns; see `batch_state`.
    size = nbytes + 1200
    usable = PAGE_BYTES - 40
    return PAGE_BYTES // (usable // size) if size <= usable else -(-size // usable) * PAGE_BYTES


def _opened(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0)
        os.close(os.open(path, flags, 0o600))
    # Autocommit: the writer begins and ends its transactions itself, from its own thread. An open
    # and close of the file by other means would release SQLite's locks in this process.
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if not tables and not application:
            connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(
                f"BEGIN IMMEDIATE; PRAGMA application_id = {APPLICATION_ID}; "
                f"PRAGMA user_version = {VERSION}; {TABLES} COMMIT;"
            )
        elif application != APPLICATION_ID:
            raise sqlite3.NotSupportedError("is not a spool")
        elif version != VERSION:
            raise sqlite3.NotSupportedError(
                f"has the version {version} of the spool, but this gridsim reads {VERSION}"
            )
        # Committed transactions outlive the process; a power failure can lose the last of them.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
        # Takes the lock, if nothing has been written so far.
        connection.executescript("BEGIN IMMEDIATE; COMMIT;")
    except BaseException:
        connection.close()
        raise
    return connection


def _why(path: Path, error: Exception) -> str:
    """Return what is wrong with a spool, and what to do about it."""
    if isinstance(error, SerialError | ValueError | TypeError):
        return f"{path} is damaged: {error}; move it away: the readings in it cannot be sent"
    if isinstance(error, OSError):
        return f"{path} cannot be created: {error.strerror or error}"
    if isinstance(error, sqlite3.NotSupportedError):
        return f"{path} {error}; name another file"
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _BUSY:
        return f"another run uses {path}; name another file, or end that run"
    if code == sqlite3.SQLITE_NOTADB:
        return f"{path} exists and is not a spool; name another file"
    if code == sqlite3.SQLITE_CORRUPT:
        return f"{path} is damaged ({error}); move it away: the readings in it cannot be sent"
    return f"{path} cannot be used: {error}"
