"""The facts of a shard's ticks, without what depends on the number of its devices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gridsim.contracts.results import EventChange, Settlement, TickResult
from gridsim.contracts.settlements import SettlementColumns, Settlements
from gridsim.running.shards.messages import ShardFacts
from gridsim.simulation.step import Simulation

_SAME = (
    "acknowledgements",
    "episodes",
    "injected",
    "changes",
    "failures",
    "true_reductions",
    "unmeasured",
    "clipped",
    "overloads",
)
"""The fields of a result that are sent as they are."""


class FactMaker:
    """The maker of the facts of one shard. Called in the engine's thread."""

    def __init__(self) -> None:
        self.simulation: Simulation | None = None
        """The shard's simulation, set before its first tick."""
        self._known: set[str] = set()
        """The occurrences of events that are announced and not over."""
        self._faults: tuple[tuple[str, int], ...] = ()

    def take(self, result: TickResult) -> ShardFacts | None:
        """Return the facts of a tick; None if it has none."""
        same = {name: found for name in _SAME if (found := getattr(result, name))}
        upcoming = self._upcoming(result)
        faults = () if result.truth is None else result.truth.running_faults
        changed = faults != self._faults
        self._faults = faults
        if not (same or upcoming or changed or result.settlements):
            return None
        return ShardFacts(
            result.tick,
            settlements=_columns(result.settlements),
            upcoming=upcoming,
            running_faults=faults if changed else None,
            **same,
        )

    def _upcoming(self, result: TickResult) -> tuple[EventChange, ...]:
        """Return the occurrences that were announced in this tick.

        An event begins for the whole run as soon as it begins in one shard, and all shards count.
        """
        simulation = self.simulation
        events = None if simulation is None else simulation.course.instructed.demand_response
        live = () if events is None else events.live
        if not live and not self._known:
            return ()
        assert simulation is not None
        time_ms = simulation.start_ms + result.tick * simulation.tick_ms
        new = [one for one in live if one.name not in self._known]
        self._known = {one.name for one in live}
        return tuple(one.change("announced", time_ms) for one in new)


def _columns(settlements: Sequence[Settlement]) -> tuple[SettlementColumns, ...]:
    if not settlements:
        return ()
    assert isinstance(settlements, Settlements)
    return tuple(replace(part, project_ids=()) for part in settlements.parts)
