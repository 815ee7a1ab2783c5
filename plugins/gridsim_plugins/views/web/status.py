"""The status of a run in the API."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from gridsim.api import (
    BackfillStatus,
    Entry,
    EventStatus,
    FaultStatus,
    LatencySketch,
    Roster,
    RunStatus,
    Snapshot,
    TransportStatus,
)
from gridsim.version import __version__
from gridsim_plugins.views.web.models import (
    AccountItem,
    BackfillItem,
    EntriesAnswer,
    EntryItem,
    EventItem,
    FailureItem,
    FaultCounts,
    Frame,
    InstructionCounts,
    LedgerItem,
    SourceItem,
    StatusAnswer,
    TransportItem,
)
from gridsim_plugins.views.web.tables import rounded

_RATE_S = 5.0


class DeliveryRates:
    """The readings that each transport delivered per second, over the last 5 s."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, Mapping[str, int]]] = deque()
        self._rates: Mapping[str, float] = {}

    def note(self, status: RunStatus, now: float) -> None:
        """Add the counts of a moment of the monotonic clock. Called from one thread."""
        delivered = {one.name: one.delivered for one in status.transports}
        self._samples.append((now, delivered))
        while len(self._samples) > 2 and self._samples[1][0] <= now - _RATE_S:
            self._samples.popleft()
        then, before = self._samples[0]
        passed = now - then
        if passed > 0:
            self._rates = {
                name: max(number - before.get(name, 0), 0) / passed
                for name, number in delivered.items()
            }

    def of(self, name: str) -> float:
        """Return the rate of a transport."""
        return round(self._rates.get(name, 0.0), 1)

    @property
    def total(self) -> float:
        """The rate of all transports."""
        return round(sum(self._rates.values()), 1)


def frame_of(snapshot: Snapshot, rates: DeliveryRates) -> Frame:
    """Return the part of the status that changes with each tick."""
    return Frame(**_frame(snapshot, snapshot.status, rates))


def status_of(
    snapshot: Snapshot, status: RunStatus, roster: Roster, rates: DeliveryRates, pages: int
) -> StatusAnswer:
    """Return the whole status. `status` may be newer than the snapshot's; `pages` are open."""
    lag_p50_s, lag_p99_s = quantiles(status.lag)
    ledger = status.ledger
    return StatusAnswer(
        **_frame(snapshot, status, rates),
        ticks=status.ticks,
        tick_ms=status.tick_ms,
        start_ms=status.start_ms,
        seed=status.seed,
        timezone=status.timezone,
        version=__version__,
        pages=pages,
        projects=status.projects,
        devices=status.devices,
        types=sorted(status.output_kw),
        columns={
            "current_output": "kW",
            "current_soc": "%",
            "power_meter_measurement": "kW",
            **roster.columns,
        },
        readings=status.readings,
        elapsed_s=round(status.elapsed_s, 3),
        cpu_s=round(status.cpu_s, 3),
        worst_lag_s=round(status.worst_lag_s, 3),
        late_ticks=status.late_ticks,
        lag_p50_s=lag_p50_s or 0.0,
        lag_p99_s=lag_p99_s or 0.0,
        holding_up=status.holding_up,
        error=status.error,
        instructions=InstructionCounts(
            status.instructions.waiting, status.instructions.received, status.instructions.rejected
        ),
        faults=fault_counts(status.faults),
        transports=[_transport(one, rates) for one in status.transports],
        sources=[
            SourceItem(**{name: getattr(source, name) for name in SourceItem.__struct_fields__})
            for source in status.sources
        ],
        failures=[
            FailureItem(type=one.fleet, reason=one.reason, devices=one.devices)
            for one in status.failures
        ],
        ledger=None
        if ledger is None
        else LedgerItem(ledger.path, round(ledger.waited_s, 3), ledger.error),
        backfill=_backfill(status.backfill),
    )


