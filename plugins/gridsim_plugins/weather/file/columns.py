"""The quantities of a weather file: their columns, units, marks for missing values, and limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from gridsim.api import Floats
from gridsim.helpers.tables import (
    NUMERIC_MARKS,
    OWN,
    Conversion,
    Quantity,
    Table,
    conversion_of,
    unit_of,
    with_gaps,
)
from gridsim_plugins.weather.file.file_settings import StationFileSettings
from gridsim_plugins.weather.file.planes import has_plane, horizontal


@dataclass(frozen=True, slots=True)
class FileQuantity:
    """A quantity of a weather file."""

    quantity: Quantity
    names: tuple[str, ...]
    """The names of its column in well-known files, tried if the setting has its default."""
    marks: tuple[float, ...]
    """The numbers that mark a missing value, in addition to negative numbers."""
    least: float
    most: float
    """The limits of values, in gridsim's unit."""


KINDS: Final[dict[str, FileQuantity]] = {
    "ghi": FileQuantity("irradiance", ("ghi", "shortwave_radiation", "G(h)"), (), -20.0, 2000.0),
    "dni": FileQuantity(
        "irradiance", ("dni", "direct_normal_irradiance", "Gb(n)"), (), -20.0, 2000.0
    ),
    "dhi": FileQuantity("irradiance", ("dhi", "diffuse_radiation", "Gd(h)"), (), -20.0, 2000.0),
    "temperature": FileQuantity(
        "temperature",
        ("temperature", "temperature_2m", "air_temperature", "temp_air", "T2m", "Dry-bulb"),
        (99.9, 999.0, 999.9),
        -90.0,
        65.0,
    ),
    "wind": FileQuantity(
        "speed",
        ("wind", "wind_speed", "wind_speed_10m", "WS10m", "Wspd"),
        (99.0, 99.9, 999.0, 999.9),
        0.0,
        75.0,
    ),
}
# The highest irradiance of a column is below this, in W/m2, only if it is in another unit.
_LEAST_PEAK: Final = 2.0
_LARGE_MARKS: Final = (999.0, 999.9)
OPEN_METEO: Final = ("shortwave_radiation", "direct_normal_irradiance", "diffuse_radiation")
"""The columns of Open-Meteo that are means over the hour before their time."""


@dataclass(frozen=True, slots=True, eq=False)
class FileColumn:
    """A column of a weather file."""

    header: str
    raw: Floats
    """The values in the unit of the file, NaN where one is missing."""
    conversion: Conversion
    kind: FileQuantity
    assumed: bool = False
    """True if neither the header nor a setting states the unit."""

    def in_own_unit(self, step_s: float) -> Floats:
        return self.conversion.apply(self.raw, step_s)


def names_of(settings: StationFileSettings, key: str) -> tuple[str, ...]:
    """Return the names of a quantity's column: that of the setting, or the well-known ones."""
    name = str(getattr(settings, f"{key}_column"))
    return KINDS[key].names if name == KINDS[key].names[0] else (name,)


def read_columns(table: Table, settings: StationFileSettings) -> dict[str, FileColumn]:
    """Return the columns that a table has. Raises ValueError that names the line."""
    names = {key: names_of(settings, key) for key in KINDS}
    has = {key: table.has(*own) for key, own in names.items()}
    plane = not has["ghi"] and not (has["dni"] and has["dhi"]) and has_plane(table)
    if not has["ghi"] and not (has["dni"] and has["dhi"]) and not plane:
        raise ValueError(
            f"{table.path}: a column {names['ghi'][0]!r}, or both {names['dni'][0]!r} and "
            f"{names['dhi'][0]!r}, are needed; there are: {', '.join(table.header)[:300]}"
        )
    for key in KINDS:
        if key in settings.units and not has[key]:
            raise ValueError(f"{table.path}: units.{key}: there is no column {names[key][0]!r}")
    needed = [key for key in KINDS if has[key] or key == "temperature"]
    columns = {key: _column(table, settings, key, names[key]) for key in needed}
    if plane:
        header, ghi, dhi = horizontal(table)
        marks, own = (*NUMERIC_MARKS, *settings.missing), Conversion(OWN["irradiance"])
        columns["ghi"] = FileColumn(header, with_gaps(ghi, marks), own, KINDS["ghi"])
        if dhi is not None:
            columns["dhi"] = FileColumn("Gd(i)", with_gaps(dhi, marks), own, KINDS["dhi"])
    return columns


def _column(
    table: Table, settings: StationFileSettings, key: str, names: tuple[str, ...]
) -> FileColumn:
    kind = KINDS[key]
    header = table.name(*names)
    assumed = False
    try:
        if (unit := settings.units.get(key)) is not None:  # type: ignore[call-overload]
            conversion = conversion_of(unit, kind.quantity)
        else:
            stated = unit_of(header, kind.quantity)
            conversion = stated or Conversion(OWN[kind.quantity])
            assumed = stated is None
    except ValueError as error:
        raise ValueError(f"{table.path}: {error}") from None
    # 99 is a gap in m/s, and a storm in km/h.
    own = _LARGE_MARKS if conversion.changes else kind.marks
    marks = (*NUMERIC_MARKS, *own, *settings.missing)
    raw = with_gaps(table.numbers_or_gaps(*names), marks)
    return FileColumn(header, raw, conversion, kind, assumed)


def wrong_value(column: FileColumn, values: Floats) -> tuple[int, str] | None:
    """Return the first row whose value is outside the limits, and the problem; None if all are
    inside.

    `values` are in gridsim's unit. Pyranometers read some W/m2 below zero at night.
    """
    kind = column.kind
    wrong = np.flatnonzero((values < kind.least) | (values > kind.most))
    if not len(wrong):
        return None
    row = int(wrong[0])
    own = OWN[kind.quantity]
    given = f"{column.header} is {column.raw[row]:g}"
    if column.conversion.changes:
        given += f" ({values[row]:g} {own})"
    return row, f"{given}, which is not between {kind.least:g} and {kind.most:g} {own}"


def too_small(column: FileColumn, values: Floats) -> tuple[int, str] | None:
    """Return the row of the highest irradiance if the column seems to be in kW/m2."""
    if not column.assumed or column.kind.quantity != "irradiance" or np.isnan(values).all():
        return None
    row = int(np.nanargmax(values))
    if not 0.0 < values[row] < _LEAST_PEAK:
        return None
    key = column.kind.names[0]
    return row, (
        f"{column.header} is at most {values[row]:g}, as if in kW/m2: set units = "
        f'{{ {key} = "kW/m2" }}, or "W/m2"'
    )
