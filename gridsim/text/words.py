"""Small pieces of text that several lines share."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo


def counted(n: int, what: str) -> str:
    """Return a count with its noun: "1 tick", "1,024 ticks"."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def site_time(time_ms: int, timezone: str) -> str:
    """Return a time by the site's clock, to the second: "2026-07-01 12:30:00-03:00"."""
    moment = datetime.fromtimestamp(time_ms // 1000, UTC).astimezone(ZoneInfo(timezone))
    return moment.isoformat(sep=" ")


def about_time(seconds: float) -> str:
    """Return a rough duration: "45 s", "12 min", "3.5 h", "2.1 d"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 129_600 else f"{seconds / 86_400:.1f} d"
