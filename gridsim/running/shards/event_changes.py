"""The changes and settlements of events over all shards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gridsim.contracts.results import EventChange, EventTotals, Shortfall
from gridsim.contracts.settlements import SettlementColumns, Settlements
from gridsim.running.shards.messages import ShardFacts

Facts = Sequence[tuple[int, ShardFacts]]
_WORST = 3
_OVER = ("ended", "cancelled", "cut off")
_COLUMNS = (
    "project",
    "opted_out",
    "start_ms",
    "settled_ms",
    "end_ms",
    "target_kw",
    "compliance",
    "dispatched_kwh",
    "delivered_kwh",
    "asked_kw",
    "able_kw",
)


@dataclass(slots=True)
class _Occurrence:
    """An occurrence of an event, with the changes in its shards."""

    parts: dict[int, EventChange] = field(default_factory=dict)
    """The newest change of each shard with projects in it."""
    over: set[int] = field(default_factory=set)
    has_begun: bool = False
    totals: EventTotals = field(default_factory=EventTotals)


class JoinedEvents:
    """The changes of events as one simulation of all projects has them.

    An event begins with its first project, and ends with its last.
    """

    def __init__(self) -> None:
        self._open: dict[str, _Occurrence] = {}

    def forget(self, shard: int) -> None:
        """Wait for this shard no more."""
        for one in self._open.values():
            one.over.add(shard)

    def joined(self, facts: Facts, settlements: Settlements | tuple[()]) -> tuple[EventChange, ...]:
        """Return the changes of a tick, after its settlements."""
        new: set[str] = set()
        for shard, one in facts:
            # A shard that continues from a checkpoint sends again what is known.
            for change in (*one.upcoming, *one.changes):
                if change.event not in self._open:
                    self._open[change.event] = _Occurrence()
                    new.add(change.event)
                if change.event in new:
                    self._open[change.event].parts.setdefault(shard, change)
        if isinstance(settlements, Settlements):
            for part in settlements.parts:
                if (known := self._open.get(part.event)) is not None:
                    known.totals = known.totals.plus(part.totals)
        # In the order in which one simulation has them, also where the last shard decides.
        told: dict[tuple[str, str], EventChange | None] = {}
        for shard, one in facts:
            for change in one.changes:
                joined = self._joined(shard, change)
                key = change.event, change.kind
                told[key] = joined or told.get(key)
        for event in [event for event, one in self._open.items() if _is_over(one)]:
            del self._open[event]
        return tuple(change for change in told.values() if change is not None)

    def _joined(self, shard: int, change: EventChange) -> EventChange | None:
        """Return the change for the whole run; None if it is not a change of the whole run."""
        occurrence = self._open[change.event]
        occurrence.parts[shard] = change
        if change.kind == "begins":
            if occurrence.has_begun:
                return None
            occurrence.has_begun = True
        if change.kind in _OVER:
            occurrence.over.add(shard)
            if change.kind != "cut off" and not _is_over(occurrence):
                return None
        return _sum(change, occurrence)


def joined_settlements(
    facts: Facts, first_projects: Sequence[int], project_ids: Sequence[str]
) -> Settlements | tuple[()]:
    """Return the settlements of a tick: those of one event that ended alike are one part."""
    alike: dict[tuple[str, str], list[tuple[int, SettlementColumns]]] = {}
    for shard, one in facts:
        for part in one.settlements:
            alike.setdefault((part.event, part.ending), []).append((first_projects[shard], part))
    if not alike:
        return ()
    return Settlements(tuple(_concatenated(parts, project_ids) for parts in alike.values()))


def _concatenated(
    parts: Sequence[tuple[int, SettlementColumns]], project_ids: Sequence[str]
) -> SettlementColumns:
    moved = [replace(part, project=part.project + first) for first, part in parts]
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(one, name) for one in moved]) for name in _COLUMNS
    }
    violations, reasons, rows = {}, {}, 0
    for one in moved:
        violations.update({row + rows: spans for row, spans in one.violations.items()})
        reasons.update({row + rows: reason for row, reason in one.reason.items()})
        rows += len(one)
    return replace(
        moved[0], project_ids=project_ids, violations=violations, reason=reasons, **columns
    )


def _is_over(occurrence: _Occurrence) -> bool:
    return occurrence.parts.keys() <= occurrence.over


def _sum(change: EventChange, occurrence: _Occurrence) -> EventChange:
    parts = list(occurrence.parts.values())
    worst: list[Shortfall] = [one for part in parts for one in part.worst]
    worst.sort(key=lambda one: -one.missing_kwh)
    return replace(
        change,
        projects=sum(part.projects for part in parts),
        opted_out=sum(part.opted_out for part in parts),
        target_kw=sum(part.target_kw for part in parts),
        totals=occurrence.totals,
        short=sum(part.short for part in parts),
        worst=tuple(worst[:_WORST]),
    )
