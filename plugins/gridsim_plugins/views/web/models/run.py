"""The answers about the run: its status, transports, entries, events and checks."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from gridsim.api import RunState
from gridsim_plugins.views.web.models.common import Count, Kw


class Health(Struct, frozen=True):
    state: RunState
    ticking: bool
    """True also in a run that is paused."""
    backfilling: bool
    """True while the run makes up for the time before the present."""


class BackfillItem(Struct, frozen=True):
    """The backfill of a run: its ticks before the present, run as fast as possible."""

    first: Count
    due: Count
    """The number of ticks that are due by the wall clock."""
    ended_at: int | None
    """The first tick after it."""
    speed: float
    left_s: float | None
    took_s: float


class TransportItem(Struct, frozen=True):
    """A transport; accepted = delivered + dropped_total + unconfirmed + pending."""

    name: str
    state: str
    error: str
    accepted: Count
    delivered: Count
    unconfirmed: Count
    pending: Count
    dropped: dict[str, int]
    dropped_total: Count
    reconnects: Count
    behind_s: float
    settled_p50_s: float | None
    settled_p99_s: float | None
    far_end_p50_s: float | None
    far_end_p99_s: float | None
    per_second: float
    """Delivered readings, the mean of the last 5 s."""
    target: str
    hint: str


class SourceItem(Struct, frozen=True):
    name: str
    state: str
    error: str
    posted: Count
    refused: Count
    unanswerable: Count
    lost: Count
    unanswered: Count
    waiting: Count
    acknowledged: Count
    undelivered: Count
    reconnects: Count


class FailureItem(Struct, frozen=True):
    type: str
    reason: str
    devices: Count


class LedgerItem(Struct, frozen=True):
    path: str
    waited_s: float
    error: str


class InstructionCounts(Struct, frozen=True):
    waiting: Count
    received: Count
    rejected: Count


class FaultCounts(Struct, frozen=True):
    readings: Count
    affected: Count
    lost: Count
    late: Count
    altered: Count
    repeated: Count
    episodes: Count


class Frame(Struct, frozen=True):
    """The part of a run's status that changes with each tick."""

    state: RunState
    time_ms: int
    wall_ms: int
    tick: int
    speed: float
    lag_s: float
    online: Count
    kw: dict[str, float]
    load_kw: float
    net_kw: float
    baseline_kw: float
    target_kw: float
    delivered_kw: float
    violating: Count
    """The number of projects in violation."""
    per_second: float
    running_events: list[str]
    entries: Count


class StatusAnswer(Frame, frozen=True):
    """The status of the run."""

    ticks: int | None
    tick_ms: int
    start_ms: int
    seed: int
    timezone: str
    version: str
    pages: Count
    projects: Count
    devices: Count
    types: list[str]
    columns: dict[str, str]
    readings: Count
    elapsed_s: float
    cpu_s: float
    worst_lag_s: float
    late_ticks: Count
    lag_p50_s: float
    lag_p99_s: float
    holding_up: str
    error: str
    instructions: InstructionCounts
    faults: FaultCounts | None
    transports: list[TransportItem]
    sources: list[SourceItem]
    failures: list[FailureItem]
    ledger: LedgerItem | None
    backfill: BackfillItem | None


class HistoryAnswer(Struct, frozen=True):
    span: Literal["15m", "1d"]
    timezone: str
    """The clock of the site."""
    time_ms: list[int]
    kw: dict[str, list[Kw]]
    load_kw: list[Kw]
    net_kw: list[Kw]
    target_kw: list[Kw]
    delivered_kw: list[Kw]
    violating: list[Kw]
    """The mean number of projects in violation."""


class EntryItem(Struct, frozen=True):
    number: Count
    time_ms: int
    kind: Literal["event", "fault", "command", "failure"]
    state: str
    subject: str
    text: str
    end_ms: int | None


class EntriesAnswer(Struct, frozen=True):
    next: Count
    missed: Count
    items: list[EntryItem]


class EventItem(Struct, frozen=True):
    id: str
    times: Count
    projects: Count
    took_part: Count
    opted_out: Count
    superseded: Count
    interrupted: Count
    cancelled: Count
    in_violation: Count
    opted_out_in_violation: Count
    target_kwh: float
    delivered_kwh: float


class EventsAnswer(Struct, frozen=True):
    running: list[str]
    items: list[EventItem]


class ActiveFault(Struct, frozen=True):
    id: str
    since_ms: int
    text: str


class FaultsAnswer(Struct, frozen=True):
    counts: FaultCounts | None
    active: list[ActiveFault]


class AccountItem(Struct, frozen=True):
    transport: str
    accepted: Count
    delivered: Count
    dropped: dict[str, int]
    unconfirmed: Count
    pending: Count
    balanced: bool


class VerifyAnswer(Struct, frozen=True):
    accounts: list[AccountItem]
    settlements: list[EventItem]
    ledger: str | None
    command: str | None
