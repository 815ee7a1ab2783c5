"""The commands in force, as sentences."""

from __future__ import annotations

from gridsim.api import Command, Target
from gridsim.contracts.results import TickResult
from gridsim.text.commands import described_instruction

_MOST = 10_000
_OVER = ("completed", "superseded", "cancelled")


class OpenCommands:
    """The newest accepted command of each target that is not over; at most 10,000.

    Of several commands of the same name it is the one of the highest stack level.
    """

    def __init__(self) -> None:
        self._open: dict[Target, Command] = {}

    def take(self, result: TickResult) -> None:
        """Take the answers of a tick."""
        if not result.acknowledgements:
            return
        commands = {
            (one.target, one.id): one for one in result.instructions if isinstance(one, Command)
        }
        for answer in result.acknowledgements:
            given = commands.get((answer.target, answer.id))
            if answer.status == "accepted" and given is not None:
                known = self._open.pop(answer.target, None)
                if known is not None and known.action == given.action:
                    # Of equal levels, the newer one applies.
                    given = max(given, known, key=lambda one: one.stack_level)
                self._open[answer.target] = given
            elif answer.status in _OVER:
                known = self._open.get(answer.target)
                if known is not None and known.id == answer.id:
                    del self._open[answer.target]
        while len(self._open) > _MOST:
            del self._open[next(iter(self._open))]

    def sentence(self, project_id: str, der_id: str) -> str:
        """Return the command in force of a device, else of its project; "" if there is none."""
        for target in (Target(project_id, der_id), Target(project_id)):
            command = self._open.get(target)
            if command is not None:
                return f"{described_instruction(command)} ({command.id}) to {target}"
        return ""
