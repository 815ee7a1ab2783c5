"""The text of a file: its encoding and its lines."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from pathlib import Path

SAMPLE_BYTES = 262_144
"""The number of bytes at the start of a file from which its encoding and layout are detected."""

_LARGEST = 1_000_000_000
_GZIP = b"\x1f\x8b"
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NOT_TEXT = (
    (b"PK\x03\x04", "an Excel workbook or a ZIP archive: export the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook: export the sheet as CSV"),
    (b"SQLite format 3", "an SQLite database, not a table of text"),
    (b"PAR1", "a Parquet file, not a table of text"),
    (b"%PDF", "a PDF file, not a table of text"),
)
# The control characters that no text has; UTF-16 without a byte order mark is recognised earlier.
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_LINE = re.compile(r"\r\n|\n|\r")


def encoding_of(data: bytes, *, whole: bool = True) -> str:
    """Return the name of a file's encoding, from its first bytes or, with `whole`, from all.

    A byte order mark decides; without one, the text is UTF-8 if it is valid UTF-8, otherwise
    Windows-1252 (which has the letters of Latin-1 at the same places). It raises ValueError if
    the bytes are not text.
    """
    for mark, name in _MARKS:
        if data.startswith(mark):
            return name
    for mark, reason in _NOT_TEXT:
        if data.startswith(mark):
            raise ValueError(f"is {reason}")
    head = data[:1000]
    pairs = len(head) // 2
    if pairs > 1 and head.count(0) >= 0.4 * len(head):
        if head[1::2].count(0) >= 0.8 * pairs:
            return "utf-16-le"
        if head[::2].count(0) >= 0.8 * pairs:
            return "utf-16-be"
    if (control := _CONTROL.search(data)) is not None:
        at = control.start()
        line = data.count(b"\n", 0, at) + 1
        raise ValueError(f"is not text: byte {at + 1}, in line {line}, is 0x{control[0].hex()}")
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data, final=whole)
    except UnicodeDecodeError:
        try:
            data.decode("cp1252")
        except UnicodeDecodeError:
            return "latin-1"
        return "cp1252"
    return "utf-8"


def read_text(path: str | Path, encoding: str = "") -> tuple[str, str]:
    """Return the text of a file, decompressed if it is compressed by gzip, and its encoding.

    It raises ValueError, which names the file, if the file cannot be read or is not text.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror or error}") from None
    if data.startswith(_GZIP):
        data = _decompressed(data, path)
    if not data.strip():
        raise ValueError(f"{path}: the file is empty")
    try:
        name = encoding or encoding_of(data)
        if encoding:
            data = data.removeprefix(codecs.BOM_UTF8)
        return data.decode(name).removeprefix("\ufeff"), name
    except LookupError:
        raise ValueError(f"{path}: there is no encoding {encoding!r}") from None
    except UnicodeDecodeError as error:
        marked = name.upper().removesuffix("-SIG")
        at = error.start + len(codecs.BOM_UTF8) * (name == "utf-8-sig")
        line = data.count(b"\n", 0, at) + 1
        raise ValueError(
            f"{path}, line {line}: is not {marked} text at byte {at + 1}; set encoding, "
            'such as "cp1252"'
        ) from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _decompressed(data: bytes, path: str | Path) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            plain = file.read(_LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path}: its gzip compression is damaged: {error}") from None
    if len(plain) > _LARGEST:
        raise ValueError(f"{path}: is larger than {_LARGEST:,} bytes after decompression")
    return plain


def lines_of(text: str) -> list[str]:
    """Return the lines of a text, without their ends; the last is not empty."""
    lines = _LINE.split(text)
    while lines and not lines[-1].strip():
        lines.pop()
    return lines
