"""The fault book: from the true readings of a tick to the messages that leave in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridsim.api import LOST, Batch, Floats, Labels, State, Tick
from gridsim.contracts.results import Episode, InjectedFault
from gridsim.contracts.state import restore_attributes, state_of
from gridsim.simulation.calling import Call
from gridsim.simulation.faults.delay_line import DelayLine
from gridsim.simulation.faults.devices import DeviceReports, TrueValues
from gridsim.simulation.faults.readings import LabelledReadings
from gridsim.simulation.faults.rows import MessageRows, fresh, in_order, joined, locked
from gridsim.simulation.faults.running import RunningFaults
from gridsim.simulation.faults.running_fault import Continued
from gridsim.simulation.faults.tally import FaultTotals, Passed
from gridsim.simulation.measurands.conditions import DeviceFaultiness
from gridsim.simulation.scenario import FaultSpec, Scenario

_KEPT: Final = ("tally", "_readings", "_delay_line", "_left")


@dataclass(frozen=True, slots=True, eq=False)
class FaultyReports:
    """The reports of devices in a tick before its readings are made."""

    episodes: tuple[Episode, ...]
    """The episodes that ended."""
    devices: DeviceReports | None
    """None if all devices report the truth."""
    connection_changed: NDArray[np.bool_]
    """The devices whose readings can say that their connection has changed, bool[n]."""


class FaultBook:
    """The effects of faults on the readings of a run, and the readings that they hold back."""

    def __init__(
        self,
        scenario: Scenario,
        call: Call,
        *,
        left: int = 0,
        continued: Continued | None = None,
    ) -> None:
        """Create the scenario's faults; `left` is the number of readings that left before.

        `continued` has their places after a reload.

        Raises PluginError if a fault cannot be created.
        """
        self.running = RunningFaults(scenario, call, continued)
        self.tally = FaultTotals()
        self._project = scenario.roster.project
        self._readings = LabelledReadings(self.ghosts, scenario.roster.columns)
        self._delay_line = DelayLine(scenario.roster)
        self._left = left
        self._ended: list[Episode] = []
        """The episodes that ended at the start of the tick."""

    def inject(
        self,
        spec: FaultSpec,
        time_ms: int,
        call: Call,
        *,
        again: tuple[int, int] | None = None,
    ) -> InjectedFault:
        """Add a fault from UTC `time_ms` on; `again` is its index and number from a checkpoint.

        Raises Refused.
        """
        held = self._delay_line.faults
        return self.running.inject(spec, time_ms, call, held=held, again=again)

    def state(self) -> State:
        """Return what a checkpoint keeps, between two ticks."""
        return {**state_of(self, _KEPT), **self.running.state()}

    def restore(self, state: State) -> None:
        """Continue from a checkpoint's state; `inject` has added injected faults, in order."""
        restore_attributes(self, {name: state[name] for name in _KEPT}, _KEPT)
        self.running.restore(state)

    @property
    def left(self) -> int:
        """The number of readings that have left so far."""
        return self._left

    @property
    def has_faults(self) -> bool:
        """True if there are or were faults other than properties of instruments."""
        return self.tally.affected > 0 or not self.running.only_instruments

    @property
    def ghosts(self) -> NDArray[np.bool_]:
        """The devices that do not exist, bool[n]."""
        return self.running.ghosts

    @property
    def unreachable(self) -> NDArray[np.bool_]:
        """The devices without a connection in this tick, bool[n]."""
        return self._readings.down

    def real(self, power: Floats) -> Floats:
        """Return `power`, float64[n] kW, with zero for devices that do not exist."""
        return np.where(self.ghosts, 0.0, power)

    def advance(self, tick: Tick) -> DeviceFaultiness | None:
        """Begin and end faults at a tick's start; return the effects that devices notice."""
        self._ended += self.running.advance(tick.time_ms)
        return self.running.devices.faultiness(tick.time_ms)

    def begin(
        self,
        tick: Tick,
        power: Floats,
        soc: Floats,
        meter: Floats,
        extra: Mapping[str, Floats],
        call: Call,
    ) -> FaultyReports:
        """Return the reports of the devices in a tick, after `advance`.

        `power`, `soc` and `extra` have one value per device and `meter` has one per site, not
        rounded. A fault that fails changes nothing; see `RunningFaults.take_failures`.
        """
        episodes, self._ended = self._ended, []
        truth = TrueValues(power, meter[self._project], soc, extra)
        report = self.running.devices.report(tick, truth, self._delay_line.stored, call)
        changed = self._readings.follow_connections(tick, report)
        return FaultyReports(tuple(episodes), report, changed)

    def take(self, tick: Tick, batch: Batch, reports: FaultyReports, call: Call) -> Passed:
        """Apply the faults to the true readings of a tick. A fault that fails changes nothing."""
        delay_line = self._delay_line
        taken, leaves = self._readings.take(batch, reports.devices)
        self.tally.taken += len(taken)
        rows = fresh(taken)
        sent = delay_line.from_devices(rows, leaves)
        transit = self.running.messages.pass_on(tick, sent, delay_line.waiting, call)
        left = replace(delay_line.leave(tick, transit).batch, number=self._left)
        self._left += len(left)
        self.tally.count_left(left, tick.index, self.running.instruments)
        unsent = self._unsent([rows.where(leaves == LOST), transit.rows.where(transit.is_lost)])
        return Passed(locked(left), unsent, reports.episodes)

    def finish(self, nothing: Batch, time_ms: int) -> Passed:
        """End all faults at the run's end, UTC `time_ms`; held-back rows are never sent."""
        episodes = self.running.finish(time_ms)
        unsent = self._unsent(self._delay_line.rest())
        nothing = replace(nothing, number=self._left, labels=Labels.blank(nothing))
        return Passed(locked(nothing), unsent, tuple(episodes))

    def _unsent(self, parts: Sequence[MessageRows]) -> Batch | None:
        parts = [part for part in parts if len(part)]
        if not parts:
            return None
        unsent = in_order(joined(parts)).batch
        self.tally.count_lost(unsent, self.running.instruments)
        return locked(unsent)
