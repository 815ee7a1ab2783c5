"""Clients that ask too much: what is refused is logged, and silent connections are closed."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from loguru import logger
from uvicorn.protocols.http.h11_impl import H11Protocol

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

    _look_at: asyncio.TimerHandle | None = None
    _seen: Any = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._look_at = self.loop.call_later(_REQUEST_S, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._look_at is not None:
            self._look_at.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        waits = self.cycle is None or self.cycle.response_complete
        # Between requests uvicorn itself limits the time until the first byte arrives.
        if waits and self._seen is self.cycle and self.timeout_keep_alive_task is None:
            self.transport.close()
            return
        self._seen = self.cycle
        self._look_at = self.loop.call_later(_REQUEST_S, self._look)
