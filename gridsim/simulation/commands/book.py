"""The command book: which commands wait, which hold, and what became of each."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Acknowledgement, Action, Command, Floats, Request, Status, Tick
from gridsim.simulation.commands.effects import Effects
from gridsim.simulation.commands.parsing import MalformedCommand, Refused, parse
from gridsim.simulation.commands.targets import Level, ResolvedTarget, Slot, Targets
from gridsim.simulation.dispatch.orders import DeviceOrders, SiteOrders
from gridsim.simulation.scenario import Scenario

MAX_WAITING: Final = 100_000
"""Commands whose time has not come; further ones are rejected."""
MAX_IDS: Final = 200_000
"""The ids that are remembered; the oldest are forgotten."""


@dataclass(slots=True, eq=False)
class _AcceptedCommand:
    """An accepted command, from then until it is over."""

    request: Request
    command: Command
    aim: ResolvedTarget
    start_ms: int
    end_ms: float
    """inf where it has no end."""
    reached: bool = False
    """Whether its target of the state of charge was reached and told."""


class CommandBook:
    """Takes requests, acknowledges them, and says what they ask of devices and sites.

    A command takes effect at the first tick at or after its start, and ends at the first at
    or after its end; one of the same kind on the same target that takes effect later
    supersedes it. Its state pickles. Nothing is computed while no command waits or holds.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._targets = Targets(scenario)
        self._effects = Effects(scenario)
        self._ids: dict[tuple[str, str | None, str], None] = {}
        self._waiting: list[tuple[int, int, _AcceptedCommand]] = []
        self._ends: list[tuple[float, int, _AcceptedCommand]] = []
        self._held: dict[tuple[Level, int, Slot], _AcceptedCommand] = {}
        self._seeking: dict[tuple[Level, int, Slot], _AcceptedCommand] = {}
        """Those of them whose target of the state of charge is not reached."""
        self._later: list[Request] = []
        self._number = 0
        self._power: Floats | None = None
        self._soc: Floats | None = None
        self._meter: Floats | None = None
        self._devices: DeviceOrders | None = None
        self._sites: SiteOrders | None = None

    @property
    def devices(self) -> DeviceOrders | None:
        """What commands ask of devices in the tick that was taken; None: nothing of any."""
        return self._devices

    @property
    def sites(self) -> SiteOrders | None:
        """What commands ask of sites in the tick that was taken; None: nothing of any."""
        return self._sites

    def silence(self, devices: NDArray[np.intp] | NDArray[np.bool_]) -> None:
        """Commands to these devices are rejected from now on; a mask, or their places."""
        self._targets.silence(devices)

    def observe(self, power: Floats, soc: Floats, meter: Floats) -> None:
        """What flowed in the tick that is over: `power`, kW, and `soc`, % at its start, per
        device, `meter`, the gross load, kW, per site. The arrays must not change any more."""
        self._power, self._soc, self._meter = power, soc, meter

    def take(self, requests: Sequence[Request], tick: Tick) -> tuple[Acknowledgement, ...]:
        """Heeds requests at the beginning of a tick, and begins and ends what is due."""
        if not (requests or self._later or self._waiting or self._held):
            self._devices = self._sites = None
            return ()
        told = [
            *self._decide(requests, tick),
            *self._end_due(tick),
            *self._begin_due(tick),
        ]
        self._devices = self._sites = None
        if self._held:
            # In the middle of the tick a line has its mean.
            middle = tick.time_ms + 500.0 * tick.dt_s
            self._devices, self._sites = self._effects.orders(middle, self._soc, self._power)
            told += self._arrivals(tick)
        return tuple(told)

    def _decide(self, requests: Sequence[Request], tick: Tick) -> Iterator[Acknowledgement]:
        requests, self._later = (*self._later, *requests), []
        for request in requests:
            command = None
            try:
                command = parse(request.payload)
                if command.action == "target_soc" and self._soc is None:
                    # Before the first tick is over nobody knows who has storage.
                    self._later.append(request)
                    continue
                self._accept(request, command, tick)
            except MalformedCommand as fault:
                yield _answer(request, fault.id, fault.action, "rejected", str(fault), tick)
            except Refused as refusal:
                assert command is not None
                yield _told(request, command, "rejected", tick, str(refusal))
            else:
                yield _told(request, command, "accepted", tick)

    def _accept(self, request: Request, command: Command, tick: Tick) -> None:
        """Raises Refused."""
        target = request.target
        name = (target.project_id, target.der_id, command.id)
        aim = self._targets.aim(target, command, self._soc)
        if name in self._ids:
            raise Refused("this id was used before: give each command to a target its own")
        start = tick.time_ms if command.start_ms is None else command.start_ms
        end = np.inf if command.duration_s is None else start + 1000.0 * command.duration_s
        if end <= tick.time_ms:
            raise Refused("its time is over already, by the simulated clock: see 'start'")
        if len(self._waiting) >= MAX_WAITING:
            raise Refused(f"too many commands are waiting: {MAX_WAITING}")
        self._ids[name] = None
        if len(self._ids) > MAX_IDS:
            del self._ids[next(iter(self._ids))]
        entry = _AcceptedCommand(request, command, aim, start, end)
        self._number += 1
        heapq.heappush(self._waiting, (start, self._number, entry))

    def _end_due(self, tick: Tick) -> Iterator[Acknowledgement]:
        while self._ends and self._ends[0][0] <= tick.time_ms:
            entry = heapq.heappop(self._ends)[2]
            if self._held.get(entry.aim.key) is not entry:
                continue  # superseded meanwhile
            sought = self._seeking.get(entry.aim.key) is entry
            self._release(entry)
            if not entry.reached:
                reason = "its time was over before the target was reached" if sought else ""
                yield _told(entry.request, entry.command, "completed", tick, reason)

    def _begin_due(self, tick: Tick) -> Iterator[Acknowledgement]:
        while self._waiting and self._waiting[0][0] <= tick.time_ms:
            _, number, entry = heapq.heappop(self._waiting)
            if entry.end_ms <= tick.time_ms:
                reason = "it began and ended between two ticks"
                yield _told(entry.request, entry.command, "completed", tick, reason)
                continue
            older = self._held.get(entry.aim.key)
            if older is not None and not older.reached:
                reason = f"by {entry.command.id}"
                yield _told(older.request, older.command, "superseded", tick, reason)
            self._begin(entry, tick, older)
            if entry.end_ms < np.inf:
                heapq.heappush(self._ends, (entry.end_ms, number, entry))
        if len(self._ends) > 2 * len(self._held) + 64:
            self._ends = [item for item in self._ends if self._held.get(item[2].aim.key) is item[2]]
            heapq.heapify(self._ends)

    def _begin(self, entry: _AcceptedCommand, tick: Tick, older: _AcceptedCommand | None) -> None:
        aim = entry.aim
        self._seeking.pop(aim.key, None)
        if older is not None and aim.slot == "power":
            # The two may differ in kind, in level, and in the devices that they act on.
            self._effects.end(older.aim)
        self._held[aim.key] = entry
        if entry.command.action == "target_soc":
            self._seeking[aim.key] = entry
            self._effects.begin_storage(aim)
        else:
            self._effects.begin(aim, self._present(aim), tick.time_ms, entry.command.ramp_s)

    def _release(self, entry: _AcceptedCommand) -> None:
        del self._held[entry.aim.key]
        self._seeking.pop(entry.aim.key, None)
        self._effects.end(entry.aim)

    def _arrivals(self, tick: Tick) -> Iterator[Acknowledgement]:
        """Targets of the state of charge that are reached: they are told, and held."""
        for owner in self._effects.arrived():
            entry = self._seeking.get((*owner, "power"))
            if entry is not None and self._effects.reached(entry.aim):
                entry.reached = True
                del self._seeking[entry.aim.key]
                yield _told(entry.request, entry.command, "completed", tick)

    def _present(self, aim: ResolvedTarget) -> Floats:
        """What flows at the places now, kW: a device's output, what a site's flexible devices
        give together, or its net consumption."""
        if self._power is None or self._meter is None:
            return np.zeros(len(aim.places))
        if aim.level != "site":
            return self._power[aim.places]
        project = aim.owner[1]
        if aim.slot == "power":
            return np.array([self._power[self._targets.flexible(project)].sum()])
        given = float(self._power[self._targets.members(project)].sum())
        net: Floats = self._meter[aim.places] - given
        return net


def _told(
    request: Request, command: Command, status: Status, tick: Tick, reason: str = ""
) -> Acknowledgement:
    return _answer(request, command.id, command.action, status, reason, tick)


def _answer(
    request: Request, id: str, action: Action | None, status: Status, reason: str, tick: Tick
) -> Acknowledgement:
    return Acknowledgement(
        target=request.target,
        id=id,
        status=status,
        reason=reason,
        tick=tick.index,
        time_ms=tick.time_ms,
        source=request.source,
        action=action,
    )
