"""The layout of a table of text: delimiter, decimal mark, header and the lines before it."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from gridsim.helpers.tables.numbers import Decimal, decimal_of

DELIMITERS: Final = (",", ";", "\t", "|")
DELIMITER_NAMES: Final = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes"}
_HEADER_WITHIN = 200  # lines
_DECIMAL_ROWS = 2000
_LONGEST = 100_000  # characters of a line
_SEP = re.compile(r"\s*\"?sep=(.|\\t)\"?\s*", re.IGNORECASE)
_RULE = re.compile(r"[-+=:]*[-=]{2,}[-+=:]*")
_COUNT = re.compile(r"\(?[0-9]+ rows?\b")
_UNIT_SUFFIX = re.compile(r"\s*(?:\([^()]*\)|\[[^\[\]]*\])\s*$")


@dataclass(frozen=True, slots=True)
class Dialect:
    """The layout of a table."""

    delimiter: str
    decimal: Decimal
    header: tuple[str, ...]
    header_line: int
    """The line of the header, from 1."""
    found: bool
    """True if the header has a wanted column."""
    given: bool = False
    """True if the decimal mark is not a guess, but given."""

    def describe(self) -> str:
        """Return the layout in words: `semicolons, decimal comma`."""
        words = [DELIMITER_NAMES.get(self.delimiter, f"separator {self.delimiter!r}")]
        if self.decimal == ",":
            words.append("decimal comma")
        return ", ".join(words)


def detect(
    lines: Sequence[str],
    wanted: Collection[str],
    *,
    delimiter: str = "",
    decimal: Decimal | None = None,
) -> Dialect:
    """Return the layout of a table from its first lines.

    The header is the line with the most names of `wanted`; lines before it are a preamble. Without
    such a line, it is the first line with as many fields as the next. A given delimiter or decimal
    mark is used without a check. It raises ValueError if the layout is not certain.
    """
    start = 0
    if lines and (sep := _SEP.fullmatch(lines[0])):
        start = 1
        delimiter = delimiter or sep[1].replace("\\t", "\t")
    candidates = (delimiter,) if delimiter else DELIMITERS
    names = frozenset(normal(name) for name in wanted)
    head = [
        (number, line)
        for number, line in enumerate(lines[start : start + _HEADER_WITHIN], start=start)
        if line.strip()
    ]
    found = _with_names(head, names, candidates)
    if found is None:
        found = _alike(head, candidates)
        if found is None:
            raise ValueError("a header and at least one row are needed")
    score, number, delimiter = found
    line = lines[number]
    header = fields_of(line.lstrip("# \t") if is_comment(line) else line, delimiter)
    given = decimal is not None
    if decimal is None:
        rows = lines[number + 1 : number + 1 + _DECIMAL_ROWS]
        fields = (f for row in rows if row.strip() for f in fields_of(row, delimiter))
        decimal = decimal_of(
            [field for field in fields if field[:1] in "+-\u2212\u20130123456789.,"], delimiter
        )
    return Dialect(delimiter, decimal, tuple(header), number + 1, score > 0, given)


def column_of(header: Sequence[str], names: Iterable[str]) -> int | None:
    """Return the place of the first of `names` in a header, or None.

    A name matches exactly, or without regard to case, spaces, and a unit in brackets at the end.
    It raises ValueError if a name matches more than one column.
    """
    plain = [normal(given) for given in header]
    bare = [without_unit(given) for given in header]
    for name in names:
        wanted = normal(name)
        for given, target in ((list(header), name), (plain, wanted), (bare, wanted)):
            places = [place for place, text in enumerate(given) if text == target and text]
            if len(places) > 1:
                raise ValueError(f"there is more than one column {name!r}")
            if places:
                return places[0]
    return None


def fields_of(line: str, delimiter: str) -> list[str]:
    """Return the fields of one line, without the spaces around them."""
    # A field that is too long is rejected when the row is read.
    rows = csv.reader([line[:_LONGEST]], delimiter=delimiter, skipinitialspace=True)
    return [field.strip() for field in next(rows, [])]


def is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")


def is_rule(row: Sequence[str], delimiter: str) -> bool:
    """Return whether a row of a table drawn with pipes is a line, or the number of its rows."""
    texts = [text.strip() for text in row if text.strip()]
    if delimiter != "|" or not texts:
        return False
    return all(map(_RULE.fullmatch, texts)) or (len(texts) == 1 and bool(_COUNT.match(texts[0])))


def normal(name: str) -> str:
    """Return a column's name for comparison: one kind of letter and single spaces."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().replace("_", " ").split())


def without_unit(name: str) -> str:
    """Return a column's name for comparison, without a unit in brackets at its end."""
    return normal(_UNIT_SUFFIX.sub("", name))


def _with_names(
    head: Sequence[tuple[int, str]], names: frozenset[str], candidates: Sequence[str]
) -> tuple[int, int, str] | None:
    best: tuple[int, int, str] | None = None
    for number, line in head:
        text = line.lstrip("# \t") if is_comment(line) else line
        for delimiter in candidates:
            fields = fields_of(text, delimiter)
            plain = {normal(field) for field in fields} | {without_unit(field) for field in fields}
            score = len(names & plain)
            if score and (best is None or score > best[0]):
                best = (score, number, delimiter)
    return best


def _alike(
    head: Sequence[tuple[int, str]], candidates: Sequence[str]
) -> tuple[int, int, str] | None:
    """Return the first line with as many fields as the next, using the delimiter that gives the
    most fields.
    """
    rows = [(number, line) for number, line in head if not is_comment(line)]
    best: tuple[int, int, str] | None = None
    for delimiter in candidates:
        counts = [len(fields_of(line, delimiter)) for _, line in rows]
        for place in range(len(rows) - 1):
            count = counts[place]
            if count == counts[place + 1] and count > (best[0] if best else 0):
                best = (count, rows[place][0], delimiter)
    return (0, best[1], best[2]) if best else None
