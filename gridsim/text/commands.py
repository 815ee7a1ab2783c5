"""Lines about the instructions of a tick and their answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from gridsim.api import Acknowledgement, Instruction
from gridsim.contracts.instructions import Command, action_of
from gridsim.errors import printable

_LINES = 20
_PERIOD_S = 10.0


class CommandLog:
    """The lines about instructions: at most 20 in ten seconds; the others are counted."""

    def __init__(self) -> None:
        self._since = -_PERIOD_S
        self._left = 0
        self._held: Counter[tuple[str, str]] = Counter()

    def lines(
        self,
        instructions: Sequence[Instruction],
        acknowledgements: Sequence[Acknowledgement],
        now_s: float,
    ) -> Iterator[str]:
        """Yield the lines about the answers of a tick; `now_s` is the monotonic time."""
        if now_s - self._since >= _PERIOD_S:
            yield from self.rest()
            self._since, self._left = now_s, _LINES
        asked = {(one.target, one.id): one for one in instructions}
        for answer in acknowledgements:
            if self._left:
                self._left -= 1
                yield instruction_line(answer, asked.get((answer.target, answer.id)))
            else:
                self._held[answer.action or "unreadable", answer.status] += 1

    def rest(self) -> Iterator[str]:
        """Yield the counts of the instructions without a line."""
        for (action, status), number in sorted(self._held.items()):
            yield f"{number:,} more instructions: {action} {status}"
        self._held.clear()


def instruction_line(answer: Acknowledgement, given: Instruction | None) -> str:
    """Return the line about an answer to an instruction; `given` is the instruction, if known."""
    reason = f": {printable(answer.reason)}" if answer.reason else ""
    what = described_instruction(given) if given is not None else answer.action or "an instruction"
    name = printable(answer.id) or "without an id"
    return f"{what} ({name}) to {printable(answer.target)}: {answer.status}{reason}"


def described_instruction(instruction: Instruction) -> str:
    """Return the action of an instruction, with value and unit of a command."""
    action = action_of(instruction) or "an unreadable instruction"
    if not isinstance(instruction, Command) or instruction.unit is None:
        return action
    text = f"{action} {_values(instruction)} {instruction.unit}"
    return text if instruction.duration_s is None else f"{text} for {instruction.duration_s:g} s"


def _values(command: Command) -> str:
    """Return the value of a command, or its first and last ones and the number of its periods."""
    if command.value is not None:
        return f"{command.value:g}"
    first, last, number = command.periods[0], command.periods[-1], len(command.periods)
    if number == 1:
        return f"{first.value:g}"
    return f"in {number} periods from {first.value:g} to {last.value:g}"
