"""A reader of tables with weather: plain CSV, Open-Meteo, PVGIS, NSRDB and TMY3."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from gridsim.helpers.tables import (
    RowError,
    Stamps,
    Table,
    describe,
    parse_number,
    read_stamps,
    read_text,
    utc_of_local,
)
from gridsim.helpers.tables.dialect import fields_of
from gridsim_plugins.weather.file.building import Rows, series_of
from gridsim_plugins.weather.file.columns import KINDS, OPEN_METEO, names_of, read_columns
from gridsim_plugins.weather.file.file_settings import StationFileSettings
from gridsim_plugins.weather.file.layout import StationPlace, place_of
from gridsim_plugins.weather.file.planes import has_plane
from gridsim_plugins.weather.file.series import Series

_TMY3_TIME = ["Date (MM/DD/YYYY)", "Time (HH:MM)"]
_TMY3_PLACE = 7  # fields of the first line


def read_csv(settings: StationFileSettings, *, tmy3: bool = False) -> tuple[Series, str]:
    """Return the series of a file and a line that describes what was read.

    It raises ValueError that names the file and the line.
    """
    wanted = [name for key in KINDS for name in names_of(settings, key)]
    if tmy3 and settings.time_column == "time":
        settings = settings.model_copy(update={"time_column": _TMY3_TIME})
    table = settings.read(wanted)
    stamps = read_stamps(table, settings.time_columns, format=settings.time_format)
    if stamps.of_day:
        raise ValueError(f"{table.path}: weather needs dates, not times of day only")
    columns = read_columns(table, settings)
    place = _tmy3_place(table) if tmy3 else place_of(table.preamble, table.dialect.delimiter)
    latitude = settings.latitude if settings.latitude is not None else place.latitude
    longitude = settings.longitude if settings.longitude is not None else place.longitude
    if latitude is None or longitude is None:
        raise ValueError(
            f"{table.path}: the file does not state the place of its station: set latitude and "
            "longitude"
        )
    open_meteo = any(table.has(name) for name in OPEN_METEO)
    stamp = settings.stamp or ("end" if tmy3 or open_meteo or stamps.at_24 else "start")
    if settings.stamp is None and has_plane(table):
        # The hourly series of PVGIS are values at instants, such as 00:10.
        stamp = "middle"
    try:
        utc, clock, offset_ms = _utc(settings, table, stamps, place)
        rows = Rows(table.path, table.lines, utc, columns, stamp, at_instants=open_meteo)
        series, notes = series_of(rows, settings, (latitude, longitude), offset_ms, typical=tmy3)
    except RowError as error:
        raise table.error(error.row, str(error)) from None
    return series, describe(table, clock, f"interval {stamp}", *notes)


def is_tmy3(path: str) -> bool:
    """Return true if a file looks like TMY3: its second line has TMY3's names of columns."""
    lines = read_text(path)[0][:4000].splitlines()
    return len(lines) > 1 and lines[1].lstrip('"').startswith(_TMY3_TIME[0])


def _tmy3_place(table: Table) -> StationPlace:
    fields = fields_of(table.preamble[0] if table.preamble else "", ",")
    numbers = [parse_number(text) for text in fields[3:6]]
    if len(fields) < _TMY3_PLACE or any(number != number for number in numbers):
        raise ValueError(f"{table.path}, line 1: is not the place of a TMY3 file")
    return StationPlace(numbers[1], numbers[2], numbers[0] * 3600.0)


def _utc(
    settings: StationFileSettings, table: Table, stamps: Stamps, place: StationPlace
) -> tuple[NDArray[np.int64], str, int]:
    """Return the times in UTC, the clock in words, and the offset of the standard time.

    A typical year counts days in standard time: January's, or July's in the southern hemisphere.
    """
    if stamps.aware:
        return stamps.ms, "UTC", _standard_ms(settings.timezone, stamps, table, settings)
    if settings.timezone is None and place.offset_s is not None:
        offset_ms = round(place.offset_s * 1000.0)
        return stamps.ms - offset_ms, f"UTC{place.offset_s / 3600.0:+g} h", offset_ms
    zone = ZoneInfo(settings.timezone or "UTC")
    utc = utc_of_local(stamps.ms, zone)
    clock = "UTC" if zone.key == "UTC" else f"local time of {zone.key}"
    return utc, clock, _winter_ms(zone, stamps.ms)


def _standard_ms(
    zone: str | None, stamps: Stamps, table: Table, settings: StationFileSettings
) -> int:
    if zone is not None:
        return _winter_ms(ZoneInfo(zone), stamps.ms)
    text = table.texts(*settings.time_columns)[0] if len(settings.time_columns) == 1 else ""
    match = re.search(r"([+-])([0-9]{2}):?([0-9]{2})$", text.strip())
    if match is None or ("T" not in text.upper() and " " not in text.strip()):
        return 0
    minutes = int(match[2]) * 60 + int(match[3])
    return (minutes if match[1] == "+" else -minutes) * 60_000


def _winter_ms(zone: ZoneInfo, local_ms: NDArray[np.int64]) -> int:
    year = int(local_ms[0].astype("datetime64[ms]").astype("datetime64[Y]").astype(np.int64))
    starts = np.array([f"{1970 + year}-01-01", f"{1970 + year}-07-02"], "datetime64[ms]")
    local = starts.astype(np.int64)
    return int((local - utc_of_local(local, zone)).min())
