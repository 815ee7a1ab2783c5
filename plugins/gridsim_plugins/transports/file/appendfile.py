"""A file that is appended to in whole lines, whatever happens in between."""

from __future__ import annotations

import gzip
import os
import stat
import zlib

from loguru import logger

from gridsim.api import TransportError

# Windows knows only the last of the three optional ones, and needs it.
_OPTIONAL = ("O_CLOEXEC", "O_NOFOLLOW", "O_BINARY")
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | sum(getattr(os, name, 0) for name in _OPTIONAL)
_BLOCK = 1 << 18
_GZIP_MAGIC = b"\x1f\x8b"


class AppendFile:
    """One file, in which what was written since the last `commit` can be taken back.

    With `packed`, each `append` is a gzip member of its own: a run that is killed leaves
    a file whose earlier members can be read. Methods raise OSError and TransportError.
    """

    def __init__(self, path: str, *, header: bytes, packed: bool) -> None:
        self.path = path
        self.size = 0
        """Bytes, known while the file is open."""
        self.period: int | None = None
        """The rotation period of the newest reading in it; None before the first."""
        self._header = header
        self._packed = packed
        self._fd = -1
        self._committed = 0
        self._owes_rollback = False

    @property
    def is_open(self) -> bool:
        return self._fd >= 0

    def open(self, real_path: str) -> None:
        """Open or make the file, and cut off what a killed run left unfinished."""
        os.makedirs(os.path.dirname(real_path), exist_ok=True)
        self._fd = os.open(real_path, _FLAGS, 0o600)
        try:
            self._check()
        except BaseException:
            self.close()
            raise

    def append(self, lines: bytes) -> None:
        """Write whole lines, after the header if the file is empty."""
        if self._header and not self.size:
            lines = self._header + b"\n" + lines
        if self._packed:
            # Level 1: three times as fast as the usual 6, for a somewhat larger file.
            lines = gzip.compress(lines, 1, mtime=0)
        self._owes_rollback = True
        view = memoryview(lines)
        while view:
            sent = os.write(self._fd, view)
            self.size += sent
            view = view[sent:]

    def commit(self) -> None:
        """Keep what was written."""
        self._committed = self.size
        self._owes_rollback = False

    def roll_back(self) -> None:
        """Take back what was written since the last commit, here or else at the next open."""
        if self._owes_rollback and self.is_open:
            os.ftruncate(self._fd, self._committed)
            self.size = self._committed
            self._owes_rollback = False

    def is_deleted(self) -> bool:
        """Whether somebody has removed the open file."""
        return os.fstat(self._fd).st_nlink == 0

    def close(self) -> None:
        if self.is_open:
            os.close(self._fd)
            self._fd = -1

    def _check(self) -> None:
        about = os.fstat(self._fd)
        if not stat.S_ISREG(about.st_mode):
            raise TransportError(f"{self.path}: not a regular file", permanent=True)
        self.size = about.st_size
        if self.size < self._committed:
            # Another file than the one that was left here.
            self._committed = 0
            self._owes_rollback = False
        self.roll_back()
        sound = self._sound_packed() if self._packed else self._sound_lines()
        if sound < self.size:
            logger.warning("{}: cut off {} bytes left unfinished", self.path, self.size - sound)
            os.ftruncate(self._fd, sound)
            self.size = sound
        if self._header and self.size:
            self._check_header()
        self._committed = self.size

    def _sound_lines(self) -> int:
        """The length up to the end of the last whole line."""
        end = self.size
        while end:
            start = max(0, end - _BLOCK)
            block = self._read(start, end - start)
            if newline := block.rfind(b"\n") + 1:
                return start + newline
            end = start
        return 0

    def _sound_packed(self) -> int:
        """The length up to the end of the last whole gzip member."""
        magic = self._read(0, len(_GZIP_MAGIC))
        if not _GZIP_MAGIC.startswith(magic):
            raise TransportError(f"{self.path}: not a gzip file", permanent=True)
        sound = at = self._committed
        unzip = zlib.decompressobj(wbits=31)
        while block := self._read(at, _BLOCK):
            at += len(block)
            while block:
                try:
                    unzip.decompress(block)
                except zlib.error:
                    return sound
                block = unzip.unused_data
                if unzip.eof:
                    sound = at - len(block)
                    unzip = zlib.decompressobj(wbits=31)
        return sound

    def _check_header(self) -> None:
        wanted = self._header + b"\n"
        if self._packed:
            found = zlib.decompressobj(wbits=31).decompress(self._read(0, _BLOCK), len(wanted))
        else:
            found = self._read(0, len(wanted))
        if found != wanted:
            raise TransportError(
                f"{self.path}: begins with another header; choose another path", permanent=True
            )

    def _read(self, at: int, length: int) -> bytes:
        os.lseek(self._fd, at, os.SEEK_SET)
        return os.read(self._fd, length)
