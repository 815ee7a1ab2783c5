"""The text of a run's status: one line while it runs, and its totals at the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gridsim.contracts.part_status import EventStatus, SourceStatus, TransportStatus
from gridsim.contracts.status import RunStatus
from gridsim.running.pace import behind_now, is_held, shortfall_lines
from gridsim.text.backfill import backfill_end_lines, backfill_text
from gridsim.text.events import totals_text
from gridsim.text.resumption import gap_lines
from gridsim.text.words import counted, site_time

_WAITING = {
    "transport": "the readings of this transport",
    "source": "the commands of this source",
    "view": "the other views",
}


def live_line(status: RunStatus) -> str:
    """Return one line about a run in progress."""
    parts = [f"tick {status.tick:,}", site_time(status.time_ms, status.timezone)]
    for transport in status.transports:
        text = f"{transport.name} {transport.delivered:,} delivered"
        if transport.pending:
            text += f", {transport.pending:,} pending"
        lost = transport.dropped_total + transport.unconfirmed
        if lost:
            text += f", {lost:,} lost"
        if transport.hanging:
            text += f" ({transport.hanging} hangs)"
        elif transport.state == "connecting" and transport.error:
            text += " (retrying)"
        elif transport.state != "up":
            text += f" ({transport.state})"
        parts.append(text)
    if status.wake_s:
        parts.append(f"lag {status.lag.quantile(0.5) * 1000:.1f} ms")
    parts.append(", ".join(f"{kind} {kw:+,.2f} kW" for kind, kw in status.output_kw.items()))
    if backfill := backfill_text(status):
        parts.insert(2, backfill)
    behind = behind_now(status)
    if behind:
        parts.insert(2, f"BEHIND: {behind}")
    return " | ".join(parts)


def hanging_lines(
    before: Mapping[str, str], now: Mapping[str, str], limit_s: float
) -> Iterator[str]:
    """Yield a line for each transport, source and view that hangs now and did not hang before.

    See `Run.hanging` for the mappings; `limit_s` is the time after which a plugin hangs.
    """
    for name, method in now.items():
        if before.get(name) != method:
            kind = name.split()[0]
            yield (
                f"{name} hangs: no progress in {method}() for {limit_s:g} s. The run continues, "
                f"and {_WAITING[kind]} wait"
            )


def closing_lines(status: RunStatus) -> Iterator[str]:
    """Yield the totals of the run and the account of every transport."""
    for event in status.events:
        yield event_line(event)
    yield (
        f"{counted(status.tick, 'tick')} and {counted(status.readings, 'reading')} "
        f"in {status.elapsed_s:.1f} s, "
        f"CPU {100 * status.cpu_s / max(status.elapsed_s, 1e-9):.0f} %"
    )
    if status.wake_s:
        yield (
            f"tick lag p50 {status.lag.quantile(0.5) * 1000:.1f} ms, "
            f"p99 {status.lag.quantile(0.99) * 1000:.1f} ms, "
            f"worst {status.worst_lag_s * 1000:.1f} ms; "
            f"{counted(status.late_ticks, 'late tick')} caught up"
        )
    if status.ticks and status.tick < status.ticks and _all_failed(status):
        yield (
            f"the run ended at tick {status.tick:,} of {status.ticks:,}, "
            "because every transport had failed"
        )
    yield from backfill_end_lines(status)
    for failure in status.failures:
        yield (f"{failure.fleet}: {failure.effect} at tick {failure.tick}: {failure.reason}")
    for column, values in status.clipped.items():
        yield f"clipped to the bounds of the devices: {counted(values, 'value')} of {column}"
    if status.fuse_overloads:
        ticks = sum(status.fuse_overloads.values())
        yield (
            f"main fuses exceeded: {counted(len(status.fuse_overloads), 'project')}, "
            f"{counted(ticks, 'tick')} of projects"
        )
    faults = status.faults
    if faults is not None:
        yield (
            f"faults affected {faults.affected:,} of {counted(faults.readings, 'reading')}: "
            f"{faults.lost:,} lost, {faults.late:,} late, {faults.altered:,} in altered messages, "
            f"{faults.repeated:,} repeated"
        )
    for transport in status.transports:
        yield account_line(transport)
        if status.wake_s and len(transport.settled):
            yield f"{transport.name}: {_lags(transport)}"
    yield from (
        source_line(source)
        for source in status.sources
        if source.posted or source.refused or source.lost or source.undelivered
    )
    if not is_held(status):
        yield from shortfall_lines(status)
    yield from gap_lines(status)
    ledger = status.ledger
    if ledger is not None:
        waited = f"; the run waited {ledger.waited_s:.1f} s for it"
        named = "incomplete" if ledger.error else ledger.path
        yield f"ledger: {named}{waited if ledger.waited_s >= 0.05 else ''}"


def _all_failed(status: RunStatus) -> bool:
    return bool(status.transports) and all(one.state == "failed" for one in status.transports)


def account_line(transport: TransportStatus) -> str:
    """Return the account of one transport, in readings."""
    dropped = ", ".join(f"{n:,} {reason}" for reason, n in sorted(transport.dropped.items()))
    earlier = f" ({transport.earlier:,} of earlier runs)" if transport.earlier else ""
    kept = f" (kept in {transport.spool})" if transport.spool and transport.pending else ""
    return (
        f"{transport.name}: {transport.accepted:,} accepted{earlier} = "
        f"{transport.delivered:,} delivered + "
        f"{transport.dropped_total:,} dropped{f' ({dropped})' if dropped else ''} + "
        f"{transport.unconfirmed:,} unconfirmed + {transport.pending:,} pending{kept}"
    )


def earlier_lines(status: RunStatus) -> Iterator[str]:
    """Yield a line for each transport whose spool has readings of earlier runs."""
    for transport in status.transports:
        if transport.earlier:
            yield (
                f"{transport.name}: {counted(transport.earlier, 'reading')} of earlier runs in "
                f"{transport.spool} to send first"
            )


def source_line(source: SourceStatus) -> str:
    """Return the account of one source, in instructions."""
    parts = [f"{counted(source.posted, 'instruction')} received"]
    if source.refused:
        silent = f", {source.unanswerable:,} without an answer" if source.unanswerable else ""
        parts.append(f"{source.refused:,} refused because too many were waiting{silent}")
    if source.lost:
        parts.append(f"{source.lost:,} dropped unread")
    if source.unanswered:
        parts.append(f"{source.unanswered:,} not carried out before the run ended")
    if source.undelivered:
        parts.append(f"{source.undelivered:,} acknowledgements not handed over")
    return f"commands by {source.name}: {', '.join(parts)}"


def _lags(transport: TransportStatus) -> str:
    settled, far_end = transport.settled, transport.far_end
    text = (
        f"confirmed p50 {settled.quantile(0.5) * 1000:.1f} ms, "
        f"p99 {settled.quantile(0.99) * 1000:.1f} ms after its tick"
    )
    if len(far_end):
        text += (
            f"; broker lag p50 {far_end.quantile(0.5) * 1000:.1f} ms, "
            f"p99 {far_end.quantile(0.99) * 1000:.1f} ms"
        )
    return text


def event_line(event: EventStatus) -> str:
    """Return the outcome of an event so far."""
    projects = counted(event.projects, "project")
    name, by = f"event {event.id}", projects
    if event.times > 1:
        name += f", {event.times:,} times"
        by = f"{projects} in {counted(event.took_part, 'turn')}"
    return f"{name}: {totals_text(event, by)}"
