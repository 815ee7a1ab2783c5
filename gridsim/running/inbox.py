"""The inbox: where instructions wait for the next tick, from any source or program.

    inbox = CommandInbox()
    engine = Engine(simulation, emit, tick_s=1.0, speed=1.0, inbox=inbox)
    inbox.post(Command(Target("PRJ_1", "DER_1"), "c-1", "disconnect"))

The tick's result answers them in `acknowledgements`.
"""

from __future__ import annotations

import threading
from collections import deque

from gridsim.api import Instruction
from gridsim.sources import MAX_UNANSWERED


class CommandInbox:
    """A bounded queue of instructions; any thread may use it.

    An instruction of a source counts until it was answered, too: its worker refuses what
    would not fit (see SourceWorker).
    """

    def __init__(self, limit: int = MAX_UNANSWERED) -> None:
        """Make an empty inbox, in which `limit` instructions may wait."""
        self._limit = limit
        self._waiting: deque[Instruction] = deque()
        self._lock = threading.Lock()

    def post(self, instruction: Instruction) -> bool:
        """Queue an instruction and return True; return False at once if there is no room."""
        with self._lock:
            if len(self._waiting) >= self._limit:
                return False
            self._waiting.append(instruction)
            return True

    def __len__(self) -> int:
        """Return how many instructions wait."""
        return len(self._waiting)

    def drain(self) -> tuple[Instruction, ...]:
        """Remove all that wait and return them, in the order of their posting."""
        if not self._waiting:
            return ()
        with self._lock:
            drained = tuple(self._waiting)
            self._waiting.clear()
        return drained
