"""Demand-response events: their announcement, start, dispatch to sites, and settlement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats, Refused, State
from gridsim.contracts.results import Change, Ending, EventChange, Settlement
from gridsim.contracts.settlements import SettlementColumns, Settlements
from gridsim.contracts.state import restore_attributes, state_of
from gridsim.contracts.truth import RunningEvent
from gridsim.simulation.baselines.sites import Baselines
from gridsim.simulation.demand_response.event_schedule import EventSchedule
from gridsim.simulation.demand_response.occurrence import OVER, WAITING, Occurrence
from gridsim.simulation.demand_response.settlement import Hundredths, reduction
from gridsim.simulation.demand_response.shortfall import Ability
from gridsim.simulation.dispatch.orders import SiteOrders
from gridsim.simulation.scenario import EventSpec, Scenario

_NEVER = np.iinfo(np.int64).max
_KEPT = ("_change_ms", "_reduced")


class _Followed(NamedTuple):
    """The event that each site follows, int64[sites]."""

    event: NDArray[np.int64]
    """Its index; -1 for a site that follows none."""
    begin_ms: NDArray[np.int64]
    """Its start at the site."""


class DemandResponse:
    """All events of a run. A project follows one event at a time: a later event supersedes it.

    In each tick `begin` is called before the fleets step, and `add` afterwards.
    """

    def __init__(self, scenario: Scenario, baselines: Baselines) -> None:
        """Schedule the scenario's events; `baselines` are notified of announcements and ends."""
        self._scenario = scenario
        self._schedule = EventSchedule(scenario)
        self._baselines = baselines
        self._sites = len(scenario.sites)
        self._live: list[Occurrence] = []
        self._change_ms = _NEVER
        """The next time at which a project of an announced event begins or ends."""
        self._reduced: Hundredths = np.zeros(self._sites, np.int64)
        """The sites' reduction in the last tick; stale while no event needs it."""
        self.requests_reduction = False
        """True if an event requests a reduction in this tick."""
        self._settlements: list[SettlementColumns] = []
        self._changes: list[EventChange] = []

    def state(self) -> State:
        """Return what a checkpoint keeps, between two ticks."""
        return {**state_of(self, _KEPT), **self._schedule.state(self._live)}

    def restore(self, state: State) -> None:
        """Continue from a checkpoint's state; called events were added by `call`, in order."""
        restore_attributes(self, {name: state[name] for name in _KEPT}, _KEPT)
        self._live = self._schedule.restore(state)

    @property
    def live(self) -> Sequence[Occurrence]:
        """The occurrences that are announced and not over."""
        return self._live

    def due(self, time_ms: int) -> list[tuple[str, NDArray[np.intp]]]:
        """Return the name and projects of each occurrence that `begin` announces at UTC
        `time_ms`.
        """
        return self._schedule.due(time_ms)

    def share(self, memo: dict[int, Any]) -> None:
        """Add the called events to the memo of `copy.deepcopy`, so that copies share them."""
        self._schedule.share(memo)

    def omit(self, name: str) -> None:
        """Leave out an occurrence that is announced next: it has no effect on its projects."""
        self._schedule.omit(name)

    def begin(
        self,
        time_ms: int,
        baseline: Floats,
        adjust: Callable[[Sequence[Occurrence]], None] | None = None,
    ) -> SiteOrders | None:
        """Begin and end events that are due; return the orders of sites, None if there are none.

        `baseline` is float64[sites], kW. `adjust` may change it, and receives the occurrences that
        run then.
        """
        self._announce(time_ms)
        if time_ms >= self._change_ms:
            self._end_due(time_ms)
            followed = self._followed()
            for occurrence in self._live:
                self._begin_due(occurrence, time_ms, followed)
            # An event that is shorter than a tick has no reading.
            self._end_due(time_ms)
            self._look_ahead()
        active = [own for own in self._live if (own.running & ~own.opted_out).any()]
        self.requests_reduction = any(own.spec.reduces for own in active)
        if not active:
            return None
        if adjust is not None:
            adjust(active)
        orders = SiteOrders.none(self._sites)
        for occurrence in active:
            occurrence.ask(time_ms, baseline, orders)
        return orders

    def add(
        self,
        time_ms: int,
        baseline: Floats,
        meter: Floats,
        power: Floats,
        able: Ability | None,
    ) -> None:
        """Add the tick's power, kW: `baseline` and `meter` per site, `power` per device.

        `able` is the ability of the sites in the tick, needed while events request a reduction.
        """
        running = [own for own in self._live if own.running.any()]
        if not running and self._change_ms > time_ms + self._scenario.tick_ms:
            return
        self._reduced = reduction(baseline, meter, power, self._scenario.roster.project)
        for occurrence in running:
            occurrence.add(time_ms, self._reduced, baseline, able)

    def running_events(self) -> tuple[RunningEvent, ...]:
        """Return the events that run for at least one project, after `add`."""
        return tuple(own.running_event() for own in self._live if own.running.any())

    def finish(self, time_ms: int) -> None:
        """End all events at the run's end, before the tick at `time_ms`."""
        self._end_due(time_ms)
        for own in self._live:
            self._end(own, own.running, "interrupted", np.full(len(own.site), time_ms))
            if own.totals.took_part or own.totals.opted_out:
                self._changes.append(own.change("cut off", time_ms))
        self._live.clear()

    def call(self, spec: EventSpec, time_ms: int, reduced: Hundredths | None) -> None:
        """Add an event at UTC `time_ms`. `reduced` is the sites' reduction in the last
        tick, None if there was no tick before. Raises Refused."""
        self._schedule.call(spec, time_ms)
        if reduced is not None:
            self._reduced = reduced

    def cancel(self, id: str, sites: NDArray[np.bool_] | None, time_ms: int) -> bool:
        """End an event, or withdraw its next occurrence, for some sites or for all.

        A called event does not occur again. Returns whether it was cancelled for all its projects.

        Raises Refused.
        """
        spec = self._schedule.find(id)
        whole = sites is None or bool(sites[spec.projects].all())
        live = [own for own in self._live if own.spec is spec]
        if live:
            if not any(self._cancel(own, sites, time_ms, time_ms) for own in live):
                raise Refused(f"the event {id!r} is over for this target, or never included it")
        elif whole and (withdrawn := self._schedule.withdraw(spec)) is not None:
            self._note_end(withdrawn, "cancelled", time_ms)
        else:
            raise Refused(f"the event {id!r} is neither announced nor running")
        if whole:
            self._schedule.stop(spec)
        self._schedule.forget_called(self._live)
        self._look_ahead()
        return whole

    def take_ended(self) -> list[EventChange]:
        """Return the last change of each called event that is over since the last call."""
        return self._schedule.take_ended()

    def take_settlements(self) -> Sequence[Settlement]:
        """Return the settlements since the last call."""
        if not self._settlements:
            return ()
        taken, self._settlements = Settlements(tuple(self._settlements)), []
        return taken

    def take_changes(self) -> tuple[EventChange, ...]:
        """Return the changes since the last call."""
        taken = tuple(self._changes)
        self._changes.clear()
        return taken

    def _cancel(
        self, own: Occurrence, sites: NDArray[np.bool_] | None, end_ms: int, time_ms: int
    ) -> bool:
        """Cancel an occurrence at `end_ms` for some sites, in the tick at `time_ms`.

        Return whether there was something to cancel.
        """
        rows = own.state != OVER
        if sites is not None:
            rows &= sites[own.site]
        waiting = rows & (own.state == WAITING)
        self._end(own, rows & own.running, "cancelled", np.full(len(rows), end_ms))
        if waiting.any():
            own.state[waiting] = OVER
            self._baselines.event_over(own.site[waiting & ~own.opted_out])
        if (own.state == OVER).all():
            self._note_end(own, "cancelled", time_ms)
            self._live.remove(own)
        return bool(rows.any())

    def _note_end(self, own: Occurrence, kind: Change, time_ms: int) -> None:
        change = own.change(kind, time_ms)
        self._changes.append(change)
        self._schedule.note_end(own.spec, change)

    def _announce(self, time_ms: int) -> None:
        """Announce the occurrences that are due."""
        for occurrence in self._schedule.announce(time_ms):
            self._live.append(occurrence)
            follow = ~occurrence.opted_out
            self._baselines.event_announced(
                occurrence.site[follow], time_ms, occurrence.begin_ms[follow]
            )
            if occurrence.spec.notice_ms:
                self._changes.append(occurrence.change("announced", time_ms))
            self._look_ahead()

    def _begin_due(self, own: Occurrence, time_ms: int, followed: _Followed) -> None:
        due = (own.state == WAITING) & (own.begin_ms <= time_ms)
        if not due.any():
            return
        if not own.has_begun:
            own.has_begun = True
            self._changes.append(own.change("begins", time_ms))
        # If two events begin within a tick, the later start wins; the order in which they were
        # announced does not matter.
        follow = due & ~own.opted_out
        late = follow & (followed.begin_ms[own.site] > own.begin_ms)
        takes = follow & ~late
        begins = np.full(self._sites, _NEVER)
        begins[own.site[takes]] = own.begin_ms[takes]
        for index in np.unique(followed.event[own.site[takes]]).tolist():
            if index < 0:
                continue
            other = self._live[index]
            new_ms = begins[other.site]
            left = other.running & ~other.opted_out & (new_ms < _NEVER)
            self._end(other, left, "superseded", new_ms)
        own.begin(due, self._reduced / 100.0)
        self._end(own, late, "superseded", followed.begin_ms[own.site])
        followed.event[own.site[takes]] = self._live.index(own)
        followed.begin_ms[own.site[takes]] = own.begin_ms[takes]

    def _followed(self) -> _Followed:
        """Return the events that the sites follow."""
        followed = _Followed(np.full(self._sites, -1), np.full(self._sites, -1))
        for index, own in enumerate(self._live):
            rows = own.running & ~own.opted_out
            followed.event[own.site[rows]] = index
            followed.begin_ms[own.site[rows]] = own.begin_ms[rows]
        return followed

    def _end_due(self, time_ms: int) -> None:
        for own in [own for own in self._live if own.cancel_ms <= time_ms]:
            self._cancel(own, None, own.cancel_ms, time_ms)
        for own in self._live:
            due = own.running & (own.end_ms <= time_ms)
            self._end(own, due, "completed", own.end_ms)
        for own in self._live:
            if (own.state == OVER).all():
                self._note_end(own, "ended", time_ms)
        self._live = [own for own in self._live if (own.state != OVER).any()]
        self._schedule.forget_called(self._live)

    def _end(
        self,
        own: Occurrence,
        rows: NDArray[np.bool_],
        ending: Ending,
        end_ms: NDArray[np.int64],
    ) -> None:
        if rows.any():
            self._baselines.event_over(own.site[rows & ~own.opted_out])
            self._settlements.append(own.end(rows, ending, end_ms))

    def _look_ahead(self) -> None:
        self._change_ms = min((own.next_ms() for own in self._live), default=_NEVER)
