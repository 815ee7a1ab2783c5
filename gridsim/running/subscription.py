"""A subscription to a run's results, with a bounded queue and its own thread."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, cast

from loguru import logger

from gridsim.contracts.results import TickResult
from gridsim.errors import described

Policy = Literal["queue", "latest"]
OnOverflow = Literal["drop_oldest", "drop_newest", "block"]

FACTS = 10_000
"""The largest number of facts of skipped ticks that a subscription to the latest result keeps."""
_FACTS = (
    "instructions",
    "acknowledgements",
    "settlements",
    "episodes",
    "injected",
    "changes",
    "failures",
    "clipped",
    "overloads",
)
# At the end, a subscriber that takes nothing for this long is abandoned.
_STALL_S = 30.0
_POLL_S = 0.02
# The shortest time between two results to a subscriber of the latest.
_LATEST_S = 0.02
_RESULT_BYTES = 1_000
"""The approximate size of a result without its batches, bytes."""


class Subscription:
    """One consumer of results, called on its own thread.

    With the policy `queue` results wait in a queue that is bounded in bytes. If it is full,
    `on_full` decides which result is dropped, and `dropped` counts it. With `latest` only the
    newest result waits. It has the newest batch, and the facts of the ticks that it replaces
    (instructions, acknowledgements, settlements, episodes, event changes, failures, clipped
    columns, overloads of main fuses) in order.
    The newest 10,000 facts are kept; `missed` counts the older ones.

    A consumer that raises is disabled; `error` has the reason.
    """

    def __init__(
        self,
        consumer: Callable[[TickResult], None],
        policy: Policy,
        *,
        queue_bytes: int,
        on_full: OnOverflow,
        left: Callable[[Subscription], None],
    ) -> None:
        """Make a subscription that is not started yet; `close` calls `left`."""
        self.dropped = 0
        """The number of results that were dropped because the queue was full."""
        self.missed = 0
        """The number of facts of skipped ticks beyond the limit."""
        self.error = ""
        self._consumer = consumer
        self._latest = policy == "latest"
        self._limit = queue_bytes
        self._on_full = on_full
        self._left = left
        self._changed = threading.Condition()
        self._waiting: deque[TickResult] = deque()
        self._bytes = 0
        self._ending = False
        self._closed = False
        self._impatient = False
        self._hurry = threading.Event()
        """Set when no more results are waited for."""
        self._took_at = time.monotonic()
        """The time at which the consumer last took a result."""
        self._thread = threading.Thread(target=self._work, name="subscriber", daemon=True)

    def start(self) -> None:
        """Start the thread that calls the consumer."""
        self._thread.start()

    def offer(self, result: TickResult) -> None:
        """Queue a result for the consumer. Called from the engine's thread."""
        with self._changed:
            if self._closed:
                return
            if self._latest:
                self._keep_latest(result)
            else:
                self._enqueue(result)
            self._changed.notify_all()

    def close(self) -> None:
        """Accept no more results and drop those that wait. May be called from any thread."""
        self._left(self)
        with self._changed:
            self._closed = True
            self._hurry.set()
            self.dropped += 0 if self._latest else len(self._waiting)
            self._waiting.clear()
            self._bytes = 0
            self._changed.notify_all()

    def end(self) -> None:
        """End the thread after the consumer has had the results that wait."""
        with self._changed:
            self._ending = True
            self._hurry.set()
            self._changed.notify_all()

    def stop_waiting(self) -> None:
        """Stop every wait of an offer for room."""
        with self._changed:
            self._impatient = True
            self._changed.notify_all()

    def join(self, timeout_s: float) -> bool:
        """Return whether the consumer's thread ended in time."""
        if not self.is_own_thread():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def finish(self, is_late: Callable[[], bool]) -> bool:
        """Wait for the consumer as long as it makes progress; return whether it ended."""
        while not self.join(_POLL_S):
            if is_late() or time.monotonic() - self._took_at > _STALL_S:
                return False
        return True

    @property
    def is_latest(self) -> bool:
        """True if the consumer gets the newest result only."""
        return self._latest

    @property
    def blocks(self) -> bool:
        """True if the run waits for room in the queue."""
        return not self._latest and self._on_full == "block"

    def is_own_thread(self) -> bool:
        """Return whether the caller is the consumer."""
        return threading.current_thread() is self._thread

    # Called with the lock held.

    def _keep_latest(self, result: TickResult) -> None:
        if self._waiting:
            result, missed = joined(self._waiting.pop(), result)
            self.missed += missed
        self._waiting.append(result)

    def _enqueue(self, result: TickResult) -> None:
        size = size_of(result)
        if self._on_full == "block":
            self._changed.wait_for(lambda: self._closed or self._impatient or self._has_room(size))
        while self._on_full == "drop_oldest" and self._waiting and not self._has_room(size):
            self._bytes -= size_of(self._waiting.popleft())
            self.dropped += 1
        if self._closed or not self._has_room(size):
            self.dropped += 1
            return
        self._waiting.append(result)
        self._bytes += size

    def _has_room(self, size: int) -> bool:
        """Return whether a result fits; into an empty queue any result fits."""
        return not self._waiting or self._bytes + size <= self._limit

    # Called from the consumer's thread.

    def _work(self) -> None:
        while (result := self._next()) is not None:
            try:
                self._consumer(result)
            except BaseException as error:
                # A consumer is user code: its exception must not end the run.
                self.error = described(error)
                logger.error("a subscriber of the run is disabled: {}", self.error)
                self.close()
                return

    def _next(self) -> TickResult | None:
        if self._latest:
            # At speed 0 a wake-up for each tick would cost the run more than the results.
            self._hurry.wait(_LATEST_S)
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ending or self._closed)
            if not self._waiting:
                return None
            result = self._waiting.popleft()
            self._took_at = time.monotonic()
            self._bytes -= 0 if self._latest else size_of(result)
            self._changed.notify_all()
            return result


def joined(older: TickResult, newer: TickResult) -> tuple[TickResult, int]:
    """Return `newer` with the facts of `older` before its own, and how many were dropped."""
    facts: dict[str, tuple[Any, ...]] = {}
    missed = 0
    for name in _FACTS:
        every = (*getattr(older, name), *getattr(newer, name))
        missed += max(len(every) - FACTS, 0)
        facts[name] = every[-FACTS:]
    reload = newer.reload or older.reload
    return replace(newer, reload=reload, **cast(dict[str, Any], facts)), missed


def size_of(result: TickResult) -> int:
    """Return the approximate size of a result in bytes."""
    unsent = 0 if result.unsent is None else result.unsent.nbytes
    truth = 0 if result.truth is None else result.truth.nbytes
    return _RESULT_BYTES + result.batch.nbytes + unsent + truth
