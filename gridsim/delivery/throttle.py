"""A log that limits repeated messages."""

from __future__ import annotations

import time
from collections.abc import Callable

from loguru import logger

_EVERY_S = 10.0
# At most this many causes are logged in that time: a plugin whose every reason contains another
# number must not fill the log.
_MAX_CAUSES = 100


class LogThrottle:
    """A log in which a new cause appears at once, and the same cause at most every ten seconds."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._quiet_until: dict[tuple[str, str], float] = {}

    def log(self, level: str, message: str, *values: object, cause: str = "") -> None:
        """Log `message`, formatted with `values`, unless it was logged for `cause` just now."""
        now = self._monotonic()
        key = (message, cause)
        if now < self._quiet_until.get(key, now):
            return
        if len(self._quiet_until) >= _MAX_CAUSES:
            kept = {k: until for k, until in self._quiet_until.items() if now < until}
            self._quiet_until = kept
            if len(kept) >= _MAX_CAUSES:
                return
        self._quiet_until[key] = now + _EVERY_S
        logger.log(level, message, *values)
