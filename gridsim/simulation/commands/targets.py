"""The resolution of a command: its devices, a check that they can follow it, and its value in
kW.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Command, Floats, Refused, Stateful, Target
from gridsim.simulation.scenario import Scenario

Slot = Literal["power", "limit_power", "limit_export", "limit_import", "connection"]
Level = Literal["site", "project", "device"]
"""The level at which a command acts: the whole site, or devices, through a command to their project
or to the device itself. A device's own command overrides its project's.
"""

_SLOTS: dict[str, Slot] = {
    "set_power": "power",
    "target_soc": "power",
    "limit_power": "limit_power",
    "limit_export": "limit_export",
    "limit_import": "limit_import",
    "connect": "connection",
    "disconnect": "connection",
}
# Rounding in the text of a value must not put the value out of range.
_SLACK = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class ResolvedTarget:
    """The places that a command acts on, and its values there."""

    slot: Slot
    level: Level
    owner: tuple[Level, int]
    """The target: a project or a device, by its index into the roster."""
    places: NDArray[np.intp]
    """The devices that the command acts on, or the one site."""
    values: Floats
    """float64[periods, places]: kW, the target in %, or 1 to open and 0 to close a connection.
    A command without periods has one.
    """

    @property
    def key(self) -> tuple[Level, int, Slot]:
        """The key by which commands supersede each other: at most one command in force has it."""
        return (*self.owner, self.slot)


class Targets(Stateful):
    """The devices and projects of a scenario, as targets of commands."""

    kept = ("_silent",)

    def __init__(self, scenario: Scenario) -> None:
        roster = self._roster = scenario.roster
        self._flexible = np.zeros(len(roster), np.bool_)
        self._takes = np.ones(len(roster), np.bool_)
        """True for devices whose type takes commands."""
        for spec in scenario.fleets:
            self._takes[spec.device] = spec.type.obeys()
            if spec.stage == "flexible":
                self._flexible[spec.device] = True
        self._silent = np.zeros(len(roster), np.bool_)
        self._projects: dict[str, int] | None = None
        self._ders: dict[str, int] = {}

    def resolve(self, command: Command, soc: Floats | None) -> ResolvedTarget:
        """Resolve a command. `soc` is each device's state of charge, %, None before the first tick.

        Raises Refused.
        """
        target = command.target
        project, device = self.find(target)
        if device is None:
            return self._at_project(project, target.project_id, command, soc)
        if not self._takes[device]:
            kind = self._roster.type[device]
            raise Refused(f"{target.der_id} is of the type {kind!r}, which takes no commands")
        return self._at_device(device, target.der_id or "", command, soc)

    def share(self, memo: dict[int, Any]) -> None:
        """Add the places of all ids to the memo of `copy.deepcopy`, so that copies share them."""
        memo[id(self._projects)], memo[id(self._ders)] = self._projects, self._ders

    def disable(self, devices: NDArray[np.intp] | NDArray[np.bool_]) -> None:
        """Disable these devices for commands: they do not exist, or have failed."""
        self._silent[devices] = True

    def members(self, project: int) -> NDArray[np.intp]:
        """Return the devices of a project that take commands; they are contiguous."""
        first, end = np.searchsorted(self._roster.project, [project, project + 1])
        return np.arange(first, end)[~self._silent[first:end]]

    def flexible(self, project: int) -> NDArray[np.intp]:
        """Return the members of a project that share its setpoint."""
        members = self.members(project)
        return members[self._flexible[members] & self._takes[members]]

    def find(self, target: Target) -> tuple[int, int | None]:
        """Return a target's project and device, as indices. Raises Refused."""
        roster = self._roster
        if not target.project_id and target.der_id is None:
            raise Refused("a command must be for a project or a DER, not for the whole fleet")
        if self._projects is None:
            self._projects = {name: place for place, name in enumerate(roster.project_id)}
            self._ders = {name: place for place, name in enumerate(roster.der_id)}
        project = self._projects.get(target.project_id)
        if project is None:
            raise Refused("there is no such project")
        if target.der_id is None:
            return project, None
        device = self._ders.get(target.der_id)
        if device is None:
            raise Refused("there is no such DER")
        if roster.project[device] != project:
            owner = roster.project_id[roster.project[device]]
            raise Refused(f"the DER is not in this project but in {owner}")
        if self._silent[device]:
            raise Refused("the DER does not answer")
        return project, device

    def _at_device(
        self, device: int, name: str, command: Command, soc: Floats | None
    ) -> ResolvedTarget:
        place = np.array([device])
        rated = float(self._roster.nameplate_capacity[device])
        action = command.action
        slot = _SLOTS[action]
        if action == "target_soc":
            if soc is None or np.isnan(soc[device]):
                raise Refused(f"{name} has no storage: it reports no state of charge now")
            value = _within(command, 0.0, 100.0, "%")
        elif slot == "connection":
            value = np.array([float(action == "disconnect")])
        elif action == "set_power":
            value = _power(command, -1.0, rated)
        else:
            value = _power(command, 0.0, rated)
        return ResolvedTarget(slot, "device", ("device", device), place, value[:, None])

    def _at_project(
        self, project: int, name: str, command: Command, soc: Floats | None
    ) -> ResolvedTarget:
        action = command.action
        owner: tuple[Level, int] = ("project", project)
        slot = _SLOTS[action]
        members = self.members(project)
        takes = self._takes[members]
        if len(members) and not takes.any():
            raise Refused(f"{name} has only DERs of types that take no commands")
        members = members[takes]
        rated = self._roster.nameplate_capacity[members]
        if not len(members):
            raise Refused(f"{name} has no DER that answers")
        if action == "set_power":
            flexible = self.flexible(project)
            if not len(flexible):
                raise Refused(
                    f"{name} has no managed DER whose power can be set: send the command to a DER"
                )
            total = float(self._roster.nameplate_capacity[flexible].sum())
            value = _power(command, -1.0, total)
            return ResolvedTarget(slot, "site", owner, np.array([project]), value[:, None])
        if action in ("limit_export", "limit_import"):
            value = _within(command, 0.0, 1e9, "kW")
            return ResolvedTarget(slot, "site", owner, np.array([project]), value[:, None])
        if action == "target_soc":
            members = members[~np.isnan(soc[members])] if soc is not None else members[:0]
            if not len(members):
                raise Refused(f"{name} has no storage: no DER reports a state of charge now")
            values = np.full((1, len(members)), _within(command, 0.0, 100.0, "%"))
        elif slot == "connection":
            values = np.full((1, len(members)), float(action == "disconnect"))
        else:
            # Shared in proportion to the rated powers, so that the sum keeps the limit.
            total = float(rated.sum())
            limit = _power(command, 0.0, total)[:, None]
            # The roster's ratings are rounded: very small ones are zero.
            values = rated * (limit / total) if total else rated + 0.0 * limit
        return ResolvedTarget(slot, "project", owner, members, values)


def _power(command: Command, low: float, rated: float) -> Floats:
    """Return the values in kW. They must be from `low`, a share of the rated power, to `rated`."""
    if command.unit == "%":
        return rated * _within(command, 100.0 * low, 100.0, "%") / 100.0
    return _within(command, low * rated, rated, "kW, its nameplate capacity")


def _within(command: Command, low: float, high: float, unit: str) -> Floats:
    """Return the values of a command's periods, or its only value. Raises Refused."""
    named = {f"periods[{n}].value": one.value for n, one in enumerate(command.periods)}
    if command.value is not None:
        named = {"value": command.value}
    for name, value in named.items():
        if not low - _SLACK <= value <= high + _SLACK:
            raise Refused(
                f"{name!r} is out of range: {value:g} {command.unit}, but {command.action} takes "
                f"{low:g} to {high:g} {unit}"
            )
    return np.array([min(max(value, low), high) for value in named.values()])
