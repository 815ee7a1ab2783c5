"""The status of each part of a run, such as its transports, sources and events."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Literal

from gridsim.contracts.latency import LatencySketch

_NO_LATENCIES = LatencySketch()
_STATES = ("closed", "up", "connecting", "reader gone", "failed")
"""The states of transports; several shards have the last one of these."""
_SHARD = re.compile(r"\d+-of-\d+")


@dataclass(frozen=True, slots=True)
class TransportStatus:
    """One transport: its account in readings, and where its time goes in seconds.

    accepted = delivered + dropped + unconfirmed + pending, at all times.
    """

    name: str
    state: str
    error: str = ""
    """The reason of the last failure; empty if there was none since the last success."""
    ever_connected: bool = False
    accepted: int = 0
    delivered: int = 0
    unconfirmed: int = 0
    pending: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    """The counts of dropped readings by reason."""
    earlier: int = 0
    """The part of `accepted` that earlier runs left in the spool."""
    spool: str = ""
    """The file that keeps pending readings for the next run; empty: nothing keeps them."""
    reconnects: int = 0
    behind_s: float = 0.0
    """The age of the oldest batch that is not settled."""
    batches: int = 0
    """The number of settled batches among the last 10,000."""
    late_batches: int = 0
    """The batches that were not settled when the next wake-up came."""
    settled: LatencySketch = _NO_LATENCIES
    """The durations from a tick to the confirmation of its batch."""
    far_end: LatencySketch = _NO_LATENCIES
    """The response times of the far end, if the transport measures them."""
    encoding_s: float = 0.0
    computing_s: float = 0.0
    waiting_s: float = 0.0
    at_most_once: bool = False
    """True if readings that are under way when the connection is lost are not sent again."""
    on_full_set: bool = False
    """True if the configuration sets `on_full`, so that its drops are intended."""
    hanging: str = ""
    """The plugin's method that has made no progress for `hang_timeout_s`; else empty."""
    target: str = ""
    """The target of the readings, as `Transport.describe` gives it."""
    hint: str = ""
    """A shell command that shows the received data; empty if there is none."""

    @property
    def dropped_total(self) -> int:
        return sum(self.dropped.values())

    def merge(self, other: TransportStatus) -> TransportStatus:
        """Merge the status of a transport in two shards, which have other readings.

        The state is the worse one, and the late batches are those of the shard with more of them.
        """
        late = max((self, other), key=lambda one: one.late_batches / max(one.batches, 1))
        return replace(
            self,
            state=max(self.state, other.state, key=_place_of_state),
            error=self.error or other.error,
            ever_connected=self.ever_connected and other.ever_connected,
            accepted=self.accepted + other.accepted,
            delivered=self.delivered + other.delivered,
            unconfirmed=self.unconfirmed + other.unconfirmed,
            pending=self.pending + other.pending,
            dropped=dict(Counter(self.dropped) + Counter(other.dropped)),
            earlier=self.earlier + other.earlier,
            reconnects=self.reconnects + other.reconnects,
            behind_s=max(self.behind_s, other.behind_s),
            batches=late.batches,
            late_batches=late.late_batches,
            settled=self.settled + other.settled,
            far_end=self.far_end + other.far_end,
            encoding_s=self.encoding_s + other.encoding_s,
            computing_s=self.computing_s + other.computing_s,
            waiting_s=self.waiting_s + other.waiting_s,
            at_most_once=self.at_most_once and other.at_most_once,
            on_full_set=self.on_full_set and other.on_full_set,
            hanging=self.hanging or other.hanging,
            spool=_common(self.spool, other.spool),
            target=_common(self.target, other.target),
            # A pattern of the shell: the files of all shards.
            hint=_common(self.hint, other.hint).replace("{shard}", "*"),
        )


@dataclass(frozen=True, slots=True)
class BackfillStatus:
    """The backfill of a run: its ticks before the present, run as fast as possible."""

    first: int
    """The first tick of it."""
    due: int
    """The number of ticks that are due by the wall clock now; once it has ended, `ended_at`."""
    ended_at: int | None = None
    """The first tick after it; None while it goes on."""
    speed: float = 0.0
    """The simulated time per real time: the mean of the last 30 s, or of all once it has ended."""
    left_s: float | None = None
    """The estimated real time until it ends; None if it does not come nearer to the present."""
    took_s: float = 0.0
    """The real time since it began, or that it took."""


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One source of instructions."""

    name: str
    state: str
    error: str = ""
    posted: int = 0
    """The instructions that went into the run's inbox."""
    refused: int = 0
    """The instructions for which there was no room."""
    unanswerable: int = 0
    """The part of `refused` that was not answered, because there were too many."""
    lost: int = 0
    """The instructions that arrived and were dropped unread."""
    unanswered: int = 0
    """The posted instructions without an answer so far."""
    waiting: int = 0
    """The acknowledgements that wait to be handed over."""
    acknowledged: int = 0
    """The acknowledgements that were handed over."""
    undelivered: int = 0
    """The acknowledgements that were abandoned, or that the far end refused."""
    reconnects: int = 0
    hanging: str = ""
    """The plugin's method that has not returned for `hang_timeout_s`; else empty."""


