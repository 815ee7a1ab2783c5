"""The reader of files with a load."""

from __future__ import annotations

import numpy as np

from gridsim.api import Floats
from gridsim.helpers.tables import (
    Conversion,
    RowError,
    Stamps,
    Table,
    conversion_of,
    describe,
    filled,
    read_stamps,
    unit_of,
    with_gaps,
)
from gridsim_plugins.loads.profile.file_settings import ProfileFileSettings
from gridsim_plugins.loads.profile.series import DAY_MS, PERIODS, Ints, PowerSeries, year_place

_SETTING = "fill_gaps_s"


def read_profile(settings: ProfileFileSettings) -> tuple[PowerSeries, str]:
    """Return the load of a file, and a line that describes what was read.

    It raises ValueError that names the file and the line.
    """
    table = settings.read([settings.power_column])
    stamps = read_stamps(table, settings.time_columns, format=settings.time_format)
    conversion = _conversion(settings, table)
    try:
        at, kw, notes = _rows(settings, table, stamps, conversion)
    except RowError as error:
        raise table.error(error.row, str(error)) from None
    stamp = settings.stamp
    if stamp is None and conversion.per_interval:
        stamp = "end" if stamps.at_24 else "start"
    repeat = _repeat(settings, stamps, at)
    clock = "times of day" if stamps.of_day else "UTC" if stamps.aware else _clock(settings)
    words = [clock, f"interval {stamp}" if stamp in ("start", "end") else "linear between rows"]
    if conversion.changes:
        words.append(conversion.unit)
    if repeat != "none":
        words.append(f"repeats each {repeat}")
    series = PowerSeries(
        path=settings.path,
        lines=table.lines,
        at_ms=at,
        kw=kw,
        local=not stamps.aware,
        zone=settings.timezone or "",
        stamp=stamp if stamp != "middle" else None,
        repeat=repeat,
    )
    return series, describe(table, *words, *notes)


def _clock(settings: ProfileFileSettings) -> str:
    return f"local time of {settings.timezone or 'each site'}"


def _conversion(settings: ProfileFileSettings, table: Table) -> Conversion:
    name = table.name(settings.power_column)
    try:
        if settings.power_unit is not None:
            return conversion_of(settings.power_unit, "power")
        return unit_of(name, "power") or Conversion("kW")
    except ValueError as error:
        raise ValueError(f"{table.path}: {error}") from None


def _rows(
    settings: ProfileFileSettings, table: Table, stamps: Stamps, conversion: Conversion
) -> tuple[Ints, Floats, list[str]]:
    """Return the times and the load of all rows, kW, without gaps; and notes for the log."""
    name = table.name(settings.power_column)
    values = with_gaps(table.numbers_or_gaps(settings.power_column), settings.missing)
    at = stamps.ms
    steps = np.diff(at)
    step_s = float(np.median(steps)) / 1000.0 if len(at) > 1 else 86_400.0
    if conversion.per_interval and (odd := np.flatnonzero(steps != step_s * 1000.0)).size:
        row = int(odd[0]) + 1
        if stamps.aware or stamps.of_day or steps[row - 1] > 0:
            problem = f"{steps[row - 1] / 1000:g} s after the row above, not {step_s:g} s"
            raise RowError(row, f"{problem}: an energy needs intervals of equal length")
    kw, count = filled(values, name, step_s, settings.fill_gaps_s, _SETTING)
    kw = conversion.apply(kw, step_s)
    if (negative := np.flatnonzero(kw < 0.0)).size:
        row = int(negative[0])
        raise RowError(row, f"{name} is {values[row]:g}: must not be negative")
    notes = [f"{count:,} missing value{'s' * (count > 1)} filled"] if count else []
    return at, kw, notes


def _repeat(settings: ProfileFileSettings, stamps: Stamps, at: Ints) -> str:
    """Return the period after which the load repeats."""
    wanted = settings.repeat
    if stamps.of_day:
        if wanted not in (None, "day"):
            raise ValueError(
                f"{settings.path}: times of day repeat each day: repeat must be 'day' or unset, "
                f"not {wanted!r}"
            )
        return "day"
    back = not stamps.aware and bool((np.diff(at) <= 0).any())
    span = int(at.max() - at.min())
    if wanted in PERIODS:
        if span >= PERIODS[wanted] or back:
            problem = "has a clock that goes back" if back else f"is longer than one {wanted}"
            raise ValueError(f"{settings.path}: the file {problem}: change repeat, or the file")
        return wanted
    # The last row covers a step as long as the one before it.
    step = int(at[-1] - at[-2]) if len(at) > 1 else 0
    if wanted == "year" and span + step > 366 * DAY_MS:
        raise ValueError(f"{settings.path}: the file is longer than one year: shorten it")
    if wanted is not None:
        return wanted
    if not back:
        for name, period in PERIODS.items():
            if span + step == period:
                return name
    first = np.array([at[0] - step * stamps.at_24])
    whole = span + step in (365 * DAY_MS, 366 * DAY_MS) and year_place(first)[0] == 0
    return "year" if whole else "none"
