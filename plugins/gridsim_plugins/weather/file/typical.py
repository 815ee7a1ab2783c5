"""A reader of EPW and TMY3 files, through pvlib."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from gridsim.api import Floats
from gridsim_plugins.weather.file.series import YEAR_DAYS, Series
from gridsim_plugins.weather.file.settings import WeatherFileSettings

_HOUR_MS = 3_600_000


def read_typical(settings: WeatherFileSettings) -> Series:
    """Return the typical year of an EPW or TMY3 file.

    It raises ValueError that names the file, or the extra that is missing. The rows are the
    hours from 1 January in the standard time of the station. The years of the timestamps are
    ignored: each month comes from another year.
    """
    kind = settings.kind.upper()
    try:
        iotools: Any = importlib.import_module("pvlib.iotools")
    except ImportError as error:
        raise ValueError(
            f"{settings.path}: reading {kind} needs pvlib, the extra `weather`: "
            f'install "gridsim-der[weather]" ({error})'
        ) from None
    read = iotools.read_epw if settings.kind == "epw" else iotools.read_tmy3
    try:
        rows, place = read(settings.path)
        columns = [_column(rows, name) for name in ("ghi", "dni", "dhi", "temp_air", "wind_speed")]
        latitude, longitude = float(place["latitude"]), float(place["longitude"])
        offset_ms = round(float(place["TZ"]) * _HOUR_MS)
    except OSError as error:
        raise ValueError(f"{settings.path}: {error.strerror or error}") from None
    except Exception as error:
        raise ValueError(f"{settings.path}: not a valid {kind} file: {error!r}") from error
    # An EPW has eight lines before the data, a TMY3 two.
    header = 8 if settings.kind == "epw" else 2
    for column in columns:
        wrong = np.flatnonzero(~np.isfinite(column))
        if len(wrong):
            raise ValueError(
                f"{settings.path}, line {int(wrong[0]) + header + 1}: a number is missing"
            )
    if len(rows) != YEAR_DAYS * 24:
        raise ValueError(f"{settings.path}: {len(rows)} rows, but a typical year has 8760")
    if settings.typical_year is False:
        raise ValueError(f"{settings.path}: {kind} is a typical year: remove typical_year = false")
    ghi, dni, dhi, temperature, wind = columns
    return Series(
        path=settings.path,
        latitude=latitude,
        longitude=longitude,
        offset_ms=offset_ms,
        start_ms=-offset_ms,
        step_ms=_HOUR_MS,
        typical_year=True,
        ghi=np.maximum(ghi, 0.0),
        dni=np.maximum(dni, 0.0),
        dhi=np.maximum(dhi, 0.0),
        temperature_c=temperature,
        wind_m_s=np.maximum(wind, 0.0),
    )


def _column(rows: Any, name: str) -> Floats:
    values: Floats = np.asarray(rows[name], np.float64)
    return values
