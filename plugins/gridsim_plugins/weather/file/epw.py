"""A reader of EnergyPlus weather files (EPW).

The layout and the marks of missing values are those of the Auxiliary Programs documentation of
EnergyPlus, "EnergyPlus Weather File (EPW) Data Dictionary".
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats
from gridsim.helpers.tables import (
    NUMERIC_MARKS,
    OWN,
    Conversion,
    RowError,
    is_missing,
    lines_of,
    parse_number,
    parse_numbers,
    parse_times,
    read_text,
    why_not,
    with_gaps,
)
from gridsim.helpers.tables.shapes import NO_TIME
from gridsim_plugins.weather.file.building import Rows, series_of
from gridsim_plugins.weather.file.columns import KINDS, FileColumn
from gridsim_plugins.weather.file.file_settings import StationFileSettings
from gridsim_plugins.weather.file.layout import StationPlace
from gridsim_plugins.weather.file.series import Series

_HEADER_WITHIN = 30  # lines
_HOUR_MS = 3_600_000
# The places of the fields, from 0, and the number that marks a missing value.
_FIELDS: Final = {
    "temperature": (6, 99.9),
    "ghi": (13, 9999.0),
    "dni": (14, 9999.0),
    "dhi": (15, 9999.0),
    "wind": (21, 999.0),
}
_NAMES: Final = {
    "temperature": "dry bulb temperature",
    "ghi": "global horizontal radiation",
    "dni": "direct normal radiation",
    "dhi": "diffuse horizontal radiation",
    "wind": "wind speed",
}
_LEAST_FIELDS = 22


def read_epw(settings: StationFileSettings) -> tuple[Series, str]:
    """Return the series of an EPW file and a line that describes what was read.

    It raises ValueError that names the file and the line.
    """
    path = settings.path
    text, encoding = read_text(path, settings.encoding)
    lines = lines_of(text)
    first, per_hour = _data(path, lines)
    place = _place(path, lines)
    numbers = [number for number, line in enumerate(lines[first:], start=first + 1) if line.strip()]
    fields = list(csv.reader(lines[number - 1] for number in numbers))
    for number, row in zip(numbers, fields, strict=True):
        if len(row) < _LEAST_FIELDS:
            raise ValueError(f"{path}, line {number}: {len(row)} fields, but an EPW has 35")
    if not fields:
        raise ValueError(f"{path}: there are no rows after the header")
    assert place.latitude is not None
    assert place.longitude is not None
    assert place.offset_s is not None
    offset_ms = round(place.offset_s * 1000.0)
    latitude = place.latitude if settings.latitude is None else settings.latitude
    longitude = place.longitude if settings.longitude is None else settings.longitude
    try:
        local = _starts(fields, per_hour)
        columns = {
            key: _column(key, [row[place_] for row in fields], settings.missing)
            for key, (place_, _) in _FIELDS.items()
        }
        columns, without = _there(columns)
        rows = Rows(path, numbers, local - offset_ms, columns, "start", at_instants=False)
        series, notes = series_of(
            rows,
            settings,
            (latitude, longitude),
            offset_ms,
            typical=settings.typical_year is not False,
        )
    except RowError as error:
        raise ValueError(f"{path}, line {numbers[error.row]}: {error}") from None
    clock = f"EPW, standard time UTC{place.offset_s / 3600:+g} h, interval end"
    other = [] if encoding.startswith("utf-8") else [encoding]
    words = [clock, *other, *without, *notes]
    return series, f"{path}: read {len(fields):,} rows, {', '.join(words)}"


def is_epw(path: str) -> bool:
    """Return true if a file looks like EPW: its name ends in .epw, or it begins with LOCATION."""
    return path.lower().endswith(".epw") or read_text(path)[0].startswith("LOCATION,")


def _data(path: str, lines: Sequence[str]) -> tuple[int, int]:
    """Return the number of lines before the data, and the rows per hour."""
    for number, line in enumerate(lines[:_HEADER_WITHIN], start=1):
        if line.upper().startswith("DATA PERIODS"):
            fields = line.split(",")
            per_hour = parse_number(fields[2]) if len(fields) > 2 else 1.0
            if per_hour not in (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60):
                raise ValueError(f"{path}, line {number}: {fields[2]!r} rows per hour")
            return number, int(per_hour)
    raise ValueError(f"{path}: is not an EPW file: there is no line DATA PERIODS")


def _place(path: str, lines: Sequence[str]) -> StationPlace:
    fields = next(csv.reader(lines[:1]), [""])
    values = [parse_number(text) for text in fields[6:9]]
    if fields[0].upper() != "LOCATION" or len(values) < 3 or any(v != v for v in values):
        raise ValueError(f"{path}, line 1: is not LOCATION with latitude, longitude, time zone")
    return StationPlace(values[0], values[1], values[2] * 3600.0)


def _starts(fields: Sequence[Sequence[str]], per_hour: int) -> NDArray[np.int64]:
    """Return the starts of the rows' intervals, ms of local standard time.

    The hour 1 is the one from 0:00 to 1:00; with several rows per hour, the minute is the end.
    """
    dates = parse_times([f"{row[0].strip()}-{row[1].strip()}-{row[2].strip()}" for row in fields])
    hours = parse_numbers([row[3] for row in fields])
    minutes = parse_numbers([row[4] for row in fields])
    wrong = (dates.ms == NO_TIME) | ~((hours >= 1) & (hours <= 24)) | ~(minutes <= 60)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        shown = "-".join(text.strip()[:8] for text in fields[row][:5])
        raise RowError(row, f"{shown} is not a year, month, day, hour from 1 to 24 and minute")
    step = 60 // per_hour
    before = np.zeros(len(fields)) if per_hour == 1 else np.where(minutes == 0, 60, minutes) - step
    return dates.ms + ((hours - 1.0) * _HOUR_MS + before * 60_000.0).astype(np.int64)


def _there(columns: Mapping[str, FileColumn]) -> tuple[dict[str, FileColumn], list[str]]:
    """Return the columns without unneeded columns that have no value; and notes."""
    has = {key for key, column in columns.items() if not np.isnan(column.raw).all()}
    spare = {"wind"}
    if "ghi" in has:
        spare |= {"dni", "dhi"} if not has >= {"dni", "dhi"} else set()
    elif has >= {"dni", "dhi"}:
        spare |= {"ghi"}
    left_out = [key for key in columns if key in spare and key not in has]
    kept = {key: column for key, column in columns.items() if key not in left_out}
    return kept, [f"{_NAMES[key]} missing in all rows" for key in left_out]


def _column(key: str, texts: Sequence[str], marks: Sequence[float]) -> FileColumn:
    values = parse_numbers(texts)
    for row in np.flatnonzero(np.isnan(values)).tolist():
        if not is_missing(texts[row]):
            raise RowError(row, f"{_NAMES[key]} is {why_not(texts[row])}")
    kind = KINDS[key]
    # Files that were converted from other formats keep their marks.
    raw: Floats = with_gaps(values, (_FIELDS[key][1], *NUMERIC_MARKS, *kind.marks, *marks))
    # Radiation of 9999 and more is missing, by the documentation.
    if kind.quantity == "irradiance":
        raw = np.where(raw >= 9999.0, np.nan, raw)
    return FileColumn(_NAMES[key], raw, Conversion(OWN[kind.quantity]), kind)
