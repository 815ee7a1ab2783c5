"""The times of a table's rows: one column, a date and a time, or year to minute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridsim.helpers.tables.clock import AT_24, DAY_MS, RowError, times_of_day
from gridsim.helpers.tables.dialect import normal
from gridsim.helpers.tables.shapes import NO_TIME, Order
from gridsim.helpers.tables.table import Table, shortened
from gridsim.helpers.tables.times import Times, parse_times

_DATES = ("date", "datum", "day", "tag", "fecha", "data", "jour")
_PARTS = ("year", "month", "day", "hour", "minute")
TIME_NAMES = ("time", "timestamp", "datetime", "date time", "date_time", "zeit", "zeitstempel",
              "date", "datum", "mess_datum", "valid_time", "period_end")  # fmt: skip
"""The names for a column of times that are tried if the default name is missing."""


@dataclass(frozen=True, slots=True, eq=False)
class Stamps:
    """The times of a table's rows."""

    ms: NDArray[np.int64]
    """ms since 1970, UTC or of a clock; ms since midnight if `of_day`."""
    aware: bool
    """True for UTC."""
    of_day: bool
    """True for times of day, without a date."""
    at_24: bool
    """True if a time is written as 24:00: the times are the ends of intervals."""
    kind: str
    """The format in words."""


def read_stamps(table: Table, columns: Sequence[str], *, format: str = "") -> Stamps:
    """Return the times of a table's rows; a ValueError names the line.

    `columns` are the names of one column, or of several that are joined by a space. Times of day
    are joined with a column `date` if there is one. Without a column of times, columns from year to
    hour or minute are used.
    """
    order = order_in_header(columns)
    if len(columns) > 1:
        name, texts = " ".join(columns), joined(*(table.texts(column) for column in columns))
    else:
        names = TIME_NAMES if columns[0] == TIME_NAMES[0] else tuple(columns)
        if not table.has(*names) and table.has("year") and table.has("month"):
            return _from_parts(table)
        name, texts = table.name(*names), table.texts(*names)
        order = order or order_in_header([name])
        if not format:
            try:
                of_day = times_of_day(texts)
            except RowError as error:
                raise table.error(error.row, str(error)) from None
            if of_day is not None:
                dates = [own for own in _DATES if table.has(own) and table.name(own) != name]
                if not dates:
                    return Stamps(of_day, False, True, bool((of_day == DAY_MS).any()), "by the day")
                order = order or order_in_header([table.name(dates[0])])
                texts = joined(table.texts(dates[0]), texts)
    return _stamps(table, name, texts, format, order)


def joined(*columns: Sequence[str]) -> list[str]:
    """Return the texts of each row, joined by spaces."""
    return [" ".join(parts) for parts in zip(*columns, strict=True)]


def order_in_header(names: Sequence[str]) -> Order | None:
    """Return the order of day and month that a header states: `Date (MM/DD/YYYY)`."""
    text = normal(" ".join(names)).replace("-", "/")
    if "mm/dd" in text:
        return "mdy"
    return "dmy" if "dd/mm" in text else None


def _stamps(
    table: Table, name: str, texts: Sequence[str], format: str, order: Order | None
) -> Stamps:
    try:
        times = parse_times(texts, order=order, format=format)
    except ValueError as error:
        raise ValueError(f"{table.path}, column {name!r}: {error}") from None
    if (wrong := np.flatnonzero(times.ms == NO_TIME)).size:
        row = int(wrong[0])
        problem = f"{name} is {shortened(texts[row])}, which is not a time; if it is one, set "
        raise table.error(row, f"{problem}time_format")
    return _checked(table, times, any(map(AT_24.search, texts)))


def _checked(table: Table, times: Times, at_24: bool) -> Stamps:
    if (other := np.flatnonzero(times.aware != times.aware[0])).size:
        raise table.error(int(other[0]), "either all times must have an offset, or none")
    return Stamps(times.ms, bool(times.aware[0]), False, at_24, ", ".join(times.kinds))


def _from_parts(table: Table) -> Stamps:
    names = [name for name in _PARTS if table.has(name)]
    numbers = {name: table.numbers(name) for name in names}
    zero = np.zeros(len(table))
    texts = [
        f"{y:04.0f}-{m:02.0f}-{d:02.0f} {h:02.0f}:{n:02.0f}"
        for y, m, d, h, n in zip(*(numbers.get(name, zero) for name in _PARTS), strict=True)
    ]
    return _stamps(table, ", ".join(names), texts, "", None)
