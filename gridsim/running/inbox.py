"""The inbox: the queue of instructions, from any source or program, for the next tick.

    inbox = CommandInbox()
    engine = Engine(simulation, emit, tick_s=1.0, speed=1.0, inbox=inbox)
    inbox.post(Command(Target("PRJ_1", "DER_1"), "c-1", "disconnect"))

The tick's result answers them in `acknowledgements`.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from gridsim.api import Instruction
from gridsim.sources import MAX_UNANSWERED


class CommandInbox:
    """A bounded queue of instructions; any thread may use it.

    A source's worker also counts its instructions that have no answer yet, and refuses those
    beyond the limit (see SourceWorker).
    """

    def __init__(self, limit: int = 2 * MAX_UNANSWERED, *, tick: int = 0) -> None:
        """Make an empty inbox for up to `limit` instructions; `tick` is that of the first `drain`.

        There is room for one source with twice its limit: see SourceWorker.
        """
        self.live_from = tick
        """The first tick in which instructions take effect; those before catch up."""
        self._tick = tick
        self._limit = limit
        self._waiting: deque[Instruction] = deque()
        self._lock = threading.Condition()

    def post(self, instruction: Instruction) -> bool:
        """Queue an instruction and return True; return False at once if there is no room."""
        with self._lock:
            if len(self._waiting) >= self._limit:
                return False
            self._waiting.append(instruction)
            self._lock.notify_all()
            return True

    def wait(self, count: int, timeout_s: float) -> bool:
        """Wait until `count` instructions wait here, and return whether they do."""
        with self._lock:
            return self._lock.wait_for(lambda: len(self._waiting) >= count, timeout_s)

    def lost(self, instructions: int) -> None:
        """Do nothing: the worker of a source counts its unread instructions."""

    def __len__(self) -> int:
        """Return the number of waiting instructions."""
        return len(self._waiting)

    def drain(self) -> tuple[Instruction, ...]:
        """Remove the instructions of the next tick and return them in the order of posting."""
        tick = self._tick
        self._tick += 1
        if tick < self.live_from or not self._waiting:
            return ()
        with self._lock:
            drained = tuple(self._waiting)
            self._waiting.clear()
        return drained


class RecordedInbox(CommandInbox):
    """The instructions of an earlier run, each for the tick in which that run received it."""

    def __init__(self, instructions: Mapping[int, Sequence[Instruction]]) -> None:
        """Keep the instructions by tick; the first call of `drain` belongs to tick 0."""
        super().__init__()
        self._recorded = dict(instructions)

    def post(self, instruction: Instruction) -> bool:
        """Return False, because a repeated run accepts no instructions."""
        return False

    def __len__(self) -> int:
        """Return the number of ticks to come that have instructions."""
        return len(self._recorded)

    def drain(self) -> tuple[Instruction, ...]:
        """Return the instructions of the next tick."""
        drained = tuple(self._recorded.pop(self._tick, ()))
        self._tick += 1
        return drained


class JournaledInbox(CommandInbox):
    """An inbox whose instructions are noted before they take effect.

    In a resumed run the noted instructions of an earlier life come first, each in its tick.
    """

    def __init__(self, tick: int = 0, recorded: Mapping[int, Sequence[Instruction]] = {}) -> None:
        """Begin with the tick of the first `drain`, and what is known of it and of later ticks."""
        super().__init__(tick=tick)
        self.note: Callable[[int, Sequence[Instruction]], None] = _note_nothing
        """The function that notes the new instructions of a tick."""
        self._recorded = dict(recorded)

    def known(self) -> Mapping[int, Sequence[Instruction]]:
        """Return the instructions of an earlier life that have not taken effect yet."""
        return dict(self._recorded)

    def drain(self) -> tuple[Instruction, ...]:
        """Return the instructions of the next tick."""
        tick = self._tick
        recorded = tuple(self._recorded.pop(tick, ()))
        live = super().drain()
        if live:
            self.note(tick, live)
        return (*recorded, *live)


class StampedInbox(JournaledInbox):
    """The instructions of a shard, each for the tick that the driver of the shards has chosen.

    What an earlier life noted for a tick is all that the driver sent for it.
    """

    def __init__(self, tick: int = 0, recorded: Mapping[int, Sequence[Instruction]] = {}) -> None:
        super().__init__(tick, recorded)
        self._stamped: dict[int, dict[int, Instruction]] = {}

    def post(self, instruction: Instruction) -> bool:
        """Return False, because an instruction comes from the driver, with its tick."""
        return False

    def post_at(self, tick: int, number: int, instruction: Instruction) -> None:
        """Add an instruction for a tick; one that has been sent again changes nothing.

        `number` counts the instructions of the run, and gives their order.
        """
        with self._lock:
            if tick >= self._tick:
                self._stamped.setdefault(tick, {})[number] = instruction

    def __len__(self) -> int:
        """Return the number of instructions for the ticks to come."""
        return sum(map(len, tuple(self._stamped.values())))

    def drain(self) -> tuple[Instruction, ...]:
        """Return the instructions of the next tick."""
        with self._lock:
            tick = self._tick
            self._tick += 1
            stamped = self._stamped.pop(tick, {})
        recorded = tuple(self._recorded.pop(tick, ()))
        if recorded or not stamped:
            return recorded
        given = tuple(stamped[number] for number in sorted(stamped))
        self.note(tick, given)
        return given


def _note_nothing(tick: int, instructions: Sequence[Instruction]) -> None: ...
