"""The connections that may have been idle for their keepalive, by time."""

from __future__ import annotations

import math
from collections.abc import Iterator

from gridsim_plugins.mqtt.session.link import Link, LinkState


class KeepaliveWheel:
    """The connections by the second in which each is looked at.

    Each connection is looked at once in its keepalive. To look at all in every second would take
    longer than their pings.
    """

    def __init__(self, now: float) -> None:
        """Make an empty wheel; times are those of the monotonic clock, seconds."""
        self._slots: dict[int, list[tuple[Link, float]]] = {}
        self._next = math.floor(now)

    def add(self, link: Link, at: float) -> None:
        """Look at a connection in the first whole second from `at` on."""
        second = max(math.ceil(at), self._next)
        self._slots.setdefault(second, []).append((link, link.up_since))

    def due(self, now: float) -> Iterator[Link]:
        """Remove and yield the connections whose time has come, if they have been up since."""
        while self._next <= now:
            second, self._next = self._next, self._next + 1
            for link, up_since in self._slots.pop(second, ()):
                if link.state is LinkState.UP and link.up_since == up_since:
                    yield link
