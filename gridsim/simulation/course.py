"""The course of the sites: everything that commands and events change, in a run and in its
copies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Acknowledgement, Floats, Instruction, State, Staying, Tick
from gridsim.contracts.carrying import carried_array
from gridsim.contracts.measurands import ALARMS_COLUMN, ELECTRICAL
from gridsim.errors import PluginError
from gridsim.simulation.baselines.sites import Baselines
from gridsim.simulation.batch import BatchMaker
from gridsim.simulation.calling import PluginCalls
from gridsim.simulation.commands import CommandBook
from gridsim.simulation.demand_response.occurrence import Occurrence
from gridsim.simulation.demand_response.settlement import reduction
from gridsim.simulation.dispatch.orders import DeviceOrders, SiteOrders
from gridsim.simulation.fleets import RunningFleet
from gridsim.simulation.instructed import INSTRUCTED, EventsAndFaults
from gridsim.simulation.loads import SiteLoads
from gridsim.simulation.measurands.conditions import DeviceFaultiness
from gridsim.simulation.measurands.grid import Grid, reads_grid
from gridsim.simulation.scenario import FleetSpec, Scenario
from gridsim.simulation.site_fleets import FleetOutputs, SiteFleets
from gridsim.simulation.weather import SiteWeather

OnDisabled = Callable[[FleetSpec | RunningFleet, PluginError, int], None]
"""A function that records the failure of a fleet in a tick, or raises its error."""


class TrueBaselines(Protocol):
    """The baselines of sites as counterfactual copies of a course give them."""

    def adjust(self, baseline: Floats, meter: Floats, running: Sequence[Occurrence]) -> None:
        """Write the baselines of sites in running events; per site, kW."""

    def adjust_outside(self, baseline: Floats, meter: Floats, power: Floats) -> None:
        """Write the baselines of sites outside events, after the fleets have stepped."""


class SharedParts:
    """The parts of a run that its counterfactual copies share.

    Their results depend on the time alone, or only the run uses them.
    """

    def __init__(self, scenario: Scenario) -> None:
        """Raise PluginError if a plugin cannot be created."""
        self.scenario = scenario
        self.call = PluginCalls()
        self.weather = SiteWeather(scenario, self.call)
        self.loads = SiteLoads(scenario.loads, len(scenario.sites), self.call)
        self.maker = BatchMaker(scenario)
        self.feeds_back = reads_grid(scenario)
        """True if devices read the grid, so that its state changes their power."""
        wanted = not (ELECTRICAL | {ALARMS_COLUMN}).isdisjoint(scenario.measurands)
        fused = not np.isnan(scenario.sites.main_fuse_a).all()
        self.grid = Grid(scenario) if self.feeds_back or wanted or fused else None
        self.has_fuses = fused
        """True if a site has a main fuse."""
        self.faulty: DeviceFaultiness | None = None
        """The effects of faults in this tick that devices notice; the run sets them."""


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """The power of a tick."""

    fleets: FleetOutputs
    real: Floats
    """The output of every device, kW, zero for devices that do not exist."""
    disconnected: NDArray[np.bool_] | None
    """The devices that a command has disconnected, bool[n]; None: no device."""


class Course:
    """The commands, events, baselines and fleets of all sites, advanced one tick at a time.

    A run has one, and each counterfactual copy of it has its own.
    """

    def __init__(self, shared: SharedParts, on_disabled: OnDisabled) -> None:
        """Raise PluginError if a plugin fails and `on_disabled` raises its error."""
        scenario = shared.scenario
        self.shared = shared
        self.on_disabled = on_disabled
        self.next_tick = 0
        self.baselines = Baselines(scenario, shared.loads, shared.call)
        self.commands = CommandBook(scenario)
        self.instructed = EventsAndFaults(
            scenario, self.commands, self.baselines, shared.maker, shared.call
        )
        self._rise: Floats | None = None
        """The rise of the voltage in the last tick per site, if devices read the grid."""
        self._flowed: tuple[Floats, Floats, Floats] | None = None
        """The last tick's baseline and gross load per site and output per device, kW."""
        self._begun: Tick | None = None
        """The tick before which the course has begun, in the midst of a run."""
        faults = self.instructed.faults
        ghosts = None if faults is None else faults.ghosts
        if ghosts is not None:
            self.commands.disable(ghosts)
        self.fleets = SiteFleets(scenario, ghosts, shared.call, self.disable)

    def state(self) -> State:
        """Return what a checkpoint keeps, between two ticks: a copy, as data."""
        return {
            "next_tick": self.next_tick,
            **({} if self._rise is None else {"rise": self._rise.copy()}),
            "fleets": self.fleets.state(),
            "baselines": self.baselines.state(),
            "commands": self.commands.state(),
            "events": self.instructed.events_state(),
            "flowed": None if self._flowed is None else [*map(np.array, self._flowed)],
        }

    def restore(self, state: State) -> None:
        """Continue from a state. Raises StateError, or any error if the state is invalid."""
        self.next_tick = int(state["next_tick"])
        self.fleets.restore(state["fleets"])
        self.baselines.restore(state["baselines"])
        self.commands.restore(state["commands"])
        self.instructed.restore_events(state["events"])
        if "rise" in state:
            self._rise = np.array(state["rise"])
        if state["flowed"] is not None:
            baseline, meter, real = map(np.array, state["flowed"])
            self._flowed = baseline, meter, real

    def begin_at(self, next_tick: int) -> Tick:
        """Begin a run in its midst: step the devices once, as before its tick `next_tick`.

        Returns that tick, with the weather before it. Raises PluginError.
        """
        if self._begun is not None and self.next_tick == next_tick:
            return self._begun
        shared, scenario = self.shared, self.shared.scenario
        time_ms = scenario.start_ms + (next_tick - 1) * scenario.tick_ms
        weather = shared.weather.at(time_ms, shared.call)
        tick = Tick(next_tick - 1, time_ms, scenario.tick_ms / 1000, weather)
        grid = shared.grid if shared.feeds_back else None
        if grid is not None:
            tick = replace(tick, grid=grid.sample(time_ms, None))
        meter = shared.loads.at(tick, shared.call)
        baseline = self.baselines.at(tick)
        fleets, _ = self.fleets.step(tick, meter, None, None, None, judge=False)
        faults = self.instructed.faults
        real = fleets.power if faults is None else faults.real(fleets.power)
        if grid is not None:
            self._rise = grid.rise(meter, real, fleets.reactive)
        self._flowed = baseline, meter, real
        self.commands.observe(real, fleets.soc, meter)
        self.baselines.note(tick, meter, real)
        self.next_tick = next_tick
        self._begun = replace(tick, index=next_tick, time_ms=time_ms + scenario.tick_ms, grid=None)
        return self._begun

    def carry_over(self, older: Course, devices: Staying, sites: Staying) -> None:
        """Copy what the last tick left, apart from what the parts keep themselves."""
        if self._rise is not None and older._rise is not None:
            self._rise = carried_array(self._rise, older._rise, sites)
        if self._flowed is not None and older._flowed is not None:
            every = zip(self._flowed, older._flowed, (sites, sites, devices), strict=True)
            baseline, meter, real = (carried_array(*one) for one in every)
            self._flowed = baseline, meter, real

    def decide(
        self, instructions: Sequence[Instruction], tick: Tick
    ) -> tuple[Acknowledgement, ...]:
        """Apply the instructions at a tick's start, and return the acknowledgements."""
        answers = self.commands.take(instructions, tick)
        if not any(isinstance(one, INSTRUCTED) for one in instructions):
            return answers
        project = self.shared.scenario.roster.project
        reduced = None if self._flowed is None else reduction(*self._flowed, project)
        return (*answers, *self.instructed.decide(instructions, tick, reduced, self.shared.call))

    def flow(
        self,
        tick: Tick,
        meter: Floats,
        baseline: Floats,
        truth: TrueBaselines | None = None,
        *,
        judge: bool = False,
    ) -> Flow:
        """Begin and end events, then step the fleets; `meter` and `baseline` are per site, kW.

        `truth` writes counterfactual baselines to `baseline`. With `judge` the shortfall of events
        is explained.
        """
        grid = self.shared.grid if self.shared.feeds_back else None
        if grid is not None:
            tick = replace(tick, grid=grid.sample(tick.time_ms, self._rise))
        sites: SiteOrders | None = self.commands.sites
        demand_response, faults = self.instructed.demand_response, self.instructed.faults
        if demand_response is not None:
            adjust = None if truth is None else partial(truth.adjust, baseline, meter)
            of_events = demand_response.begin(tick.time_ms, baseline, adjust)
            sites = of_events if sites is None else sites.above(of_events)
        judge &= demand_response is not None and demand_response.requests_reduction
        devices, faulty = self.commands.devices, self.shared.faulty
        if faulty is not None and faulty.stopped is not None:
            orders = DeviceOrders.none(len(faulty.stopped)) if devices is None else devices
            devices = orders.without(faulty.stopped)
        fleets, able = self.fleets.step(
            tick,
            meter,
            devices,
            sites,
            self.commands.sites,
            judge=judge,
            # Devices that read the grid depend on the tick before.
            weather=self.shared.weather if grid is None else None,
        )
        real = fleets.power if faults is None else faults.real(fleets.power)
        if grid is not None:
            self._rise = grid.rise(meter, real, fleets.reactive)
        if truth is not None:
            truth.adjust_outside(baseline, meter, real)
        self._flowed = baseline, meter, real
        self.commands.observe(real, fleets.soc, meter)
        if demand_response is not None:
            demand_response.add(tick.time_ms, baseline, meter, real, able)
        self.baselines.note(tick, meter, real)
        return Flow(fleets, real, None if devices is None else devices.disconnected)

    def end_tick(self, tick: Tick, *, is_copy: bool = False) -> tuple[Acknowledgement, ...]:
        """End a tick; return the acknowledgements of commands, events and faults that ended by
        themselves. A copy shares the faults of the run, and leaves their endings to it.
        """
        self.next_tick += 1
        instructed = self.instructed
        return tuple(instructed.endings(tick, faults=not is_copy)) if instructed.has_open else ()

    def leave_out(self, fleet: FleetSpec | RunningFleet) -> None:
        """Leave out a fleet from the expectation and from commands."""
        self.baselines.disable(fleet.device)
        self.commands.disable(fleet.device)

    def disable(self, fleet: FleetSpec | RunningFleet, error: PluginError) -> None:
        """Leave out a fleet that failed; see `OnDisabled`."""
        self.on_disabled(fleet, error, self.next_tick)
        self.leave_out(fleet)
