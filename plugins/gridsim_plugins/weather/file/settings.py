"""The settings of the weather `file`."""

from __future__ import annotations

from collections.abc import Iterator

from gridsim.api import RunPeriod
from gridsim_plugins.weather.file.file_settings import StationFileSettings
from gridsim_plugins.weather.file.reading import read_weather


class WeatherFileSettings(StationFileSettings):
    """Settings of the weather `file`."""

    def file_problems(self, period: RunPeriod | None) -> Iterator[tuple[str, str]]:
        """Yield the problem of the file, if it cannot be read or does not cover the run."""
        try:
            series, _ = read_weather(self)
            if period is not None:
                series.require(period.start_ms)
                series.require(period.start_ms if period.last_ms is None else period.last_ms)
        except ValueError as error:
            yield "path", f"cannot be used: {error}"
