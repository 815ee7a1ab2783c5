"""The simulation: projects, fleets, weather and loads, advanced one tick at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from gridsim.errors import PluginError
from gridsim.simulation.baselines.sites import Baselines
from gridsim.simulation.batch import BatchMaker
from gridsim.simulation.boundary import checked
from gridsim.simulation.commands import CommandBook
from gridsim.simulation.demand_response.settlement import reduction
from gridsim.simulation.dispatch.dispatch import dispatch, orders_for
from gridsim.simulation.dispatch.orders import DeviceOrders, SiteOrders
from gridsim.simulation.faults import FaultTotals, Passed
from gridsim.simulation.fleets import RunningFleet
from gridsim.simulation.instructed import INSTRUCTED, EventsAndFaults
from gridsim.simulation.loads import SiteLoads
from gridsim.simulation.scenario import FleetSpec, Scenario

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
        self._flowed: tuple[Floats, Floats, Floats] | None = None
        """The last tick's baseline and gross load per site and output per device, kW."""
        ghosts = None if self._own.faults is None else self._own.faults.ghosts
        if ghosts is not None:
            self._commands.silence(ghosts)
        self._fleets: list[RunningFleet] = []
        for number, spec in enumerate(scenario.fleets):
            self.busy_with = f"the DER type {spec.name!r}"
            try:
                self._fleets.append(RunningFleet(number, spec, ghosts))
            except PluginError as error:
                self._disable(spec, error)
        self.busy_with = ""

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
            "scenario": _identity(self._scenario),
            "next_tick": self.next_tick,
            "failures": [[one.fleet, one.devices, one.tick, one.reason] for one in self.failures],
            "fleets": {str(one.number): one.state() for one in self._fleets},
            "loads": self._loads.state(),
            "baselines": self._baselines.state(),
            "maker": self._maker.state(),
            "commands": self._commands.state(),
            "events_and_faults": self._own.state(),
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
        self.next_tick = int(state["next_tick"])
        self.failures = [_failure(one) for one in state["failures"]]
        fleets = dict(state["fleets"])
        self._fleets = [one for one in self._fleets if str(one.number) in fleets]
        for fleet in self._fleets:
            fleet.restore(fleets[str(fleet.number)])
        self._loads.restore(state["loads"])
        self._baselines.restore(state["baselines"])
        self._maker.restore(state["maker"])
        self._commands.restore(state["commands"])
        self._own.restore(state["events_and_faults"], self._call)
        if state["flowed"] is not None:
            baseline, meter, real = map(np.array, state["flowed"])
            self._flowed = baseline, meter, real

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
        devices: DeviceOrders | None = self._commands.devices
        sites: SiteOrders | None = self._commands.sites
        demand_response, faults = self._own.demand_response, self._own.faults
        if demand_response is not None:
            of_events = demand_response.begin(time_ms, baseline)
            sites = of_events if sites is None else sites.above(of_events)
        power, soc, extra = self._step_fleets(tick, meter, devices, sites)
        real = power if faults is None else faults.real(power)
        self._flowed = baseline, meter, real
        self._commands.observe(real, soc, meter)
        if demand_response is not None:
            demand_response.add(time_ms, baseline, meter, real)
        self._baselines.note(tick, meter, real)
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
            instructions=tuple(instructions),
            acknowledgements=answers,
            injected=self._own.take_injected(),
            settlements=demand_response.take_settlements() if demand_response else (),
            changes=demand_response.take_changes() if demand_response else (),
        )

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
        return TickResult(
            self.next_tick,
            passed.batch,
            unsent=passed.unsent,
            episodes=passed.episodes,
            settlements=demand_response.take_settlements() if demand_response else (),
            changes=demand_response.take_changes() if demand_response else (),
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
        sample = self._call(name, partial(self._weather.at, time_ms))
        if not isinstance(sample, WeatherSample):
            raise PluginError(f"{name} returned {sample!r:.100} instead of a WeatherSample")
        sites = self._scenario.sites.ids
        return WeatherSample(
            *(checked(name, f.name, getattr(sample, f.name), sites, each="site") for f in _FIELDS)
        )

    def _step_fleets(
        self,
        tick: Tick,
        meter: Floats,
        devices: DeviceOrders | None,
        sites: SiteOrders | None,
    ) -> tuple[Floats, Floats, dict[str, Floats]]:
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
            ability = self._guard(fleet, partial(fleet.capability, tick))
            if ability is not None:
                able.append((fleet, ability))
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
        if self._scenario.on_error == "stop":
            raise error
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
        except (Exception, SystemExit) as error:
            raise PluginError(f"{name} failed: {type(error).__name__}: {error}") from error
        finally:
            self.busy_with = before


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
