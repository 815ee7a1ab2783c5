"""The inbox: where commands wait for the next tick, whoever brings them.

    inbox = CommandInbox()
    engine = Engine(simulation, emit, tick_s=1.0, speed=1.0, inbox=inbox)
    inbox.post(Request(Target("PRJ_1", "DER_1"), b'{"id": "c-1", "command": "disconnect"}'))

What becomes of them stands in the outcomes' `acknowledgements`.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import replace

from gridsim.api import Request

# What a request holds at most; more of it would be refused anyway when it is read.
_KEPT_BYTES = 8193


class CommandInbox:
    """A bounded queue of requests; any thread may use it."""

    def __init__(self, limit: int = 10_000) -> None:
        """`limit` is how many requests may wait."""
        self._limit = limit
        self._requests: deque[Request] = deque()
        self._lock = threading.Lock()

    def post(self, request: Request) -> bool:
        """Whether there was room; a request beyond the bound is refused, never waited for."""
        if len(request.payload) > _KEPT_BYTES:
            request = replace(request, payload=request.payload[:_KEPT_BYTES])
        with self._lock:
            if len(self._requests) >= self._limit:
                return False
            self._requests.append(request)
            return True

    def __len__(self) -> int:
        return len(self._requests)

    def drain(self) -> tuple[Request, ...]:
        """All that wait, in the order in which they came; then it is empty."""
        if not self._requests:
            return ()
        with self._lock:
            drained = tuple(self._requests)
            self._requests.clear()
        return drained
