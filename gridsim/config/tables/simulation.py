"""`[simulation]`: time, seed, speed and plugins of the run."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from gridsim.api import MEASURANDS, Settings, Unit, rfc3339
from gridsim.contracts.hints import choose_from
from gridsim.contracts.speed import MAX_SPEED, MIN_SPEED
from gridsim.simulation.scenario import OnError

_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime(2200, 1, 1, tzinfo=UTC)
_YEAR_S = 366 * 86_400
_LONGEST_S = 36_525 * 86_400


class SimulationSettings(Settings):
    """The settings of `[simulation]`."""

    seed: int = Field(
        42,
        ge=0,
        le=2**63 - 1,
        description="seed of all random numbers; the same seed gives the same run",
    )
    tick_s: Annotated[float, Unit("s")] = Field(
        1.0, gt=0, le=86_400, description="simulated time between two readings"
    )
    speed: float = Field(
        1.0,
        ge=0,
        le=MAX_SPEED,
        description="1 is real time, 60 is a minute per second, 0 is as fast as possible",
    )
    start: str = Field(
        "now",
        description='simulated start: "now", a time such as 2026-07-01T00:00:00-03:00, or a date '
        "such as 2026-07-01, which means midnight by the clock of [site]",
    )
    duration_s: Annotated[float | None, Unit("s")] = Field(
        None,
        gt=0,
        le=_LONGEST_S,
        description="simulated time to run, in whole ticks; unset: the run has no end. --duration "
        "replaces it",
    )
    until: str | None = Field(
        None,
        description='"now": ticks before the present run as fast as possible, the others at the '
        "speed; at speed 0 the run ends there. A time or a date, written as in start: the end of "
        "the run, instead of duration_s",
    )
    plugins: list[str] = Field(
        default_factory=list,
        description="files or folders with your own plugins, relative to this file",
    )
    measurands: list[str] = Field(
        default_factory=list,
        description="columns that are computed for programs and views, such as energy_import_kwh, "
        "besides those that formats write; `gridsim plugins measurands` lists them",
    )
    scenarios: list[str] = Field(
        default_factory=list,
        description="files with further [[events]] and [[faults]], relative to this file",
    )
    on_error: OnError = Field(
        "stop",
        description="reaction to a DER plugin that fails: stop ends the run, skip_fleet disables "
        "its devices and continues",
    )
    hang_timeout_s: Annotated[float, Unit("s")] = Field(
        10.0,
        gt=0,
        le=_YEAR_S,
        description="a plugin of the simulation that does not return within this ends the run; a "
        "transport or source is named in the log, and the run continues",
    )
    summary_every_s: Annotated[float, Unit("s")] = Field(
        5.0, gt=0, le=_YEAR_S, description="time between two summary lines"
    )

    @field_validator("measurands")
    @classmethod
    def _known_measurands(cls, value: list[str]) -> list[str]:
        for name in value:
            if name not in MEASURANDS:
                raise ValueError(f"there is no measurand {name!r}{choose_from(name, MEASURANDS)}")
        return value

    @field_validator("tick_s")
    @classmethod
    def _whole_milliseconds(cls, value: float) -> float:
        if value * 1000 < 1 or abs(value * 1000 - round(value * 1000)) > 1e-6:
            raise ValueError("must be a whole number of milliseconds, at least 0.001")
        return value

    @field_validator("speed")
    @classmethod
    def _not_too_slow(cls, value: float) -> float:
        if 0 < value < MIN_SPEED:
            raise ValueError(f"must be 0 or at least {MIN_SPEED:g}")
        return value

    @field_validator("start", "until")
    @classmethod
    def _known_time(cls, value: str | None) -> str | None:
        if value is not None:
            start_ms(value, 0)
        return value


def goes_live(settings: SimulationSettings) -> bool:
    """Return whether the run continues at its speed once it has come to the present."""
    return settings.until == "now" and settings.speed > 0


def duration_ms(settings: SimulationSettings) -> int | None:
    """Return the length that `duration_s` gives the run, None if it is unset. Raises ValueError."""
    if settings.duration_s is None:
        return None
    tick_ms = round(settings.tick_s * 1000)
    length_ms = round(settings.duration_s * 1000)
    if length_ms % tick_ms or not length_ms:
        raise ValueError(f"must be a whole number of ticks of {settings.tick_s:g} s")
    return length_ms


def length_until_ms(
    settings: SimulationSettings, begin_ms: int, now_ms: int, timezone: str
) -> int | None:
    """Return the length of the ticks before `until`, ms; None if it does not end the run.

    `begin_ms` is the start of the run, and `now_ms` the present, both UTC. Raises ValueError.
    """
    if settings.until is None or goes_live(settings):
        return None
    end_ms = start_ms(settings.until, now_ms, timezone)
    if end_ms <= begin_ms:
        raise ValueError(f"is not after the start of the run, {rfc3339(begin_ms)}")
    tick_ms = round(settings.tick_s * 1000)
    return -(-(end_ms - begin_ms) // tick_ms) * tick_ms


def check_live(begin_ms: int, now_ms: int, length_ms: int | None) -> None:
    """Raise ValueError if a run that goes on live does not begin before now, or ends before it."""
    if begin_ms > now_ms:
        raise ValueError(f'is "now", and the run would start after it, at {rfc3339(begin_ms)}')
    if length_ms is not None and begin_ms + length_ms <= now_ms:
        raise ValueError(
            f'is "now", and the run would end before it, at {rfc3339(begin_ms + length_ms)}: the '
            "duration counts from the start"
        )


def start_ms(start: str, now_ms: int, timezone: str = "UTC", word: str = "now") -> int:
    """Parse `simulation.start` or `until` to ms since 1970, UTC. Raises ValueError.

    A date without a time means the first moment of the day in `timezone`, an IANA name. `word`
    stands for `now_ms`.
    """
    if start == word:
        return now_ms
    match = _TIME.fullmatch(start)
    if match is None and not _DATE.fullmatch(start):
        raise ValueError(
            f'must be "{word}", a time such as 2026-07-01T00:00:00-03:00, or a date such as '
            "2026-07-01"
        )
    if match is not None and match[3] is None:
        raise ValueError(
            "has no offset from UTC: add Z, or an offset such as -03:00. A date alone means "
            "midnight by the clock of [site]"
        )
    try:
        time = datetime.fromisoformat(start.upper())
    except ValueError as error:
        reason = str(error)
        if "timedelta" in reason:
            reason = "an offset from UTC is less than 24 hours"
        raise ValueError(f"is not a valid time: {reason}") from None
    if match is None:
        # Where clocks are set forward at midnight, the day begins at 01:00, which is the same
        # moment.
        time = time.replace(tzinfo=ZoneInfo(timezone))
    if not _EPOCH <= time < _LAST:
        raise ValueError("must be from 1970 to 2199")
    return (time - _EPOCH) // timedelta(milliseconds=1)
