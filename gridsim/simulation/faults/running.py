"""The faults of a run, from their configuration or injection until they are forgotten."""

from __future__ import annotations

from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridsim.api import DeviceFault, Fault, MessageFault, Refused, State, StateError, Tick
from gridsim.contracts.fault import is_instrument
from gridsim.contracts.hints import did_you_mean
from gridsim.contracts.results import Episode, FleetFailure, InjectedFault
from gridsim.errors import PluginError
from gridsim.simulation.calling import Call
from gridsim.simulation.faults.checks import title
from gridsim.simulation.faults.devices import DeviceFaults, RunningDeviceFault
from gridsim.simulation.faults.fault_schedule import FaultSchedule
from gridsim.simulation.faults.messages import MessageFaults, RunningMessageFault
from gridsim.simulation.faults.running_fault import Continued, RunningFault
from gridsim.simulation.scenario import FaultSpec, Scenario

MOST: Final = 63
"""The largest number of faults at once: the labels of a reading have a bit for each."""


class RunningFaults:
    """The configured faults, and those that instructions inject; each has a bit in labels."""

    def __init__(self, scenario: Scenario, call: Call, continued: Continued | None = None) -> None:
        """Create the scenario's faults; `continued` is the place of each after a reload.

        Raises PluginError if a fault cannot be created.
        """
        self.ghosts: NDArray[np.bool_] = np.zeros(len(scenario.roster), np.bool_)
        """bool[n]: the devices that do not exist."""
        self._scenario = scenario
        self._project = scenario.roster.project
        self._continued = continued
        self._running: list[RunningFault] = []
        self._count = 0
        """The number of faults so far, which is also the index of the next fault."""
        self._ended: list[tuple[str, str]] = []
        self._disabled: dict[int, int] = {}
        """The numbers of the faults that failed, by their index: no other fault gets them."""
        self._cleared: list[Episode] = []
        devices: list[RunningDeviceFault] = []
        messages: list[RunningMessageFault] = []
        for number, spec in enumerate(scenario.faults):
            if not len(spec.device):
                # The scenario has none of the fault's projects; the number stays reserved.
                self._count += 1
                continue
            start_ms = scenario.start_ms
            if continued is not None:
                self._count, number = continued.places[spec.id]
                start_ms = continued.time_ms
            made = self._make(spec, number, start_ms, call)
            if isinstance(made, RunningDeviceFault):
                self.ghosts[spec.device] |= made.plugin.is_ghost
                devices.append(made)
            else:
                messages.append(made)
        if continued is not None:
            self._count = continued.count
        self.devices = DeviceFaults(devices, self.ghosts)
        self.messages = MessageFaults(messages, scenario.draws)

    def state(self) -> State:
        """Return what a checkpoint keeps, between two ticks."""
        running = [
            [one.fault, one.number, one.schedule.state(), one.plugin.state()]
            for one in self._running
        ]
        return {
            "_count": self._count,
            "running": running,
            "disabled": [[*one] for one in self._disabled.items()],
            "continued": None if self._continued is None else self._continued.as_data(),
        }

    def restore(self, state: State) -> None:
        """Continue from a checkpoint's state; `inject` has added injected faults, in order."""
        self._count = state["_count"]
        self._disabled = dict(state["disabled"])
        for one in [one for one in self._running if one.fault in self._disabled]:
            self._forget(one)
        if len(state["running"]) != len(self._running):
            raise StateError("the checkpoint's faults are not those of this run")
        for one, (fault, number, schedule, plugin) in zip(
            self._running, state["running"], strict=True
        ):
            if (one.fault, one.number) != (fault, number):
                raise StateError("the checkpoint's faults are not those of this run")
            one.schedule.restore(schedule)
            one.plugin.restore(plugin)

    def check_room(self) -> None:
        """Raise Refused if there are as many faults as are allowed at once.

        A fault that has not begun counts, so faults planned far ahead are bounded, too.
        """
        if len(self._running) >= MOST:
            quiet = sum(not one.schedule.is_active for one in self._running)
            planned = f"; {quiet} affect no device now" if quiet else ""
            raise Refused(
                f"there are {MOST} faults, the most allowed at once{planned}: clear a fault first"
            )

    def inject(
        self,
        spec: FaultSpec,
        time_ms: int,
        call: Call,
        *,
        held: int,
        again: tuple[int, int] | None = None,
    ) -> InjectedFault:
        """Add a fault from UTC `time_ms` on; `again` is its index and number from a checkpoint.

        `held` has the label bits of held-back rows. Raises Refused.
        """
        if any(spec.id == one.spec.id for one in self._running):
            raise Refused(f"the fault id {spec.id!r} is already in use: choose another id")
        number = self._free_number(held) if again is None else again[1]
        self._count = self._count if again is None else again[0]
        try:
            made = self._make(spec, number, time_ms, call, injected=True)
        except PluginError as error:
            raise Refused(str(error)) from None
        if isinstance(made, RunningDeviceFault):
            self.devices.add(made)
        else:
            self.messages.add(made)
        settings = spec.members.settings[0]
        return InjectedFault(
            self._running[-1].fault, number, spec.id, spec.name, spec.type, settings
        )

    def clear(self, id: str, devices: NDArray[np.bool_] | None, time_ms: int) -> bool:
        """End a fault at UTC `time_ms` on these devices, or on all of them.

        An injected fault that is cleared on all its devices is forgotten. Returns whether it was
        forgotten. Raises Refused.
        """
        one = next((one for one in self._running if one.spec.id == id), None)
        if one is None:
            raise Refused(
                f"there is no fault {id!r}{did_you_mean(id, [r.spec.id for r in self._running])}"
            )
        if devices is not None and not devices[one.spec.device].any():
            raise Refused(f"the fault {id!r} has no device in this target")
        self._cleared += one.counted(one.schedule.clear(devices, time_ms))
        whole = devices is None or bool(devices[one.spec.device].all())
        if whole and one.injected:
            self._forget(one)
        return whole and one.injected

    def take_failures(self, tick: Tick) -> list[FleetFailure]:
        """Disable the faults that failed in this tick, and return their failures."""
        failures = []
        for faults in (self.devices, self.messages):
            failed, faults.failed = faults.failed, []
            for schedule, error in failed:
                one = next(one for one in self._running if one.schedule is schedule)
                self._cleared += one.counted(schedule.clear(None, tick.time_ms))
                self._forget(one)
                self._disabled[one.fault] = one.number
                if one.injected:
                    self._ended.append((one.spec.id, str(error)))
                failure = FleetFailure(one.spec.name, 0, tick.index, str(error), one.spec.id)
                failures.append(failure)
        return failures

    def take_ended(self) -> list[tuple[str, str]]:
        """Return the id of each injected fault that ended by itself since the last call, and the
        error if it failed.
        """
        ended, self._ended = self._ended, []
        return ended

    def advance(self, time_ms: int) -> list[Episode]:
        """Begin and end faults; return the episodes that ended."""
        episodes, self._cleared = self._cleared, []
        for one in [*self._running]:
            episodes += one.counted(one.schedule.advance(time_ms))
            if one.injected and one.schedule.is_over:
                self._ended.append((one.spec.id, ""))
                self._forget(one)
        return episodes

    def finish(self, time_ms: int) -> list[Episode]:
        """End all faults at the run's end, UTC `time_ms`; return the episodes that ended."""
        episodes, self._cleared = self._cleared, []
        for one in self._running:
            episodes += one.counted(one.schedule.finish(time_ms))
        return episodes

    def affected(self) -> NDArray[np.bool_] | None:
        """Return the devices that faults may affect in this tick, bool[n]; None if there are
        none.
        """
        affected: NDArray[np.bool_] | None = None
        for one in self._running:
            if not one.is_instrument and len(members := one.schedule.members):
                affected = np.zeros(len(self._project), np.bool_) if affected is None else affected
                affected[one.spec.device[members]] = True
        return affected

    def affecting(self) -> tuple[tuple[str, int], ...]:
        """Return the id of each fault that may affect devices in this tick, and their number."""
        counts = [
            (one.spec.id, len(one.schedule.members))
            for one in self._running
            if not one.is_instrument
        ]
        return tuple((id, count) for id, count in counts if count)

    @property
    def instruments(self) -> int:
        """The label bits of the faults that are properties of instruments."""
        return sum(1 << one.number for one in self._running if one.is_instrument)

    @property
    def only_instruments(self) -> bool:
        """True if all faults, and all of the scenario, are properties of instruments."""
        types = [one.type for one in self._scenario.faults]
        types += [one.spec.type for one in self._running]
        return all(is_instrument(one) for one in types)

    def _make(
        self, spec: FaultSpec, number: int, start_ms: int, call: Call, *, injected: bool = False
    ) -> RunningDeviceFault | RunningMessageFault:
        plugin: Fault = call(title(spec.name), partial(spec.type, spec.members))
        if not isinstance(plugin, DeviceFault | MessageFault):
            raise PluginError(f"{title(spec.name)} is neither DeviceFault nor MessageFault")
        fault = self._count
        schedule = FaultSchedule(spec, self._scenario.draws, start_ms)
        self._count += 1
        self._running.append(RunningFault(fault, number, spec, schedule, plugin, injected))
        if isinstance(plugin, DeviceFault):
            settings = spec.members.settings[0]
            stops, alarms = call(
                title(spec.name), lambda: (plugin.stops(settings), plugin.alarms(settings))
            )
            return RunningDeviceFault(number, spec, schedule, plugin, bool(stops), int(alarms))
        place = np.full(len(self._project), -1, np.intp)
        place[spec.device] = np.arange(len(spec.device))
        return RunningMessageFault(fault, number, spec, schedule, plugin, place)

    def _free_number(self, held: int) -> int:
        """Return a number that no fault and no held-back row uses. Raises Refused."""
        self.check_room()
        taken = {*(one.number for one in self._running), *self._disabled.values()}
        for number in range(MOST):
            if number not in taken and not held >> number & 1:
                return number
        raise Refused(
            f"held-back readings still use the last of {MOST} fault numbers: send it later"
        )

    def _forget(self, one: RunningFault) -> None:
        self._running.remove(one)
        self.devices.remove(one.schedule)
        self.messages.remove(one.schedule)
