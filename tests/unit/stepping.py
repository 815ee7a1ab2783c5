"""Time that passes when a worker waits: no test has to sleep for a pause."""

from __future__ import annotations

import threading
from collections.abc import Callable

from gridsim.delivery.connection import Time


class SteppedTime:
    """A clock that stands still, except that each wait moves it and returns at once."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []
        """The waits that were asked for, seconds."""
        self.time = Time(monotonic=lambda: self.now, wait_for=self._wait_for)

    def _wait_for(
        self, condition: threading.Condition, predicate: Callable[[], bool], seconds: float
    ) -> bool:
        if not predicate():
            self.pauses.append(seconds)
            self.now += seconds
        return predicate()