@dataclass(frozen=True, slots=True)
class ViewStatus:
    """One view."""

    name: str
    state: Literal["starting", "up", "disabled", "closed"]
    error: str = ""
    """The reason why the view is disabled; else empty."""
    where: str = ""
    """The place where the view is seen, such as an address; empty if there is nothing to say."""
    hanging: str = ""
    """The method that has not returned for `hang_timeout_s`; else empty."""


@dataclass(frozen=True, slots=True)
class InstructionStatus:
    """The instructions of a run so far."""

    waiting: int = 0
    """The number that waits for the next tick."""
    received: int = 0
    """The number that reached a tick."""
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class EventStatus:
    """One demand-response event so far: sums over the projects whose participation is over."""

    id: str
    times: int = 0
    """The number of occurrences with at least one settlement."""
    projects: int = 0
    """The number of projects that took part at least once."""
    took_part: int = 0
    """The number of settlements, one per project and occurrence, without those opted out."""
    opted_out: int = 0
    superseded: int = 0
    interrupted: int = 0
    cancelled: int = 0
    in_violation: int = 0
    """The number of settlements with a violation, those opted out included."""
    opted_out_in_violation: int = 0
    target_kwh: float = 0.0
    delivered_kwh: float = 0.0

    def merge(self, other: EventStatus) -> EventStatus:
        """Add the sums of another shard, which has other projects."""
        sums = {
            f.name: getattr(self, f.name) + getattr(other, f.name)
            for f in fields(self)
            if f.name not in ("id", "times")
        }
        return replace(self, times=max(self.times, other.times), **sums)


@dataclass(frozen=True, slots=True)
class FaultStatus:
    """The readings that faults affected so far."""

    readings: int = 0
    """The number of readings that the devices produced."""
    affected: int = 0
    lost: int = 0
    late: int = 0
    altered: int = 0
    repeated: int = 0
    episodes: int = 0
    """The number of faults that have ended, counted per device."""


@dataclass(frozen=True, slots=True)
class LedgerStatus:
    """The ledger of a run."""

    path: str
    waited_s: float
    """The time that the run has waited for the ledger."""
    error: str = ""
    """The reason why the ledger is incomplete; else empty."""

    def merge(self, other: LedgerStatus) -> LedgerStatus:
        """Return the status of the ledgers of two shards."""
        waited_s = max(self.waited_s, other.waited_s)
        return LedgerStatus(_common(self.path, other.path), waited_s, self.error or other.error)


@dataclass(frozen=True, slots=True)
class ResumeStatus:
    """The recovery of a run that was killed and resumed."""

    tick: int
    """The tick of the checkpoint, from which ticks are stepped again."""
    handed_on: int
    """The first tick that the killed run did not hand to its transports."""
    present: int
    """The first tick that was due after the resumption; earlier ones were missed."""
    on_recovery: str
    """Either "skip" or "republish"."""
    again: int = 0
    """The readings so far of ticks that had been handed to the transports."""
    missed: int = 0
    """The readings so far of ticks that were missed while the run was down."""
    lost: int = 0
    """The readings of before the checkpoint that still waited to be sent, or whose fate was not
    known yet; counted for each transport."""
    caught_up: bool = False
    """True once the missed ticks have been stepped."""
    replaced: int = 0
    """The number of times that the driver of shards has made a lost shard again."""
    earlier: int = 0
    """The readings that lost shards had delivered at least, by their last reports; counted for each
    transport. They are not in the counts of the transports."""

    def merge(self, other: ResumeStatus) -> ResumeStatus:
        """Add the readings of another shard that was resumed."""
        return ResumeStatus(
            tick=min(self.tick, other.tick),
            handed_on=min(self.handed_on, other.handed_on),
            present=max(self.present, other.present),
            on_recovery=self.on_recovery,
            again=self.again + other.again,
            missed=self.missed + other.missed,
            lost=self.lost + other.lost,
            caught_up=self.caught_up and other.caught_up,
            replaced=self.replaced + other.replaced,
            earlier=self.earlier + other.earlier,
        )


@dataclass(frozen=True, slots=True)
class CheckpointStatus:
    """The checkpoints of a run."""

    path: str
    tick: int
    """The tick of the newest checkpoint."""
    error: str = ""
    """The reason why the last one could not be written; else empty."""

    def merge(self, other: CheckpointStatus) -> CheckpointStatus:
        """Return the status of the checkpoints of two shards; the tick is that of the older."""
        tick = min(self.tick, other.tick)
        return CheckpointStatus(_common(self.path, other.path), tick, self.error or other.error)


def _place_of_state(state: str) -> int:
    return _STATES.index(state) if state in _STATES else len(_STATES)


def _common(one: str, other: str) -> str:
    """Return the text of two shards, with `{shard}` in the place of their names."""
    if one == other:
        return one
    names = [_SHARD.sub("{shard}", text) for text in (one, other)]
    return names[0] if names[0] == names[1] else ", ".join(filter(None, (one, other)))
