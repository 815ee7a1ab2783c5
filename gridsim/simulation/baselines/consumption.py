"""The expected consumption of the DERs that consume, such as chargers and heat pumps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats, State, Tick
from gridsim.errors import PluginError
from gridsim.simulation.dispatch.dispatch import no_orders
from gridsim.simulation.fleets import RunningFleet
from gridsim.simulation.scenario import FleetSpec, Scenario

SLOT_MS: Final = 60_000
"""The length of a slot in runs with ticks of at most a minute that divide it."""


class ExpectedConsumption:
    """The consumption of the consuming DERs of all sites, simulated without any setpoint.

    A second copy of the fleets whose type has `consumes` steps once per slot without orders.
    Their sessions, draws and thermostats depend on the device alone, so a car charges in the copy
    when it charges at its site. The copy is created when a baseline first asks for it.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        tick_ms = scenario.tick_ms
        self._slot_ms = math.ceil(SLOT_MS / tick_ms) * tick_ms
        # Cars arrive and leave at whole minutes.
        early_ms = scenario.start_ms % SLOT_MS if self._slot_ms == SLOT_MS else 0
        self._origin_ms = scenario.start_ms - early_ms
        self._specs: dict[int, FleetSpec] = {
            number: spec for number, spec in enumerate(scenario.fleets) if spec.type.consumes
        }
        self._ghosts = _ghosts(scenario)
        self._fleets: list[RunningFleet] | None = None
        """None until a baseline asks for it."""
        self._slot = -1
        self._kw: Floats = np.zeros(len(scenario.sites))
        self._tick: Tick | None = None

    def state(self) -> State:
        """Return what a checkpoint keeps. Raises StateError, naming the plugin."""
        fleets = self._fleets
        return {
            "numbers": [*self._specs],
            "slot": self._slot,
            "kw": self._kw.copy(),
            "fleets": None if fleets is None else {str(one.number): one.state() for one in fleets},
        }

    def restore(self, state: State) -> None:
        """Continue from a checkpoint's state."""
        self._specs = {number: self._specs[number] for number in state["numbers"]}
        self._slot, self._kw = int(state["slot"]), np.array(state["kw"])
        if state["fleets"] is not None:
            self._fleets = self._made()
            for fleet in self._fleets:
                fleet.restore(state["fleets"][str(fleet.number)])

    def begin(self, tick: Tick) -> None:
        """Begin a tick. Raises PluginError."""
        self._tick = tick
        if self._fleets is not None:
            self._advance(tick)

    def at(self, time_ms: int) -> Floats | None:
        """Return the consumption of the present tick, float64[sites], kW.

        None if UTC `time_ms` is before the start, or if no DER consumes. Raises PluginError.
        """
        tick = self._tick
        if tick is None or time_ms < self._scenario.start_ms or not self._specs:
            return None
        if self._fleets is None:
            self._fleets = self._made()
            self._advance(tick)
        return self._kw

    def disable(self, device: NDArray[np.intp]) -> None:
        """Leave out the fleet with these devices from now on, because its plugin failed."""
        for number, spec in [*self._specs.items()]:
            if spec.device is device:
                del self._specs[number]
        if self._fleets is not None:
            self._fleets = [one for one in self._fleets if one.number in self._specs]

    def _made(self) -> list[RunningFleet]:
        made = []
        for number, spec in self._specs.items():
            members = replace(
                spec.members,
                start_ms=self._origin_ms,
                tick_ms=self._slot_ms,
                wanted=frozenset(),
            )
            made.append(RunningFleet(number, replace(spec, members=members), self._ghosts))
        return made

    def _advance(self, tick: Tick) -> None:
        slot = (tick.time_ms - self._origin_ms) // self._slot_ms
        if slot <= self._slot:
            return
        self._slot = slot
        start_ms = self._origin_ms + slot * self._slot_ms
        now = Tick(slot, start_ms, self._slot_ms / 1000, tick.weather)
        total = np.zeros(len(self._kw))
        for fleet in [*(self._fleets or ())]:
            try:
                power = _unmanaged(fleet, now)
            except PluginError:
                if self._scenario.on_error == "stop":
                    raise
                self.disable(fleet.device)
                continue
            total -= np.bincount(fleet.site, fleet.real(power), len(total))
        self._kw = total


def _unmanaged(fleet: RunningFleet, tick: Tick) -> Floats:
    """Advance a fleet without orders and return its power, float64[n], kW."""
    if fleet.flexible and not fleet.steps_alone:
        fleet.capability(tick)
    return fleet.step(tick, no_orders(len(fleet.device))).current_output


def _ghosts(scenario: Scenario) -> NDArray[np.bool_] | None:
    """Return a mask of the devices that do not exist; None if all exist."""
    specs: Sequence[NDArray[np.intp]] = [
        spec.device for spec in scenario.faults if getattr(spec.type, "is_ghost", False)
    ]
    if not specs:
        return None
    ghosts = np.zeros(len(scenario.roster), np.bool_)
    for device in specs:
        ghosts[device] = True
    return ghosts
