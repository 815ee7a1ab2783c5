"""Clients that ask too much: what is refused is logged, and silent connections are closed."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from loguru import logger
from uvicorn.protocols.http.h11_impl import H11Protocol

_MAX_CONNECTIONS: Final = 1000
_LOG_EVERY_S: Final = 10.0
_REQUEST_S: Final = 10.0
"""The time in which the head of a request must arrive."""


class RefusalLog:
    """Logs how many requests were refused, and why, once in ten seconds."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._counts: Counter[str] = Counter()
        self._logged_at = -_LOG_EVERY_S

    def note(self, reason: str) -> None:
        """Count one request."""
        self._counts[reason] += 1
        if self._monotonic() - self._logged_at >= _LOG_EVERY_S:
            self.log()

    def log(self) -> None:
        """Log those that were counted since the last time."""
        if not self._counts:
            return
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in self._counts.items())
        self._counts.clear()
        self._logged_at = self._monotonic()
        logger.warning("web: requests refused: {}", reasons)


class PromptProtocol(H11Protocol):
    """An HTTP connection that is closed if the head of a request takes too long."""

    refusals: RefusalLog
    most: int
    """The number of connections above which one that has no request is closed for a new one."""
    _look_at: asyncio.TimerHandle | None = None
    _seen: Any = None
    _since: float = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._since = self.loop.time()
        if len(self.connections) > self.most:
            self._make_room()
        self._look_at = self.loop.call_later(_REQUEST_S, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._look_at is not None:
            self._look_at.cancel()
        super().connection_lost(exc)

    def _make_room(self) -> None:
        """Close the oldest connection without a request, or this one if there is no other."""
        every = [one for one in self.connections if isinstance(one, PromptProtocol)]
        up = [one for one in every if not one.transport.is_closing()]
        if len(up) <= self.most:
            return
        silent = [one for one in up if one._waits and one is not self]
        # Those that never had a request come first: the others are open pages.
        oldest = min(silent, key=lambda one: (one.cycle is not None, one._since), default=self)
        oldest.transport.close()
        self.refusals.note(f"connections closed, because more than {self.most:,} were open")

    @property
    def _waits(self) -> bool:
        return self.cycle is None or bool(self.cycle.response_complete)

    def _look(self) -> None:
        waits = self._waits
        # Between requests uvicorn itself limits the time until the first byte arrives.
        if waits and self._seen is self.cycle and self.timeout_keep_alive_task is None:
            self.transport.close()
            return
        self._seen = self.cycle
        self._look_at = self.loop.call_later(_REQUEST_S, self._look)


def protocol_with(refusals: RefusalLog, most: int) -> type[PromptProtocol]:
    """Return the protocol for at most this many connections."""
    return type("LimitedProtocol", (PromptProtocol,), {"refusals": refusals, "most": most})


def most_connections() -> int:
    """Return how many connections leave half of the process's file descriptors to the run."""
    try:
        import resource
    except ImportError:
        return _MAX_CONNECTIONS
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MAX_CONNECTIONS if soft < 0 else min(_MAX_CONNECTIONS, soft // 2)
