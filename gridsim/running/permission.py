"""The permission to run ticks, which the driver of several shards gives."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

# How long a tick waits for its permission before the caller looks around.
_WAIT_S: Final = 0.5


class Permission:
    """The limit below which ticks may run. Without a call of `allow` every tick may.

    Any thread may use it.
    """

    def __init__(self) -> None:
        self._until: int | None = None
        self._changed = threading.Condition()

    def allow(self, until: int) -> None:
        """Allow the ticks below the index `until`. The limit only grows."""
        with self._changed:
            self._until = max(until, self._until or 0)
            self._changed.notify_all()

    def wake(self) -> None:
        """Wake a tick that waits, so that it tests whether to give up."""
        if self._until is not None:
            with self._changed:
                self._changed.notify_all()

    def wait(self, tick: int, gives_up: Callable[[], object]) -> bool:
        """Wait a while until a tick may run or `gives_up` is true; return whether it may run."""
        if self._until is None or tick < self._until:
            return True
        with self._changed:
            self._changed.wait_for(lambda: tick < (self._until or 0) or gives_up(), _WAIT_S)
            return tick < self._until
