"""A file that only ever contains whole lines, even after a crash."""

from __future__ import annotations

import gzip
import json
import os
import stat
import zlib
from typing import Literal

from loguru import logger

from gridsim.api import TransportError

# Of these three flags Windows has only the last, and needs it.
_OPTIONAL = ("O_CLOEXEC", "O_NOFOLLOW", "O_BINARY")
_FLAGS = os.O_RDWR | os.O_APPEND | sum(getattr(os, name, 0) for name in _OPTIONAL)
_BLOCK = 1 << 18

OnExisting = Literal["append", "replace", "fail"]
_GZIP_MAGIC = b"\x1f\x8b"


class AppendFile:
    """A file that can roll back to the last `commit`.

    With `packed`, each `append` writes one gzip member: after a killed run, the earlier members
    can be read. Methods raise OSError and TransportError.
    """

    def __init__(
        self,
        path: str,
        *,
        header: bytes,
        packed: bool,
        mode: int = 0o600,
        on_existing: OnExisting = "append",
    ) -> None:
        """Open nothing yet; `on_existing` is the rule for a file found at the first `open`."""
        self.path = path
        self.size = 0
        """The size in bytes, valid while the file is open."""
        self.period: int | None = None
        """The rotation period of the newest reading in the file; None before the first."""
        self._header = header
        self._packed = packed
        self._mode = mode
        self._on_existing = on_existing
        self._fd = -1
        self._real_path = ""
        self._committed = 0
        self._needs_rollback = False

    @property
    def is_open(self) -> bool:
        return self._fd >= 0

    def open(self, real_path: str) -> None:
        """Open or create the file, and cut off an incomplete end from a killed run."""
        os.makedirs(os.path.dirname(real_path), exist_ok=True)
        self._real_path = real_path
        created = True
        try:
            self._fd = os.open(real_path, _FLAGS | os.O_CREAT | os.O_EXCL, self._mode)
        except FileExistsError:
            created = False
            self._fd = os.open(real_path, _FLAGS | os.O_CREAT, self._mode)
        try:
            if created:
                self._set_mode()
            self._check(created)
        except BaseException:
            self.close()
            raise

    def append(self, lines: bytes) -> None:
        """Write whole lines, after the header if the file is empty."""
        if self._header and not self.size:
            lines = self._header + b"\n" + lines
        if self._packed:
            # Level 1 is three times as fast as the default 6; the file is somewhat larger.
            lines = gzip.compress(lines, 1, mtime=0)
        self._needs_rollback = True
        view = memoryview(lines)
        while view:
            sent = os.write(self._fd, view)
            self.size += sent
            view = view[sent:]

    def commit(self) -> None:
        """Make all appended lines final."""
        self._committed = self.size
        self._needs_rollback = False

    def roll_back(self) -> None:
        """Cut off all lines since the last commit, now or at the next open."""
        if self._needs_rollback and self.is_open:
            os.ftruncate(self._fd, self._committed)
            self.size = self._committed
            self._needs_rollback = False

    def is_deleted(self) -> bool:
        """Return whether the open file has been deleted."""
        return os.fstat(self._fd).st_nlink == 0

    def is_moved(self) -> bool:
        """Return whether the open file has another path by now, and can be found there."""
        own = os.fstat(self._fd)
        try:
            at_path = os.stat(self._real_path)
        except FileNotFoundError:
            return own.st_nlink > 0
        return own.st_nlink > 0 and not os.path.samestat(own, at_path)

    def close(self) -> None:
        if self.is_open:
            os.close(self._fd)
            self._fd = -1

    def _set_mode(self) -> None:
        """Set the file's mode exactly: creating it applied the umask of the process."""
        if hasattr(os, "fchmod"):
            os.fchmod(self._fd, self._mode)

    def _check(self, created: bool) -> None:
        about = os.fstat(self._fd)
        if not stat.S_ISREG(about.st_mode):
            raise TransportError(f"{self.path}: not a regular file", permanent=True)
        self.size = about.st_size
        if not created:
            self._treat_existing()
        # From now on the file belongs to this run.
        self._on_existing = "append"
        if self.size < self._committed:
            # The file was replaced by another one.
            self._committed = 0
            self._needs_rollback = False
        self.roll_back()
        complete = self._complete_members() if self._packed else self._complete_lines()
        if complete < self.size:
            if not self._packed:
                self._check_torn(complete)
            cut = self.size - complete
            logger.warning("{}: cut off {} bytes of an incomplete line", self.path, cut)
            os.ftruncate(self._fd, complete)
            self.size = complete
        if self._header and self.size:
            self._check_header()
        self._committed = self.size

    def _treat_existing(self) -> None:
        """Apply the rule for a file that existed before this run opened it."""
        if self._on_existing == "fail":
            raise already_there(self.path)
        if self._on_existing == "replace":
            os.ftruncate(self._fd, 0)
            self._set_mode()
            self.size = 0

    def _complete_lines(self) -> int:
        """Return the length up to the end of the last whole line."""
        end = self.size
        while end:
            start = max(0, end - _BLOCK)
            block = self._read(start, end - start)
            if newline := block.rfind(b"\n") + 1:
                return start + newline
            end = start
        return 0

    def _check_torn(self, complete: int) -> None:
        """Raise TransportError if the text after `complete` may not be of a killed run."""
        head, tail = self._read(0, _BLOCK), self._read(complete, _BLOCK)
        size = min(len(tail), len(self._header))
        known = not complete and self._header and self._header.startswith(tail[:size])
        if head[:1] in (b"{", b"["):
            known = known or (head[:1] == tail[:1] and not _is_json(tail))
        else:
            known = known or complete > 0
        if b"\0" in head or b"\0" in tail or not known:
            raise TransportError(
                f"{self.path}: it has other content than readings, or its last line has no end: it "
                "would be cut off; choose another path",
                permanent=True,
            )

    def _complete_members(self) -> int:
        """Return the length up to the end of the last whole gzip member."""
        magic = self._read(0, len(_GZIP_MAGIC))
        if not _GZIP_MAGIC.startswith(magic):
            raise TransportError(f"{self.path}: not a gzip file", permanent=True)
        complete = at = self._committed
        unzip = zlib.decompressobj(wbits=31)
        while block := self._read(at, _BLOCK):
            at += len(block)
            while block:
                try:
                    unzip.decompress(block)
                except zlib.error:
                    return complete
                block = unzip.unused_data
                if unzip.eof:
                    complete = at - len(block)
                    unzip = zlib.decompressobj(wbits=31)
        return complete

    def _check_header(self) -> None:
        expected = self._header + b"\n"
        if self._packed:
            found = zlib.decompressobj(wbits=31).decompress(self._read(0, _BLOCK), len(expected))
        else:
            found = self._read(0, len(expected))
        if found != expected:
            raise TransportError(
                f"{self.path}: it begins with another header; choose another path", permanent=True
            )

    def _read(self, at: int, length: int) -> bytes:
        os.lseek(self._fd, at, os.SEEK_SET)
        return os.read(self._fd, length)


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def already_there(path: str) -> TransportError:
    """Return the error for a file that must not exist."""
    return TransportError(
        f"{path}: the file exists already, and on_existing is 'fail'; choose another path, or "
        "on_existing = 'append' or 'replace'",
        permanent=True,
    )
