"""The swap of a run's simulation for one of a new scenario, between two ticks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from gridsim.api import Batch, Labels, Roster, Tick
from gridsim.contracts.results import Reloaded, TickResult
from gridsim.simulation.batch import read_only
from gridsim.simulation.reload.commands import carry_commands
from gridsim.simulation.reload.compare import ScenarioChanges, same_event, same_fault, same_members
from gridsim.simulation.reload.events import carry_events, close_departed, staying_events
from gridsim.simulation.reload.faults import carry_faults, places_of
from gridsim.simulation.reload.physics import carry_baselines, carry_fleets, carry_loads
from gridsim.simulation.scenario import BaselineSpec, LoadSpec, Scenario
from gridsim.simulation.step import Simulation

_KINDS = {"device": np.intp, "is_online": np.bool_, "tick": np.int64}
_TIMES = ("timestamp_ms", "connection_start_ms")


def prepare(older: Scenario, new: Simulation, next_tick: int) -> None:
    """Step the devices of a new simulation, so that the swap takes less time.

    `next_tick` is that of the run, which may go on meanwhile. Raises PluginError.
    """
    changes = ScenarioChanges.between(older, new.scenario)
    if next_tick and not _is_same(older, new.scenario, changes):
        new.course.begin_at(next_tick)


def swap(older: Simulation, new: Simulation, reloaded: Reloaded) -> TickResult:
    """Continue a run with a simulation of another scenario; return what ended with the older one.

    Both have the same seed, start and tick. `new` has not been stepped, except by `prepare`.
    Devices and projects that stay keep their state; see `ScenarioChanges`. The older simulation
    must not be used afterwards.

    Raises PluginError, StateError or UsageError before anything was changed in `older`.
    """
    changes = ScenarioChanges.between(older.scenario, new.scenario)
    time_ms = older.start_ms + older.next_tick * older.tick_ms
    reloaded = replace(
        reloaded,
        tick=older.next_tick,
        time_ms=time_ms,
        added=changes.added,
        removed=changes.removed,
        changed=changes.changed,
        projects_added=changes.projects_added,
        projects_removed=changes.projects_removed,
    )
    if not older.next_tick:
        return _result(new, reloaded, **_faults_before_the_start(older, new, changes))
    # Before anything is changed: it fails if a plugin's state cannot be kept.
    state = older.state()
    if _is_same(older.scenario, new.scenario, changes):
        new.restore(state)
        return _result(new, reloaded)
    tick = new.course.begin_at(older.next_tick)
    return _carry(older, new, changes, reloaded, tick)


def _faults_before_the_start(
    older: Simulation, new: Simulation, changes: ScenarioChanges
) -> dict[str, Any]:
    """Give the faults of the new scenario their places, which are those of the whole run."""
    course, before = new.course, older.course
    tick = Tick(
        0,
        new.start_ms,
        new.tick_ms / 1000,
        course.shared.weather.at(new.start_ms, course.shared.call),
    )
    continued = places_of(before.instructed, new.scenario, tick.time_ms)
    carried = carry_faults(
        course.instructed,
        before.instructed,
        continued,
        changes.devices,
        changes.known,
        tick,
        course.shared.call,
    )
    return {"injected": carried.injected}


def _carry(
    older: Simulation, new: Simulation, changes: ScenarioChanges, reloaded: Reloaded, tick: Tick
) -> TickResult:
    devices, sites = changes.devices, changes.sites
    course, before, shared = new.course, older.course, new.course.shared
    continued = places_of(before.instructed, new.scenario, tick.time_ms)
    staying = staying_events(before.instructed, new.scenario)
    close_departed(before.instructed, staying, sites, tick.time_ms)
    carry_fleets(course.fleets, before.fleets, devices)
    carry_baselines(course.baselines, before.baselines, devices, sites)
    carry_loads(shared.loads, before.shared.loads, sites)
    answers = carry_commands(course.commands, before.commands, devices, sites, tick)
    answers += carry_events(course.instructed, before.instructed, staying, sites, tick)
    shared.maker.carry_over(before.shared.maker, devices)
    faults = carry_faults(
        course.instructed,
        before.instructed,
        continued,
        devices,
        changes.known,
        tick,
        shared.call,
    )
    course.carry_over(before, devices, sites)
    new.carry_over(older, devices, sites)
    events = before.instructed.demand_response
    counterfactuals = older.counterfactuals
    if counterfactuals is not None:
        counterfactuals.give_up("the configuration was reloaded")
    return _result(
        new,
        reloaded,
        unsent=faults.unsent,
        episodes=faults.episodes,
        injected=faults.injected,
        acknowledgements=(*answers, *faults.answers),
        settlements=events.take_settlements() if events else (),
        changes=events.take_changes() if events else (),
        true_reductions=counterfactuals.take_results() if counterfactuals else (),
        unmeasured=counterfactuals.take_unmeasured() if counterfactuals else (),
    )


def _is_same(older: Scenario, new: Scenario, changes: ScenarioChanges) -> bool:
    """Return whether all has stayed that a state depends on."""
    return (
        changes.none
        and older.measurands == new.measurands
        and older.roster.columns == new.roster.columns
        and [one.name for one in older.fleets] == [one.name for one in new.fleets]
        and _same_columns(older.report_on_change, new.report_on_change)
        and len(older.events) == len(new.events)
        and len(older.faults) == len(new.faults)
        and all(
            same_event(one, other) and np.array_equal(one.projects, other.projects)
            for one, other in zip(older.events, new.events, strict=True)
        )
        and all(
            same_fault(one, other) and np.array_equal(one.device, other.device)
            for one, other in zip(older.faults, new.faults, strict=True)
        )
        and _same_specs(older.loads, new.loads)
        and _same_specs(older.baselines, new.baselines)
    )


def _same_columns(older: Any, new: Any) -> bool:
    return older.keys() == new.keys() and all(
        np.array_equal(older[name], column, equal_nan=True) for name, column in new.items()
    )


def _same_specs(
    older: Sequence[LoadSpec | BaselineSpec], new: Sequence[LoadSpec | BaselineSpec]
) -> bool:
    return len(older) == len(new) and all(
        one.name == other.name
        and np.array_equal(one.members.site, other.members.site)
        and bool(same_members(one.members, other.members, np.arange(len(other.members))).all())
        for one, other in zip(older, new, strict=True)
    )


def _result(new: Simulation, reloaded: Reloaded, **facts: Any) -> TickResult:
    nothing = _nothing(new.roster, new.left)
    return TickResult(reloaded.tick, nothing, reload=replace(reloaded, roster=new.roster), **facts)


def _nothing(roster: Roster, number: int) -> Batch:
    """Return a batch without rows."""
    apart = ("roster", "extra", "number", "labels")
    columns: dict[str, Any] = {
        one.name: read_only(np.empty(0, _kind(one.name)))
        for one in fields(Batch)
        if one.name not in apart
    }
    batch = Batch(
        roster=roster,
        extra={name: read_only(np.empty(0)) for name in roster.columns},
        number=number,
        **columns,
    )
    return replace(batch, labels=Labels.blank(batch))


def _kind(name: str) -> Any:
    return np.int64 if name in _TIMES else _KINDS.get(name, np.float64)
