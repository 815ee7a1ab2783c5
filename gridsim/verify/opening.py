"""The opening of a user's file: its compression, and the first bytes, from which its form is
detected.
"""

from __future__ import annotations

import gzip
import io
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from gridsim.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

STDIN = "-"
SAMPLE_BYTES = 262_144

_BINARY = (
    (b"PK\x03\x04", "an Excel workbook or a ZIP archive; export the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook; export the sheet as CSV"),
    (b"SQLite format 3", "an SQLite database; export its rows as CSV or JSON"),
    (b"%PDF", "a PDF file"),
    (b"BZh", "compressed with bzip2; decompress it first"),
    (b"\xfd7zXZ", "compressed with xz; decompress it first"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd; decompress it first"),
)
_WIDE = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


class _Joined(io.RawIOBase):
    """A stream of bytes that were already read, followed by the rest of a file."""

    def __init__(self, first: bytes, rest: IO[bytes]) -> None:
        self._first = first
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        if self._first:
            part, self._first = self._first[: len(view)], self._first[len(view) :]
        else:
            part = self._rest.read(len(view))
        view[: len(part)] = part
        return len(part)


def open_bytes(name: str, stack: ExitStack) -> tuple[IO[bytes], bytes]:
    """Open a file, decompressed if it is compressed by gzip; return it and its first bytes.

    A file in UTF-16 or UTF-32 is converted to UTF-8, and a byte order mark is left out. Raises
    UsageError if the file is neither text nor Parquet.
    """
    raw: IO[bytes] = sys.stdin.buffer if name == STDIN else stack.enter_context(_file(name))
    first = _read(raw)
    file: IO[bytes] = io.BufferedReader(_Joined(first, raw), SAMPLE_BYTES)
    if first.startswith(b"\x1f\x8b"):
        file = cast("IO[bytes]", stack.enter_context(gzip.GzipFile(fileobj=file)))
        first = _read(file)
        file = io.BufferedReader(_Joined(first, file), SAMPLE_BYTES)
    for mark, reason in _BINARY:
        if first.startswith(mark):
            raise UsageError(f"{name}: error: is {reason}")
    if (encoding := _wide(first)) is not None:
        text = io.TextIOWrapper(file, encoding, errors="replace", newline="")
        file = cast("IO[bytes]", _Utf8(text))
        first = _read(file)
        file = io.BufferedReader(_Joined(first, file), SAMPLE_BYTES)
    if first.startswith(b"\xef\xbb\xbf"):
        file.read(3)
        first = first[3:]
    return file, first


class _Utf8:
    """A text file that is read as UTF-8."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._left = b""

    def read(self, size: int) -> bytes:
        while len(self._left) < size and (part := self._text.read(size)):
            self._left += part.encode()
        found, self._left = self._left[:size], self._left[size:]
        return found


def _read(file: Any) -> bytes:
    """Return the first bytes of a file; of a pipe, read several parts if necessary."""
    parts = b""
    while len(parts) < SAMPLE_BYTES and (part := file.read(SAMPLE_BYTES - len(parts))):
        parts += part
    return parts


def _file(name: str) -> IO[bytes]:
    return Path(name).open("rb")


def _wide(first: bytes) -> str | None:
    """Return the encoding if it is UTF-16 or UTF-32: every other byte of ASCII is zero."""
    head = first[:1000]
    if head.count(0) < 0.3 * len(head) or first.startswith(b"PAR1"):
        return None
    for mark, encoding in _WIDE:
        if first.startswith(mark):
            return encoding
    half = max(len(head) // 2, 1)
    if head[1::2].count(0) > 0.8 * half:
        return "utf-16-le"
    return "utf-16-be" if head[::2].count(0) > 0.8 * half else None
