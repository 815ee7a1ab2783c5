"""Numbers, times and text from elsewhere, in the form that the panels show."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

_MINUTE = 60
_HOUR = 3600
_DAY = 86_400


def clean(text: str) -> str:
    """Return the text with control characters written as escapes, on one line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def power(kw: float) -> str:
    """Return a power in kW with its sign: "+1,234.50"; zero has the sign plus."""
    return f"{kw + 0.0 if abs(kw) >= 0.005 else 0.0:+,.2f}"


def share(part: float, whole: float) -> str:
    """Return a share in percent: "98.3 %"; "-" if the whole is not positive."""
    return f"{100.0 * part / whole:,.1f} %" if whole > 0.0 else "-"


def site_clock(time_ms: int, timezone: str) -> datetime:
    """Return a time by the site's clock."""
    return datetime.fromtimestamp(time_ms // 1000, UTC).astimezone(ZoneInfo(timezone))


def duration(seconds: float) -> str:
    """Return a duration for people: "45 s", "12 min 05 s", "3 h 20 min", "2 d 04 h"."""
    whole = max(round(seconds), 0)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02} min"
    return f"{whole // _DAY:,} d {whole % _DAY // _HOUR:02} h"


def delay(seconds: float) -> str:
    """Return a delay: "0.3 ms", "12 ms", "1.4 s", "2 min 05 s"."""
    ms = seconds * 1000
    if ms < 9.95:
        return f"{ms:.1f} ms"
    if ms < 999.5:
        return f"{ms:.0f} ms"
    return f"{seconds:.1f} s" if seconds < _MINUTE else duration(seconds)


def rate(per_second: float) -> str:
    """Return a rate per second: "480", "1.5", "0.20"."""
    digits = 0 if per_second >= 9.95 else 1 if per_second >= 0.95 else 2
    return f"{per_second:,.{digits if per_second else 0}f}"


def speed(factor: float) -> str:
    """Return a speed: "real time", "60x", "as fast as possible"."""
    if not factor:
        return "as fast as possible"
    return "real time" if factor == 1 else f"{factor:,g}x"
