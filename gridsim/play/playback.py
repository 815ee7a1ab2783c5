"""The playback of a recording, tick by tick, in the place of a simulation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from gridsim.api import Batch, Instruction
from gridsim.contracts.batch import join
from gridsim.contracts.results import TickResult
from gridsim.play.recording import Recording
from gridsim.simulation.scenario import Scenario
from gridsim.simulation.step import Simulation
from gridsim.verify.values import Ints

_MOST_ROWS: Final = 200_000
"""The number of readings after which a tick ends; the others are in the next tick."""


@dataclass(frozen=True, slots=True)
class PlayCourse:
    """The course of a playback."""

    start_ms: int
    """The time of its first tick, UTC."""
    tick_ms: int
    shift_s: int
    """The number of seconds by which times are moved."""
    loops: int
    """The number of times that the recording is played; 0: without an end."""
    moves: bool
    """True if the times of each further loop follow those of the loop before."""
    loop_ticks: int
    """The number of ticks from the start of a loop to that of the next one."""
    last_ticks: int
    """The number of ticks of the last loop."""

    @property
    def ticks(self) -> int | None:
        """The number of all ticks; None: there is no end."""
        return (self.loops - 1) * self.loop_ticks + self.last_ticks if self.loops else None


class Playback(Simulation):
    """A recording that is stepped like a simulation."""

    def __init__(self, scenario: Scenario, recording: Recording, course: PlayCourse) -> None:
        """Read nothing yet."""
        self.scenario = scenario
        self.roster = recording.survey.roster
        self.start_ms, self.tick_ms = scenario.start_ms, scenario.tick_ms
        self.failures = []
        self._recording, self._played = recording, course
        self._tick = 0
        self._number = 0
        self._parts = self._looped()
        self._rest: tuple[Ints, Batch] | None = None
        """The part that is not played yet, with the ticks of its readings."""
        self._nothing: Batch | None = None

    @property
    def left(self) -> int:
        """The number of readings that have left."""
        return self._number

    @property
    def next_tick(self) -> int:
        """The index of the next tick."""
        return self._tick

    @property
    def busy_with(self) -> str:
        """The recording, for a watcher in another thread."""
        return "the reading of the recording"

    @property
    def clipped(self) -> dict[str, int]:
        """Nothing: no value is changed."""
        return {}

    @property
    def fuse_overloads(self) -> dict[str, int]:
        """Nothing: no fuse is checked."""
        return {}

    @property
    def tally(self) -> None:
        """None: there are no faults."""
        return

    def advance(self, instructions: Sequence[Instruction] = ()) -> TickResult:
        """Return the readings of the next tick; instructions have no effect."""
        batches: list[Batch] = []
        rows = 0
        while rows < _MOST_ROWS:
            if self._rest is None:
                self._rest = next(self._parts, None)
                if self._rest is None:
                    break
            ticks, batch = self._rest
            due = int(np.searchsorted(ticks, self._tick, "right"))
            due = min(due, _MOST_ROWS - rows)
            if due:
                batches.append(batch.rows(0, due))
                rows += due
            if due < len(batch):
                self._rest = ticks[due:], batch.rows(due)
                break
            self._rest = None
        batch = join(batches) if batches else self._empty()
        tick = np.full(len(batch), self._tick)
        result = TickResult(self._tick, replace(batch, tick=tick, number=self._number))
        self._number += len(batch)
        self._tick += 1
        return result

    def finish(self) -> TickResult:
        """Return that nothing is open."""
        return TickResult(self._tick, self._empty())

    def _empty(self) -> Batch:
        if self._nothing is None:
            n, whole = np.empty(0), np.empty(0, np.int64)
            self._nothing = Batch(
                self.roster, np.empty(0, np.intp), whole, whole, np.empty(0, np.bool_),
                n, n, n, n, whole, n,
            )  # fmt: skip
        return self._nothing

    def _looped(self) -> Iterator[tuple[Ints, Batch]]:
        """Yield the parts of all loops, with the ticks of their readings."""
        course, loop = self._played, 0
        first_ms = self._recording.survey.first_ms
        loop_s = course.loop_ticks * course.tick_ms // 1000
        while not course.loops or loop < course.loops:
            shift_s = course.shift_s + (loop * loop_s if course.moves else 0)
            for moments, batch in self._recording.parts(shift_s):
                ticks = (moments - first_ms) // course.tick_ms + loop * course.loop_ticks
                yield ticks, batch
            loop += 1
