"""The backfill of a run: its ticks before the present, run as fast as possible."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from gridsim.contracts.part_status import BackfillStatus
from gridsim.delivery import Runner

if TYPE_CHECKING:
    from gridsim.running.plan import Plan

_RATE_EVERY_S: Final = 1.0
_RATE_SAMPLES: Final = 31
_SHORT_S: Final = 1.0
_MOST_ROUNDS: Final = 20
_OVER: Final = ("failed", "closed", "reader gone")


class Backfill:
    """The ticks of a run that are due by the wall clock before the run reaches them.

    A tick is due when the real time is its simulated time. The backfill ends when the next tick is
    not due yet and the transports have settled what they got of it: from then on a full queue may
    drop readings, and none of the backfill may be among them.
    """

    def __init__(
        self,
        start_ms: int,
        tick_ms: int,
        *,
        first: int = 0,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with the tick `first` of a run that starts at `start_ms`, UTC."""
        self.ended_at: int | None = None
        """The first tick after the backfill; None while it goes on."""
        self.sent: Callable[[], bool] = lambda: True
        """The function that returns whether the transports have settled what they got so far."""
        self.ended: Callable[[], None] = lambda: None
        """The function that is called when it ends at the present, between two ticks."""
        self._start_ms, self._tick_ms, self._first = start_ms, tick_ms, first
        self._wall, self._monotonic = wall, monotonic
        self._began = monotonic()
        self._samples: deque[tuple[float, int]] = deque([(self._began, first)], _RATE_SAMPLES)
        self._took_s: float | None = None

    @classmethod
    def of(cls, plan: Plan, *, manual: bool) -> Backfill | None:
        """Return the backfill of a plan; None if it has none.

        A resumed run that was live before has none: `on_recovery` decides about the time in which
        it was down.
        """
        kept = None if plan.checkpoint is None else plan.checkpoint.kept
        was_live = kept is not None and kept.progress.due_ms > 0
        if manual or was_live or not plan.goes_live:
            return None
        first = 0 if kept is None else kept.checkpoint.tick
        configuration = plan.configuration
        backfill = cls(configuration.start_ms, configuration.tick_ms, first=first)
        # A run that was faster than real time, and was killed during a pause, may be ahead.
        return backfill if backfill.due_in_s(first) <= 0 else None

    def due_in_s(self, tick: int) -> float:
        """Return in how many seconds a tick is due by the wall clock; below 0 if it was due."""
        now = self._monotonic()
        if now - self._samples[-1][0] >= _RATE_EVERY_S:
            self._samples.append((now, tick))
        return (self._start_ms + tick * self._tick_ms) / 1000 - self._wall()

    def end(self, tick: int) -> None:
        """End it before a tick."""
        self.ended_at, self._took_s = tick, self._monotonic() - self._began

    def status(self, tick: int) -> BackfillStatus:
        """Return its status; `tick` is the next tick. May be called from any thread."""
        tick_s = self._tick_ms / 1000
        if self.ended_at is not None and self._took_s is not None:
            speed = (self.ended_at - self._first) * tick_s / max(self._took_s, 1e-9)
            return BackfillStatus(
                self._first, self.ended_at, self.ended_at, speed, took_s=self._took_s
            )
        now = self._monotonic()
        then, before = self._samples[0]
        speed = (tick - before) * tick_s / max(now - then, 1e-9)
        due = max(int((self._wall() * 1000 - self._start_ms) // self._tick_ms) + 1, tick)
        left_s = (due - tick) * tick_s / (speed - 1) if speed > 1 else None
        return BackfillStatus(self._first, due, None, speed, left_s, now - self._began)


class Settling:
    """The settling of what the transports have got, before the rules of real time hold.

    While it lasts, further ticks become due. So it has rounds, each for what was accepted when it
    began, until one is short: a transport that keeps up makes them shorter and shorter.
    """

    def __init__(
        self,
        runners: Callable[[], Sequence[Runner]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin the first round. `runners` returns the transports of the run."""
        self._runners, self._monotonic = runners, monotonic
        self._rounds = 0
        self._began = 0.0
        self._waiting: list[tuple[Runner, int]] = []
        self._begin()

    def is_done(self) -> bool:
        """Return whether little is left to settle, apart from a spool that has room."""
        self._waiting = [(one, number) for one, number in self._waiting if _waits(one, number)]
        if self._waiting:
            return False
        if self._monotonic() - self._began < _SHORT_S or self._rounds == _MOST_ROUNDS:
            return True
        self._begin()
        return False

    def _begin(self) -> None:
        self._rounds += 1
        self._began = self._monotonic()
        self._waiting = [(one, one.counters().accepted) for one in self._runners()]


def _waits(runner: Runner, number: int) -> bool:
    if runner.state in _OVER:
        return False
    buffer, counters = runner.buffer, runner.counters()
    if buffer.keeps and 2 * buffer.nbytes <= buffer.limit_bytes:
        return False
    return counters.accepted - counters.pending < number
