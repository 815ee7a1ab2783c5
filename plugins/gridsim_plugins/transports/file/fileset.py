"""The files of a transport: a limited number is open, full ones are renamed."""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate

from loguru import logger

from gridsim.api import TransportError
from gridsim_plugins.transports.file.appendfile import AppendFile, OnExisting, already_there

_OPEN_FILES = 64
_KNOWN_FILES = 65_536


@dataclass(frozen=True, slots=True)
class FileOptions:
    """The options that all files of a transport share."""

    header: bytes
    packed: bool
    limit_bytes: int | None
    """The size that a file must not exceed; None: unlimited."""
    mode: int = 0o600
    on_existing: OnExisting = "append"
    """The rule for a file that exists when the run first opens it."""


class FileSet:
    """A set of files to append to, which can roll back to the last `commit`.

    A file that is full, or whose period is over, is renamed with the next free number, and a
    new file is created. The plain name is therefore always the current file. Methods raise
    OSError and TransportError.
    """

    def __init__(self, options: FileOptions, resolve: Callable[[str], str]) -> None:
        self._options = options
        self._resolve = resolve
        # The most recently used files are last. A closed file is remembered because of its period,
        # and because checking a gzip file when it is opened again takes long.
        self._known: OrderedDict[str, AppendFile] = OrderedDict()
        self._open: OrderedDict[str, AppendFile] = OrderedDict()
        self._changed: dict[AppendFile, None] = {}
        self._own: set[str] = set()
        """The paths that this run has opened; never forgotten, or `replace` would lose its data."""
        self._has_announced = False
        self._lost: Counter[str] = Counter()
        """The bytes that were deleted with each file after they had been committed."""

    @property
    def loss(self) -> str:
        """The loss with files that another program deleted, in words; empty without one."""
        if not self._lost:
            return ""
        path, *others = self._lost
        more = f" and {len(others):,} more" if others else ""
        return (
            f"{path}{more}: deleted while the run wrote it; {self._lost.total():,} bytes that "
            "count as delivered were lost"
        )

    def go_on(self, resolve: Callable[[str], str]) -> None:
        """Use another function that finds the files of paths."""
        self._resolve = resolve

    def append(self, path: str, bodies: Sequence[bytes], period: int | None) -> None:
        """Append a line per body; begin a new file if `period` is later than that of the file.

        A file that exists when a run with periods begins is from an earlier run: it is renamed
        too.
        """
        file = self._file(path)
        if period is not None and (file.period is None or file.period < period):
            file = self._rename(file)
            file.period = period
        limit = self._options.limit_bytes
        if limit is None:
            self._write(file, bodies)
            return
        ends = list(accumulate(len(body) + 1 for body in bodies))
        first = 0
        while first < len(bodies):
            written = ends[first - 1] if first else 0
            stop = bisect_right(ends, written + self._free_bytes(file, limit))
            if stop <= first and file.size:
                file = self._rename(file)
                continue
            stop = max(stop, first + 1)
            self._write(file, bodies[first:stop])
            first = stop

    def commit(self) -> None:
        """Make all appended lines final."""
        for file in self._changed:
            file.commit()
        self._changed.clear()

    def roll_back(self) -> None:
        """Cut off all lines since the last commit, and close the files.

        A file for which this fails is cut off when it is opened again.
        """
        for file in self._changed:
            with suppress(OSError, TransportError):
                # A file that was closed in the meantime must be opened; opening rolls back.
                if not file.is_open:
                    file.open(self._resolve(file.path))
                file.roll_back()
            file.close()
        self._changed.clear()
        self.close()

    def close(self) -> None:
        for file in self._open.values():
            if file.is_open and file.is_deleted():
                self._note_deletion(file)
            file.close()
        self._open.clear()

    def _free_bytes(self, file: AppendFile, limit: int) -> int:
        if self._options.packed:
            # The size of a member is known after it is written: a file may exceed by one member.
            return limit if file.size < limit else 0
        return limit - file.size - (0 if file.size else len(self._options.header) + 1)

    def _write(self, file: AppendFile, bodies: Sequence[bytes]) -> None:
        self._changed[file] = None
        file.append(b"\n".join((*bodies, b"")))

    def _file(self, path: str) -> AppendFile:
        """Return the file at `path`, open."""
        file = self._open.get(path)
        if file is not None and file not in self._changed and file.is_moved():
            # As `tail -F` does: a program that rotates logs renames, and later packs and deletes.
            logger.info("{}: the file was moved; the next readings are in a new one", path)
            self._forget(file)
            file = None
        if file is not None and file.is_deleted():
            self._note_deletion(file)
            self._forget(file)
            self._changed.pop(file, None)
            file = None
        if file is None:
            file = self._known.get(path)
            if file is None:
                file = self._new(path)
            self._admit(file)
            self._own.add(path)
        self._open.move_to_end(path)
        self._known.move_to_end(path)
        return file

    def check_absent(self, path: str) -> None:
        """Raise TransportError if a file of an earlier run exists at `path`, or at `path` with a
        number.
        """
        if path in self._own:
            return
        real = self._resolve(path)
        if os.path.lexists(real) or _numbered(real):
            raise already_there(path)

    def _new(self, path: str) -> AppendFile:
        """Return a file that was not open before in this run, or was forgotten."""
        options = self._options
        on_existing: OnExisting = "append" if path in self._own else options.on_existing
        if on_existing == "fail":
            self.check_absent(path)
        if on_existing == "replace":
            for old in _numbered(self._resolve(path)).values():
                os.unlink(old)
        if on_existing == "append" and path not in self._own and not self._has_announced:
            self._announce(path)
        return AppendFile(
            path,
            header=options.header,
            packed=options.packed,
            mode=options.mode,
            on_existing=on_existing,
        )

    def _announce(self, path: str) -> None:
        """Log, for the first file only, that the readings follow those of an earlier run."""
        try:
            size = os.stat(self._resolve(path)).st_size
        except OSError:
            return
        if size:
            self._has_announced = True
            logger.info(
                "{}: the file exists with {:,} bytes, and this run appends to it; "
                "on_existing = 'replace' starts a new one",
                path,
                size,
            )

    def _admit(self, file: AppendFile) -> None:
        while len(self._open) >= _OPEN_FILES:
            self._open.popitem(last=False)[1].close()
        file.open(self._resolve(file.path))
        self._open[file.path] = self._known[file.path] = file
        while len(self._known) > _KNOWN_FILES:
            self._known.popitem(last=False)

    def _forget(self, file: AppendFile) -> None:
        file.close()
        self._open.pop(file.path, None)
        self._known.pop(file.path, None)

    def _note_deletion(self, file: AppendFile) -> None:
        self._lost[file.path] += file.size
        logger.warning(
            "{}: the file was deleted while the run wrote it; {:,} bytes that count as delivered "
            "were lost with it",
            file.path,
            file.size,
        )

    def _rename(self, file: AppendFile) -> AppendFile:
        """Rename the file with a number, unless it is empty; return the new file in its place."""
        if not file.size:
            return file
        path = file.path
        self._forget(file)
        file.path = _next_free(self._resolve(path))
        os.rename(self._resolve(path), file.path)
        return self._file(path)


def _next_free(path: str) -> str:
    """Return `path` with the number after the highest in use: x.0007.jsonl for x.jsonl."""
    folder, name = os.path.split(path)
    stem, ending = _split(name)
    return os.path.join(folder, f"{stem}.{max(_numbered(path), default=0) + 1:04}{ending}")


def _numbered(path: str) -> dict[int, str]:
    """Return the files that were renamed from `path`, by number."""
    folder, name = os.path.split(path)
    stem, ending = _split(name)
    pattern = re.compile(re.escape(stem) + r"\.(\d{4,})" + re.escape(ending))
    try:
        entries = os.listdir(folder)
    except FileNotFoundError:
        return {}
    found = ((pattern.fullmatch(entry), entry) for entry in entries)
    return {int(match[1]): os.path.join(folder, entry) for match, entry in found if match}


def _split(name: str) -> tuple[str, str]:
    """Return the name without its extension, and the extension with .gz."""
    packed = ".gz" if name.endswith(".gz") else ""
    stem, extension = os.path.splitext(name.removesuffix(".gz"))
    return stem, extension + packed
