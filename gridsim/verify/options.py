"""The options of `gridsim verify`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from typing import cast, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from gridsim.contracts.hints import did_you_mean
from gridsim.errors import UsageError
from gridsim.helpers.tables import Decimal
from gridsim.running.plan import Options


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """The options of the command line."""

    ledger: Path
    files: tuple[str, ...] = ()
    subscribe: Options | None = None
    """The configuration of the transport to subscribe to."""
    quiet_s: float = 2.0
    transport: str | None = None
    fields: tuple[str, ...] = ()
    received_at: str | None = None
    unordered: bool = False
    expect: Path | None = None
    tolerance_kwh: float = 0.01
    tolerance_s: float = 1.0
    tolerate: int = 0
    loose: bool = False
    """In JSON, values may be written as text."""
    time_tolerance_s: float = 0.0
    """The difference of time that is permitted if it cannot confuse two readings."""
    assume_zone: str | None = None
    """The time zone of times without an offset; None: UTC."""
    decimal: str | None = None
    """The decimal mark of CSV; None: it is recognised."""
    arrival_only: bool = False
    """The user's data has no values, only which readings arrived."""
    copies: bool = True
    """False: copies of readings that a fault made need not be in the user's data."""
    html: Path | None = None
    """The file for a page with pictures."""


def check(options: VerifyOptions) -> None:
    """Raise UsageError if options are missing, contradict each other or are out of range."""
    if options.subscribe is None and not options.files and options.expect is None:
        raise UsageError(
            "gridsim verify: error: give files to compare (- is standard input), "
            "--subscribe, or --expect"
        )
    if options.subscribe is not None and options.files:
        raise UsageError("gridsim verify: error: give files or --subscribe, not both")
    if options.subscribe is not None and options.received_at is not None:
        raise UsageError(
            "--received-at: error: needs files; with --subscribe, verify records the time itself"
        )
    for flag, value in (
        ("--quiet", options.quiet_s),
        ("--time-tolerance", options.time_tolerance_s),
        ("--tolerance-kwh", options.tolerance_kwh),
        ("--tolerance-s", options.tolerance_s),
        ("--tolerate", options.tolerate),
    ):
        if not 0 <= value < 1e9:
            raise UsageError(f"{flag}: error: {value:g} is not in the range 0 to a billion")


def zone_of(name: str | None) -> tzinfo:
    """Return the time zone of times without an offset. Raises UsageError."""
    if name is None:
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        hint = did_you_mean(name, available_timezones())
        raise UsageError(
            f"--assume-zone: error: {name!r} is not the name of a time zone, "
            f"such as Europe/Berlin{hint}"
        ) from None


def decimal_of(mark: str | None) -> Decimal | None:
    """Return the decimal mark of CSV. Raises UsageError."""
    if mark is None:
        return None
    for known in get_args(Decimal):
        if mark == known:
            return cast("Decimal", known)
    raise UsageError(f"--decimal: error: {mark!r} is neither '.' nor ','")
