"""Rates by the wall clock, over the last seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from gridsim.api import RunStatus

_WINDOW_S = 5.0
# Slow ticks are compared over at least this many changes.
_LEAST = 3


@dataclass(frozen=True, slots=True)
class _Counts:
    """The counts at one moment."""

    at_s: float
    tick: int
    delivered: dict[str, int]


class ScreenRates:
    """The rates of ticks and confirmed readings over the last 5 s."""

    def __init__(self) -> None:
        self._changes: deque[_Counts] = deque()
        """The counts at each moment at which they had changed."""
        self._now_s = 0.0
        self._status: RunStatus | None = None

    def note(self, status: RunStatus, now_s: float) -> None:
        """Take the counts of now; `now_s` is a monotonic time."""
        self._status, self._now_s = status, now_s
        changes = self._changes
        delivered = {one.name: one.delivered for one in status.transports}
        counts = _Counts(now_s, status.tick, delivered)
        if not changes or (changes[-1].tick, changes[-1].delivered) != (status.tick, delivered):
            changes.append(counts)
        while len(changes) > _LEAST and changes[1].at_s <= now_s - _WINDOW_S:
            changes.popleft()

    def ticks(self) -> float:
        """Return the ticks per second; of the whole run once it has ended."""
        return self._rate(lambda counts: counts.tick)

    def delivered(self, transport: str) -> float:
        """Return a transport's confirmed readings per second; of the whole run after its end."""
        return self._rate(lambda counts: counts.delivered.get(transport, 0))

    def left_s(self) -> float | None:
        """Return the estimated time to the last tick, seconds; None if it is not known."""
        status = self._status
        if status is None or status.ticks is None:
            return None
        left = max(status.ticks - status.tick, 0)
        if not left or status.state in ("stopping", "ended"):
            return 0.0
        if status.state != "running":
            return None
        planned = left * status.tick_ms / 1000 / status.speed if status.speed else 0.0
        measured = self.ticks()
        late = not status.speed or (status.wake_s and status.behind_s > status.wake_s)
        if not late:
            return planned
        return max(planned, left / measured) if measured else None

    def _rate(self, count: Callable[[_Counts], int]) -> float:
        status, changes = self._status, self._changes
        if status is None or not changes:
            return 0.0
        first, last = changes[0], changes[-1]
        if status.state == "ended":
            return count(last) / status.elapsed_s if status.elapsed_s > 0.0 else 0.0
        spanned_s = last.at_s - first.at_s
        if not spanned_s:
            return 0.0
        # The counts rise in steps, so they are compared from step to step; the rate falls if no
        # step comes.
        usual_s = spanned_s / (len(changes) - 1)
        if self._now_s - last.at_s > 2.0 * usual_s + 1.0:
            spanned_s = self._now_s - first.at_s
        return (count(last) - count(first)) / spanned_s
