"""Columns of integers as values of SQLite, one for each batch.

A column is NULL if no row has a value, an integer if all rows have the same value, and otherwise a
blob of little-endian signed integers of 1, 2, 4 or 8 bytes, the narrowest that fit. The lowest
integer of that width stands for a missing value.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Packed = int | bytes | None

NONE: Final = int(np.iinfo(np.int64).min)
"""The integer that stands for NULL in a column."""
_HIGHEST: Final = int(np.iinfo(np.int64).max)
# The integers of each width, without the lowest, which means NULL.
_WIDTHS: Final = tuple(
    (1 - (1 << 8 * size - 1), (1 << 8 * size - 1) - 1, f"<i{size}") for size in (1, 2, 4, 8)
)
_ORDINAL: Final = -1


def pack(values: Ints, starts: Sequence[int]) -> list[Packed]:
    """Return a column, int64[n], packed in parts: part i begins at `starts[i]` and is not empty."""
    if not starts:
        return []
    at = np.asarray(starts, np.intp)
    low, high = np.minimum.reduceat(values, at), np.maximum.reduceat(values, at)
    # The lowest value of each part, without NONE.
    least = low
    if int(low.min()) == NONE:
        least = np.minimum.reduceat(np.where(values == NONE, _HIGHEST, values), at)
    packed: list[Packed] = []
    ends = (*starts[1:], len(values))
    bounds = zip(low.tolist(), least.tolist(), high.tolist(), strict=True)
    for start, end, (lowest, minimum, maximum) in zip(starts, ends, bounds, strict=True):
        if lowest == maximum:
            packed.append(None if maximum == NONE else maximum)
            continue
        code = next(code for least, most, code in _WIDTHS if least <= minimum and maximum <= most)
        part = values[start:end]
        if lowest == NONE and code != "<i8":
            part = np.where(part == NONE, np.iinfo(code).min, part)
        packed.append(part.astype(code).tobytes())
    return packed


def pack_places(places: Ints, starts: Sequence[int]) -> list[Packed]:
    """Return a column of indices packed in parts; NULL where a part is 0, 1, 2, ..."""
    packed = pack(places, starts)
    if not starts:
        return packed
    counted = np.logical_and.reduceat(places == _count(_rows(starts, len(places))), starts)
    return [None if whole else part for whole, part in zip(counted.tolist(), packed, strict=True)]


def unpack(packed: Sequence[Packed], rows: Sequence[int], *, places: bool = False) -> Ints:
    """Return the column of packed parts that have `rows[i]` rows each, int64[n].

    With `places`, NULL means 0, 1, 2, ... and not NONE.
    """
    columns = [np.empty(0, np.int64)]
    keyed = groupby(
        zip(packed, rows, strict=True),
        lambda part: (
            len(part[0]) // part[1]
            if isinstance(part[0], bytes)
            else _ORDINAL * (places and part[0] is None)
        ),
    )
    for size, group in keyed:
        parts, counts = zip(*group, strict=True)
        if size == _ORDINAL:
            columns.append(_count(counts))
        elif size:
            columns.append(_widened(b"".join(parts), size))
        else:
            same = [NONE if value is None else value for value in parts]
            columns.append(np.repeat(np.array(same, np.int64), counts))
    return columns[1] if len(columns) == 2 else np.concatenate(columns)


def _widened(blob: bytes, size: int) -> Ints:
    values = np.frombuffer(blob, f"<i{size}")
    wide: Ints = values.astype(np.int64)
    if size < 8:
        wide[values == np.iinfo(values.dtype).min] = NONE
    return wide


def _rows(starts: Sequence[int], total: int) -> Sequence[int]:
    return [end - start for start, end in zip(starts, (*starts[1:], total), strict=True)]


def _count(rows: Sequence[int]) -> Ints:
    """Return 0, 1, 2, ... for each part."""
    counts = np.asarray(rows, np.int64)
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    places: Ints = np.arange(total) - np.repeat(ends - counts, counts)
    return places
