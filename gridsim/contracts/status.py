"""The status of a run: a frozen record that converts to JSON and merges over shards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, TypeVar

from gridsim.contracts.latency import LatencySketch
from gridsim.contracts.part_status import (
    BackfillStatus,
    CheckpointStatus,
    EventStatus,
    FaultStatus,
    InstructionStatus,
    LedgerStatus,
    ResumeStatus,
    SourceStatus,
    TransportStatus,
    ViewStatus,
)
from gridsim.contracts.results import FleetFailure

RunState = Literal["new", "starting", "running", "paused", "stopping", "ended"]
_ORDER: tuple[RunState, ...] = ("new", "starting", "running", "paused", "stopping", "ended")

_NO_LATENCIES = LatencySketch()
_NO_INSTRUCTIONS = InstructionStatus()


C = TypeVar("C", InstructionStatus, FaultStatus)
M = TypeVar("M", TransportStatus, EventStatus)
P = TypeVar("P", LedgerStatus, CheckpointStatus, ResumeStatus)


@dataclass(frozen=True, slots=True)
class RunStatus:
    """The state of a run at one moment.

    `to_dict` gives plain data for JSON; `merge` adds up the shards of one run.
    """

    state: RunState
    start_ms: int
    """The simulation's start, UTC."""
    tick_ms: int
    ticks: int | None
    """The number of ticks of the whole run; None if it has no end."""
    tick: int
    """The number of completed ticks; also the index of the next tick."""
    speed: float
    seed: int
    projects: int = 0
    devices: int = 0
    readings: int = 0
    """The number of readings that left the simulation."""
    elapsed_s: float = 0.0
    """The real time since the first tick."""
    cpu_s: float = 0.0
    """The processor time since the first tick."""
    stepping_s: float = 0.0
    """The real time spent in the models."""
    late_ticks: int = 0
    worst_lag_s: float = 0.0
    behind_s: float = 0.0
    """The time since the next tick was due; 0 if it is not due yet."""
    wake_s: float = 0.0
    """The real time from wake-up to wake-up; 0 at speed 0, which has no rate."""
    lag: LatencySketch = _NO_LATENCIES
    """The delays of the last 10,000 ticks."""
    holding_up: str = ""
    """The plugin that has blocked the current tick for at least two tick intervals; else empty."""
    ticking: bool = True
    """False before the first tick and after the last, and if none has ended for two intervals and
    at least 2 s. A run that is paused, or that has the manual clock, is not waiting for a tick."""
    output_kw: Mapping[str, float] = field(default_factory=dict)
    """The sum of the last reported `current_output` by reported type."""
    load_kw: float = 0.0
    """The sum of the last reported gross loads."""
    instructions: InstructionStatus = _NO_INSTRUCTIONS
    events: tuple[EventStatus, ...] = ()
    """The events with at least one settlement."""
    faults: FaultStatus | None = None
    """None in a run without faults."""
    transports: tuple[TransportStatus, ...] = ()
    sources: tuple[SourceStatus, ...] = ()
    failures: tuple[FleetFailure, ...] = ()
    """The fleets and faults that were disabled."""
    clipped: Mapping[str, int] = field(default_factory=dict)
    """The number of values beyond the bounds of their devices, by DER type and column."""
    fuse_overloads: Mapping[str, int] = field(default_factory=dict)
    """The number of ticks in which the main fuse was exceeded, by project."""
    ledger: LedgerStatus | None = None
    error: str = ""
    """The reason why the run ended early; else empty."""
    timezone: str = "UTC"
    """The IANA name of the clock of `[site]`."""
    views: tuple[ViewStatus, ...] = ()
    checkpoint: CheckpointStatus | None = None
    """None: the run keeps none."""
    resumed: ResumeStatus | None = None
    """None: the run was not resumed."""
    backfill: BackfillStatus | None = None
    """None: the run began at the present, or does not go on live."""

    @property
    def time_ms(self) -> int:
        """The simulated time of the next tick, UTC."""
        return self.start_ms + self.tick * self.tick_ms

    @property
    def is_backfilling(self) -> bool:
        """True while the run makes up for the time before the present."""
        return self.backfill is not None and self.backfill.ended_at is None

    @property
    def net_kw(self) -> float:
        """The net consumption of all projects."""
        return self.load_kw - sum(self.output_kw.values())

    def to_dict(self) -> dict[str, Any]:
        """Return the record as dicts, lists, numbers and strings."""
        record = asdict(self)
        for one in (record, *record["transports"]):
            for name, sketch in one.items():
                if isinstance(sketch, dict) and sketch.keys() == {"buckets"}:
                    buckets = {str(bucket): n for bucket, n in sketch["buckets"].items()}
                    one[name] = {"buckets": buckets}
        record.update(time_ms=self.time_ms, net_kw=self.net_kw)
        return record

    def merge(self, other: RunStatus) -> RunStatus:
        """Merge the status of two shards, which have other projects of the same run.

        Counts are added, and of delays and late ticks the larger is taken. An instruction to the
        whole fleet counts once for each shard, and an occurrence of an event that only the other
        shard has settled is not in `times`: the driver of the shards knows both.

        Raises ValueError if the two are not shards of the same run.
        """
        same = ("start_ms", "tick_ms", "ticks", "seed")
        for name in same:
            if getattr(self, name) != getattr(other, name):
                raise ValueError(f"cannot merge the status of two runs: {name} differs")
        return replace(
            self,
            state=min(self.state, other.state, key=_ORDER.index),
            tick=min(self.tick, other.tick),
            projects=self.projects + other.projects,
            devices=self.devices + other.devices,
            readings=self.readings + other.readings,
            elapsed_s=max(self.elapsed_s, other.elapsed_s),
            cpu_s=self.cpu_s + other.cpu_s,
            stepping_s=self.stepping_s + other.stepping_s,
            late_ticks=max(self.late_ticks, other.late_ticks),
            worst_lag_s=max(self.worst_lag_s, other.worst_lag_s),
            behind_s=max(self.behind_s, other.behind_s),
            wake_s=max(self.wake_s, other.wake_s),
            lag=self.lag + other.lag,
            holding_up=self.holding_up or other.holding_up,
            ticking=self.ticking and other.ticking,
            output_kw=_summed(self.output_kw, other.output_kw),
            load_kw=_kw(self.load_kw + other.load_kw),
            instructions=_added(self.instructions, other.instructions),
            events=_merged(self.events, other.events, "id"),
            faults=_both(self.faults, other.faults),
            transports=_merged(self.transports, other.transports, "name"),
            sources=(*self.sources, *other.sources),
            views=(*self.views, *other.views),
            failures=_failures((*self.failures, *other.failures)),
            clipped=dict(Counter(self.clipped) + Counter(other.clipped)),
            fuse_overloads=dict(Counter(self.fuse_overloads) + Counter(other.fuse_overloads)),
            error=self.error or other.error,
            ledger=_either(self.ledger, other.ledger),
            checkpoint=_either(self.checkpoint, other.checkpoint),
            resumed=_either(self.resumed, other.resumed),
            backfill=_longer(self.backfill, other.backfill),
        )


