"""Demand-response events: found as simulated time reaches them, asked of sites, and settled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats, State
from gridsim.contracts.results import Ending, EventChange, Settlement
from gridsim.contracts.state import restore_attributes, state_of
from gridsim.simulation.baselines.sites import Baselines
from gridsim.simulation.demand_response.occurrence import OVER, WAITING, Occurrence
from gridsim.simulation.demand_response.settlement import Hundredths, reduction
from gridsim.simulation.dispatch.orders import SiteOrders
from gridsim.simulation.scenario import Scenario

_NEVER = np.iinfo(np.int64).max
_KEPT = ("_upcoming", "_found", "_change_ms", "_reduced")


class DemandResponse:
    """All events of a run. A project follows one at a time: a later one supersedes it.

    In each tick `begin` is called before the fleets step, and `add` when they have.
    """

    def __init__(self, scenario: Scenario, baselines: Baselines) -> None:
        """`baselines` are told what is announced and what is over."""
        self._scenario = scenario
        self._baselines = baselines
        self._sites = len(scenario.sites)
        self._upcoming = [spec.schedule.first_from(scenario.start_ms) for spec in scenario.events]
        self._found = [0] * len(scenario.events)
        """How many occurrences of each event there were so far."""
        self._live: list[Occurrence] = []
        self._change_ms = _NEVER
        """When a project begins or ends next, as far as is known."""
        self._reduced: Hundredths = np.zeros(self._sites, np.int64)
        """What the sites reduced in the last tick, where something follows from it."""
        self._settlements: list[Settlement] = []
        self._changes: list[EventChange] = []

    def state(self) -> State:
        """Return what a checkpoint keeps, between two ticks."""
        place = {spec.id: index for index, spec in enumerate(self._scenario.events)}
        live = [
            [place[own.spec.id], own.number, own.start_ms, state_of(own, own.kept)]
            for own in self._live
        ]
        return {**state_of(self, _KEPT), "live": live}

    def restore(self, state: State) -> None:
        """Continue from a checkpoint's state."""
        restore_attributes(self, {name: state[name] for name in _KEPT}, _KEPT)
        self._live = []
        for place, number, start_ms, one in state["live"]:
            own = Occurrence(self._scenario, self._scenario.events[place], number, start_ms)
            restore_attributes(own, one, own.kept)
            self._live.append(own)

    def begin(self, time_ms: int, baseline: Floats) -> SiteOrders | None:
        """Begins and ends what is due; what is asked of the sites in the tick, if anything.

        `baseline` is float64[sites], kW.
        """
        self._find(time_ms)
        if time_ms >= self._change_ms:
            self._end_due(time_ms)
            for occurrence in self._live:
                self._begin_due(occurrence, time_ms)
            # What is shorter than a tick has no reading.
            self._end_due(time_ms)
            self._look_ahead()
        asking = [own for own in self._live if (own.running & ~own.opted_out).any()]
        if not asking:
            return None
        orders = SiteOrders.none(self._sites)
        for occurrence in asking:
            occurrence.ask(time_ms, baseline, orders)
        return orders

    def add(self, time_ms: int, baseline: Floats, meter: Floats, power: Floats) -> None:
        """Takes in what happened in the tick: kW, `power` per device of the roster."""
        running = [own for own in self._live if own.running.any()]
        if not running and self._change_ms > time_ms + self._scenario.tick_ms:
            return
        self._reduced = reduction(baseline, meter, power, self._scenario.roster.project)
        for occurrence in running:
            occurrence.add(time_ms, self._reduced)

    def finish(self, time_ms: int) -> None:
        """The run is over before the tick at `time_ms`."""
        self._end_due(time_ms)
        for own in self._live:
            self._end(own, own.running, time_ms, "interrupted", np.full(len(own.site), time_ms))
            if own.totals.took_part or own.totals.opted_out:
                self._changes.append(own.change("cut off", time_ms))
        self._live.clear()

    def take_settlements(self) -> tuple[Settlement, ...]:
        """Those since the last call."""
        taken = tuple(self._settlements)
        self._settlements.clear()
        return taken

    def take_changes(self) -> tuple[EventChange, ...]:
        """Return the changes since the last call."""
        taken = tuple(self._changes)
        self._changes.clear()
        return taken

    def _find(self, time_ms: int) -> None:
        """Makes the occurrences whose notice is due; at the latest a tick before they begin."""
        for index, spec in enumerate(self._scenario.events):
            ahead_ms = max(spec.notice_ms, self._scenario.tick_ms)
            while (start_ms := self._upcoming[index]) is not None:
                if start_ms - ahead_ms > time_ms:
                    break
                self._found[index] += 1
                occurrence = Occurrence(self._scenario, spec, self._found[index], start_ms)
                self._live.append(occurrence)
                follow = ~occurrence.opted_out
                self._baselines.event_announced(
                    occurrence.site[follow], time_ms, occurrence.begin_ms[follow]
                )
                self._upcoming[index] = spec.schedule.first_from(start_ms + 1)
                if spec.notice_ms:
                    self._changes.append(occurrence.change("announced", time_ms))
                self._look_ahead()

    def _begin_due(self, own: Occurrence, time_ms: int) -> None:
        due = (own.state == WAITING) & (own.begin_ms <= time_ms)
        if not due.any():
            return
        if (own.state == WAITING).all():
            self._changes.append(own.change("begins", time_ms))
        others = [other for other in self._live if other is not own]
        # Of two that begin within a tick the later counts, whichever was announced first.
        begun = np.full(self._sites, -1)
        for other in others:
            rows = other.running & ~other.opted_out
            begun[other.site[rows]] = other.begin_ms[rows]
        follow = due & ~own.opted_out
        late = follow & (begun[own.site] > own.begin_ms)
        begins = np.full(self._sites, _NEVER)
        begins[own.site[follow & ~late]] = own.begin_ms[follow & ~late]
        for other in others:
            new_ms = begins[other.site]
            left = other.running & ~other.opted_out & (new_ms < _NEVER)
            self._end(other, left, time_ms, "superseded", new_ms)
        own.begin(due, self._reduced / 100.0)
        self._end(own, late, time_ms, "superseded", begun[own.site])

    def _end_due(self, time_ms: int) -> None:
        for own in self._live:
            due = own.running & (own.end_ms <= time_ms)
            self._end(own, due, time_ms, "completed", own.end_ms)
        for own in self._live:
            if (own.state == OVER).all():
                self._changes.append(own.change("ended", time_ms))
        self._live = [own for own in self._live if (own.state != OVER).any()]

    def _end(
        self,
        own: Occurrence,
        rows: NDArray[np.bool_],
        time_ms: int,
        ending: Ending,
        end_ms: NDArray[np.int64],
    ) -> None:
        if rows.any():
            self._baselines.event_over(own.site[rows & ~own.opted_out])
            self._settlements += own.end(rows, time_ms, ending, end_ms)

    def _look_ahead(self) -> None:
        self._change_ms = min((own.next_ms() for own in self._live), default=_NEVER)
