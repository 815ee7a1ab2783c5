"""The ticks that the shards of a run may run, and the instructions that they get with them."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

from gridsim.api import Instruction
from gridsim.running.shards.messages import ShardSchedule, StampedInstruction

Sync = Literal["clock", "lockstep"]

AHEAD_S: Final = 0.5
"""The real time by which the shards are allowed ticks ahead. An instruction takes effect after the
ticks that are allowed already.
"""
_LEAST_AHEAD: Final = 16
_LIMIT: Final = 20_000
"""The largest number of instructions that wait for their tick."""


class Grants:
    """The first tick that no shard may run yet, for all shards.

    The shards never wait for each other with `clock`, apart from speed 0, where none runs far ahead
    of the slowest. With `lockstep` none begins a tick before all have done the one before it. Any
    thread may use it.
    """

    def __init__(
        self,
        sync: Sync,
        ticks: int | None,
        route: Callable[[Instruction, int], Mapping[int, Instruction]],
        expect: Callable[[int, Instruction, Sequence[int]], object],
        *,
        tick_s: float,
        backfills_from_ms: int | None = None,
        first: int = 0,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Allow nothing yet.

        `route` returns the instruction of each shard, and `expect` is called with the number of
        each instruction and its shards, before a shard gets it. `first` is the first tick.
        `backfills_from_ms` is the simulated start of a run that goes on live at the present.
        """
        self.changed = threading.Condition()
        """Notified when more is allowed."""
        self.schedule: ShardSchedule | None = None
        """The present schedule; None: no tick may run now."""
        self.limit: int | None = ticks
        """The tick at which the run ends; None: it has no end."""
        self._sync = sync
        self._route, self._expect = route, expect
        self._tick_s = tick_s
        self._present_ms = backfills_from_ms
        self._wall = wall
        self._until = first
        self._first = first
        self._number = 0
        self._posted: dict[int, list[Instruction]] = {}
        self._stamped: list[tuple[int, StampedInstruction]] = []
        """The instructions of the shards, each with its shard."""
        self._rate = 0.0
        """The ticks of the slowest shard per second at speed 0."""
        self._seen = (0.0, first)

    @property
    def until(self) -> int:
        """The first tick that is not allowed yet."""
        return self._until

    def post(self, instruction: Instruction) -> bool:
        """Take an instruction for the next tick that no shard may run yet; return whether there was
        room.
        """
        with self.changed:
            tick = self._until
            if len(self._stamped) >= _LIMIT:
                return False
            routed = self._route(instruction, tick)
            number = self._number
            self._number += 1
            self._expect(number, instruction, sorted(routed))
            self._posted.setdefault(tick, []).append(instruction)
            for shard, one in routed.items():
                self._stamped.append((shard, StampedInstruction(tick, number, one)))
            return True

    def waiting(self, tick: int) -> int:
        """Return the number of instructions for ticks from `tick` on."""
        with self.changed:
            return sum(len(some) for at, some in self._posted.items() if at >= tick)

    def instructions(self, tick: int) -> dict[int, Sequence[Instruction]]:
        """Return the instructions of the ticks below `tick` as posted, and forget them."""
        with self.changed:
            done = sorted(at for at in self._posted if at < tick)
            return {at: tuple(self._posted.pop(at)) for at in done}

    def allow(self, slowest: int) -> int:
        """Return the first tick that may not run yet.

        `slowest` is the next tick of the slowest shard.
        """
        with self.changed:
            schedule = self.schedule
            if schedule is None:
                return self._until
            if self._sync == "lockstep":
                until = slowest + 1
            elif schedule.speed:
                interval_s = self._tick_s / schedule.speed
                due = (self._wall() + AHEAD_S - schedule.at_s) / interval_s
                until = schedule.tick + math.floor(due) + 1
            else:
                until = slowest + self._ahead(slowest)
            if self._present_ms is not None:
                # The shards run freely up to the present, and then each goes on live.
                due = (1000 * (self._wall() + AHEAD_S) - self._present_ms) / (1000 * self._tick_s)
                until = min(slowest + self._ahead(slowest), math.floor(due) + 1)
            if self.limit is not None:
                until = min(until, self.limit)
            if until > self._until:
                self._until = until
                self.changed.notify_all()
            return self._until

    def allowed(
        self, shard: int, slowest: int, number: int
    ) -> tuple[int, list[StampedInstruction]]:
        """Return what `allow` does, with a shard's instructions from `number` on.

        No instruction is for a tick below it that the shard does not get with it.
        """
        with self.changed:
            until = self.allow(slowest)
            own = [one for at, one in self._stamped if at == shard and one.number >= number]
            return until, own

    def forget(self, ticks: Sequence[int]) -> None:
        """Forget the instructions for ticks below those that each shard may still need."""
        with self.changed:
            if self._stamped:
                self._stamped = [one for one in self._stamped if one[1].tick >= ticks[one[0]]]

    def wait(self, until: int, slowest: int, timeout_s: float) -> bool:
        """Wait until more than the ticks below `until` is allowed, and return whether so.

        `slowest` is as in `allow`: the last shard of a tick allows the others the next one.
        """
        with self.changed:
            self.allow(slowest)
            return self.changed.wait_for(lambda: self._until > until, timeout_s)

    def _ahead(self, slowest: int) -> int:
        """Return how many ticks a shard may be ahead at speed 0."""
        now = self._wall()
        at, tick = self._seen
        if now - at >= AHEAD_S:
            if at:
                self._rate = (slowest - tick) / (now - at)
            self._seen = now, slowest
        return max(_LEAST_AHEAD, round(2 * self._rate * AHEAD_S))
