"""The settings that are common to all plugins that read a table of text."""

from __future__ import annotations

from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from gridsim.contracts.settings import LocalPath, Settings, Unit
from gridsim.helpers.tables import Table, read_table

UnitName = Annotated[str, Field(min_length=1)] | float
"""A unit, or a number: the factor to gridsim's unit."""


class TableSettings(Settings):
    """The file, and those parts of its layout that cannot be detected with certainty."""

    path: LocalPath = Field(
        min_length=1,
        description="the file, relative to the folder of the configuration. Encoding, separator, "
        "decimal comma, lines before the header, and the format of times are recognised, and a "
        "log line names them",
    )
    encoding: str = Field(
        "", description="the encoding; unset: by its byte order mark, UTF-8, or Windows-1252"
    )
    delimiter: Literal["", ",", ";", "\t", "|"] = Field(
        "", description="the separator of columns; unset: recognised"
    )
    decimal: Literal[".", ","] | None = Field(
        None, description="the decimal mark of numbers; unset: recognised"
    )
    time_column: str | list[str] = Field(
        "time",
        min_length=1,
        description="the column of times, or a list of columns that are joined, such as "
        '["Date", "Time"]; unset: time, or a usual name such as timestamp or date',
    )
    time_format: str = Field(
        "",
        description='the format of times as in Python\'s strptime, such as "%d/%m/%Y %H:%M"; '
        "unset: recognised",
    )
    stamp: Literal["start", "middle", "end"] | None = Field(
        None, description="the part of a row's interval that its time means"
    )
    missing: list[float] = Field(
        [],
        description="numbers that mark a missing value, such as [9999]; texts such as an empty "
        "field, -, NA, NaN and null always do",
    )
    fill_gaps_s: Annotated[float, Unit("s")] = Field(
        0.0,
        ge=0.0,
        description="the longest gap that is filled by linear interpolation; a longer one is an "
        "error",
    )

    @property
    def time_columns(self) -> list[str]:
        return [self.time_column] if isinstance(self.time_column, str) else self.time_column

    def read(self, wanted: list[str]) -> Table:
        """Read the file; `wanted` are names of its columns. Raises ValueError with the line."""
        return read_table(
            self.path,
            [*self.time_columns, *wanted],
            delimiter=self.delimiter,
            decimal=self.decimal,
            encoding=self.encoding,
        )


def check_zone(zone: str | None) -> str | None:
    """Return the name of a time zone; raise ValueError if it does not exist."""
    try:
        if zone is not None:
            ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"there is no time zone {zone!r}") from None
    return zone
