"""The load `profile`: power from a CSV file, over time or over the time of day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gridsim.api import (
    Floats,
    Load,
    LocalPath,
    Members,
    Register,
    Settings,
    Tick,
    Unit,
    hookimpl,
    rfc3339,
)
from gridsim.helpers import Table, read_table

_DAY_MS = 86_400_000
_PERIODS = {"day": _DAY_MS, "week": 7 * _DAY_MS}


class ProfileSettings(Settings):
    """Settings of the load `profile`."""

    path: LocalPath = Field(
        min_length=1,
        description="CSV file with the load, relative to the folder of the configuration",
    )
    time_column: str = Field(
        "time",
        description="column of times: all HH:MM in local time, for a day that repeats; or all "
        "ISO 8601, in local time if they have no offset",
    )
    power_column: str = Field("kw", description="column of the load, kW")
    repeat: Literal["none", "day", "week"] | None = Field(
        None,
        description="repeat the day or the week of the file; unset: day or week if the file is "
        "that long, otherwise none: the load then ends with the file",
    )
    scale: Annotated[float, Unit("1")] = Field(
        1.0, ge=0.0, description="factor on the load; may be a distribution over sites"
    )


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """A load over time, linear between its points."""

    path: str
    at_ms: NDArray[np.int64]
    """The times of the points, UTC, or local time if `local`; increasing."""
    kw: Floats
    local: bool
    period_ms: int | None
    """The time after which the load repeats; None: never."""

    def power(self, time_ms: NDArray[np.int64]) -> Floats:
        """Return the load, float64[n], kW; raise ValueError at a time outside the file."""
        if self.period_ms is not None:
            since = (time_ms - self.at_ms[0]) % self.period_ms
            # The first point repeats at the end of the period.
            points = np.append(self.at_ms - self.at_ms[0], self.period_ms)
            load: Floats = np.interp(since, points, np.append(self.kw, self.kw[0]))
            return load
        first, last = int(self.at_ms[0]), int(self.at_ms[-1])
        if len(time_ms) and (time_ms.min() < first or time_ms.max() > last):
            clock = " local time" if self.local else ""
            outside = time_ms[(time_ms < first) | (time_ms > last)][0]
            raise ValueError(
                f"{self.path}: the file covers {rfc3339(first)} to {rfc3339(last)}{clock}; "
                f"there is no load for {rfc3339(int(outside))}"
            )
        return np.interp(time_ms, self.at_ms, self.kw)


def read_profile(settings: ProfileSettings) -> Profile:
    """Return the profile of a CSV file; raise ValueError that names the file and the line."""
    table = read_table(settings.path, (settings.time_column, settings.power_column))
    kw = table.numbers(settings.power_column)
    negative = np.flatnonzero(kw < 0.0)
    if len(negative):
        row = int(negative[0])
        raise table.error(row, f"{settings.power_column} is {kw[row]:g}: must not be negative")
    texts = table.texts(settings.time_column)
    if all(len(text) <= len("HH:MM:SS") for text in texts):
        at = _of_day(table, texts)
        if settings.repeat not in (None, "day"):
            raise ValueError(
                f"{settings.path}: times of day repeat each day: repeat must be 'day' or unset, "
                f"not {settings.repeat!r}"
            )
        _check_increasing(table, at)
        return Profile(settings.path, at, kw, True, _DAY_MS)
    times = table.times(settings.time_column)
    local = not times.aware[0]
    _check_increasing(table, times.ms)
    return Profile(settings.path, times.ms, kw, local, _period(settings, times.ms))


def _of_day(table: Table, texts: list[str]) -> NDArray[np.int64]:
    at = np.empty(len(texts), np.int64)
    for row, text in enumerate(texts):
        try:
            given = time.fromisoformat(text)
        except ValueError:
            raise table.error(row, f"{text!r} is not a time of day such as 06:30") from None
        at[row] = ((given.hour * 60 + given.minute) * 60 + given.second) * 1000
    return at


def _check_increasing(table: Table, at: NDArray[np.int64]) -> None:
    back = np.flatnonzero(np.diff(at) <= 0)
    if len(back):
        raise table.error(int(back[0]) + 1, "its time must be later than that of the row above")


def _period(settings: ProfileSettings, at: NDArray[np.int64]) -> int | None:
    if settings.repeat == "none":
        return None
    span = int(at[-1] - at[0])
    if settings.repeat is not None:
        period = _PERIODS[settings.repeat]
        if span >= period:
            raise ValueError(
                f"{settings.path}: the file is longer than one {settings.repeat}; "
                f"shorten it or change repeat"
            )
        return period
    # The last point covers a step as long as the one before it.
    whole = span + int(at[-1] - at[-2]) if len(at) > 1 else 0
    return whole if whole in _PERIODS.values() else None


class ProfileLoad(Load[ProfileSettings]):
    """A load from a file; it equals the expected load, so the baseline is exact."""

    Settings = ProfileSettings
    kept = ()

    def __init__(self, members: Members[ProfileSettings]) -> None:
        """Read the files; raise ValueError if one cannot be used."""
        super().__init__(members)
        self._profiles = [read_profile(settings) for settings in members.settings]
        self._rows = [np.flatnonzero(members.stanza == i) for i in range(len(self._profiles))]

    def at(self, tick: Tick) -> Floats:
        return self.expected(tick.time_ms)

    def expected(self, time_ms: int) -> Floats:
        members, result = self.members, np.empty(len(self.members))
        local = members.sites.local_ms(time_ms)[members.site]
        for profile, rows in zip(self._profiles, self._rows, strict=True):
            when = local[rows] if profile.local else np.full(len(rows), time_ms, np.int64)
            result[rows] = profile.power(when) * members.columns["scale"][rows]
        return result


@hookimpl
def gridsim_register(register: Register) -> None:
    register.load("profile", ProfileLoad)
