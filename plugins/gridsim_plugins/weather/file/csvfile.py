"""A reader of CSV files with weather."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from gridsim.api import Floats
from gridsim.helpers import Table, read_table
from gridsim_plugins.weather.file.series import DAY_MS, YEAR_DAYS, Series, utc_ms, without_leap_day
from gridsim_plugins.weather.file.settings import WeatherFileSettings

_WIND_M_S = 2.0


def read_csv(settings: WeatherFileSettings) -> Series:
    """Return the series of a CSV file; raise ValueError that names the file and the line."""
    wanted = [getattr(settings, name) for name in type(settings).model_fields if "column" in name]
    table = read_table(settings.path, wanted)
    zone = ZoneInfo(settings.timezone)
    read = table.times(settings.time_column)
    own_zone = UTC if read.aware[0] else zone
    times = [
        (EPOCH + timedelta(milliseconds=ms)).replace(tzinfo=own_zone) for ms in read.ms.tolist()
    ]
    stamps = np.array([utc_ms(time) for time in times], np.int64)
    step_ms = _step(table, stamps)
    columns = _irradiance(table, settings)
    temperature = table.numbers(settings.temperature_column)
    wind = np.full(len(table), _WIND_M_S)
    if table.has(settings.wind_column):
        wind = _not_negative(table, settings.wind_column)
    # A typical year counts days in standard time: January's, or July's in the southern hemisphere.
    new_year = times[0].replace(month=1, day=1, tzinfo=None)
    offsets = [(new_year + timedelta(days=d)).replace(tzinfo=zone).utcoffset() for d in (0, 182)]
    own = times[0].utcoffset() if times[0].tzinfo is not zone else None
    offset = own if own is not None else min(o for o in offsets if o is not None)
    offset_ms = offset // timedelta(milliseconds=1)
    local = [time.astimezone(UTC) + offset for time in times]
    keep = without_leap_day(local)
    whole_year = keep.sum() * step_ms == YEAR_DAYS * DAY_MS and DAY_MS % step_ms == 0
    typical = whole_year if settings.typical_year is None else settings.typical_year
    if typical:
        first = local[0]
        if not whole_year or (first.month, first.day, first.hour, first.minute) != (1, 1, 0, 0):
            raise ValueError(
                f"{settings.path}: a typical year has 365 days from 1 January 00:00 standard time "
                f"in steps that divide a day, not {len(table)} rows from {first:%d %B %H:%M}"
            )
    else:
        keep[:] = True
    selected = {name: None if column is None else column[keep] for name, column in columns.items()}
    assert settings.latitude is not None
    assert settings.longitude is not None
    return Series(
        path=settings.path,
        latitude=settings.latitude,
        longitude=settings.longitude,
        offset_ms=offset_ms,
        start_ms=int(stamps[0]),
        step_ms=step_ms,
        typical_year=typical,
        ghi=selected["ghi"],
        dni=selected["dni"],
        dhi=selected["dhi"],
        temperature_c=temperature[keep],
        wind_m_s=wind[keep],
    )


EPOCH = datetime(1970, 1, 1)


def _step(table: Table, stamps: np.ndarray[tuple[int], np.dtype[np.int64]]) -> int:
    if len(stamps) < 2:
        raise ValueError(f"{table.path}: at least two rows are needed")
    steps = np.diff(stamps)
    step = int(np.median(steps))
    odd = np.flatnonzero(steps != step)
    if len(odd) or step <= 0:
        row = int(odd[0]) + 1 if len(odd) else 1
        seconds = steps[row - 1] / 1000
        raise table.error(row, f"{seconds:g} s after the row above, not {step / 1000:g} s")
    return step


def _irradiance(table: Table, settings: WeatherFileSettings) -> dict[str, Floats | None]:
    names = {"ghi": settings.ghi_column, "dni": settings.dni_column, "dhi": settings.dhi_column}
    found = {
        key: _not_negative(table, name) if table.has(name) else None for key, name in names.items()
    }
    if found["ghi"] is None and (found["dni"] is None or found["dhi"] is None):
        raise ValueError(
            f"{table.path}: a column {names['ghi']!r}, or both {names['dni']!r} and "
            f"{names['dhi']!r}, are needed; there are: {', '.join(table.header)}"
        )
    return found


def _not_negative(table: Table, name: str) -> Floats:
    values = table.numbers(name)
    # Pyranometers read some W/m2 below zero at night.
    wrong = np.flatnonzero(values < -20.0)
    if len(wrong):
        raise table.error(int(wrong[0]), f"{name} is {values[wrong[0]]:g}, which is negative")
    return np.maximum(values, 0.0)
