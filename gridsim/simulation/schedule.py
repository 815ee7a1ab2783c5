"""When something begins in simulated time: once, or again and again by cron."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from apscheduler.triggers.cron import CronTrigger

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Schedule:
    """Exactly one of both is given."""

    at_ms: int | None = None
    """UTC."""
    cron: CronTrigger | None = None

    def first_from(self, time_ms: int) -> int | None:
        """The first beginning at or after UTC `time_ms`; None if there is none any more."""
        if self.at_ms is not None:
            return self.at_ms if self.at_ms >= time_ms else None
        assert self.cron is not None
        now = datetime.fromtimestamp(time_ms / 1000, UTC)
        found = self.cron.get_next_fire_time(None, now)
        return None if found is None else round(found.timestamp() * 1000)


def cron(expression: str, timezone: str) -> CronTrigger:
    """A crontab line's five fields, evaluated in an IANA time zone.

    Days of the week count from Sunday, 0 or 7, as in crontab(5); the library's own numbers
    count from Monday. Where day and day of the week are given, both must match. Raises
    ValueError.
    """
    fields = expression.split()
    if len(fields) != 5:
        raise ValueError('must have five fields, such as "0 17 * * mon-fri"')
    fields[4] = ",".join(_named(part) for part in fields[4].split(","))
    minute, hour, day, month, week = fields
    return CronTrigger(
        minute=minute, hour=hour, day=day, month=month, day_of_week=week, timezone=timezone
    )


def _named(days: str) -> str:
    """One item of the fifth field, with names in the place of numbers."""
    span, _, step = days.partition("/")
    first, _, last = span.partition("-")
    last = last or first
    if not (first.isdecimal() and last.isdecimal() and (step or "1").isdecimal()):
        return days
    if not 0 <= int(first) <= int(last) < len(_DAYS) or int(step or "1") < 1:
        raise ValueError(f"has {days!r} as days of the week, which count from 0 to 7")
    return ",".join(_DAYS[int(first) : int(last) + 1 : int(step or "1")])
