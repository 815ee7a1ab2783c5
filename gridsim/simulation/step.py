"""The simulation: projects, fleets, weather and loads, advanced one tick at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import fields
from functools import partial
from typing import Any, TypeVar

import numpy as np

from gridsim.api import (
    Acknowledgement,
    Batch,
    Floats,
    Instruction,
    Orders,
    State,
    StateError,
    Tick,
    WeatherSample,
)
from gridsim.contracts.batch_serial import roster_fingerprint
from gridsim.contracts.results import FleetFailure, TickResult
from gridsim.contracts.tree_serial import SerialError
from gridsim.errors import PluginError, failure
from gridsim.simulation.baselines.sites import Baselines
from gridsim.simulation.batch import BatchMaker, read_only
from gridsim.simulation.boundary import checked, shown
from gridsim.simulation.commands import CommandBook
from gridsim.simulation.counterfactual import Counterfactuals, counterfactual_sites
from gridsim.simulation.counterfactual.sharing import Memo, shared
from gridsim.simulation.demand_response.settlement import reduction
from gridsim.simulation.demand_response.shortfall import Ability, ability
from gridsim.simulation.dispatch.dispatch import dispatch, orders_for
from gridsim.simulation.dispatch.orders import DeviceOrders, SiteOrders
from gridsim.simulation.faults import FaultTotals, Passed
from gridsim.simulation.fleets import RunningFleet
from gridsim.simulation.instructed import INSTRUCTED, EventsAndFaults
from gridsim.simulation.loads import SiteLoads
from gridsim.simulation.scenario import FleetSpec, Scenario
from gridsim.simulation.truth import tick_truth

T = TypeVar("T")

_FIELDS = fields(WeatherSample)


class Simulation:
    """A simulation, which depends on its state alone: no clock, thread, socket or file.

    A checkpoint keeps its `state`. Only one thread may step it.
    """

    def __init__(self, scenario: Scenario) -> None:
        """Raise PluginError if a plugin fails and the run cannot continue without it."""
        self._scenario = scenario
        self.roster = scenario.roster
        self.start_ms, self.tick_ms = scenario.start_ms, scenario.tick_ms
        self._sites = len(scenario.sites)
        self.next_tick = 0
        self.failures: list[FleetFailure] = []
        """The fleets that were disabled so far."""
        self._new_failures: list[FleetFailure] = []
        """The failures that are not in a result yet."""
        self.busy_with = ""
        """The plugin that is being called, for a watcher in another thread."""
        weather = scenario.weather
        self._weather = self._call(
            f"the weather {weather.name!r}",
            partial(weather.type, weather.settings, scenario.sites, scenario.draws),
        )
        self._loads = SiteLoads(scenario.loads, self._sites, self._call)
        self._baselines = Baselines(scenario, self._loads, self._call)
        self._maker = BatchMaker(scenario)
        self._commands = CommandBook(scenario)
        self._own = EventsAndFaults(
            scenario, self._commands, self._baselines, self._maker, self._call
        )
        self._is_copy = False
        """True for a copy that goes on without an event; a failing plugin ends it."""
        self._counterfactuals: Counterfactuals | None = None
        if scenario.rebound_ms is not None or counterfactual_sites(scenario).any():
            self._counterfactuals = Counterfactuals(scenario, self._fork)
        self._flowed: tuple[Floats, Floats, Floats] | None = None
        """The last tick's baseline and gross load per site and output per device, kW."""
        ghosts = None if self._own.faults is None else self._own.faults.ghosts
        if ghosts is not None:
            self._commands.silence(ghosts)
        self._able: Ability | None = None
        """The ability of the sites in the last tick; None if no event needed it."""
        self._fleets: list[RunningFleet] = []
        for number, spec in enumerate(scenario.fleets):
            self.busy_with = f"the DER type {spec.name!r}"
            try:
                self._fleets.append(RunningFleet(number, spec, ghosts))
            except PluginError as error:
                self._disable(spec, error)
        self.busy_with = ""
        # Of all fleets: one that is disabled later counts as well.
        self._clippings = [(fleet.name, fleet.clipping) for fleet in self._fleets]

    @property
    def clipped(self) -> dict[str, int]:
        """The number of values beyond the bounds of devices so far, by DER type and column."""
        totals: Counter[str] = Counter()
        for name, clipping in self._clippings:
            totals.update({f"{name} {column}": n for column, n in [*clipping.totals.items()]})
        return dict(totals)

    @property
    def tally(self) -> FaultTotals | None:
        """The effects of faults so far; None in a run without faults."""
        return None if self._own.faults is None else self._own.faults.tally

    def state(self) -> State:
        """Return what a checkpoint keeps, between two ticks: a copy, as data.

        Data that follow from the scenario alone are left out. Raises StateError, naming the
        plugin, if a plugin's state cannot be kept.
        """
        return {
            **self.course_state(),
            "failures": [[one.fleet, one.devices, one.tick, one.reason] for one in self.failures],
            "loads": self._loads.state(),
            "maker": self._maker.state(),
            "faults": self._own.faults_state(),
            "counterfactuals": self._counterfactuals and self._counterfactuals.state(),
        }

    def course_state(self) -> State:
        """Return what a checkpoint keeps of a copy that goes on without an event."""
        return {
            "scenario": _identity(self._scenario),
            "next_tick": self.next_tick,
            "fleets": {str(one.number): one.state() for one in self._fleets},
            "baselines": self._baselines.state(),
            "commands": self._commands.state(),
            "events": self._own.events_state(),
            "flowed": None if self._flowed is None else [*map(np.array, self._flowed)],
        }

    def restore(self, state: State) -> None:
        """Continue from a state, in a simulation that was just created from the same scenario.

        Raises StateError if the state is invalid or belongs to another scenario; the simulation
        must not be used then.
        """
        if self.next_tick:
            raise StateError("a state can be restored only before a simulation's first tick")
        own, theirs = _identity(self._scenario), state.get("scenario")
        if own != theirs:
            raise StateError(f"the checkpoint belongs to another scenario: {theirs}, not {own}")
        try:
            self._restore(state)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, SerialError) as error:
            name = type(error).__name__
            raise StateError(
                f"the checkpoint does not fit this version of gridsim: {name}: {error}"
            ) from error

    def _restore(self, state: State) -> None:
        self.failures = [_failure(one) for one in state["failures"]]
        self._restore_course(state)
        self._loads.restore(state["loads"])
        self._maker.restore(state["maker"])
        self._own.restore_faults(state["faults"], self._call)
        if self._counterfactuals is not None and state["counterfactuals"] is not None:
            self._counterfactuals.restore(
                state["counterfactuals"], self._restored_copy, self._own.demand_response
            )

    def _restore_course(self, state: State) -> None:
        self.next_tick = int(state["next_tick"])
        fleets = dict(state["fleets"])
        self._fleets = [one for one in self._fleets if str(one.number) in fleets]
        for fleet in self._fleets:
            fleet.restore(fleets[str(fleet.number)])
        self._baselines.restore(state["baselines"])
        self._commands.restore(state["commands"])
        self._own.restore_events(state["events"])
        if state["flowed"] is not None:
            baseline, meter, real = map(np.array, state["flowed"])
            self._flowed = baseline, meter, real

    def _restored_copy(self, state: State) -> Simulation:
        """Return a copy that goes on without an event, from its `course_state`."""
        made = Simulation(self._scenario)
        made._is_copy, made._counterfactuals = True, None
        made._restore_course(state)
        return made

    def step(self) -> Batch:
        """Advance one tick and return its readings."""
        return self.advance().batch

    def advance(self, instructions: Sequence[Instruction] = ()) -> TickResult:
        """Advance one tick; the instructions take effect at its start.

        Raises PluginError, naming the plugin, if a plugin fails. With `on_error = "skip_fleet"`
        a failing fleet is disabled instead, and added to `failures`.
        """
        scenario = self._scenario
        time_ms = scenario.start_ms + self.next_tick * scenario.tick_ms
        weather = self._weather_at(time_ms)
        tick = Tick(self.next_tick, time_ms, scenario.tick_ms / 1000, weather)
        meter = self._loads.at(tick, self._call)
        baseline = self._baselines.at(tick)
        answers = self._decide(instructions, tick)
        counterfactuals, demand_response = self._counterfactuals, self._own.demand_response
        if counterfactuals is not None and demand_response is not None:
            counterfactuals.begin(tick, meter, baseline, demand_response, instructions, answers)
        if counterfactuals is not None and counterfactuals.has_baselines:
            # The array changes now, but a copy that branched in this tick has it too.
            baseline = baseline.copy()
        power, soc, extra, real = self._flow(tick, meter, baseline)
        if counterfactuals is not None and demand_response is not None:
            counterfactuals.add(time_ms, real, demand_response)
        faults = self._own.faults
        batch = self._maker.make(tick.index, power, soc, meter, baseline, extra)
        passed = Passed(batch)
        if faults is not None:
            passed = faults.take(tick, batch, power, soc, meter, self._call)
        if self._own.has_open:
            answers = (*answers, *self._own.endings(tick))
        self.next_tick += 1
        return TickResult(
            tick.index,
            passed.batch,
            unsent=passed.unsent,
            episodes=passed.episodes,
            failures=self._take_failures(),
            clipped=tuple(one for fleet in self._fleets for one in fleet.take_clipped()),
            truth=tick_truth(
                baseline, meter, real, soc, extra, self._maker, faults, demand_response
            ),
            instructions=tuple(instructions),
            acknowledgements=answers,
            injected=self._own.take_injected(),
            settlements=demand_response.take_settlements() if demand_response else (),
            changes=demand_response.take_changes() if demand_response else (),
            true_reductions=counterfactuals.take_results() if counterfactuals else (),
            unmeasured=counterfactuals.take_unmeasured() if counterfactuals else (),
        )

    def follow(self, tick: Tick, meter: Floats, instructions: Sequence[Instruction]) -> Floats:
        """Advance a copy of a simulation by the tick that the simulation is in.

        `meter` is the gross load per site, kW. `instructions` are those that the simulation has
        accepted. Returns the real output of every device, float64[n], kW.

        Raises PluginError.
        """
        baseline = self._baselines.at(tick)
        self._decide(instructions, tick)
        return self.flow(tick, meter, baseline)

    def flow(self, tick: Tick, meter: Floats, baseline: Floats) -> Floats:
        """Finish the tick of a copy that branched within it; see `follow`."""
        *_, real = self._flow(tick, meter, baseline)
        demand_response = self._own.demand_response
        if demand_response is not None:
            demand_response.take_settlements()
            demand_response.take_changes()
        if self._own.has_open:
            for _ in self._own.endings(tick):
                pass
        self.next_tick += 1
        return real

    def omit(self, event: str) -> None:
        """Leave out the occurrence of an event that is announced next."""
        if self._own.demand_response is not None:
            self._own.demand_response.omit(event)

    def leave_out(self, fleet: int) -> None:
        """Leave out a fleet, by its index in the scenario, from now on."""
        for one in [one for one in self._fleets if one.number == fleet]:
            self._fleets.remove(one)
            self._baselines.disable(one.device)
            self._commands.silence(one.device)

    def _fork(self) -> Simulation:
        """Return a copy within a tick, before events begin. Raises PluginError."""
        memo = shared(self._scenario)
        for part in (self._weather, self._loads, self._maker, self._own.faults):
            memo[id(part)] = part
        copy = object.__new__(Simulation)
        memo[id(self)] = copy
        commands = self._commands.copied(memo)
        memo[id(self._commands)] = commands
        if self._own.demand_response is not None:
            self._own.demand_response.share(memo)
        fleets = [_copied(f"the DER type {fleet.name!r}", fleet, memo) for fleet in self._fleets]
        baselines = _copied("a baseline", self._baselines, memo)
        own = _copied("the events", self._own, memo)
        for name, value in vars(self).items():
            setattr(copy, name, value)
        copy._fleets, copy._baselines, copy._own, copy._commands = fleets, baselines, own, commands
        copy._is_copy, copy._counterfactuals = True, None
        copy.failures, copy._new_failures = [], []
        return copy

    def finish(self) -> TickResult:
        """End the run and return what is still open; called once, after the last tick."""
        n, extra = len(self.roster), self.roster.columns
        rows, sites = np.full(n, np.nan), np.full(self._sites, np.nan)
        nothing = self._maker.make(
            self.next_tick, rows, rows, sites, sites, dict.fromkeys(extra, rows)
        ).rows(0, 0)
        end_ms = self._scenario.start_ms + self.next_tick * self._scenario.tick_ms
        passed = Passed(nothing)
        if self._own.faults is not None:
            passed = self._own.faults.finish(nothing, end_ms)
        demand_response = self._own.demand_response
        if demand_response is not None:
            demand_response.finish(end_ms)
        counterfactuals = self._counterfactuals
        if counterfactuals is not None:
            counterfactuals.finish()
        return TickResult(
            self.next_tick,
            passed.batch,
            unsent=passed.unsent,
            episodes=passed.episodes,
            settlements=demand_response.take_settlements() if demand_response else (),
            changes=demand_response.take_changes() if demand_response else (),
            true_reductions=counterfactuals.take_results() if counterfactuals else (),
            unmeasured=counterfactuals.take_unmeasured() if counterfactuals else (),
        )

    def _decide(
        self, instructions: Sequence[Instruction], tick: Tick
    ) -> tuple[Acknowledgement, ...]:
        """Apply the instructions at a tick's start, and return the acknowledgements."""
        answers = self._commands.take(instructions, tick)
        if not any(isinstance(one, INSTRUCTED) for one in instructions):
            return answers
        reduced = None if self._flowed is None else reduction(*self._flowed, self.roster.project)
        return (*answers, *self._own.decide(instructions, tick, reduced, self._call))

    def _weather_at(self, time_ms: int) -> WeatherSample:
        name = f"the weather {self._scenario.weather.name!r}"
        return self._call(name, partial(self._sample, name, time_ms))

    def _sample(self, name: str, time_ms: int) -> WeatherSample:
        """Return the weather, checked and read-only: every plugin gets the same arrays."""
        sample = self._weather.at(time_ms)
        if not isinstance(sample, WeatherSample):
            raise PluginError(f"{name} returned {shown(sample)} instead of a WeatherSample")
        sites = self._scenario.sites.ids
        return WeatherSample(
            *(
                read_only(checked(name, f.name, getattr(sample, f.name), sites, each="site").view())
                for f in _FIELDS
            )
        )

    def _flow(
        self, tick: Tick, meter: Floats, baseline: Floats
    ) -> tuple[Floats, Floats, dict[str, Floats], Floats]:
        """Begin and end events, then step the fleets; `meter` and `baseline` are per site, kW.

        Counterfactual baselines are written to `baseline`.
        Returns output, state of charge, further columns, and real output, per device.
        """
        devices: DeviceOrders | None = self._commands.devices
        sites: SiteOrders | None = self._commands.sites
        demand_response, faults = self._own.demand_response, self._own.faults
        truth = self._counterfactuals
        if truth is not None and not truth.has_baselines:
            truth = None
        if demand_response is not None:
            adjust = None if truth is None else partial(truth.adjust, baseline, meter)
            of_events = demand_response.begin(tick.time_ms, baseline, adjust)
            sites = of_events if sites is None else sites.above(of_events)
        judge = demand_response is not None and demand_response.requests_reduction
        judge &= not self._is_copy
        power, soc, extra = self._step_fleets(tick, meter, devices, sites, judge=judge)
        real = power if faults is None else faults.real(power)
        if truth is not None:
            truth.adjust_outside(baseline, meter, real)
        self._flowed = baseline, meter, real
        self._commands.observe(real, soc, meter)
        if demand_response is not None:
            demand_response.add(tick.time_ms, baseline, meter, real, self._able)
        self._baselines.note(tick, meter, real)
        return power, soc, extra, real

    def _step_fleets(
        self,
        tick: Tick,
        meter: Floats,
        devices: DeviceOrders | None,
        sites: SiteOrders | None,
        *,
        judge: bool,
    ) -> tuple[Floats, Floats, dict[str, Floats]]:
        """Step all fleets; with `judge` also find what the sites are able to do in an event."""
        n = len(self._scenario.roster)
        power, soc = np.zeros(n), np.full(n, np.nan)
        extra = {name: np.full(n, np.nan) for name in self._scenario.roster.columns}
        net = meter.copy()
        # By the values that are reported a back-end judges: only a target needs them.
        reported = None
        if sites is not None and not np.isnan(sites.net_kw).all():
            reported = np.rint(meter * 100.0) / 100.0

        def step(fleet: RunningFleet, orders: Orders) -> None:
            telemetry = fleet.step(tick, orders)
            power[fleet.device] = telemetry.current_output
            if telemetry.current_soc is not None:
                soc[fleet.device] = telemetry.current_soc
            for name, column in telemetry.extra.items():
                extra[name][fleet.device] = column
            output = fleet.real(telemetry.current_output)
            np.subtract(net, np.bincount(fleet.site, output, len(net)), out=net)
            if reported is not None:
                shown = np.bincount(fleet.site, np.rint(output * 100.0), len(net)) / 100.0
                np.subtract(reported, shown, out=reported)

        for fleet in [fleet for fleet in self._fleets if not fleet.flexible]:
            self._guard(fleet, partial(step, fleet, orders_for(fleet, devices)))
        able = []
        for fleet in [fleet for fleet in self._fleets if fleet.flexible]:
            own = self._guard(fleet, partial(fleet.capability, tick))
            if own is not None:
                able.append((fleet, own))
        self._able = ability(net, able, devices, self._commands.sites) if judge else None
        for round_orders in dispatch(net, able, devices, sites, reported):
            for fleet, orders in round_orders:
                self._guard(fleet, partial(step, fleet, orders))
        return power, soc, extra

    def _guard(self, fleet: RunningFleet, do: Callable[[], T]) -> T | None:
        """Return `do()`; if the fleet's plugin fails, end the run or disable the fleet."""
        self.busy_with = f"the DER type {fleet.name!r}"
        try:
            return do()
        except PluginError as error:
            self._disable(fleet, error)
            self._fleets.remove(fleet)
            return None
        finally:
            self.busy_with = ""

    def _disable(self, fleet: RunningFleet | FleetSpec, error: PluginError) -> None:
        """Disable a fleet that failed; raise the error if `on_error` is "stop"."""
        if self._scenario.on_error == "stop" or self._is_copy:
            raise error
        if self._counterfactuals is not None and isinstance(fleet, RunningFleet):
            self._counterfactuals.disable(fleet.number)
        self._maker.disable(fleet.device)
        self._baselines.disable(fleet.device)
        self._commands.silence(fleet.device)
        failure = FleetFailure(fleet.name, len(fleet.device), self.next_tick, str(error))
        self.failures.append(failure)
        self._new_failures.append(failure)

    def _take_failures(self) -> tuple[FleetFailure, ...]:
        """Return the failures since the last call."""
        taken = tuple(self._new_failures)
        self._new_failures.clear()
        return taken

    def _call(self, name: str, do: Callable[[], T]) -> T:
        """Return `do()`; a failure names the plugin. Calls nest: a baseline may call a load."""
        before, self.busy_with = self.busy_with, name
        try:
            return do()
        except PluginError:
            raise
        except BaseException as error:
            raise failure(name, error) from error
        finally:
            self.busy_with = before


def _copied(name: str, part: T, memo: Memo) -> T:
    """Return a deep copy of a part. Raises PluginError, with the part's name."""
    try:
        return deepcopy(part, memo)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise PluginError(f"cannot copy {name}: {reason}") from error


def _failure(fields: Sequence[Any]) -> FleetFailure:
    fleet, devices, tick, reason = fields
    return FleetFailure(str(fleet), int(devices), int(tick), str(reason))


def _identity(scenario: Scenario) -> State:
    """Return the data by which a state is matched to its scenario."""
    return {
        "seed": scenario.draws.seed,
        "start_ms": scenario.start_ms,
        "tick_ms": scenario.tick_ms,
        "roster": roster_fingerprint(scenario.roster),
        "fleets": [spec.name for spec in scenario.fleets],
        "events": [spec.id for spec in scenario.events],
        "faults": [spec.id for spec in scenario.faults],
    }
