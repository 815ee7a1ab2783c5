"""The series of a weather file, from its rows: gaps filled, in steps of equal length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats
from gridsim.helpers.tables import RowError, filled
from gridsim_plugins.weather.file.columns import FileColumn, too_small, wrong_value
from gridsim_plugins.weather.file.file_settings import StationFileSettings
from gridsim_plugins.weather.file.series import DAY_MS, YEAR_DAYS, Series, common_year, of_year

Ints = NDArray[np.int64]

_WIND_M_S = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The rows of a weather file."""

    path: str
    lines: Sequence[int]
    utc_ms: Ints
    """The times of the rows."""
    columns: Mapping[str, FileColumn]
    stamp: str
    """The part of its interval that a row's time denotes: start, middle or end."""
    at_instants: bool
    """True if temperature and wind are those at the time, not means over the interval."""


def series_of(
    rows: Rows,
    settings: StationFileSettings,
    place: tuple[float, float],
    offset_ms: int,
    *,
    typical: bool,
) -> tuple[Series, list[str]]:
    """Return the series, and notes for the log.

    `offset_ms` is the offset of the station's standard time. With `typical` the years of the times
    are ignored: each month may come from another year. It raises RowError for an unusable row, and
    ValueError for an unusable file.
    """
    local = rows.utc_ms + offset_ms
    _check_place(rows.path, *place, offset_ms)
    if len(local) < 2:
        raise ValueError(f"{rows.path}: at least two rows are needed")
    step = int(np.median(np.diff(local)))
    if step <= 0:
        raise RowError(1, "its time must be later than that of the row above")
    local = local - {"start": 0, "middle": step // 2, "end": step}[rows.stamp]
    if typical or (settings.typical_year is not False and _months_of_several_years(local)):
        typical, local = True, common_year(local)
    place_of_row = _places(local, step, settings.fill_gaps_s)
    count = int(place_of_row[-1]) + 1
    start = int(local[0])
    values, notes = _values(rows, settings, place_of_row, count, step)
    keep = np.ones(count, np.bool_)
    every = start + np.arange(count, dtype=np.int64) * step
    not_leap = _not_leap_day(every)
    whole_year = not_leap.sum() * step == YEAR_DAYS * DAY_MS and DAY_MS % step == 0
    repeats = whole_year if settings.typical_year is None else settings.typical_year
    if repeats or typical:
        if not whole_year or of_year(every[:1])[0] != 0:
            first = np.datetime64(start, "ms").astype("datetime64[m]")
            raise ValueError(
                f"{rows.path}: a typical year has 365 days from 1 January 00:00 standard time "
                f"in steps that divide a day, not {count:,} rows from {first} (the start of the "
                "first row); check timezone and stamp, or set typical_year = false"
            )
        keep = not_leap
        notes.append("the year repeats")
    selected = {key: column[keep] for key, column in values.items()}
    wind = selected.get("wind", np.full(int(keep.sum()), _WIND_M_S))
    series = Series(
        path=rows.path,
        latitude=place[0],
        longitude=place[1],
        offset_ms=offset_ms,
        start_ms=start - offset_ms,
        step_ms=step,
        typical_year=bool(repeats or typical),
        ghi=selected.get("ghi"),
        dni=selected.get("dni"),
        dhi=selected.get("dhi"),
        temperature_c=selected["temperature"],
        wind_m_s=wind,
    )
    return series, notes


def _check_place(path: str, latitude: float, longitude: float, offset_ms: int) -> None:
    hours = offset_ms / 3_600_000.0
    for name, value, most in (
        ("latitude", latitude, 90.0),
        ("longitude", longitude, 180.0),
        ("time zone", hours, 14.0),
    ):
        if not -most <= value <= most:
            raise ValueError(f"{path}: its {name} is {value:g}, not between {-most:g} and {most:g}")


def _places(local: Ints, step: int, longest_gap_s: float) -> Ints:
    """Return the place of each row in the series; rows that are missing leave gaps."""
    steps = np.diff(local)
    odd = np.flatnonzero(steps != step)
    for row in odd.tolist():
        lost = int(steps[row] // step) - 1
        whole = steps[row] > 0 and steps[row] % step == 0
        if whole and lost * step / 1000.0 <= longest_gap_s + 1e-6:
            continue
        problem = f"{steps[row] / 1000:g} s after the row above, not {step / 1000:g} s"
        if whole:
            problem += f": {lost:,} row{'s' * (lost > 1)} missing; set fill_gaps_s to fill them"
        raise RowError(row + 1, problem)
    return np.concatenate(([0], np.cumsum(steps // step)))


def _values(
    rows: Rows, settings: StationFileSettings, place: Ints, count: int, step: int
) -> tuple[dict[str, Floats], list[str]]:
    """Return the columns in gridsim's units without gaps, and notes for the log."""
    values: dict[str, Floats] = {}
    notes: list[str] = []
    # The row of the file at each place of the series, or the next.
    row_at = np.searchsorted(place, np.arange(count))
    for key, column in rows.columns.items():
        own = column.in_own_unit(step / 1000.0)
        if (wrong := wrong_value(column, own) or too_small(column, own)) is not None:
            raise RowError(*wrong)
        series = np.full(count, np.nan)
        series[place] = own
        try:
            series, number = filled(
                series, column.header, step / 1000.0, settings.fill_gaps_s, "fill_gaps_s"
            )
        except RowError as error:
            raise RowError(int(row_at[error.row]), str(error)) from None
        if number:
            notes.append(f"{number:,} missing value{'s' * (number > 1)} of {column.header} filled")
        if column.conversion.changes:
            notes.append(f"{key} in {column.conversion.unit}")
        if key in ("temperature", "wind"):
            values[key] = _means(series) if rows.at_instants and rows.stamp == "end" else series
        else:
            values[key] = np.maximum(series, 0.0)
    return values, notes


def _means(at_ends: Floats) -> Floats:
    """Return the means over intervals from the values at their ends."""
    before = np.concatenate((at_ends[:1], at_ends[:-1]))
    return 0.5 * (before + at_ends)


def _months_of_several_years(local: Ints) -> bool:
    """Return true for the months of one year, in order, that come from different years."""
    month = local.astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)
    jumps = np.flatnonzero(np.abs(np.diff(month)) > 1)
    if not len(jumps):
        return False
    of_year = month % 12
    return bool((np.diff(of_year) >= 0).all() and (np.diff(of_year) <= 1).all())


def _not_leap_day(local: Ints) -> NDArray[np.bool_]:
    day = (local // DAY_MS).astype("datetime64[D]")
    month = day.astype("datetime64[M]")
    leap = (month.astype(np.int64) % 12 == 1) & ((day - month).astype(np.int64) == 28)
    return np.asarray(~leap, np.bool_)
