"""Called events and injected faults: the instructions, and their acknowledgements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridsim.api import (
    Acknowledgement,
    CallEvent,
    CancelEvent,
    ClearFault,
    InjectFault,
    Instruction,
    Refused,
    Roster,
    State,
    StateError,
    Status,
    Tick,
)
from gridsim.contracts.instructions import FLEET
from gridsim.contracts.results import InjectedFault
from gridsim.simulation.answers import answer, answer_to_call
from gridsim.simulation.baselines.sites import Baselines
from gridsim.simulation.batch import BatchMaker
from gridsim.simulation.calling import Call
from gridsim.simulation.commands import CommandBook
from gridsim.simulation.demand_response.events import DemandResponse
from gridsim.simulation.demand_response.settlement import Hundredths
from gridsim.simulation.faults import FaultBook
from gridsim.simulation.faults.running_fault import Continued
from gridsim.simulation.instruction_data import as_data, from_data
from gridsim.simulation.scenario import Scenario

INSTRUCTED = (CallEvent, CancelEvent, InjectFault, ClearFault)


MAX_CALLS: Final = 1_000
"""The largest number of called events that are not over; further ones are rejected."""
MAX_EACH_TICK: Final = 1_000
"""The largest number of calls and injections that are read in one tick; further ones are rejected.

