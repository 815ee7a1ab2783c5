"""What changes slowly: worked out at whole minutes, straight lines in between."""

from __future__ import annotations

from collections.abc import Callable

from gridsim.numeric.randomness import Floats

MINUTE_MS = 60_000


class Minutely:
    """A function of time, evaluated at whole UTC minutes only.

    The minutes are those of UTC, not of the run, so that the value at a time does not
    depend on when the run started or how long its ticks are.
    """

    def __init__(self, function: Callable[[int], Floats]) -> None:
        """`function` takes UTC ms and returns an array of one fixed shape."""
        self._function = function
        self._minute: int | None = None
        self._from: Floats
        self._to: Floats
        self._rise: Floats

    def at(self, time_ms: int) -> Floats:
        """The value at UTC `time_ms`; do not write to it."""
        minute, past = divmod(time_ms, MINUTE_MS)
        if minute != self._minute:
            self._move_to(minute)
        if past == 0:
            return self._from
        return self._from + past / MINUTE_MS * self._rise

    def _move_to(self, minute: int) -> None:
        start = minute * MINUTE_MS
        follows = self._minute is not None and minute == self._minute + 1
        self._from = self._to if follows else self._function(start)
        self._to = self._function(start + MINUTE_MS)
        self._rise = self._to - self._from
        self._minute = minute
