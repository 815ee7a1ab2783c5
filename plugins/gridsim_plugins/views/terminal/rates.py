"""Rates by the wall clock, over the last seconds."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from gridsim.api import RunStatus

_WINDOW_S = 5.0


@dataclass(frozen=True, slots=True)
class _Counts:
    """The counts at one moment."""

    at_s: float
    tick: int
    delivered: dict[str, int]


class Rates:
    """The rates of ticks and confirmed readings over the last 5 s."""

    def __init__(self) -> None:
        self._counts: deque[_Counts] = deque()
        self._status: RunStatus | None = None

    def note(self, status: RunStatus, now_s: float) -> None:
        """Take the counts of now; `now_s` is a monotonic time."""
        self._status = status
        delivered = {one.name: one.delivered for one in status.transports}
        self._counts.append(_Counts(now_s, status.tick, delivered))
        while len(self._counts) > 2 and self._counts[1].at_s <= now_s - _WINDOW_S:
            self._counts.popleft()

    def ticks(self) -> float:
        """Return the ticks per second; of the whole run once it has ended."""
        if self._ended():
            return self._average(self._counts[-1].tick)
        first, last = self._counts[0], self._counts[-1]
        return self._over(last.tick - first.tick)

    def delivered(self, transport: str) -> float:
        """Return a transport's confirmed readings per second; of the whole run after its end."""
        first, last = self._counts[0], self._counts[-1]
        count = last.delivered.get(transport, 0)
        if self._ended():
            return self._average(count)
        return self._over(count - first.delivered.get(transport, 0))

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

    def _ended(self) -> bool:
        return self._status is not None and self._status.state == "ended"

    def _average(self, count: int) -> float:
        elapsed_s = 0.0 if self._status is None else self._status.elapsed_s
        return count / elapsed_s if elapsed_s > 0.0 else 0.0

    def _over(self, count: int) -> float:
        seconds = self._counts[-1].at_s - self._counts[0].at_s
        return count / seconds if seconds > 0.0 else 0.0
