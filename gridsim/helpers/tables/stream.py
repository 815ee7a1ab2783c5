"""A table of text that is read in chunks of rows, for files of any size."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from gridsim.helpers.tables.dialect import column_of, detect, is_rule
from gridsim.helpers.tables.numbers import Decimal
from gridsim.helpers.tables.text import SAMPLE_BYTES, encoding_of, lines_of

_READ_BYTES = 1 << 20
_LONGEST = 1_000_000  # characters of a field with line ends


class Readable(Protocol):
    """A binary file that is open for reading."""

    def read(self, size: int = ..., /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of a table, as columns."""

    columns: Sequence[Sequence[str]]
    """The fields, column by column; empty where a row has fewer fields than the header."""
    lines: Sequence[int]
    """The line number of each row, from 1."""
    ragged: Mapping[int, int]
    """The rows, from 0, that have more or fewer fields than the header, with their number."""

    def __len__(self) -> int:
        return len(self.lines)


class TableStream:
    """A table of text in an open binary file.

    Encoding and layout are found from the first 256 KiB, as `encoding_of` and `detect` describe.
    """

    def __init__(
        self,
        name: str,
        file: Readable,
        wanted: Collection[str] = (),
        *,
        delimiter: str = "",
        decimal: Decimal | None = None,
        encoding: str = "",
        errors: str = "strict",
    ) -> None:
        """Read the header. Raises ValueError, which names the file, if there is no table.

        `name` is the file's name for errors; `wanted` are names of columns by which the header is
        recognised; `errors` is how bytes that are not valid in the encoding are decoded.
        """
        self.name = name
        sample = _filled(file, SAMPLE_BYTES)
        whole = len(sample) < SAMPLE_BYTES
        if not sample.strip():
            raise ValueError(f"{name}: the file is empty")
        try:
            self.encoding = encoding or encoding_of(sample, whole=whole)
            head = sample.decode(self.encoding, "replace").removeprefix("\ufeff")
            lines = lines_of(head)
            self.dialect = detect(
                lines if whole or len(lines) < 2 else lines[:-1],
                wanted,
                delimiter=delimiter,
                decimal=decimal,
            )
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        self.header = self.dialect.header
        """The names of the columns."""
        self._file = file
        decoder = codecs.getincrementaldecoder(self.encoding)(errors)
        self._decoder = io.IncrementalNewlineDecoder(decoder, translate=True)
        self._next: bytes | None = sample
        self._rest = ""

    def column(self, *names: str) -> int | None:
        """Return the place of the first of these columns that exists, or None."""
        try:
            return column_of(self.header, names)
        except ValueError as error:
            raise ValueError(f"{self.name}, line {self.dialect.header_line}: {error}") from None

    def chunks(self, size: int = 4_000_000) -> Iterator[Chunk]:
        """Yield the rows, without empty lines and comments, in chunks of about `size` characters.

        It raises ValueError, which names the line, if a row cannot be read.
        """
        line = 0
        try:
            for _ in range(self.dialect.header_line):
                self._line()
                line += 1
            while block := self._block(size):
                block = self._closed(block, line + 1)
                lines = block.count("\n") + (not block.endswith("\n"))
                chunk = self._plain(block, lines, line) or self._parsed(block, line)
                line += lines
                if len(chunk):
                    yield chunk
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{self.name}, after line {line}: is not {self.encoding} text: {error.reason}"
            ) from None

    def _more(self) -> bool:
        """Decode more of the file; return false at its end."""
        if (data := self._next) is None:
            return False
        self._next = self._file.read(_READ_BYTES) or None
        text = self._decoder.decode(data, final=self._next is None)
        self._rest += text
        return True

    def _block(self, size: int) -> str:
        """Return about `size` characters, whole lines; nothing at the end."""
        while len(self._rest) < size and self._more():
            pass
        end = self._rest.rfind("\n", 0, size) + 1
        if not end:
            return self._line()
        block, self._rest = self._rest[:end], self._rest[end:]
        return block

    def _line(self) -> str:
        start = 0
        while not (end := self._rest.find("\n", start) + 1):
            start = len(self._rest)
            if not self._more():
                end = len(self._rest)
                break
        line, self._rest = self._rest[:end], self._rest[end:]
        return line

    def _closed(self, block: str, line: int) -> str:
        """Return the block with further lines, so that no quoted field is cut."""
        odd = block.count('"') % 2
        taken = 0
        while odd:
            end = self._rest.find("\n", taken) + 1
            if not end:
                if self._more():
                    continue
                end = len(self._rest)
                if end == taken:
                    break
            odd ^= self._rest.count('"', taken, end) % 2
            taken = end
            if taken > _LONGEST:
                raise ValueError(f"{self.name}: after line {line}, a quote is not closed")
        block, self._rest = block + self._rest[:taken], self._rest[taken:]
        return block

    def _plain(self, block: str, lines: int, before: int) -> Chunk | None:
        """Return the rows of a block; None if it has quotes, empty lines or comments."""
        delimiter, width = self.dialect.delimiter, len(self.header)
        block = block.removesuffix("\n")
        if (
            '"' in block
            or width == 1
            or delimiter == "|"
            or delimiter + " " in block
            or block.startswith("#")
            or "\n#" in block
            or not _is_regular(block, delimiter, width)
        ):
            return None
        fields = block.replace("\n", delimiter).split(delimiter)
        columns = [fields[place::width] for place in range(width)]
        return Chunk(columns, range(before + 1, before + 1 + lines), {})

    def _parsed(self, block: str, before: int) -> Chunk:
        reader = csv.reader(
            io.StringIO(block),
            delimiter=self.dialect.delimiter,
            skipinitialspace=True,
        )
        width = len(self.header)
        rows: list[list[str]] = []
        lines: list[int] = []
        ragged: dict[int, int] = {}
        line = 1
        try:
            for row in reader:
                there = row and row[0][:1] != "#" and (len(row) > 1 or row[0].strip())
                if there and not is_rule(row, self.dialect.delimiter):
                    while len(row) > width and not row[-1].strip():
                        row.pop()
                    if len(row) != width:
                        ragged[len(rows)] = len(row)
                        row = (row + [""] * width)[:width]
                    rows.append(row)
                    lines.append(before + line)
                line = reader.line_num + 1
        except csv.Error as error:
            raise ValueError(f"{self.name}, line {before + reader.line_num}: {error}") from None
        return Chunk(list(zip(*rows, strict=True)), lines, ragged)


def _filled(file: Readable, size: int) -> bytes:
    """Read `size` bytes, or to the end; a pipe may give fewer at a time."""
    parts: list[bytes] = []
    while size > 0 and (part := file.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _is_regular(block: str, delimiter: str, width: int) -> bool:
    """Return true if each line of a block has as many fields as the header."""
    # In UTF-8 the byte of an ASCII character occurs in no other character.
    letters = np.frombuffer(block.encode("utf-8", "surrogatepass"), np.uint8)
    ends = np.append(np.flatnonzero(letters == ord("\n")), len(letters))
    marks = np.flatnonzero(letters == ord(delimiter))
    if not delimiter.isascii() or len(marks) != (width - 1) * len(ends):
        return False
    before = np.searchsorted(marks, ends)
    return bool((before == np.arange(1, len(ends) + 1) * (width - 1)).all())
