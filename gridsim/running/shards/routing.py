"""The shards that an instruction goes to, and the instruction as each of them gets it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridsim.api import CallEvent, InjectFault, Instruction, Refused, Unreadable
from gridsim.contracts.instructions import FLEET, action_of
from gridsim.simulation.scenario import Scenario

_EVERY = ["*"]


class Router:
    """The router of the instructions of one run.

    A project or DER has one shard. Instructions to the fleet go to the shards that have something
    for them; they are checked against the whole run first, so that the answer is that of a run in
    one process.
    """

    def __init__(self, scenario: Scenario, first_projects: Sequence[int]) -> None:
        """Keep the bounds: `first_projects` has the index of the first project of each shard."""
        self._scenario = scenario
        self._first = np.array(first_projects)
        self._projects: dict[str, int] | None = None
        self._ders: dict[str, int] = {}

    def routed(self, instruction: Instruction, tick: int) -> Mapping[int, Instruction]:
        """Return the instruction of each shard that gets one, for the tick."""
        try:
            return self._routed(instruction, tick)
        except Refused as refusal:
            return {0: _refused(instruction, str(refusal))}

    def _routed(self, instruction: Instruction, tick: int) -> Mapping[int, Instruction]:
        if instruction.target != FLEET:
            shard = self._shard_of(instruction)
            return {0 if shard is None else shard: instruction}
        if isinstance(instruction, Unreadable):
            return {0: instruction}
        if isinstance(instruction, CallEvent | InjectFault):
            return self._some(instruction, tick)
        return dict.fromkeys(range(len(self._first)), instruction)

    def _shard_of(self, instruction: Instruction) -> int | None:
        """Return the shard of a target; None if there is no such project. Raises Refused."""
        roster, target = self._scenario.roster, instruction.target
        if self._projects is None:
            self._projects = {name: place for place, name in enumerate(roster.project_id)}
            self._ders = {name: place for place, name in enumerate(roster.der_id)}
        project = self._projects.get(target.project_id)
        if project is None:
            return None
        if target.der_id is not None:
            device = self._ders.get(target.der_id)
            if device is not None and roster.project[device] != project:
                owner = roster.project_id[roster.project[device]]
                raise Refused(f"the DER is not in this project but in {owner}")
        return int(np.searchsorted(self._first, project, side="right")) - 1

    def _some(self, instruction: CallEvent | InjectFault, tick: int) -> Mapping[int, Instruction]:
        """Return the instruction of each shard in which its patterns match. Raises Refused."""
        scenario = self._scenario
        binder, roster = scenario.binder, scenario.roster
        if binder is None:
            return {0: instruction}
        time_ms = scenario.start_ms + tick * scenario.tick_ms
        if isinstance(instruction, CallEvent):
            projects: NDArray[np.intp] = binder.event(instruction, scenario, time_ms).projects
            named = {"projects": roster.project_id}
            where = np.arange(len(roster.project_id))
        else:
            device = binder.fault(instruction, scenario, time_ms).device
            projects = roster.project[device]
            named = {"projects": roster.project_id, "ders": roster.der_id}
            where = roster.project
        shards = np.unique(np.searchsorted(self._first, projects, side="right") - 1)
        every = {"projects": np.arange(len(roster.project_id)), "ders": where}
        return {
            shard: replace(
                instruction, settings=self._settings(instruction.settings, named, every, shard)
            )
            for shard in shards.tolist()
        }

    def _settings(
        self,
        settings: Mapping[str, Any],
        named: Mapping[str, Sequence[str]],
        project_of: Mapping[str, NDArray[np.intp]],
        shard: int,
    ) -> dict[str, Any]:
        """Return the settings with the patterns that match something in a shard."""
        first = self._first[shard]
        last = [*self._first[1:].tolist(), len(self._scenario.roster.project_id)][shard]
        own = dict(settings)
        for key, names in named.items():
            patterns = own.get(key, _EVERY)
            if patterns == _EVERY or not isinstance(patterns, list | tuple):
                continue
            place = project_of[key]
            rows = np.flatnonzero((first <= place) & (place < last))
            here = [names[row] for row in rows.tolist()]
            known = set(here)
            own[key] = [
                one
                for one in patterns
                if one in known or any(fnmatchcase(name, one) for name in here)
            ]
        return own


def _refused(instruction: Instruction, reason: str) -> Unreadable:
    """Return what makes a shard answer that the instruction is rejected for this reason."""
    return Unreadable(
        instruction.target,
        instruction.id,
        "",
        reason,
        action_of(instruction),
        instruction.source,
    )
