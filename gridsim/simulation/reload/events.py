"""The events that stay in a reload."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gridsim.api import Acknowledgement, Refused, Staying, Tick, carry
from gridsim.contracts.carrying import carried_array
from gridsim.contracts.state import restore_attributes, state_of
from gridsim.simulation.answers import answer
from gridsim.simulation.demand_response.events import DemandResponse
from gridsim.simulation.demand_response.occurrence import OVER, Occurrence
from gridsim.simulation.instructed import EventsAndFaults
from gridsim.simulation.reload.compare import same_event
from gridsim.simulation.scenario import EventSpec, Scenario


def staying_events(older: EventsAndFaults, scenario: Scenario) -> Mapping[str, EventSpec]:
    """Return the events that stay in a new scenario, configured and called, by id."""
    if older.demand_response is None:
        return {}
    present = {spec.id: spec for spec in older.demand_response._schedule._specs}
    configured = {spec.id: spec for spec in scenario.events}
    found = {id: spec for id, spec in configured.items() if id not in older._calls}
    for id, (call, time_ms) in older._calls.items():
        if scenario.binder is not None and id not in configured:
            try:
                found[id] = scenario.binder.event(call, scenario, time_ms)
            except Refused:
                continue
    return {
        id: spec for id, spec in found.items() if id in present and same_event(present[id], spec)
    }


def close_departed(
    older: EventsAndFaults, staying: Mapping[str, EventSpec], sites: Staying, time_ms: int
) -> None:
    """End the events that leave, or that projects leave, as cancelled."""
    demand_response = older.demand_response
    if demand_response is None:
        return
    new_of_old = sites.new_of_old
    for own in [*demand_response.live]:
        spec = staying.get(own.spec.id)
        leaves = np.ones(len(new_of_old), np.bool_)
        if spec is not None:
            leaves = (new_of_old < 0) | ~np.isin(new_of_old, spec.projects)
        if leaves[own.site].any():
            demand_response._cancel(own, leaves, time_ms, time_ms)


def carry_events(
    new: EventsAndFaults,
    older: EventsAndFaults,
    staying: Mapping[str, EventSpec],
    sites: Staying,
    tick: Tick,
) -> list[Acknowledgement]:
    """Copy the events that stay; return the ends of the called ones that leave.

    A new event has no occurrence before the reload. A project that joins an event that has been
    announced takes part from the next occurrence on.
    """
    ended = []
    for id, (call, time_ms) in older._calls.items():
        if id in staying:
            new._add_event(call, time_ms, None)
        else:
            reason = "the configuration was reloaded, and the event no longer fits it"
            ended.append(answer(call, "cancelled", tick, reason))
    if new.demand_response is not None:
        _carry(new.demand_response, older.demand_response, staying, sites, tick.time_ms)
    return ended


def _carry(
    new: DemandResponse,
    older: DemandResponse | None,
    staying: Mapping[str, EventSpec],
    sites: Staying,
    time_ms: int,
) -> None:
    schedule = new._schedule
    schedule._upcoming = [spec.schedule.first_from(time_ms) for spec in schedule._specs]
    if older is None:
        return
    before = older._schedule
    place = {spec.id: index for index, spec in enumerate(before._specs)}
    for index, spec in enumerate(schedule._specs):
        if spec.id in staying:
            schedule._upcoming[index] = before._upcoming[place[spec.id]]
    # The numbers of an event go on, so that the names of occurrences stay unique.
    schedule._found = dict(before._found)
    schedule._omitted = set(before._omitted)
    schedule._last_change = {
        id: change for id, change in before._last_change.items() if id in staying
    }
    specs = {spec.id: spec for spec in schedule._specs}
    new._reduced = carried_array(new._reduced, older._reduced, sites)
    for own in older.live:
        if own.spec.id in specs and own.spec.id in staying:
            new._live.append(_moved(own, specs[own.spec.id], new._scenario, sites))
    new._look_ahead()


def _moved(own: Occurrence, spec: EventSpec, scenario: Scenario, sites: Staying) -> Occurrence:
    """Return an occurrence with the projects of a new scenario."""
    moved = Occurrence(scenario, spec, own.number, own.start_ms)
    staying = sites.within(moved.site, own.site)
    if staying.all_alike:
        restore_attributes(moved, state_of(own, own.kept), own.kept)
        return moved
    moved.state[:] = OVER
    for name in own.kept:
        value, present = getattr(own, name), getattr(moved, name)
        if isinstance(value, np.ndarray):
            present[staying.new] = value[staying.old]
        elif name in ("_account", "_shortfall"):
            carry(present, value, staying)
        else:
            setattr(moved, name, value)
    moved.opted_out[staying.new] = own.opted_out[staying.old]
    return moved
