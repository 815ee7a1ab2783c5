"""Events, faults and transports of a run, in the form that the pictures need."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gridsim.api import Floats
from gridsim.ledger.columns import Ints
from gridsim.ledger.reader import Reader
from gridsim.report.bins import Bins
from gridsim.report.series import Called

EVENTS = 12
"""The number of events that get their own picture."""
_EVENT_BINS = 240
_SHORT = 10
_MS_PER_HOUR = 3_600_000
FATES = ("delivered", "unconfirmed", "dropped", "pending")
"""The fates of a reading; pending: the ledger has none."""


@dataclass(frozen=True, slots=True, eq=False)
class EventPicture:
    """One occurrence of an event, over the projects that took part."""

    event: str
    start_ms: int
    end_ms: int
    projects: int
    opted_out: int
    violations: int
    """The number of projects with a violation, those that opted out included."""
    target_kwh: float
    delivered_kwh: float
    called: Called
    target_kw: Floats
    """The target in each interval, summed over the projects that are called then."""
    in_violation: Ints
    """The number of projects in violation in each interval."""
    short: Sequence[tuple[str, float, float, str]]
    """The projects that missed the most energy: id, target and delivered kWh, and the reason."""

    @property
    def reduces(self) -> bool:
        """True if the event calls for a reduction, and does not only set limits."""
        return self.target_kwh > 0


@dataclass(frozen=True, slots=True, eq=False)
class FaultStrip:
    """The times at which a fault affected devices."""

    fault: str
    type: str
    devices: int
    episodes: int
    affected: Ints
    """The number of devices that it affects in each interval of the run."""


@dataclass(frozen=True, slots=True, eq=False)
class TransportAccount:
    """The fates of the readings at one transport."""

    name: str
    totals: dict[str, int]
    """The readings of each fate; accepted is their sum."""
    reasons: dict[str, int]
    """The readings that were dropped, by reason."""
    retries: int
    by_time: dict[str, Ints]
    """The readings of each fate in each interval of the run."""

    @property
    def accepted(self) -> int:
        return sum(self.totals.values())


def read_events(reader: Reader) -> list[EventPicture]:
    """Return the events that have settlements, in the order of their starts."""
    rows = reader.rows(
        "SELECT s.event, s.settlement, s.project, p.project_id, s.start_ms, s.end_ms, s.ending, "
        "s.target_kw, s.delivered_kwh, s.reason FROM settlements s JOIN projects p USING (project) "
        "ORDER BY s.settlement"
    )
    spans: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for settlement, start, end in reader.rows(
        "SELECT settlement, start_ms, end_ms FROM violations"
    ):
        spans[settlement].append((start, end))
    by_event: dict[str, list[_Settled]] = defaultdict(list)
    for event, settlement, *others in rows:
        others.append(tuple(spans[settlement]))
        by_event[event].append(_Settled(*others))
    found = [_picture(event, own, reader.meta["tick_ms"]) for event, own in by_event.items()]
    return sorted(found, key=lambda one: one.start_ms)


def read_faults(reader: Reader, bins: Bins) -> list[FaultStrip]:
    """Return the faults that affected a device, in the order of the ledger."""
    rows = reader.rows(
        "SELECT f.id, f.type, e.device, e.start_ms, e.end_ms FROM episodes e "
        "JOIN faults f USING (fault) ORDER BY f.fault, e.start_ms"
    )
    by_fault: dict[tuple[str, str], list[tuple[int, int, int]]] = defaultdict(list)
    for id, type, *episode in rows:
        by_fault[id, type].append((episode[0], episode[1], episode[2]))
    return [
        FaultStrip(
            id,
            type,
            len({device for device, _, _ in episodes}),
            len(episodes),
            _present(bins, [(start, end) for _, start, end in episodes]),
        )
        for (id, type), episodes in by_fault.items()
    ]


def read_accounts(reader: Reader, bins: Bins) -> list[TransportAccount]:
    """Return the account of every transport."""
    batches = reader.matrix("SELECT tick, first, rows FROM batches ORDER BY first")
    total = int(batches[:, 2].sum())
    accounts = []
    for transport, name in reader.rows("SELECT transport, name FROM transports"):
        totals = dict.fromkeys(FATES, 0)
        reasons: dict[str, int] = defaultdict(int)
        by_time = {fate: np.zeros(bins.count, np.int64) for fate in FATES}
        for first, rows, fate, reason in reader.rows(
            f"SELECT first, rows, fate, reason FROM fates WHERE transport = {int(transport)}"
        ):
            if fate == "pending":
                continue
            totals[fate] += rows
            if fate == "dropped":
                reasons[reason] += rows
            _count(by_time[fate], first, rows, batches, bins, reader)
        totals["pending"] = total - sum(totals.values())
        [(retries,)] = reader.rows(
            f"SELECT coalesce(sum(rows), 0) FROM retries WHERE transport = {int(transport)}"
        )
        accounts.append(TransportAccount(name, totals, dict(reasons), int(retries), by_time))
    return accounts


@dataclass(frozen=True, slots=True)
class _Settled:
    """A settlement."""

    project: int
    project_id: str
    start_ms: int
    end_ms: int
    ending: str
    target_kw: float
    delivered_kwh: float
    reason: str
    violations: tuple[tuple[int, int], ...]

    @property
    def target_kwh(self) -> float:
        return self.target_kw * max(self.end_ms - self.start_ms, 0) / _MS_PER_HOUR


def _picture(event: str, every: Sequence[_Settled], tick_ms: int) -> EventPicture:
    part = [one for one in every if one.ending != "opted out"]
    start_ms = min(one.start_ms for one in every)
    end_ms = max(max(one.end_ms for one in every), start_ms + tick_ms)
    before_ms = (end_ms - start_ms) // 6
    bins = Bins.over(start_ms - before_ms, end_ms + before_ms, tick_ms, _EVENT_BINS)
    middle_ms = bins.times_ms() + bins.step_ms // 2
    target_kw = np.zeros(bins.count)
    for one in part:
        target_kw[(middle_ms >= one.start_ms) & (middle_ms < one.end_ms)] += one.target_kw
    short = sorted(
        (one for one in part if one.reason), key=lambda one: one.delivered_kwh - one.target_kwh
    )
    return EventPicture(
        event=event,
        start_ms=start_ms,
        end_ms=end_ms,
        projects=len(part),
        opted_out=len(every) - len(part),
        violations=sum(bool(one.violations) for one in every),
        target_kwh=sum(one.target_kwh for one in part),
        delivered_kwh=sum(one.delivered_kwh for one in part),
        called=Called(event, np.array([one.project for one in part], np.intp), bins),
        target_kw=target_kw,
        in_violation=_present(bins, [span for one in every for span in one.violations]),
        short=[
            (one.project_id, one.target_kwh, one.delivered_kwh, one.reason)
            for one in short[:_SHORT]
        ],
    )


def _present(bins: Bins, spans: Sequence[tuple[int, int]]) -> Ints:
    """Return the number of spans, UTC ms, that overlap each interval."""
    if not spans:
        return np.zeros(bins.count, np.int64)
    start, end = np.array(spans, np.int64).T
    first = np.clip((start - bins.start_ms) // bins.step_ms, 0, bins.count)
    # The end is exclusive, and a span of no length touches nothing.
    after = np.clip(-(-(end - bins.start_ms) // bins.step_ms), 0, bins.count)
    change = np.bincount(first, minlength=bins.count + 1)
    change -= np.bincount(np.maximum(after, first), minlength=bins.count + 1)
    return np.cumsum(change)[: bins.count]


def _count(into: Ints, first: int, rows: int, batches: Ints, bins: Bins, reader: Reader) -> None:
    """Add the readings `first` to before `first + rows` to the intervals of their ticks."""
    begin = int(np.searchsorted(batches[:, 1], first, "right")) - 1
    end = int(np.searchsorted(batches[:, 1], first + rows, "left"))
    part = batches[begin:end]
    low = np.maximum(part[:, 1], first)
    high = np.minimum(part[:, 1] + part[:, 2], first + rows)
    index, there = bins.index(reader.meta["start_ms"] + part[:, 0] * reader.meta["tick_ms"])
    np.add.at(into, index[there], np.maximum(high - low, 0)[there])
