"""The schedule of ticks in real time, and how punctual they were."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gridsim.contracts.latency import RecentDurations

if TYPE_CHECKING:
    from gridsim.running.backfill import Backfill

# A wake-up that is early by at most this duration runs its tick now, not at the next wake-up.
_EARLY_S = 0.002
# The shortest time between wake-ups, at any speed.
SHORTEST_WAKE_S = 0.05


@dataclass(slots=True)
class Punctuality:
    """The punctuality of the ticks. Lateness is real seconds behind the schedule."""

    late_ticks: int = 0
    """Ticks that started later than the wake-up at which they were due."""
    worst_s: float = 0.0
    stepping_s: float = 0.0
    """The real time spent in the models."""
    recent: RecentDurations = field(default_factory=RecentDurations)
    """The latenesses of the last ticks."""

    def note(self, lateness_s: float, wake_s: float) -> None:
        """Count a tick, by its lateness and the time between wake-ups."""
        self.recent.append(lateness_s)
        self.worst_s = max(self.worst_s, lateness_s)
        self.late_ticks += lateness_s > wake_s


@dataclass(frozen=True, slots=True)
class Anchor:
    """A tick and the monotonic time at which it is due; later ticks are due relative to it."""

    tick: int
    at_s: float


class TickSchedule:
    """The real times at which ticks are due. Changed between two ticks, read by any thread."""

    def __init__(
        self, tick_s: float, speed: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin with the first tick due when it is asked for."""
        self.pace = Punctuality()
        self.speed = speed
        self.backfill: Backfill | None = None
        """The backfill while it goes on."""
        self._tick_s = tick_s
        self._monotonic = monotonic
        self._anchor: Anchor | None = None
        self._punctual_from = 0
        """The first tick whose lateness counts."""
        self._lateness_s: float | None = None
        """The lateness of the next tick; None in the backfill."""

    @property
    def interval_s(self) -> float:
        """Real seconds from tick to tick; 0 at speed 0."""
        return self._tick_s / self.speed if self.speed else 0.0

    @property
    def wake_s(self) -> float:
        """Real seconds from wake-up to wake-up."""
        return max(self.interval_s, SHORTEST_WAKE_S)

    @property
    def promised_wake_s(self) -> float:
        """Real seconds between wake-ups if a rate is promised; 0 at speed 0 and in the backfill."""
        return self.wake_s if self.interval_s and self.backfill is None else 0.0

    def catch_up(self, tick: int, behind_s: float | None, present: int) -> None:
        """Begin with a tick that was due `behind_s` seconds ago; None: it is due now.

        The ticks before `present` are caught up, and not counted as late.
        """
        self._punctual_from = present
        if behind_s is not None:
            self._anchor = Anchor(tick, self._monotonic() - behind_s)

    def follow(self, tick: int, at_s: float, speed: float, next_tick: int) -> None:
        """Make `tick` due at a monotonic time, and the others by the speed from there.

        Ticks from `next_tick` on that are due already are caught up, and not counted as late. A
        backfill goes on at the same speed: its present is that of the wall clock.
        """
        if self.backfill is not None and speed == self.speed:
            return
        self.end_backfill(next_tick)
        self.speed = speed
        self._anchor = Anchor(tick, at_s) if speed else None
        self._punctual_from = next_tick
        if speed:
            late = (self._monotonic() - at_s) / self.interval_s
            self._punctual_from = tick + math.ceil(late)

    def restart(self) -> None:
        """Make the next tick due when it is asked for."""
        self._anchor = None

    def end_backfill(self, tick: int) -> None:
        """End the backfill, if there is one, before a tick."""
        if self.backfill is not None:
            self.backfill.end(tick)
            self.backfill = None

    def is_due(self, tick: int) -> bool:
        """Return whether the next tick is due."""
        self._lateness_s = None
        if self.backfill is not None:
            due_in_s = self.backfill.due_in_s(tick)
            if due_in_s <= 0 or not self.backfill.sent():
                return due_in_s <= 0
            ended = self.backfill.ended
            self.end_backfill(tick)
            self._anchor = Anchor(tick, self._monotonic() + due_in_s)
            ended()
        if self._anchor is None:
            self._anchor = Anchor(tick, self._monotonic())
        self._lateness_s = self._monotonic() - self._due_s(self._anchor, tick)
        return self._lateness_s >= -_EARLY_S

    def note(self, tick: int) -> None:
        """Note how late the tick was when it was found to be due; one of the backfill is not."""
        if self._lateness_s is not None and tick >= self._punctual_from:
            self.pace.note(max(self._lateness_s, 0.0), self.wake_s)

    def due_in_s(self, tick: int) -> float | None:
        """Return in how many seconds a tick is due; None without a schedule."""
        anchor = self._anchor
        if anchor is None or not self.interval_s:
            return None
        return self._due_s(anchor, tick) - self._monotonic()

    def until_next_wake(self) -> float:
        """Return the real seconds until the next wake-up."""
        anchor = self._anchor
        if anchor is None:
            return self.wake_s if self.backfill is None else SHORTEST_WAKE_S
        return self.wake_s - (self._monotonic() - anchor.at_s) % self.wake_s

    def _due_s(self, anchor: Anchor, tick: int) -> float:
        return anchor.at_s + (tick - anchor.tick) * self.interval_s
