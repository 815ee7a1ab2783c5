"""Gaps in columns of numbers: missing values are filled if a setting permits it, or rejected."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import numpy as np

from gridsim.helpers.randomness import Floats
from gridsim.helpers.tables.clock import RowError

NUMERIC_MARKS: Final = (-9999.0, -9900.0, -999.9, -999.0, -99.9, -99.0, 9999.0, 99999.0, 999999.0)
"""The numbers that weather files use for a missing value, in any column."""


def with_gaps(values: Floats, marks: Collection[float]) -> Floats:
    """Return the values with NaN in place of the numbers that mark a missing value."""
    return np.where(np.isin(values, list(marks)), np.nan, values)


def gaps_of(values: Floats) -> list[tuple[int, int]]:
    """Return the runs of NaN as (first row, number of rows)."""
    missing = np.isnan(values).astype(np.int8)
    edges = np.diff(np.concatenate(([0], missing, [0])))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return [(int(a), int(b - a)) for a, b in zip(starts, ends, strict=True)]


def filled(
    values: Floats, name: str, step_s: float, longest_s: float, setting: str
) -> tuple[Floats, int]:
    """Return the values with their gaps filled by linear interpolation, and the rows filled.

    A gap at an end gets the nearest value. It raises RowError at the first row of a gap longer
    than `longest_s`, which `setting` sets.
    """
    gaps = gaps_of(values)
    count = 0
    if gaps and gaps[0][1] == len(values):
        raise RowError(0, f"{name} is missing in all rows")
    for row, rows in gaps:
        if rows * step_s > longest_s + 1e-6:
            length = f"{rows:,} row{'s' * (rows > 1)} ({rows * step_s:g} s)"
            allowed = f", longer than {setting} = {longest_s:g}" if longest_s else ""
            raise RowError(
                row,
                f"{name} is missing in {length}{allowed}; set {setting} = {rows * step_s:g} to "
                "fill it by linear interpolation",
            )
        count += rows
    if not count:
        return values, 0
    there = ~np.isnan(values)
    rows_ = np.arange(len(values))
    return np.interp(rows_, rows_[there], values[there]), count
