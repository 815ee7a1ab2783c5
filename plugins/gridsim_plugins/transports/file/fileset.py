"""The files that a transport writes: few are open, full ones are put aside."""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate

from gridsim.api import TransportError
from gridsim_plugins.transports.file.appendfile import AppendFile

_OPEN_FILES = 64
_KNOWN_FILES = 65_536


@dataclass(frozen=True, slots=True)
class FileOptions:
    header: bytes
    packed: bool
    limit_bytes: int | None
    """Put a file aside before it grows beyond this."""


class FileSet:
    """Appends to any number of files; what was appended since `commit` can be taken back.

    A file that is full, or whose time is up, gets the next free number in its name, and a
    new one takes its place: the plain name is always the file that is being written.
    Methods raise OSError and TransportError.
    """

    def __init__(self, options: FileOptions, resolve: Callable[[str], str]) -> None:
        self._options = options
        self._resolve = resolve
        # The most recently used come last. A file is remembered longer than it is open, for
        # its period, and because a gzip file takes long to check when it is opened anew.
        self._known: OrderedDict[str, AppendFile] = OrderedDict()
        self._open: OrderedDict[str, AppendFile] = OrderedDict()
        self._touched: dict[AppendFile, None] = {}

    def append(self, path: str, bodies: Sequence[bytes], period: int | None) -> None:
        """Append a line per body. A later `period` than the file's begins a new file.

        A file that is there when a run with periods begins is of an earlier run: it is put
        aside too.
        """
        file = self._file(path)
        if period is not None and (file.period is None or file.period < period):
            file = self._put_aside(file)
            file.period = period
        limit = self._options.limit_bytes
        if limit is None:
            self._write(file, bodies)
            return
        ends = list(accumulate(len(body) + 1 for body in bodies))
        first = 0
        while first < len(bodies):
            stop = bisect_right(ends, self._room(file, limit) + (ends[first - 1] if first else 0))
            if stop <= first and file.size:
                file = self._put_aside(file)
                continue
            stop = max(stop, first + 1)
            self._write(file, bodies[first:stop])
            first = stop

    def commit(self) -> None:
        """Keep what was appended."""
        for file in self._touched:
            file.commit()
        self._touched.clear()

    def roll_back(self) -> None:
        """Take back what was appended since the last commit, and close.

        What cannot be taken back now is when the file is opened again.
        """
        for file in self._touched:
            with suppress(OSError, TransportError):
                # Opening rolls back: this is for files that are no longer among the open.
                if not file.is_open:
                    file.open(self._resolve(file.path))
                file.roll_back()
            file.close()
        self._touched.clear()
        self.close()

    def close(self) -> None:
        for file in self._open.values():
            file.close()
        self._open.clear()

    def _room(self, file: AppendFile, limit: int) -> int:
        if self._options.packed:
            # How long a member gets is known afterwards: a file may exceed by one.
            return limit if file.size < limit else 0
        return limit - file.size - (0 if file.size else len(self._options.header) + 1)

    def _write(self, file: AppendFile, bodies: Sequence[bytes]) -> None:
        self._touched[file] = None
        file.append(b"\n".join((*bodies, b"")))

    def _file(self, path: str) -> AppendFile:
        """The file at `path`, open."""
        file = self._open.get(path)
        if file is not None and file.is_deleted():
            self._forget(file)
            self._touched.pop(file, None)
            file = None
        if file is None:
            file = self._known.get(path)
            if file is None:
                file = AppendFile(path, header=self._options.header, packed=self._options.packed)
            self._admit(file)
        self._open.move_to_end(path)
        self._known.move_to_end(path)
        return file

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

    def _put_aside(self, file: AppendFile) -> AppendFile:
        """Give the file, unless it is empty, a number; the new file in its place."""
        if not file.size:
            return file
        path = file.path
        self._forget(file)
        file.path = _next_free(self._resolve(path))
        os.rename(self._resolve(path), file.path)
        return self._file(path)


def _next_free(path: str) -> str:
    """`path` with the number after the highest that is there: x.0007.jsonl for x.jsonl."""
    folder, name = os.path.split(path)
    packed = ".gz" if name.endswith(".gz") else ""
    stem, extension = os.path.splitext(name.removesuffix(".gz"))
    pattern = re.compile(re.escape(stem) + r"\.(\d{4,})" + re.escape(extension + packed))
    taken = [int(match[1]) for entry in os.listdir(folder) if (match := pattern.fullmatch(entry))]
    return os.path.join(folder, f"{stem}.{max(taken, default=0) + 1:04}{extension}{packed}")


def failure(path: str, error: OSError) -> TransportError:
    """What to raise for a failed operation on `path`."""
    permanent = isinstance(
        error, PermissionError | NotADirectoryError | IsADirectoryError | FileExistsError
    )
    return TransportError(f"{path}: {error.strerror or error}", permanent=permanent)
