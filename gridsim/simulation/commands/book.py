"""The command book: waiting commands, commands in force, and their acknowledgements."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gridsim.api import (
    Acknowledgement,
    Command,
    Floats,
    Instruction,
    Refused,
    State,
    Target,
    Tick,
    Unreadable,
)
from gridsim.contracts.state import decoded, encoded, restore_attributes, state_of
from gridsim.simulation.answers import answer
from gridsim.simulation.commands.accepted import AcceptedCommand
from gridsim.simulation.commands.effects import Effects
from gridsim.simulation.commands.in_force import InForce, Key
from gridsim.simulation.commands.targets import ResolvedTarget, Targets
from gridsim.simulation.commands.used_ids import UsedIds
from gridsim.simulation.dispatch.orders import DeviceOrders, SiteOrders
from gridsim.simulation.scenario import Scenario

MAX_WAITING: Final = 50_000
"""The largest number of commands that wait for their start; further ones are rejected."""
MAX_WAITING_EACH: Final = 100
"""The largest number of commands to one DER, or to one project, that wait for their start."""

_KEPT: Final = ("_later", "_number", "_power", "_soc", "_meter")


class CommandBook:
    """Commands, their acknowledgements, and the orders that follow from them.

    A command takes effect at the first tick at or after its start, and ends at the first tick
    at or after its end. A later command of the same kind and stack level on the same target
    supersedes it; of several levels, the highest applies.
    Each period of a command takes effect as a single command would.
    Nothing is computed while no command is waiting or in force.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._targets = Targets(scenario)
        self._effects = Effects(scenario)
        self.ids = UsedIds()
        """The ids of all accepted instructions, including those for events and faults."""
        self._waiting: list[tuple[int, int, AcceptedCommand]] = []
        self._planned: Counter[Target] = Counter()
        """The waiting commands that were accepted before the tick in which they start."""
        self._ends: list[tuple[float, int, AcceptedCommand]] = []
        self._edges: list[tuple[float, int, AcceptedCommand]] = []
        """The starts of the next periods of the commands in force that have periods."""
        self._force = InForce()
        self._later: list[Command] = []
        self._number = 0
        self._power: Floats | None = None
        self._soc: Floats | None = None
        self._meter: Floats | None = None
        self._devices: DeviceOrders | None = None
        self._sites: SiteOrders | None = None

    def state(self) -> State:
        """Return what a checkpoint keeps, between two ticks."""
        queues = (self._waiting, self._ends, self._edges)
        every = [*(item[2] for queue in queues for item in queue), *self._force]
        # A command may be in several of them; it is kept once.
        entries = list({id(entry): entry for entry in every}.values())
        place = {id(entry): index for index, entry in enumerate(entries)}
        return {
            **state_of(self, _KEPT),
            "targets": self._targets.state(),
            "effects": self._effects.state(),
            "ids": self.ids.state(),
            "entries": encoded(entries, "CommandBook"),
            "queues": [[[at, n, place[id(one)]] for at, n, one in queue] for queue in queues],
            "force": [place[id(one)] for one in self._force],
        }

    def restore(self, state: State) -> None:
        """Continue from a checkpoint's state."""
        restore_attributes(self, {name: state[name] for name in _KEPT}, _KEPT)
        self._targets.restore(state["targets"])
        self._effects.restore(state["effects"])
        self.ids.restore(state["ids"])
        entries = decoded(state["entries"], None, CommandBook, "CommandBook")
        self._waiting, self._ends, self._edges = (
            [(at, n, entries[place]) for at, n, place in queue] for queue in state["queues"]
        )
        self._planned = Counter(one.command.target for *_, one in self._waiting if one.planned)
        self._force = InForce()
        for place in state["force"]:
            self._force.enter(entries[place])

    def copied(self, memo: dict[int, Any]) -> CommandBook:
        """Return a copy that has no used ids, made with the memo of `copy.deepcopy`.

        It is for a copy of the simulation, which receives only accepted instructions.
        """
        memo[id(self.ids)] = UsedIds()
        self._targets.share(memo)
        return deepcopy(self, memo)

    @property
    def devices(self) -> DeviceOrders | None:
        """The orders of devices from the last `take`; None if there are none."""
        return self._devices

    @property
    def sites(self) -> SiteOrders | None:
        """The orders of sites from the last `take`; None if there are none."""
        return self._sites

    def disable(self, devices: NDArray[np.intp] | NDArray[np.bool_]) -> None:
        """Reject commands to these devices from now on; a mask or indices."""
        self._targets.disable(devices)

    def observe(self, power: Floats, soc: Floats, meter: Floats) -> None:
        """Record the values of the tick that has ended.

        `power`, kW, and `soc`, % at the tick's start, have one value per device; `meter`, the
        gross load, kW, has one per site. The arrays must not be changed afterwards.
        """
        self._power, self._soc, self._meter = power, soc, meter

    def find(self, target: Target) -> tuple[int, int | None]:
        """Return the target's project and device, as indices. Raises Refused."""
        return self._targets.find(target)

    def take(self, instructions: Sequence[Instruction], tick: Tick) -> tuple[Acknowledgement, ...]:
        """Decide on instructions at a tick's start, and begin and end commands that are due."""
        if not (instructions or self._later or self._waiting or self._force.applied):
            self._devices = self._sites = None
            return ()
        answers = [
            *self._decide(instructions, tick),
            *self._end_due(tick),
        ]
        self._begin_periods(tick)
        answers += self._begin_due(tick)
        self._devices = self._sites = None
        if self._force.applied:
            # A line's mean over the tick is its value in the middle.
            middle = tick.time_ms + 500.0 * tick.dt_s
            self._devices, self._sites = self._effects.orders(middle, self._soc, self._power)
            answers += self._arrivals(tick)
        return tuple(answers)

    def _decide(self, instructions: Sequence[Instruction], tick: Tick) -> Iterator[Acknowledgement]:
        instructions, self._later = (*self._later, *instructions), []
        for instruction in instructions:
            if isinstance(instruction, Unreadable):
                yield answer(instruction, "rejected", tick, instruction.reason)
            if not isinstance(instruction, Command):
                continue
            if instruction.action == "target_soc" and self._soc is None:
                # The devices with storage are known only after the first tick.
                self._later.append(instruction)
                continue
            try:
                self._accept(instruction, tick)
            except Refused as refusal:
                yield answer(instruction, "rejected", tick, str(refusal))
            else:
                yield answer(instruction, "accepted", tick)

    def _accept(self, command: Command, tick: Tick) -> None:
        """Queue a command. Raises Refused."""
        aim = self._targets.resolve(command, self._soc)
        self.ids.check(command)
        start = tick.time_ms if command.start_ms is None else command.start_ms
        end = np.inf if command.duration_s is None else start + 1000.0 * command.duration_s
        if end <= tick.time_ms:
            raise Refused("it would have ended already, by the simulated clock: check 'start'")
        planned = start > tick.time_ms
        if planned:
            self._plan(command.target)
        self.ids.use(command)
        self._number += 1
        entry = AcceptedCommand.of(self._number, command, aim, start, end, planned)
        heapq.heappush(self._waiting, (start, entry.number, entry))

    def _plan(self, target: Target) -> None:
        """Count a command that waits for its start. Raises Refused beyond the limits."""
        if self._planned[target] >= MAX_WAITING_EACH:
            raise Refused(
                f"{MAX_WAITING_EACH} commands to {target} wait for their start, the most allowed: "
                "send this one later"
            )
        if len(self._waiting) >= MAX_WAITING:
            raise Refused(
                f"too many commands are waiting for their start ({MAX_WAITING}, the most allowed): "
                "send this one later"
            )
        self._planned[target] += 1

    def _end_due(self, tick: Tick) -> Iterator[Acknowledgement]:
        while self._ends and self._ends[0][0] <= tick.time_ms:
            entry = heapq.heappop(self._ends)[2]
            if entry not in self._force:
                continue  # superseded before its end
            before = self._force.applied[entry.aim.key]
            self._force.leave(entry)
            self._change(entry.aim.key, before, tick)
            if not entry.reached:
                is_seeking = entry.command.action == "target_soc"
                reason = "it ended before the target was reached" if is_seeking else ""
                yield answer(entry.command, "completed", tick, reason)

    def _begin_due(self, tick: Tick) -> Iterator[Acknowledgement]:
        if not (self._waiting and self._waiting[0][0] <= tick.time_ms):
            return
        while self._waiting and self._waiting[0][0] <= tick.time_ms:
            entry = heapq.heappop(self._waiting)[2]
            if entry.planned:
                self._planned[entry.command.target] -= 1
            if entry.end_ms <= tick.time_ms:
                reason = "it began and ended between two ticks"
                yield answer(entry.command, "completed", tick, reason)
                continue
            before = self._force.applied.get(entry.aim.key)
            older = self._force.enter(entry)
            if older is not None and not older.reached:
                yield answer(older.command, "superseded", tick, f"by {entry.command.id}")
            self._change(entry.aim.key, before, tick)
            if entry.end_ms < np.inf:
                heapq.heappush(self._ends, (entry.end_ms, entry.number, entry))
        for queue in (self._ends, self._edges):
            if len(queue) > 2 * len(self._force) + 64:
                queue[:] = [item for item in queue if item[2] in self._force]
                heapq.heapify(queue)

    def _begin_periods(self, tick: Tick) -> None:
        while self._edges and self._edges[0][0] <= tick.time_ms:
            entry = heapq.heappop(self._edges)[2]
            entry.awaited = False
            if self._force.applies(entry):
                self._put(entry, tick)

    def _change(self, key: Key, before: AcceptedCommand | None, tick: Tick) -> None:
        """Put the command that applies now into force, unless it did `before`."""
        now = self._force.applied.get(key)
        if now is before:
            return
        # Both may differ in action, level and devices. A ramp of a limit begins at the one before.
        if before is not None and (now is None or before.aim.slot == "power"):
            self._effects.end(before.aim)
        if now is None:
            return
        if now.command.action == "target_soc":
            self._effects.begin_storage(now.aim)
        else:
            self._put(now, tick)

    def _put(self, entry: AcceptedCommand, tick: Tick) -> None:
        """Put a command's value, or the one of its present period, into force."""
        entry.move_to(tick.time_ms)
        present, ramp_s = self._present(entry.aim), entry.command.ramp_s
        self._effects.begin(entry.aim, entry.period, present, tick.time_ms, ramp_s)
        if not entry.awaited and (next_ms := entry.next_ms) is not None:
            entry.awaited = True
            heapq.heappush(self._edges, (next_ms, entry.number, entry))

    def _arrivals(self, tick: Tick) -> Iterator[Acknowledgement]:
        """Acknowledge target states of charge that were reached; they are held from then on."""
        for owner in self._effects.arrived():
            entry = self._force.applied.get((*owner, "power"))
            if entry is None or entry.reached or entry.command.action != "target_soc":
                continue
            if self._effects.reached(entry.aim):
                entry.reached = True
                yield answer(entry.command, "completed", tick)

    def _present(self, aim: ResolvedTarget) -> Floats:
        """Return the present power at the target's places, kW.

        It is a device's output, the total output of a site's flexible devices, or a site's net
        consumption.
        """
        if self._power is None or self._meter is None:
            return np.zeros(len(aim.places))
        if aim.level != "site":
            return self._power[aim.places]
        project = aim.owner[1]
        if aim.slot == "power":
            return np.array([self._power[self._targets.flexible(project)].sum()])
        output = float(self._power[self._targets.members(project)].sum())
        net: Floats = self._meter[aim.places] - output
        return net