def entries_after(
    entries: Sequence[Entry], number: int, limit: int, *, longest: int | None = None
) -> EntriesAnswer:
    """Return the newest entries above a number, the oldest first; `longest` cuts their texts."""
    newest = entries[-1].number if entries else -1
    items = [entry for entry in entries if entry.number > number][-limit:]
    return EntriesAnswer(
        next=newest + 1,
        missed=max(newest - number, 0) - len(items),
        items=[
            EntryItem(
                number=one.number,
                time_ms=one.time_ms,
                kind=one.kind,
                state=one.state,
                subject=one.subject[:longest],
                text=one.text[:longest],
                end_ms=one.end_ms,
            )
            for one in items
        ],
    )


def event_items(events: Sequence[EventStatus]) -> list[EventItem]:
    """Return the sums of the events."""
    names = EventItem.__struct_fields__
    return [EventItem(**{name: getattr(event, name) for name in names}) for event in events]


def account_items(transports: Sequence[TransportStatus]) -> list[AccountItem]:
    """Return the accounts of the transports, and whether they balance."""
    return [
        AccountItem(
            transport=one.name,
            accepted=one.accepted,
            delivered=one.delivered,
            dropped=dict(one.dropped),
            unconfirmed=one.unconfirmed,
            pending=one.pending,
            balanced=one.accepted
            == one.delivered + one.dropped_total + one.unconfirmed + one.pending,
        )
        for one in transports
    ]


def fault_counts(faults: FaultStatus | None) -> FaultCounts | None:
    """Return the counts of faults, in a run that has any."""
    if faults is None:
        return None
    return FaultCounts(**{name: getattr(faults, name) for name in FaultCounts.__struct_fields__})


def quantiles(sketch: LatencySketch) -> tuple[float | None, float | None]:
    """Return the median and the 99 % quantile in seconds; None if there is nothing."""
    if not sketch.buckets:
        return None, None
    return round(sketch.quantile(0.5), 6), round(sketch.quantile(0.99), 6)


def _frame(snapshot: Snapshot, status: RunStatus, rates: DeliveryRates) -> dict[str, Any]:
    entries = snapshot.entries
    return {
        "state": status.state,
        "time_ms": snapshot.time_ms,
        "wall_ms": time.time_ns() // 1_000_000,
        "tick": snapshot.tick,
        "speed": status.speed,
        "lag_s": round(status.behind_s, 3),
        "online": snapshot.online,
        "kw": {type: rounded(kw) for type, kw in snapshot.kw.items()},
        "load_kw": rounded(snapshot.load_kw),
        "net_kw": rounded(snapshot.net_kw),
        "baseline_kw": rounded(snapshot.baseline_kw),
        "target_kw": rounded(snapshot.target_kw),
        "delivered_kw": rounded(snapshot.delivered_kw),
        "violating": int(snapshot.sites.in_violation.sum()),
        "per_second": rates.total,
        "running_events": list(snapshot.running_events),
        "entries": entries[-1].number + 1 if entries else 0,
    }


def _backfill(backfill: BackfillStatus | None) -> BackfillItem | None:
    if backfill is None:
        return None
    left_s = backfill.left_s
    return BackfillItem(
        backfill.first,
        backfill.due,
        backfill.ended_at,
        round(backfill.speed, 1),
        None if left_s is None else round(left_s, 1),
        round(backfill.took_s, 1),
    )


def _transport(transport: TransportStatus, rates: DeliveryRates) -> TransportItem:
    settled_p50_s, settled_p99_s = quantiles(transport.settled)
    far_end_p50_s, far_end_p99_s = quantiles(transport.far_end)
    return TransportItem(
        name=transport.name,
        state=transport.state,
        error=transport.error,
        accepted=transport.accepted,
        delivered=transport.delivered,
        unconfirmed=transport.unconfirmed,
        pending=transport.pending,
        dropped=dict(transport.dropped),
        dropped_total=transport.dropped_total,
        reconnects=transport.reconnects,
        behind_s=round(transport.behind_s, 3),
        settled_p50_s=settled_p50_s,
        settled_p99_s=settled_p99_s,
        far_end_p50_s=far_end_p50_s,
        far_end_p99_s=far_end_p99_s,
        per_second=rates.of(transport.name),
        target=transport.target,
        hint=transport.hint,
    )
