"""The ids of instructions that were used before."""

from __future__ import annotations

from typing import Any, Final

from gridsim.api import Instruction, Refused

MAX_IDS: Final = 200_000
"""The largest number of ids that are remembered; the oldest are forgotten."""


class UsedIds:
    """The ids of accepted instructions; each target has its own."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str | None, str], None] = {}

    def state(self) -> list[list[Any]]:
        """Return what a checkpoint keeps."""
        return [list(name) for name in self._names]

    def restore(self, state: list[list[Any]]) -> None:
        """Continue from a checkpoint's state."""
        self._names = dict.fromkeys((project, der, id) for project, der, id in state)

    def check(self, instruction: Instruction) -> None:
        """Raise Refused if the target has had an instruction with this id."""
        if _name(instruction) in self._names:
            raise Refused("this id was used before: give each command to a target a new id")

    def use(self, instruction: Instruction) -> None:
        """Remember the id of an accepted instruction."""
        self._names[_name(instruction)] = None
        if len(self._names) > MAX_IDS:
            del self._names[next(iter(self._names))]


def _name(instruction: Instruction) -> tuple[str, str | None, str]:
    target = instruction.target
    return target.project_id, target.der_id, instruction.id
