"""The intake of one transport: it queues readings and accounts for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from loguru import logger

from gridsim.api import Batch, Transport
from gridsim.delivery.account import (
    NOT_SENT,
    QUEUE_FULL,
    Counters,
    DeliveryPolicy,
    Observer,
    OnFull,
    ReadingAccount,
    RemovedBatch,
)
from gridsim.delivery.buffer import Buffer, MemoryBuffer, QueuedBatch
from gridsim.delivery.connection import (
    CONNECTION_WORDS,
    REAL_TIME,
    ConnectionWords,
    ConnectionWorker,
    Time,
)
from gridsim.delivery.queue_log import QueueLog
from gridsim.delivery.sent import SentMessages
from gridsim.delivery.successor import Successor
from gridsim.delivery.timing import TimedFormat, Timing
from gridsim.delivery.trace import MessageTrace

# How long a buffer on disk may take to write its last changes; a working disk needs milliseconds.
_SPOOL_S = 0.25
_WITHOUT_CONNECTION = ConnectionWords("cannot open its target", "cannot write", "writes again")


class Intake(ConnectionWorker):
    """The part of a runner that the engine's thread and the main thread call."""

    def __init__(
        self,
        name: str,
        transport: Transport,
        policy: DeliveryPolicy,
        *,
        wake_s: float = 0.0,
        format: TimedFormat | None = None,
        observer: Observer | None = None,
        buffer: Buffer | None = None,
        trace: MessageTrace | None = None,
        time: Time = REAL_TIME,
    ) -> None:
        """Start nothing yet.

        `wake_s`: the real time from wake-up to wake-up, 0 if no rate is promised. `format`:
        the transport's format, if its time is measured. `observer`: notified of the fate of
        every reading. `buffer`: in memory unless given. `trace`: gets the messages of the devices
        that are watched.
        """
        words = CONNECTION_WORDS if transport.has_connection else _WITHOUT_CONNECTION
        super().__init__("transport", name, transport, time, words)
        self.transport = transport
        self.target = self.hint = ""
        """The texts of `Transport.describe` and `hint`, from the last connection."""
        self.timing = Timing()
        self._policy = policy
        self._wake_s = wake_s
        self._timed_from = 0
        """The number of the first reading whose duration is noted."""
        self._format = format
        self._buffer = MemoryBuffer(policy.queue_bytes) if buffer is None else buffer
        self._choose_joining()
        sent = None if trace is None else SentMessages(trace, name, transport)
        if format is not None:
            format.sent = sent
        self._account = ReadingAccount(observer, sent)
        self._account.take_over(self._buffer.earlier)
        self._queue_log = QueueLog(name, self._log)
        self._successors: deque[Successor] = deque()
        self._stopping = False
        self._abandoned = False

    # Called from the engine's thread and the main thread.

    @property
    def encoding_s(self) -> float:
        """Seconds spent in the transport's format."""
        return self._format.seconds if self._format is not None else 0.0

    @property
    def on_full_set(self) -> bool:
        """True if the configuration sets the rule for a full queue."""
        return self._policy.on_full_set

    @property
    def buffer(self) -> Buffer:
        """The buffer in which batches wait."""
        return self._buffer

    def offer(self, batch: Batch) -> None:
        """Queue a batch. If it does not fit, drop readings or wait, by the policy."""
        batch = self._buffer.unseen(batch)
        if not len(batch):
            return
        with self._changed:
            self._account.accept(len(batch))
            nbytes = batch.nbytes
            if self._policy.on_full == "block":
                self._wait_for_room(nbytes)
            over = self._is_over()
            if self._abandoned or (over and not self._buffer.keeps):
                reason = NOT_SENT if self._abandoned else f"transport {self._state}"
                self._drop([RemovedBatch(batch.number, len(batch), batch)], reason)
                return
            entry = QueuedBatch(batch, self._time.monotonic(), nbytes)
            on_full = self._policy.on_full
            # A blocked offer continues without room only if the run stops, or the transport failed.
            reason = NOT_SENT if on_full == "block" else QUEUE_FULL
            reason = f"transport {self._state}" if over else reason
            drop_oldest = on_full == "drop_oldest"
            self._drop(self._buffer.add(entry, drop_oldest=drop_oldest, reason=reason), reason)
            if self._wake_s and 2 * self._buffer.nbytes > self._buffer.limit_bytes:
                pending = self._account.counters.pending
                self._queue_log.filling(
                    pending, self._buffer.nbytes, self._buffer.limit_bytes, on_full
                )
            self._changed.notify_all()

    def succeed(self, successor: Successor) -> None:
        """Use another transport object for the batches of other devices; see `Successor`."""
        with self._changed:
            self._successors.append(successor)

    def counters(self) -> Counters:
        """Return the counters now, consistent with each other."""
        with self._changed:
            counters = self._account.counters.copy()
            counters.reconnects = self._reconnects
            return counters

    def behind_s(self) -> float:
        """Return how long ago the oldest batch that is not settled was offered, seconds."""
        since = self._buffer.oldest_at
        return 0.0 if since is None else max(self._time.monotonic() - since, 0.0)

    def hanging_in(self, limit_s: float) -> str:
        """Return the plugin's method that has made no progress for `limit_s` seconds, or "".

        A format that hangs in the transport's `write` is named.
        """
        method = super().hanging_in(limit_s)
        busy = self._format.busy_with if method and self._format is not None else ""
        return f"{busy}: encode" if busy else method

    def set_pace(self, on_full: OnFull, wake_s: float, *, timed_from: int | None = None) -> None:
        """Change the rule for a full queue, and the time by which batches are judged late.

        With `timed_from`, the durations so far are forgotten, and those of batches whose first
        reading has a lower number are not noted.
        """
        with self._changed:
            self._policy = replace(self._policy, on_full=on_full)
            self._wake_s = wake_s
            self._choose_joining()
            if timed_from is not None:
                self._timed_from = timed_from
                self.timing.settled.clear()
            self._changed.notify_all()

    def _choose_joining(self) -> None:
        """Join batches that wait while no rate is promised; else each of them may be late."""
        if isinstance(self._buffer, MemoryBuffer):
            self._buffer.rows_at_once = 0 if self._wake_s else self.transport.rows_at_once

    def stop_waiting(self) -> None:
        """Make a waiting `offer` return at once, and let no later one wait.

        Readings that do not fit are dropped. Call it when the run stops, before waiting for
        the engine.
        """
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def wait_settled(self, timeout_s: float) -> bool:
        """Wait until no reading is pending, and return whether that is so.

        Returns early if the transport has failed.
        """
        with self._changed:
            counters = self._account.counters
            self._changed.wait_for(lambda: not counters.pending or self._is_over(), timeout_s)
            return not counters.pending

    def close(self) -> None:
        """Ask the worker to write what is queued, then to close the transport."""
        with self._changed:
            self._progress_at = self._time.monotonic()
            super().close()

    def is_stalled(self) -> bool:
        """Return whether there was no progress for the stall timeout, or the transport failed."""
        idle_s = self._time.monotonic() - self._progress_at
        return idle_s > self._policy.stall_timeout_s or self._state == "failed"

    def settle(self) -> None:
        """Close the account: count what is not written as dropped, and what is being written
        as unconfirmed. What a buffer keeps for the next run stays pending. A transport that hangs
        is abandoned on its daemon thread."""
        with self._changed:
            keeps = self._buffer.keeps
            stalled = self._thread.is_alive() and self.is_stalled() and not self._is_over()
            self._abandoned = True
            if not keeps:
                self._drop(self._buffer.clear(NOT_SENT), NOT_SENT)
                under_way = self._account.counters.pending
                if under_way:
                    self._account.settle_next(under_way, "unconfirmed")
            if stalled and not keeps:
                self._fail()
            self._changed.notify_all()
        lost = self._buffer.close(_SPOOL_S)
        if keeps:
            with self._changed:
                self._drop(lost, NOT_SENT)
                self._account.keep(self._buffer.kept)

    # Called with the lock held.

    def _release(self) -> None:
        if not self._buffer.keeps:
            reason = NOT_SENT if self._state == "closed" else f"transport {self._state}"
            self._drop(self._buffer.clear(reason), reason)

    def _fail(self) -> None:
        """Fail a transport that makes no progress."""
        limit_s = self._policy.stall_timeout_s
        method = self.hanging_in(0.0)
        if self.error is not None:
            reason = f"no progress for {limit_s:g} s ({self.error})"
        else:
            where = f" in {method}()" if method else ""
            reason = f"no progress{where} for {limit_s:g} s"
        logger.error("transport {} failed: {}", self.name, reason)
        self._end("failed", reason)

    def _wait_for_room(self, nbytes: int) -> None:
        since = self._time.monotonic()

        def may_go_on() -> bool:
            stops = self._is_over() or self._stopping or self._closing or self._abandoned
            blocks = self._policy.on_full == "block"
            return stops or not blocks or self._buffer.has_room_for(nbytes)

        while not may_go_on():
            # Progress while waiting moves the deadline.
            stalls_at = max(since, self._progress_at) + self._policy.stall_timeout_s
            left_s = stalls_at - self._time.monotonic()
            if left_s <= 0:
                self._fail()
                return
            self._time.wait_for(self._changed, may_go_on, left_s)

    def _drop(self, batches: Iterable[RemovedBatch], reason: str) -> None:
        if self._account.drop(batches, reason):
            self._log_drop(reason)

    def _log_drop(self, reason: str) -> None:
        if self._state == "reader gone":
            return  # The reader closed the pipe on purpose and does not need these readings.
        self._queue_log.dropped(reason, self._account.counters.dropped.total())
