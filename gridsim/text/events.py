"""Sentences about events."""

from __future__ import annotations

from collections.abc import Iterator

from gridsim.contracts.part_status import EventStatus
from gridsim.contracts.results import EventChange, EventTotals
from gridsim.text.words import counted, site_time

_MS_PER_HOUR = 3_600_000


def change_line(change: EventChange, timezone: str) -> str:
    """Return one line about a change of an event, with times by the site's clock."""
    if change.kind == "announced":
        text = _announced(change, timezone)
    elif change.kind == "begins":
        text = _begins(change)
    elif change.kind == "cancelled" and not change.totals.took_part:
        text = f"cancelled before it began, {_count(change.projects + change.opted_out)}"
    else:
        text = f"{change.kind}, {totals_text(change.totals)}"
    return f"event {change.event}: {text}"


def change_lines(change: EventChange, timezone: str) -> Iterator[str]:
    """Yield the line about a change of an event, and lines about projects that fell short."""
    yield change_line(change, timezone)
    for own in change.worst:
        yield (
            f"event {change.event}: {own.project_id} fell short by {own.missing_kwh:,.2f} kWh "
            f"({own.reason})"
        )
    more = change.short - len(change.worst)
    if more > 0:
        yield f"event {change.event}: {more:,} more fell short; the ledger has their reasons"


def totals_text(totals: EventTotals | EventStatus, by: str = "") -> str:
    """Return the outcome of an event; `by` replaces the number of projects that took part."""
    parts = [by or _count(totals.took_part)]
    if totals.target_kwh:
        kwh = f"{totals.delivered_kwh:,.2f} of {totals.target_kwh:,.2f} kWh"
        parts = [f"{kwh} delivered by {parts[0]}"]
    if totals.target_kwh or totals.in_violation:
        parts.append(f"{totals.in_violation:,} in violation")
    if totals.opted_out_in_violation:
        parts[-1] += f" ({totals.opted_out_in_violation:,} of them opted out)"
    for count, outcome in (
        (totals.opted_out, "opted out"),
        (totals.superseded, "superseded"),
        (totals.cancelled, "cancelled"),
        (totals.interrupted, "interrupted"),
    ):
        if count:
            parts.append(f"{count:,} {outcome}")
    return ", ".join(parts)


def lasting(ms: int) -> str:
    """Return a duration in the largest unit in which it is a whole number."""
    for unit_ms, unit in ((24 * _MS_PER_HOUR, "d"), (_MS_PER_HOUR, "h"), (60_000, "min")):
        if ms % unit_ms == 0:
            return f"{ms // unit_ms:,} {unit}"
    return f"{ms / 1000:.10g} s"


def _announced(change: EventChange, timezone: str) -> str:
    return (
        f"announced for {site_time(change.start_ms, timezone)}, {lasting(change.notice_ms)} ahead, "
        f"to {_count(change.projects + change.opted_out)}"
    )


def _begins(change: EventChange) -> str:
    parts = [f"begins, {lasting(change.duration_ms)}"]
    if change.randomize_ms:
        parts.append(f"each project up to {lasting(change.randomize_ms)} later")
    parts.append(_count(change.projects))
    if change.opted_out:
        parts.append(f"{change.opted_out:,} opted out")
    if change.reduces:
        parts.append(f"target {change.target_kw:,.2f} kW")
    for limit, what in ((change.export_limit_kw, "export"), (change.import_limit_kw, "import")):
        if limit is not None:
            parts.append(f"{what} limit {limit:g} kW each")
    return ", ".join(parts)


def _count(projects: int) -> str:
    return counted(projects, "project")
