"""The simulation: projects, fleets, weather and loads, advanced one tick at a time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from gridsim.api import Batch, Instruction, State, StateError, Staying, Tick
from gridsim.contracts.results import FleetFailure, TickResult
from gridsim.contracts.tree_serial import SerialError
from gridsim.errors import PluginError
from gridsim.simulation.counterfactual import Counterfactuals, counterfactual_sites
from gridsim.simulation.counterfactual.copies import CourseCopy
from gridsim.simulation.course import Course, SharedParts
from gridsim.simulation.faults import FaultTotals, Passed
from gridsim.simulation.fleets import RunningFleet
from gridsim.simulation.identity import check_identity, identity_of
from gridsim.simulation.measurands import Measuring
from gridsim.simulation.measurands.conditions import Conditions
from gridsim.simulation.measurands.fuses import MainFuses
from gridsim.simulation.scenario import FleetSpec, Scenario
from gridsim.simulation.truth import tick_truth


class Simulation:
    """A simulation, which depends on its state alone: no clock, thread, socket or file.

    A checkpoint keeps its `state`. Only one thread may step it.
    """

    def __init__(self, scenario: Scenario) -> None:
        """Raise PluginError if a plugin fails and the run cannot continue without it."""
        self.scenario = scenario
        self.roster = scenario.roster
        self.start_ms, self.tick_ms = scenario.start_ms, scenario.tick_ms
        self.failures: list[FleetFailure] = []
        """The fleets that were disabled so far."""
        self._new_failures: list[FleetFailure] = []
        """The failures that are not in a result yet."""
        self._counterfactuals: Counterfactuals | None = None
        self._shared = SharedParts(scenario)
        self._course = Course(self._shared, self._disabled)
        self._measuring = Measuring(scenario, self._shared.grid) if scenario.measurands else None
        self._conditions = Conditions(scenario)
        grid = self._shared.grid
        self._fuses = MainFuses(scenario, grid) if grid and self._shared.has_fuses else None
        if scenario.rebound_ms is not None or counterfactual_sites(scenario).any():
            self._counterfactuals = Counterfactuals(scenario, partial(CourseCopy.of, self._course))

    @property
    def course(self) -> Course:
        """The commands, events and fleets of the run."""
        return self._course

    @property
    def counterfactuals(self) -> Counterfactuals | None:
        """The copies without events; None if nothing needs them."""
        return self._counterfactuals

    @property
    def left(self) -> int:
        """The number of readings that have left, which is the number of the next one."""
        faults = self._course.instructed.faults
        return self._shared.maker.left if faults is None else faults.left

    @property
    def next_tick(self) -> int:
        """The index of the tick that is advanced next."""
        return self._course.next_tick

    @property
    def busy_with(self) -> str:
        """The plugin that is being called, for a watcher in another thread."""
        return self._shared.call.busy_with

    @property
    def clipped(self) -> dict[str, int]:
        """The number of values beyond the bounds of devices so far, by DER type and column."""
        return self._course.fleets.clipped

    @property
    def fuse_overloads(self) -> dict[str, int]:
        """The number of ticks in which the main fuse of a site was exceeded, by project."""
        return {} if self._fuses is None else self._fuses.totals

    @property
    def tally(self) -> FaultTotals | None:
        """The effects of faults so far; None in a run without faults."""
        faults = self._course.instructed.faults
        return None if faults is None or not faults.has_faults else faults.tally

    def state(self) -> State:
        """Return what a checkpoint keeps, between two ticks: a copy, as data.

        Data that follow from the scenario alone are left out. Raises StateError, naming the
        plugin, if a plugin's state cannot be kept.
        """
        measured = {} if self._measuring is None else {"measurands": self._measuring.state()}
        return {
            "scenario": identity_of(self.scenario),
            **measured,
            **({} if self._fuses is None else {"fuses": self._fuses.state()}),
            **self._course.state(),
            "failures": [
                [one.fleet, one.devices, one.tick, one.reason, one.fault] for one in self.failures
            ],
            "loads": self._shared.loads.state(),
            "maker": self._shared.maker.state(),
            "faults": self._course.instructed.faults_state(),
            "counterfactuals": self._counterfactuals and self._counterfactuals.state(),
        }

    def restore(self, state: State) -> None:
        """Continue from a state, in a simulation that was just created from the same scenario.

        Raises StateError if the state is invalid or belongs to another scenario; the simulation
        must not be used then.
        """
        if self.next_tick:
            raise StateError("a state can be restored only before a simulation's first tick")
        check_identity(state, self.scenario)
        try:
            self._restore(state)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, SerialError) as error:
            name = type(error).__name__
            raise StateError(
                f"the checkpoint does not fit this version of gridsim: {name}: {error}"
            ) from error

    def _restore(self, state: State) -> None:
        course, shared = self._course, self._shared
        self.failures = [_failure(one) for one in state["failures"]]
        course.restore(state)
        shared.loads.restore(state["loads"])
        shared.maker.restore(state["maker"])
        course.instructed.restore_faults(state["faults"], shared.call)
        if self._measuring is not None:
            self._measuring.restore(state["measurands"])
        if self._fuses is not None:
            self._fuses.restore(state["fuses"])
        if self._counterfactuals is not None and state["counterfactuals"] is not None:
            self._counterfactuals.restore(
                state["counterfactuals"],
                partial(CourseCopy.restored, shared),
                course.instructed.demand_response,
            )

    def carry_over(self, older: Simulation, devices: Staying, sites: Staying) -> None:
        """Copy the counts of the devices and projects that stay in a reload."""
        self.failures = [*older.failures]
        if self._measuring is not None and older._measuring is not None:
            self._measuring.carry_over(older._measuring, devices, sites)
        if self._fuses is not None and older._fuses is not None:
            self._fuses.carry_over(older._fuses, sites)

    def step(self) -> Batch:
        """Advance one tick and return its readings."""
        return self.advance().batch

    def advance(self, instructions: Sequence[Instruction] = ()) -> TickResult:
        """Advance one tick; the instructions take effect at its start.

        Raises PluginError, naming the plugin, if a plugin fails. With `on_error = "skip_fleet"`
        a failing fleet is disabled instead, and added to `failures`; a failing fault always is.
        """
        course, shared, truth = self._course, self._shared, self._counterfactuals
        instructed = course.instructed
        time_ms = self.start_ms + self.next_tick * self.tick_ms
        weather = shared.weather.at(time_ms, shared.call)
        tick = Tick(self.next_tick, time_ms, self.tick_ms / 1000, weather)
        meter = shared.loads.at(tick, shared.call, shared.weather)
        baseline = course.baselines.at(tick)
        answers = course.decide(instructions, tick)
        demand_response = instructed.demand_response
        shared.faulty = None if instructed.faults is None else instructed.faults.advance(tick)
        if truth is not None and demand_response is not None:
            truth.begin(tick, meter, baseline, demand_response, instructions, answers)
        writes = truth if truth is not None and truth.has_baselines else None
        if writes is not None:
            # The array changes now, but a copy that branched in this tick has it too.
            baseline = baseline.copy()
        flow = course.flow(tick, meter, baseline, writes, judge=True)
        power, soc, extra = flow.fleets.power, flow.fleets.soc, flow.fleets.extra
        if truth is not None and demand_response is not None:
            truth.add(time_ms, flow.real, demand_response)
        if self._measuring is not None:
            extra = {**extra, **self._measuring.take(time_ms, flow.fleets, flow.real, meter)}
        extra = self._conditions.applied(extra, flow.disconnected, shared.faulty)
        if self._fuses is not None:
            self._fuses.check(time_ms, meter, flow.real, flow.fleets.reactive)
        faults = instructed.faults
        if faults is None:
            passed = Passed(shared.maker.make(tick.index, power, soc, meter, baseline, extra))
        else:
            reports = faults.begin(tick, power, soc, meter, extra, shared.call)
            batch = shared.maker.make(
                tick.index, power, soc, meter, baseline, extra, reports.connection_changed
            )
            passed = faults.take(tick, batch, reports, shared.call)
            for failure in faults.running.take_failures(tick):
                self._note_failure(failure)
        answers = (*answers, *course.end_tick(tick))
        return self._result(
            tick.index,
            passed,
            failures=self._take_failures(),
            clipped=course.fleets.take_clipped(),
            overloads=() if self._fuses is None else self._fuses.take(),
            truth=tick_truth(
                baseline, meter, flow.real, soc, extra, shared.maker, faults, demand_response
            ),
            instructions=tuple(instructions),
            acknowledgements=answers,
            injected=instructed.take_injected(),
        )

    def finish(self) -> TickResult:
        """End the run and return what is still open; called once, after the last tick."""
        instructed = self._course.instructed
        n, sites = len(self.roster), np.full(len(self.scenario.sites), np.nan)
        rows = np.full(n, np.nan)
        nothing = self._shared.maker.make(
            self.next_tick, rows, rows, sites, sites, dict.fromkeys(self.roster.columns, rows)
        ).rows(0, 0)
        end_ms = self.start_ms + self.next_tick * self.tick_ms
        passed = Passed(nothing)
        if instructed.faults is not None:
            passed = instructed.faults.finish(nothing, end_ms)
        if instructed.demand_response is not None:
            instructed.demand_response.finish(end_ms)
        if self._counterfactuals is not None:
            self._counterfactuals.finish()
        return self._result(self.next_tick, passed)

    def _result(self, tick: int, passed: Passed, **more: Any) -> TickResult:
        """Return the tick's result with the changes of events and their counterfactuals."""
        demand_response, truth = self._course.instructed.demand_response, self._counterfactuals
        return TickResult(
            tick,
            passed.batch,
            unsent=passed.unsent,
            episodes=passed.episodes,
            settlements=demand_response.take_settlements() if demand_response else (),
            changes=demand_response.take_changes() if demand_response else (),
            true_reductions=truth.take_results() if truth else (),
            unmeasured=truth.take_unmeasured() if truth else (),
            **more,
        )

    def _disabled(self, fleet: FleetSpec | RunningFleet, error: PluginError, tick: int) -> None:
        """Record that a fleet failed; raise the error if `on_error` is "stop"."""
        if self.scenario.on_error == "stop":
            raise error
        if self._counterfactuals is not None and isinstance(fleet, RunningFleet):
            self._counterfactuals.disable(fleet.number)
        self._shared.maker.disable(fleet.device)
        self._note_failure(FleetFailure(fleet.name, len(fleet.device), tick, str(error)))

    def _note_failure(self, failure: FleetFailure) -> None:
        self.failures.append(failure)
        self._new_failures.append(failure)

    def _take_failures(self) -> tuple[FleetFailure, ...]:
        """Return the failures since the last call."""
        taken = tuple(self._new_failures)
        self._new_failures.clear()
        return taken


def _failure(fields: Sequence[Any]) -> FleetFailure:
    fleet, devices, tick, reason, fault = fields
    return FleetFailure(str(fleet), int(devices), int(tick), str(reason), str(fault))
