"""The book of faults: from what is true in a tick to what leaves in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gridsim.api import LOST, Batch, DeviceFault, Fault, Floats, MessageFault, Stateful, Tick
from gridsim.errors import PluginError
from gridsim.simulation.calling import Call
from gridsim.simulation.faults.checks import title
from gridsim.simulation.faults.delay_line import DelayLine
from gridsim.simulation.faults.devices import DeviceFaults, RunningDeviceFault, Truth
from gridsim.simulation.faults.fault_schedule import FaultSchedule
from gridsim.simulation.faults.messages import MessageFaults, RunningMessageFault
from gridsim.simulation.faults.readings import Readings, blank_labels
from gridsim.simulation.faults.rows import MessageRows, fresh, in_order, joined, locked
from gridsim.simulation.faults.tally import FaultTotals, Passed
from gridsim.simulation.scenario import Scenario


class FaultBook(Stateful):
    """All faults of a scenario."""

    kept = ("tally", "_fault_schedules", "_plugins", "_readings", "_delay_line", "_left")

    def __init__(self, scenario: Scenario, call: Call) -> None:
        """Raises PluginError if a fault cannot be made."""
        n = len(scenario.roster)
        self.tally = FaultTotals()
        self.ghosts: NDArray[np.bool_] = np.zeros(n, np.bool_)
        """bool[n]: the devices that do not exist."""
        self._project = scenario.roster.project
        self._fault_schedules: list[FaultSchedule] = []
        self._plugins: list[Fault] = []
        devices: list[RunningDeviceFault] = []
        messages: list[RunningMessageFault] = []
        for index, spec in enumerate(scenario.faults):
            if not len(spec.device):
                continue  # In a scenario of some of the projects; its number stays taken.
            schedule = FaultSchedule(spec, scenario.draws, scenario.start_ms)
            self._fault_schedules.append(schedule)
            plugin: Fault = call(title(spec.name), partial(spec.type, spec.members))
            self._plugins.append(plugin)
            if isinstance(plugin, DeviceFault):
                self.ghosts[spec.device] |= plugin.is_ghost
                devices.append(RunningDeviceFault(index, spec, schedule, plugin))
            elif isinstance(plugin, MessageFault):
                place = np.full(n, -1, np.intp)
                place[spec.device] = np.arange(len(spec.device))
                messages.append(RunningMessageFault(index, spec, schedule, plugin, place))
            else:
                raise PluginError(f"{title(spec.name)} is neither DeviceFault nor MessageFault")
        self._devices = DeviceFaults(devices, self.ghosts)
        self._messages = MessageFaults(messages, scenario.draws)
        self._readings = Readings(self.ghosts)
        self._delay_line = DelayLine(scenario.roster)
        self._left = 0

    def real(self, power: Floats) -> Floats:
        """`power`, float64[n] kW, with zero for devices that do not exist."""
        return np.where(self.ghosts, 0.0, power)

    def take(
        self, tick: Tick, batch: Batch, power: Floats, soc: Floats, meter: Floats, call: Call
    ) -> Passed:
        """`batch` is what would leave without faults; `power` and `soc` are per device, `meter`
        per site, not rounded. Raises PluginError, naming the fault, if one fails."""
        episodes = [one for each in self._fault_schedules for one in each.advance(tick.time_ms)]
        delay_line = self._delay_line
        truth = Truth(power, meter[self._project], soc)
        report = self._devices.report(tick, truth, delay_line.stored, call)
        taken, leaves = self._readings.take(tick, batch, report)
        self.tally.taken += len(taken)
        rows = fresh(taken)
        sent = delay_line.from_devices(rows, leaves)
        transit = self._messages.pass_on(tick, sent, delay_line.waiting, call)
        left = replace(delay_line.leave(tick, transit).batch, number=self._left)
        self._left += len(left)
        self.tally.count_left(left, tick.index)
        unsent = self._unsent([rows.where(leaves == LOST), transit.rows.where(transit.is_lost)])
        return Passed(locked(left), unsent, tuple(episodes))

    def finish(self, nothing: Batch, time_ms: int) -> Passed:
        """At the run's end, UTC `time_ms`: what was held back never leaves, and what has not
        ended ends."""
        episodes = [one for each in self._fault_schedules for one in each.finish(time_ms)]
        unsent = self._unsent(self._delay_line.rest())
        nothing = replace(nothing, number=self._left, labels=blank_labels(nothing))
        return Passed(locked(nothing), unsent, tuple(episodes))

    def _unsent(self, parts: Sequence[MessageRows]) -> Batch | None:
        parts = [part for part in parts if len(part)]
        if not parts:
            return None
        unsent = in_order(joined(parts)).batch
        self.tally.count_lost(unsent)
        return locked(unsent)
