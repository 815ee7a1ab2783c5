"""The runtime file of a run, by which other processes of the same user find the run.

A run holds a lock on its file until its process ends. A file without a lock therefore belongs to a
run that was killed, even if another process now has its process id.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final

from loguru import logger

from gridsim.redaction import redacted
from gridsim.version import __version__

Values = Mapping[str, str | int]

_ENDING: Final = ".run.json"
_MAX_BYTES: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class RunRecord:
    """The contents of a runtime file. It holds no secrets."""

    name: str
    """The process id; a second run in the same process has `.2` added."""
    pid: int
    config: str
    """The real path of the configuration."""
    started: str
    """The time of the start, UTC, RFC 3339."""
    ledger: str = ""
    plugins: tuple[str, ...] = ()
    """The local plugins given by `--plugin`."""
    announced: Mapping[str, Values] = field(default_factory=dict)
    """The values that plugins have announced, by key."""
    version: str = __version__


class RunFile:
    """The runtime file of one run. A failure to write it does not end the run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._announced: dict[str, Values] = {}
        self._record: RunRecord | None = None
        self._path: Path | None = None
        self._fd = -1

    def announce(self, key: str, values: Values) -> None:
        """Add values for other processes, now or when the file is opened; from any thread."""
        with self._lock:
            self._announced[key] = {
                name: redacted(value) if isinstance(value, str) else value
                for name, value in values.items()
            }
            if self._path is not None:
                self._write()

    @property
    def announced(self) -> dict[str, Values]:
        """The values that plugins have announced so far, by key."""
        with self._lock:
            return dict(self._announced)

    def open(self, config: Path, started: str, ledger: str, plugins: tuple[str, ...]) -> None:
        """Write the file, and hold its lock."""
        with self._lock:
            try:
                self._open(config, started, ledger, plugins)
            except OSError as error:
                self._path = None
                logger.debug("the runtime file cannot be written: {}", error)

    def close(self) -> None:
        """Remove the file; a second call does nothing."""
        with self._lock:
            path, self._path = self._path, None
            if path is not None:
                with suppress(OSError):
                    path.unlink()
            self._release()

    def _open(self, config: Path, started: str, ledger: str, plugins: tuple[str, ...]) -> None:
        folder = _make_folder()
        pid, number = os.getpid(), 1
        name = str(pid)
        while (path := _path(folder, name)).exists() and not _is_stale(path):
            number += 1
            name = f"{pid}.{number}"
        # The path at the start is kept, even if the run's working folder or links change later.
        self._record = RunRecord(name, pid, os.path.realpath(config), started, ledger, plugins)
        self._path = path
        self._write()

    def _write(self) -> None:
        """Replace the file by a new one, which is locked before it gets its name."""
        assert self._path is not None
        assert self._record is not None
        text = json.dumps(asdict(replace(self._record, announced=self._announced)))
        fd, temporary = tempfile.mkstemp(prefix=".new-", dir=self._path.parent)
        try:
            os.write(fd, text.encode())
            _lock(fd)
            if sys.platform == "win32":
                # An open file cannot be replaced there.
                self._release()
            os.replace(temporary, self._path)
        except BaseException:
            os.close(fd)
            with suppress(OSError):
                os.unlink(temporary)
            raise
        self._release()
        self._fd = fd

    def _release(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


class HiddenRunFile(RunFile):
    """The runtime file of a shard, which no other process finds: the driver has one for all."""

    def open(self, config: Path, started: str, ledger: str, plugins: tuple[str, ...]) -> None:
        """Write nothing."""


def running() -> list[RunRecord]:
    """Return the runs of this user on this machine, the oldest first; remove stale files."""
    records: dict[str, RunRecord] = {}
    for folder in _folders():
        if not _is_own(folder):
            continue
        for path in sorted(folder.glob(f"*{_ENDING}")):
            if _is_stale(path):
                with suppress(OSError):
                    path.unlink()
            elif (record := _read(path)) is not None:
                records.setdefault(str(path.resolve()), record)
    return sorted(records.values(), key=lambda record: (record.started, record.name))


def _read(path: Path) -> RunRecord | None:
    """Return the record of a file; None if it is not a valid one."""
    try:
        with path.open("rb") as file:
            table = json.loads(file.read(_MAX_BYTES))
        known = {name: table[name] for name in RunRecord.__dataclass_fields__ if name in table}
        record = RunRecord(**{**known, "plugins": tuple(known.get("plugins", ()))})
    except (OSError, ValueError, TypeError):
        return None
    return record if isinstance(record.announced, dict) else None


def _path(folder: Path, name: str) -> Path:
    return folder / f"{name}{_ENDING}"


def _folders() -> Iterator[Path]:
    """Yield the folders in which runs of this user may have left their files.

    Each terminal of a user may have another environment.
    """
    given = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(given):
        yield Path(given, "gridsim")
    if sys.platform == "win32":
        yield Path(os.environ.get("LOCALAPPDATA") or tempfile.gettempdir(), "gridsim", "run")
        return
    system = Path(f"/run/user/{os.getuid()}")
    if system.is_dir():
        yield system / "gridsim"
    yield Path(tempfile.gettempdir(), f"gridsim-{os.getuid()}")


def _make_folder() -> Path:
    """Return the first folder that can be used, made if necessary. Raises OSError."""
    failure: OSError = FileNotFoundError("there is no folder for runtime files")
    for folder in _folders():
        try:
            if sys.platform == "win32":
                folder.mkdir(parents=True, exist_ok=True)
            else:
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            failure = error
            continue
        if _is_own(folder) and os.access(folder, os.W_OK):
            return folder
        failure = PermissionError(f"{folder} belongs to another user, or others may write to it")
    raise failure


def _is_own(folder: Path) -> bool:
    """Return whether it is a folder to which only this user may write."""
    try:
        about = folder.lstat()
    except OSError:
        return False
    if sys.platform == "win32":
        return stat.S_ISDIR(about.st_mode)
    return (
        stat.S_ISDIR(about.st_mode)
        and about.st_uid == os.getuid()
        and not about.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )


def _is_stale(path: Path) -> bool:
    """Return whether the file is there, and no run holds its lock."""
    try:
        fd = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return False
    try:
        _lock(fd, shared=True)
        # A run that has just replaced its file has released the lock of the old one.
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    except OSError:
        return False
    finally:
        os.close(fd)


def _lock(fd: int, *, shared: bool = False) -> None:
    """Take the lock of an open file without waiting. Raises OSError if another holds it."""
    if sys.platform == "win32":
        import msvcrt

        # Beyond the contents, which stay readable.
        os.lseek(fd, 1 << 30, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