Each takes up to half a millisecond, so a flood of them would make the run late.
"""


class EventsAndFaults:
    """The events and faults of a run; the parts for each are created when first needed."""

    def __init__(
        self,
        scenario: Scenario,
        commands: CommandBook,
        baselines: Baselines,
        maker: BatchMaker,
        call: Call,
    ) -> None:
        """Raise PluginError if a configured fault cannot be created."""
        self._scenario = scenario
        self._commands, self._baselines, self._maker = commands, baselines, maker
        self.demand_response = DemandResponse(scenario, baselines) if scenario.events else None
        self.faults = FaultBook(scenario, call) if scenario.faults else None
        self._calls: dict[str, tuple[CallEvent, int]] = {}
        """The calls of events that are not over, with their time, by event id."""
        self._injections: dict[str, tuple[InjectFault, int, InjectedFault]] = {}
        """The injections of faults that are not over, with their time, by fault id."""
        self._injected: list[InjectedFault] = []

    def events_state(self) -> State:
        """Return what a checkpoint keeps of the events, between two ticks."""
        return {
            "calls": [as_data(call, time_ms) for call, time_ms in self._calls.values()],
            "demand_response": self.demand_response and self.demand_response.state(),
        }

    def restore_events(self, state: State) -> None:
        """Continue from a checkpoint's state of the events. Raises StateError."""
        if state["demand_response"] is None:
            return
        with _restoring():
            for data in state["calls"]:
                instruction, time_ms = from_data(data)
                self._add_event(instruction, time_ms, None)
            self._get_demand_response().restore(state["demand_response"])

    def faults_state(self) -> State:
        """Return what a checkpoint keeps of the faults, between two ticks."""
        return {
            "injections": [
                [*as_data(inject, time_ms), injected.fault, injected.number]
                for inject, time_ms, injected in self._injections.values()
            ],
            "faults": self.faults and self.faults.state(),
        }

    def restore_faults(self, state: State, call: Call) -> None:
        """Continue from a checkpoint's state of the faults. Raises StateError."""
        if state["faults"] is None:
            return
        if (continued := state["faults"]["continued"]) is not None:
            # The run was reloaded, so that its faults have other places.
            self.faults = FaultBook(self._scenario, call, continued=Continued.of(continued))
        with _restoring():
            for *data, fault, number in state["injections"]:
                injection, time_ms = from_data(data)
                self._add_fault(injection, time_ms, call, again=(fault, number))
            self._get_faults(call).restore(state["faults"])
        self._injected.clear()

    def decide(
        self,
        instructions: Sequence[Instruction],
        tick: Tick,
        reduced: Hundredths | None,
        call: Call,
    ) -> list[Acknowledgement]:
        """Apply instructions at a tick's start; return the acknowledgements.

        `reduced` is the sites' reduction in the last tick, None before the first.
        """
        answers: list[Acknowledgement] = []
        read = 0
        for instruction in instructions:
            if not isinstance(instruction, INSTRUCTED):
                continue
            try:
                self._check(instruction)
                read += isinstance(instruction, CallEvent | InjectFault)
                if read > MAX_EACH_TICK:
                    raise Refused(
                        f"more than {MAX_EACH_TICK:,} events and faults arrived in one tick: send "
                        "fewer, or later"
                    )
                match instruction:
                    case CallEvent():
                        more = self._call_event(instruction, tick, reduced)
                    case CancelEvent():
                        more = self._cancel_event(instruction, tick)
                    case InjectFault():
                        more = self._inject(instruction, tick, call)
                    case ClearFault():
                        more = self._clear(instruction, tick)
            except Refused as refusal:
                answers.append(answer(instruction, "rejected", tick, str(refusal)))
                continue
            self._commands.ids.use(instruction)
            answers += [answer(instruction, "accepted", tick), *more]
        return answers

    def endings(self, tick: Tick, *, faults: bool = True) -> Iterator[Acknowledgement]:
        """Yield acknowledgements of calls that ended by themselves in this tick; with `faults`, of
        injections, too.
        """
        for change in self.demand_response.take_ended() if self.demand_response else ():
            entry = self._calls.pop(change.event.partition("#")[0], None)
            if entry is not None:
                yield answer_to_call(entry[0], change, tick)
        running = self.faults.running if self.faults and faults else None
        for fault, error in running.take_ended() if running else ():
            status: Status = "cancelled" if error else "completed"
            yield answer(self._injections.pop(fault)[0], status, tick, error)

    @property
    def has_open(self) -> bool:
        """True while a called event or an injected fault is not over."""
        return bool(self._calls or self._injections)

    def take_injected(self) -> tuple[InjectedFault, ...]:
        """Return the faults injected since the last call."""
        if not self._injected:
            return ()
        injected, self._injected = tuple(self._injected), []
        return injected

    def _check(self, instruction: Instruction) -> None:
        """Raise Refused if the id was used before or there is no such target."""
        self._commands.ids.check(instruction)
        if instruction.target != FLEET:
            self._commands.find(instruction.target)

    def _call_event(
        self, call: CallEvent, tick: Tick, reduced: Hundredths | None
    ) -> list[Acknowledgement]:
        self._add_event(call, tick.time_ms, reduced)
        return []

    def _add_event(self, call: CallEvent, time_ms: int, reduced: Hundredths | None) -> None:
        binder = self._scenario.binder
        if binder is None:
            raise Refused("this run does not accept events by instruction")
        if len(self._calls) >= MAX_CALLS:
            raise Refused(
                f"{MAX_CALLS:,} called events are not over, which is the limit: call this one later"
            )
        spec = binder.event(call, self._scenario, time_ms)
        self._get_demand_response().call(spec, time_ms, reduced)
        self._calls[spec.id] = call, time_ms

    def _get_demand_response(self) -> DemandResponse:
        if self.demand_response is None:
            self.demand_response = DemandResponse(self._scenario, self._baselines)
        return self.demand_response

    def _cancel_event(self, cancel: CancelEvent, tick: Tick) -> list[Acknowledgement]:
        if self.demand_response is None:
            raise Refused(f"there is no event {cancel.event!r}")
        sites = self._sites(cancel)
        self.demand_response.cancel(cancel.event, sites, tick.time_ms)
        answers = [answer(cancel, "completed", tick)]
        for change in self.demand_response.take_ended():
            entry = self._calls.pop(change.event.partition("#")[0], None)
            if entry is not None:
                answers.append(answer(entry[0], "cancelled", tick, f"by {cancel.id}"))
        return answers

    def _inject(self, inject: InjectFault, tick: Tick, call: Call) -> list[Acknowledgement]:
        self._add_fault(inject, tick.time_ms, call)
        return []

    def _add_fault(
        self,
        inject: InjectFault,
        time_ms: int,
        call: Call,
        *,
        again: tuple[int, int] | None = None,
    ) -> None:
        binder = self._scenario.binder
        if binder is None:
            raise Refused("this run does not accept faults by instruction")
        if self.faults is not None:
            # Before the settings are read, which takes time.
            self.faults.running.check_room()
        spec = binder.fault(inject, self._scenario, time_ms)
        if getattr(spec.type, "is_ghost", False):
            raise Refused(f"{spec.name} adds devices: it must be in the configuration")
        injected = self._get_faults(call).inject(spec, time_ms, call, again=again)
        self._injected.append(injected)
        self._injections[spec.id] = inject, time_ms, injected

    def _get_faults(self, call: Call) -> FaultBook:
        if self.faults is None:
            self.faults = FaultBook(self._scenario, call, left=self._maker.left)
        return self.faults

    def _clear(self, clear: ClearFault, tick: Tick) -> list[Acknowledgement]:
        if self.faults is None:
            raise Refused(f"there is no fault {clear.fault!r}")
        forgotten = self.faults.running.clear(clear.fault, self._devices(clear), tick.time_ms)
        answers = [answer(clear, "completed", tick)]
        if forgotten:
            inject = self._injections.pop(clear.fault)[0]
            answers.append(answer(inject, "cancelled", tick, f"by {clear.id}"))
        return answers

    def _sites(self, cancel: CancelEvent) -> NDArray[np.bool_] | None:
        """Return the target's sites as a mask; None for all sites."""
        if cancel.target == FLEET:
            return None
        if cancel.target.der_id is not None:
            raise Refused("an event is for projects: cancel it for a project or for the fleet")
        project, _ = self._commands.find(cancel.target)
        sites = np.zeros(len(self._roster.project_id), np.bool_)
        sites[project] = True
        return sites

    def _devices(self, clear: ClearFault) -> NDArray[np.bool_] | None:
        """Return the target's devices as a mask; None for all devices."""
        if clear.target == FLEET:
            return None
        project, device = self._commands.find(clear.target)
        mask: NDArray[np.bool_] = self._roster.project == project
        if device is not None:
            mask &= np.arange(len(mask)) == device
        return mask

    @property
    def _roster(self) -> Roster:
        return self._scenario.roster


@contextmanager
def _restoring() -> Iterator[None]:
    """Turn the refusal of an instruction into a StateError."""
    try:
        yield
    except Refused as refusal:
        raise StateError(f"an instruction of the checkpoint is rejected: {refusal}") from None
