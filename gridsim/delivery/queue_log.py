"""The log lines about the queue of a transport."""

from __future__ import annotations

from gridsim.delivery.account import OnFull
from gridsim.delivery.throttle import LogThrottle

_WHEN_FULL = {
    "block": "the run waits for the transport",
    "drop_oldest": "the oldest readings are dropped",
    "drop_newest": "new readings are dropped",
}


class QueueLog:
    """The warnings about a queue that fills up and about dropped readings."""

    def __init__(self, name: str, log: LogThrottle) -> None:
        self._name = name
        self._log = log

    def filling(self, readings: int, nbytes: int, queue_bytes: int, on_full: OnFull) -> None:
        """Warn that readings wait, and say what happens when the queue is full."""
        self._log.log(
            "WARNING",
            "transport {} is behind: {:,} readings wait, {:.3g} of {:.3g} MB of its queue; "
            "when it is full, {}",
            self._name,
            readings,
            nbytes / 1e6,
            queue_bytes / 1e6,
            _WHEN_FULL[on_full],
        )

    def dropped(self, reason: str, total: int) -> None:
        """Warn that readings were dropped; `total` counts all so far."""
        message = "transport {}: readings dropped ({}), {:,} so far"
        self._log.log("WARNING", message, self._name, reason, total, cause=reason)
