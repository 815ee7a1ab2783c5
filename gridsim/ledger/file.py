"""The ledger's file, which is created only if it replaces no other file of the user."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from loguru import logger

from gridsim.errors import GridsimError, UsageError
from gridsim.filelock import lock_file
from gridsim.ledger.schema import APPLICATION_ID, TABLES, VERSION, VIEWS

HEADER_BYTES = 72
_HEADER = b"SQLite format 3\0"
_APPLICATION_ID = slice(68, HEADER_BYTES)
_written_here: set[tuple[int, int]] = set()
"""The ledgers that this process writes: device and inode.

Opening and closing such a file a second time would release SQLite's locks on it.
"""
_COMPANIONS = ("-wal", "-shm", "-journal")
_WAY = "set overwrite = true"


class LedgerError(GridsimError):
    """The ledger cannot be written, so the run ends."""


def create(path: Path, *, overwrite: bool) -> tuple[sqlite3.Connection, int]:
    """Return a new, empty ledger that only its owner can read, and a descriptor of its file.

    Pass the descriptor to `release` after the connection is closed, because this releases SQLite's
    locks. Raises UsageError if another file is there, LedgerError if it cannot be written.
    """
    _make_room(path, overwrite=overwrite)
    is_new = not os.path.lexists(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | flags, 0o600)
        # Another run may have created the file, or removed it, since `_make_room`.
        own = identity(os.fstat(descriptor))
        if not lock_file(descriptor) or identity(os.stat(path, follow_symlinks=False)) != own:
            os.close(descriptor)
            raise UsageError(f"[ledger] path: error: {_in_use(path)}")
        _written_here.add(own)
        # Autocommit: the writer begins and ends its transactions itself, from its own thread.
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA page_size = 8192")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.executescript(f"BEGIN;{TABLES}{VIEWS}COMMIT;")
        # WAL allows reading during writing; the header already has the application id.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
    except (OSError, sqlite3.Error) as error:
        with suppress(OSError):
            if is_new:
                path.unlink()
        raise LedgerError(f"the ledger {path} cannot be created: {_why(error)}") from error
    return connection, descriptor


def reopen(path: Path, run: str) -> tuple[sqlite3.Connection, int]:
    """Return the ledger of a run that was killed, to continue it, and a descriptor of its file.

    Pass the descriptor to `release` after the connection is closed. Raises LedgerError if it is not
    the ledger of this run, UsageError if another run writes it.
    """
    try:
        flags = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, os.O_RDWR | flags)
        try:
            if not is_header(os.read(descriptor, HEADER_BYTES)):
                raise LedgerError(f"{path} is not a ledger, so the run cannot be resumed")
            if not lock_file(descriptor):
                raise UsageError(f"[ledger] path: error: {_in_use(path)}")
        except BaseException:
            os.close(descriptor)
            raise
        _written_here.add(identity(os.fstat(descriptor)))
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        found = dict(connection.execute("SELECT key, value FROM meta"))
    except (OSError, sqlite3.Error) as error:
        raise LedgerError(f"the ledger {path} cannot be continued: {_why(error)}") from error
    if found.get("run") != run or found.get("version") != VERSION:
        connection.close()
        release(descriptor)
        raise LedgerError(f"the ledger {path} is of another run, so the run cannot be resumed")
    return connection, descriptor


def seal(connection: sqlite3.Connection, path: Path, *, complete: bool, ticks: int) -> None:
    """Note the end of the run in its ledger, and close it. Raises sqlite3.Error."""
    with connection:
        connection.execute("BEGIN")
        update = "UPDATE meta SET value = ? WHERE key = ?"
        connection.execute(update, (int(complete), "complete"))
        connection.execute(update, (ticks, "ticks"))
    # Merge the WAL into one file, which can be copied and read on a read-only disk. This fails
    # while another process reads the ledger; the ledger is still valid.
    try:
        connection.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError as error:
        logger.debug("the ledger {} stays in two files: {}", path, error)
    connection.close()


def release(descriptor: int) -> None:
    """Close the descriptor of a ledger that is no longer written."""
    _written_here.discard(identity(os.fstat(descriptor)))
    os.close(descriptor)


def identity(found: os.stat_result) -> tuple[int, int]:
    """Return the numbers by which the system identifies a file: device and inode."""
    return found.st_dev, found.st_ino


def failed(path: Path, error: sqlite3.Error) -> LedgerError:
    """Return the error for a failed write."""
    if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
        return LedgerError(
            f"the ledger {path} cannot be written: another program holds a lock on it; "
            "close that program's transaction before the next run"
        )
    return LedgerError(f"the ledger {path} cannot be written: {error}")


def read_only(path: Path) -> str:
    """Return the URI that opens a ledger for reading only."""
    return f"file:{quote(str(path))}?mode=ro"


def is_header(start: bytes) -> bool:
    """Return whether the first bytes of a file are those of a ledger."""
    ours = start[_APPLICATION_ID] == APPLICATION_ID.to_bytes(4, "big")
    return start.startswith(_HEADER) and ours


def is_ledger(path: Path) -> bool:
    """Return whether a file has the header of a ledger."""
    try:
        if identity(path.stat()) in _written_here:
            return True
        if not path.is_file():
            return False  # opening a pipe would block
        with path.open("rb") as file:
            return is_header(file.read(HEADER_BYTES))
    except OSError:
        return False


def unusable(path: Path, *, overwrite: bool, way: str = _WAY) -> str | None:
    """Return the reason why a ledger cannot be created at a path, or None. Writes nothing.

    `way` is the way to replace the ledger of another run, for the text.
    """
    try:
        problem = _taken(path, overwrite=overwrite, way=way)
    except OSError as error:
        problem = f"{path} cannot be created: {_why(error)}"
    if problem is not None:
        return problem
    folder = path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        return f"{path} cannot be created: {folder} is not a folder"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{path} cannot be created: no permission to write in {folder.absolute()}"
    return None


def _taken(path: Path, *, overwrite: bool, way: str = _WAY) -> str | None:
    """Return the reason why a file at the path must not be replaced, or None."""
    if path.is_symlink() or (path.exists() and not path.is_file()):
        return f"{path} is not a regular file; name another"
    if not path.exists():
        return None
    if is_written(path):
        return _in_use(path)
    if not path.stat().st_size:
        return None
    if not is_ledger(path):
        return f"{path} exists and is not a ledger; name another file"
    if not overwrite:
        return f"{path} holds the ledger of another run; move it away, name another file, or {way}"
    return None


def _in_use(path: Path) -> str:
    return f"another run is writing {path}; name another file, or end that run"


def _make_room(path: Path, *, overwrite: bool) -> None:
    try:
        if (problem := _taken(path, overwrite=overwrite)) is not None:
            raise UsageError(f"[ledger] path: error: {problem}")
        for companion in ("", *_COMPANIONS):
            with suppress(FileNotFoundError):
                path.with_name(path.name + companion).unlink()
    except OSError as error:
        raise LedgerError(f"the ledger {path} cannot be created: {_why(error)}") from error


def is_written(path: Path) -> bool:
    """Return whether a run still writes the ledger at `path`."""
    if identity(path.stat()) in _written_here:
        return True
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return not lock_file(descriptor)
    finally:
        os.close(descriptor)


def _why(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
