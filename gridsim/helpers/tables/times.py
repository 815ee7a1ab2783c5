"""Times as text: their formats are recognised, and whole columns are converted at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from gridsim.helpers.tables.clock import AT_24
from gridsim.helpers.tables.shapes import NO_TIME, Order, Shape, letters_of, shape_of

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_MAX_SHAPES = 400
_DIGITS = str.maketrans("123456789", "000000000")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, eq=False)
class Times:
    """A column of times."""

    ms: Ints
    """The times, ms since 1970: UTC where `aware`, otherwise of a clock; NO_TIME if invalid."""
    aware: Bools
    """True for a time with an offset, and for an epoch number."""
    kinds: tuple[str, ...]
    """The formats in words, such as `ISO 8601` or `day first`; the most frequent first."""


def parse_times(texts: Sequence[str], *, order: Order | None = None, format: str = "") -> Times:
    """Return a column of times; one that cannot be read is NO_TIME.

    These are recognised: ISO 8601 with or without an offset, 24:00 and a date alone; DD.MM.YYYY;
    YYYY/MM/DD; DD/MM/YYYY or MM/DD/YYYY with or without AM and PM, if a number above 12 or `order`
    shows which; names of months; 20260714T1530Z and the like; whole or decimal numbers of seconds,
    ms, us or ns since 1970, by their size; the start in `A - B`. `format` is a format of
    `datetime.strptime` for all others. It raises ValueError if the order of day and month is not
    certain.
    """
    if format:
        return _by_format(texts, format)
    distinct = list(dict.fromkeys(texts))
    if len(distinct) * 4 > len(texts):
        return _parsed(texts, order)
    # The readings of a tick have one time.
    known = _parsed(distinct, order)
    index = {text: place for place, text in enumerate(distinct)}
    rows = np.fromiter(map(index.__getitem__, texts), np.int64, len(texts))
    return Times(known.ms[rows], known.aware[rows], known.kinds)


def parse_time(text: str, *, order: Order | None = None) -> tuple[int, bool]:
    """Return one time in the form of `Times.ms`, and true if it has an offset."""
    times = parse_times([text], order=order)
    return int(times.ms[0]), bool(times.aware[0])


def order_of(texts: Sequence[str]) -> Order | None:
    """Return the order of day and month in a column; None if no time depends on it.

    It raises ValueError if it is not certain.
    """
    return _order(_groups(texts))


def _parsed(texts: Sequence[str], order: Order | None) -> Times:
    ms = np.full(len(texts), NO_TIME, np.int64)
    aware = np.zeros(len(texts), np.bool_)
    groups = _groups(texts)
    if order is None:
        order = _order(groups)
    counts: dict[str, int] = {}
    for shape, rows, part in groups:
        ms[rows] = shape.times(letters_of(part), order)
        aware[rows] = shape.aware
        counts[shape.name] = counts.get(shape.name, 0) + len(part)
    return Times(ms, aware, tuple(sorted(counts, key=lambda name: -counts[name])))


Group = tuple[Shape, slice | Ints, Sequence[str]]
"""A format, the rows that have it, and their texts."""


def _groups(texts: Sequence[str]) -> list[Group]:
    """Return the texts that have a known format, in groups whose texts differ only in digits."""
    if not texts:
        return []
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    every = np.unique(lengths)
    groups: list[Group] = []
    for length in every:
        if len(every) == 1:
            rows: slice | Ints = slice(None)
            part = texts
        else:
            rows = np.flatnonzero(lengths == length)
            part = [texts[row] for row in rows.tolist()]
        if length and _all_like(part):
            shape = shape_of(part[0])
            if shape is not None:
                groups.append((shape, rows, part))
        elif length and len(groups) < _MAX_SHAPES:
            groups += _by_pattern(texts, np.flatnonzero(lengths == length))
    return groups


def _by_pattern(texts: Sequence[str], rows: Ints) -> list[Group]:
    rows_of: dict[str, list[int]] = {}
    for row in rows.tolist():
        rows_of.setdefault(texts[row].translate(_DIGITS), []).append(row)
    groups: list[Group] = []
    # An invalid column has too many patterns to try them all.
    for own in islice(rows_of.values(), _MAX_SHAPES):
        shape = shape_of(texts[own[0]])
        if shape is not None:
            groups.append((shape, np.array(own, np.int64), [texts[row] for row in own]))
    return groups


def _all_like(texts: Sequence[str]) -> bool:
    """Return true if texts of equal length differ only in ASCII digits."""
    letters = letters_of(texts)
    first = letters[:, :1]
    digit = (letters >= ord("0")) & (letters <= ord("9"))
    return bool((np.where(digit, digit[:, :1], letters == first)).all())


def _order(groups: Sequence[Group]) -> Order | None:
    """Return the order of day and month, which a number above 12 shows."""
    doubtful = ""
    found: set[Literal["dmy", "mdy"]] = set()
    for shape, _, part in groups:
        if not shape.ambiguous:
            continue
        letters = letters_of(part)
        first, second = shape.number(letters, "a"), shape.number(letters, "b")
        if (first > 12).any():
            found.add("dmy")
        if (second > 12).any():
            found.add("mdy")
        doubtful = doubtful or part[0]
    if len(found) == 2:
        raise ValueError(
            f"dates such as {doubtful!r} have numbers above 12 for the day and for the month: "
            "set time_format"
        )
    if found:
        return found.pop()
    if doubtful:
        raise ValueError(
            f"{doubtful!r} may have the day or the month first: set time_format, such as "
            '"%d/%m/%Y %H:%M" or "%m/%d/%Y %H:%M"'
        )
    return None


def _by_format(texts: Sequence[str], format: str) -> Times:
    ms = np.full(len(texts), NO_TIME, np.int64)
    aware = np.zeros(len(texts), np.bool_)
    known: dict[str, tuple[int, bool]] = {}
    for row, text in enumerate(texts):
        if text not in known:
            known[text] = _strptime(text.strip(), format)
        ms[row], aware[row] = known[text]
    return Times(ms, aware, (format,))


def _strptime(text: str, format: str) -> tuple[int, bool]:
    try:
        time = datetime.strptime(text, format)
    except ValueError:
        # `24:00` is the end of a day, which strptime does not know.
        early = AT_24.sub("00:00", text, count=1)
        if early == text:
            return NO_TIME, False
        ms, aware = _strptime(early, format)
        return (ms if ms == NO_TIME else ms + 86_400_000), aware
    aware = time.tzinfo is not None
    since = (time if aware else time.replace(tzinfo=UTC)) - _EPOCH
    return since // timedelta(milliseconds=1), aware


__all__: Final = ["NO_TIME", "Order", "Times", "order_of", "parse_time", "parse_times"]