def _summed(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    kinds = sorted({*one, *other})
    return {kind: _kw(one.get(kind, 0.0) + other.get(kind, 0.0)) for kind in kinds}


def _kw(power: float) -> float:
    """Return a sum of hundredths of a kW without the error of the addition."""
    return round(power, 2) + 0.0


def _added(one: C, other: C) -> C:
    """Add two records field by field."""
    sums = {f.name: getattr(one, f.name) + getattr(other, f.name) for f in fields(one)}
    return replace(one, **sums)


def _both(one: FaultStatus | None, other: FaultStatus | None) -> FaultStatus | None:
    if one is None or other is None:
        return one or other
    return _added(one, other)


def _longer(one: BackfillStatus | None, other: BackfillStatus | None) -> BackfillStatus | None:
    """Return the backfill that goes on, or that ended later."""
    both = [part for part in (one, other) if part is not None]
    return max(both, key=lambda part: (part.ended_at is None, part.took_s), default=None)


def _either(one: P | None, other: P | None) -> P | None:
    if one is None or other is None:
        return one or other
    return one.merge(other)


def _failures(every: Iterable[FleetFailure]) -> tuple[FleetFailure, ...]:
    """Return the failures; those of a plugin in the same tick of several shards are one."""
    sums: dict[tuple[str, str, int], FleetFailure] = {}
    for one in every:
        key = one.fleet, one.fault, one.tick
        before = sums.get(key)
        sums[key] = one if before is None else replace(before, devices=before.devices + one.devices)
    return tuple(sums.values())


def _merged(one: tuple[M, ...], other: tuple[M, ...], key: str) -> tuple[M, ...]:
    """Return the records of both, merging those with the same key."""
    merged = {getattr(record, key): record for record in one}
    for record in other:
        known = merged.get(getattr(record, key))
        merged[getattr(record, key)] = record if known is None else known.merge(record)
    return tuple(merged.values())
