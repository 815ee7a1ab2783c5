"""The times of events and faults: their common settings, and the schedule made from them."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from gridsim.api import Settings, Unit
from gridsim.config.settings.validation import Findings
from gridsim.config.tables.simulation import start_ms
from gridsim.config.tables.site import Zone
from gridsim.config.text.locate import KeyPath
from gridsim.simulation.schedule import Schedule, cron

NOW: Final = "the present simulated time"
"""The name of the current time: instructions cannot begin anything earlier."""
_YEARS_S = 100 * 366 * 86_400


class Occurring(Settings):
    """The start of an event or a fault; at most one of the first three settings is given."""

    start: str | None = Field(
        None,
        description="start, a time such as 2026-07-01T17:00:00-03:00, or a date, which means "
        "midnight by the clock of [site]",
    )
    after_s: Annotated[float | None, Unit("s")] = Field(
        None, ge=0, le=_YEARS_S, description="start, counted from the simulation's start"
    )
    cron: str | None = Field(
        None,
        description='repeated starts, as in a crontab: "0 17 * * mon-fri"; in simulated time, in '
        "`timezone`",
    )
    timezone: Zone | None = Field(
        None, description="IANA name, for `cron`; without it, that of [site]"
    )

    @field_validator("start")
    @classmethod
    def _known_time(cls, value: str | None) -> str | None:
        if value == "now":
            raise ValueError("must be a time; for the simulation's start write after_s = 0")
        if value is not None:
            try:
                start_ms(value, 0)
            except ValueError as error:
                # Only the simulation's start may be "now".
                raise ValueError(str(error).replace('"now", ', "")) from None
        return value


def check_times(
    findings: Findings, settings: Occurring, path: KeyPath, *, also: Sequence[str] = ()
) -> list[str]:
    """Return the names of the settings that give the start, at most one; add findings. `also` names
    further settings that give it.
    """
    names = ("start", "after_s", "cron", *also)
    given = [name for name in names if getattr(settings, name) is not None]
    if len(given) > 1:
        findings.add((*path, given[1]), f"{given[1]!r} and {given[0]!r} exclude each other")
    if settings.cron is None:
        if settings.timezone is not None:
            findings.add((*path, "timezone"), "'timezone' needs 'cron'")
        return given[:1]
    try:
        cron(settings.cron, settings.timezone or "UTC")
    except ValueError as error:
        findings.add((*path, "cron"), f"'cron' {error}")
    return given[:1]


def schedule_of(
    findings: Findings,
    settings: Occurring,
    path: KeyPath,
    *,
    begin_ms: int,
    timezone: str,
    what: str = "the simulation's start",
) -> Schedule | None:
    """Return the schedule of checked settings, None if they give none or there is a finding.

    Nothing begins before UTC `begin_ms`, which `what` names; `after_s` counts from there.
    `timezone` is that of [site], for dates and for cron expressions without their own.
    """
    if settings.start is not None:
        try:
            at_ms = start_ms(settings.start, 0, timezone)
        except ValueError as error:
            findings.add((*path, "start"), f"'start' {error}")
            return None
        if at_ms < begin_ms:
            findings.add((*path, "start"), f"'start' is before {what}")
            return None
        return Schedule(at_ms=at_ms)
    if settings.after_s is not None:
        return Schedule(at_ms=begin_ms + round(settings.after_s * 1000))
    if settings.cron is None:
        return None
    schedule = Schedule(cron=cron(settings.cron, settings.timezone or timezone))
    if schedule.first_from(begin_ms) is None:
        findings.add((*path, "cron"), "'cron' never occurs: there is no such day")
        return None
    return schedule


def matching(
    findings: Findings,
    patterns: Sequence[str],
    names: Sequence[str],
    path: KeyPath,
    what: str,
    *,
    is_part: bool = False,
) -> NDArray[np.intp]:
    """Return the indices of the names that match one of the shell patterns, ascending.

    A pattern that matches nothing is a finding, unless the names are part of those of the run and
    another pattern matches some of them.
    """
    found = np.zeros(len(names), np.bool_)
    missing = []
    for index, pattern in enumerate(patterns):
        hits = np.fromiter((fnmatchcase(name, pattern) for name in names), np.bool_, len(names))
        if not hits.any():
            missing.append((index, pattern))
        found |= hits
    if not (is_part and found.any()):
        for index, pattern in missing:
            findings.add((*path, index), f"there is no {what} that matches {pattern!r}")
    return np.flatnonzero(found)
