"""The reader of all weather files, selected by the setting or by the form of the file."""

from __future__ import annotations

from gridsim.helpers.tables import read_text
from gridsim_plugins.weather.file.csvfile import is_tmy3, read_csv
from gridsim_plugins.weather.file.epw import is_epw, read_epw
from gridsim_plugins.weather.file.file_settings import StationFileSettings
from gridsim_plugins.weather.file.series import Series


def read_weather(settings: StationFileSettings) -> tuple[Series, str]:
    """Return the series of a file and a line that describes what was read.

    It raises ValueError that names the file and, where there is one, the line.
    """
    format = settings.format
    if read_text(settings.path)[0][:100].lstrip().startswith(("{", "[")):
        raise ValueError(
            f"{settings.path}: is JSON, which is not read as weather: request the series as CSV"
        )
    if format == "epw" or (format is None and is_epw(settings.path)):
        return read_epw(settings)
    tmy3 = format == "tmy3" or (format is None and is_tmy3(settings.path))
    return read_csv(settings, tmy3=tmy3)
