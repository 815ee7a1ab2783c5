"""The acknowledgements of the instructions that views have posted."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from gridsim.api import Acknowledgement, Instruction, PostedAnswer, Target
from gridsim.text.commands import instruction_line

FOLLOWED: Final = 10_000
"""The number of instructions whose acknowledgements are kept."""
_EACH = 16
"""The largest number of acknowledgements kept of one instruction; a run gives at most two."""


@dataclass(slots=True, eq=False)
class _Followed:
    instruction: Instruction
    answers: deque[Acknowledgement] = field(default_factory=lambda: deque(maxlen=_EACH))


class Answers:
    """The acknowledgements of each instruction, kept apart so that those of others do not displace
    them. Used from several threads.
    """

    def __init__(self, limit: int = FOLLOWED) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._followed: OrderedDict[tuple[str, Target, str], _Followed] = OrderedDict()
        self._sources: set[str] = set()

    def follow(self, instruction: Instruction) -> None:
        """Keep the acknowledgements of an instruction from now on."""
        with self._lock:
            self._sources.add(instruction.source)
            self._followed.pop(_key(instruction), None)
            self._followed[_key(instruction)] = _Followed(instruction)
            while len(self._followed) > self._limit:
                self._followed.popitem(last=False)

    def forget(self, instruction: Instruction) -> None:
        """Stop keeping the acknowledgements of an instruction."""
        with self._lock:
            self._followed.pop(_key(instruction), None)

    def take(self, acknowledgements: Sequence[Acknowledgement]) -> None:
        """Keep the acknowledgements of followed instructions. Called in the engine's thread."""
        if not acknowledgements or not self._followed:
            return
        with self._lock:
            for one in acknowledgements:
                # Most are for other sources: their ids need not be looked up.
                if one.source in self._sources:
                    followed = self._followed.get(_key(one))
                    if followed is not None:
                        followed.answers.append(one)

    def of(self, instruction: Instruction) -> tuple[PostedAnswer, ...] | None:
        """Return the acknowledgements of an instruction; None if it is not followed."""
        with self._lock:
            followed = self._followed.get(_key(instruction))
            if followed is None:
                return None
            answers = tuple(followed.answers)
        given = followed.instruction
        return tuple(
            PostedAnswer(one.time_ms, one.status, one.reason, instruction_line(one, given))
            for one in answers
        )


def _key(one: Instruction | Acknowledgement) -> tuple[str, Target, str]:
    return one.source, one.target, one.id
