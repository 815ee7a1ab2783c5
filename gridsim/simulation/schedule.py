"""A schedule in simulated time: one start, or repeated starts by a cron expression."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from apscheduler.triggers.cron import CronTrigger

_FIELDS = {
    "minute": "its minute, which goes from 0 to 59",
    "hour": "its hour, which goes from 0 to 23",
    "day": "its day of the month, which goes from 1 to 31",
    "month": "its month, which goes from 1 to 12 or jan to dec",
    "day_of_week": "its day of the week, which goes from 0 to 7 or sun to sat",
}
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Schedule:
    """A start time or a cron expression; exactly one is given."""

    at_ms: int | None = None
    """UTC."""
    cron: CronTrigger | None = None

    def first_from(self, time_ms: int) -> int | None:
        """Return the first start at or after UTC `time_ms`; None if there are no more."""
        if self.at_ms is not None:
            return self.at_ms if self.at_ms >= time_ms else None
        assert self.cron is not None
        found = self.cron.get_next_fire_time(None, datetime.fromtimestamp(time_ms / 1000, UTC))
        if found is None:
            return None
        found_ms = round(found.timestamp() * 1000)
        # When the clock goes back, an hour repeats. As in crontab(5), a schedule with a fixed
        # hour starts only once then; one with "*" or "*/n" as its hour starts in both hours.
        is_repeat = found.fold and not _is_hourly(self.cron)
        return self.first_from(found_ms + 1) if is_repeat else found_ms


def _is_hourly(trigger: CronTrigger) -> bool:
    return any(field.name == "hour" and str(field).startswith("*") for field in trigger.fields)


def cron(expression: str, timezone: str) -> CronTrigger:
    """Return the trigger for five crontab fields, evaluated in an IANA time zone.

    Days of the week count from Sunday (0 or 7), as in crontab(5); those of apscheduler count
    from Monday. If both day and day of the week are given, both must match. Raises ValueError.
    """
    fields = expression.split()
    if len(fields) != 5:
        raise ValueError('must have five fields, such as "0 17 * * mon-fri"')
    fields[4] = ",".join(_named(part) for part in fields[4].split(","))
    named = dict(zip(_FIELDS, fields, strict=True))
    for name, field in named.items():
        try:
            CronTrigger(**{name: field}, timezone=timezone)
        except (ValueError, KeyError):
            raise ValueError(f"has {field!r} as {_FIELDS[name]}") from None
    return CronTrigger(**named, timezone=timezone)


def _named(days: str) -> str:
    """Return one item of the fifth field, with names instead of numbers."""
    span, _, step = days.partition("/")
    first, _, last = span.partition("-")
    last = last or first
    if not (first.isdecimal() and last.isdecimal() and (step or "1").isdecimal()):
        return days
    if not 0 <= int(first) <= int(last) < len(_DAYS) or int(step or "1") < 1:
        raise ValueError(f"has {days!r} as days of the week, which go from 0 to 7")
    return ",".join(_DAYS[int(first) : int(last) + 1 : int(step or "1")])
