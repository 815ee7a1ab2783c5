"""The copy of a run's checkpoints at a URL, from which another machine can continue the run."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal

from loguru import logger

from gridsim.errors import UsageError
from gridsim.execution.checkpoint import CheckpointError, read_checkpoint
from gridsim.execution.folder import COPIED, STATE, CheckpointFolder
from gridsim.wholefile import whole_file

# How often the files are compared: the progress of a run changes with each tick.
_EVERY_S: Final = 5.0
_CLOSE_S: Final = 10.0
_OWNER: Final = "owner"
_ENDED: Final = "ended"

Fetched = Literal["nothing", "local", "copied"]


class CheckpointCopy:
    """The files of a folder of checkpoints, copied to a URL by a separate thread.

    A file of an object store appears as a whole; elsewhere a kill may leave a part of one, which
    a reader notices by its checksum, and then takes the checkpoint before it. `owner` has a mark
    of the life that wrote last: an earlier life that is still there stops to copy.
    """

    def __init__(self, url: str, options: Mapping[str, Any]) -> None:
        """Connect to nothing. With an empty URL there is no copy, and the methods do nothing.

        Raises UsageError if the file system's package is missing.
        """
        self.url = url
        self._files: Any = None
        self._root = ""
        if url:
            self._files, self._root = _file_system(url, options)
        self._mark = uuid.uuid4().hex.encode()
        self._sent: dict[str, tuple[int, int]] = {}
        """The size and time of each copied file, by name."""
        self._there: set[str] = set()
        self._changed = threading.Event()
        self._closing = False
        self._folder = Path()
        self._error = ""
        self._thread = threading.Thread(target=self._work, name="checkpoint-copy", daemon=True)

    # Before a run.

    def has_run(self) -> bool:
        """Return whether there is a checkpoint of a run that has not ended."""
        names = self._names()
        return _ENDED not in names and any(STATE.fullmatch(name) for name in names)

    def fetch(self, folder: Path) -> Fetched:
        """Copy the run at the URL into a folder, unless the folder has the same run further on.

        Return what the folder has then. Raises CheckpointError if the URL cannot be read,
        and UsageError if another run uses the folder.
        """
        if not self.url:
            return "local"
        try:
            names = self._names()
            states = sorted(name for name in names if STATE.fullmatch(name))
            if _ENDED in names or not states:
                return "nothing"
            newest = self._read(states[-1])
            if _is_ahead(folder, states[-1], newest):
                return "local"
            data = {name: self._read(name) for name in sorted(names) if COPIED.fullmatch(name)}
        except Exception as error:
            raise CheckpointError(
                f"[checkpoint] url: error: {self.url}: {_reason(error)}"
            ) from error
        lock = CheckpointFolder(folder)
        lock.open(resumed=False)
        try:
            for name, content in sorted(data.items(), key=lambda one: _by_name(one[0])):
                with whole_file(folder / name) as path:
                    path.write_bytes(content)
                (folder / name).chmod(0o600)
        finally:
            lock.close()
        return "copied"

    # In a run.

    def open(self, folder: Path, *, resumed: bool) -> None:
        """Take over the URL for a folder's files.

        Raises UsageError if the URL has another run that has not ended, or cannot be used.
        """
        if not self.url:
            return
        try:
            if not resumed and self.has_run():
                raise UsageError(
                    f"[checkpoint] url: error: {self.url} has the checkpoint of a run that was "
                    "killed, or still runs: continue it with --resume, or delete it"
                )
            with suppress(FileExistsError):
                self._files.makedirs(self._root, exist_ok=True)
            self._files.pipe_file(self._at(_OWNER), self._mark)
            self._folder = folder
            self._there = self._names()
            self._send()
        except UsageError:
            raise
        except Exception as error:
            raise UsageError(f"[checkpoint] url: error: {self.url}: {_reason(error)}") from error
        self._thread.start()

    def nudge(self) -> None:
        """Copy what has changed soon. May be called from any thread."""
        self._changed.set()

    def close(self, *, ended: bool) -> None:
        """Copy the last changes, or note that the run has ended and remove the files."""
        if not self._thread.is_alive():
            return
        self._closing = True
        self._changed.set()
        self._thread.join(_CLOSE_S)
        try:
            self._check_owner()
            if not ended:
                self._send()
                return
            self._files.pipe_file(self._at(_ENDED), b"ended\n")
            for name in sorted(self._names() - {_ENDED}):
                self._files.rm_file(self._at(name))
        except Exception as error:
            self._failed(error)

    def _work(self) -> None:
        while not self._closing:
            self._changed.wait(_EVERY_S)
            self._changed.clear()
            try:
                self._check_owner()
                self._send()
                self._error = ""
            except _OtherLifeError as error:
                self._failed(error)
                return
            except Exception as error:
                self._failed(error)
                # An outage must not become a loop of requests.
                time.sleep(0.0 if self._closing else 1.0)

    def _failed(self, error: Exception) -> None:
        reason = _reason(error)
        if reason != self._error:
            logger.warning("checkpoints cannot be copied to {}: {}", self.url, reason)
        self._error = reason

    def _send(self) -> None:
        """Copy the files that have changed, and remove those that are gone."""
        here = {p.name: p for p in self._folder.iterdir() if COPIED.fullmatch(p.name)}
        for name in sorted(here, key=_by_name):
            with suppress(FileNotFoundError):
                found = here[name].stat()
                version = found.st_size, found.st_mtime_ns
                if self._sent.get(name) != version:
                    self._files.pipe_file(self._at(name), here[name].read_bytes())
                    self._sent[name] = version
                    self._there.add(name)
        if any(STATE.fullmatch(name) for name in here):
            for name in self._there - here.keys() - {_OWNER}:
                with suppress(FileNotFoundError):
                    self._files.rm_file(self._at(name))
                self._sent.pop(name, None)
            self._there = {_OWNER, *here}

    def _check_owner(self) -> None:
        if self._read(_OWNER) != self._mark:
            raise _OtherLifeError("another life of the run has taken over the checkpoints there")

    def _names(self) -> set[str]:
        self._files.invalidate_cache()
        try:
            found = self._files.ls(self._root, detail=False)
        except FileNotFoundError:
            return set()
        return {str(path).rstrip("/").rpartition("/")[2] for path in found}

    def _read(self, name: str) -> bytes:
        return bytes(self._files.cat_file(self._at(name)))

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}"


class _OtherLifeError(UsageError):
    """Another process continues the run."""


def _file_system(url: str, options: Mapping[str, Any]) -> tuple[Any, str]:
    """Return the file system of a URL, and the path in it. Raises UsageError."""
    try:
        import fsspec
    except ImportError:
        raise UsageError(
            "[checkpoint] url: error: fsspec is not installed: pip install 'gridsim-der[ray]'"
        ) from None
    try:
        files, root = fsspec.url_to_fs(url, **options)
    except ImportError as error:
        missing = "" if error.name is None else f": pip install {error.name}"
        raise UsageError(f"[checkpoint] url: error: {error}{missing}") from None
    except (ValueError, TypeError) as error:
        raise UsageError(f"[checkpoint] url: error: {url}: {error}") from None
    return files, str(root).rstrip("/")


def _is_ahead(folder: Path, newest: str, data: bytes) -> bool:
    """Return whether a folder has the run of a checkpoint at the same tick, or a later one."""
    names = [p.name for p in folder.iterdir()] if folder.is_dir() else []
    states = sorted(name for name in names if STATE.fullmatch(name))
    if not states or _ENDED in names or states[-1] < newest:
        return False
    try:
        ours = read_checkpoint((folder / states[-1]).read_bytes())
    except (CheckpointError, OSError):
        return False
    try:
        return ours.facts.run == read_checkpoint(data).facts.run
    except CheckpointError:
        return True


def _by_name(name: str) -> tuple[bool, str]:
    """Return the key of an order: a state comes after its journal, with which it continues."""
    return bool(STATE.fullmatch(name)), name


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
