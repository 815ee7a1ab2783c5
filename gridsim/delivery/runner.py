"""The runner of one transport: its buffer, its worker thread, its counters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from time import thread_time

from loguru import logger

from gridsim.api import Batch, ReaderGone, Transport, TransportError
from gridsim.delivery.account import (
    NOT_SENT,
    QUEUE_FULL,
    Counters,
    DeliveryPolicy,
    Observer,
    OnFull,
    ReadingAccount,
)
from gridsim.delivery.buffer import Buffer, MemoryBuffer, QueuedBatch
from gridsim.delivery.connection import (
    CONNECTION_WORDS,
    REAL_TIME,
    ConnectionState,
    ConnectionWords,
    ConnectionWorker,
    Time,
)
from gridsim.delivery.queue_log import QueueLog
from gridsim.delivery.receipt import CountingReceipt, Settled
from gridsim.delivery.sent import SentMessages
from gridsim.delivery.timing import TimedFormat, Timing
from gridsim.delivery.trace import MessageTrace

_IDLE_S = 0.2
_WITHOUT_CONNECTION = ConnectionWords("cannot open its target", "cannot write", "writes again")


class Runner(ConnectionWorker):
    """The carrier of batches to one transport, on its own worker thread."""

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
        self.timing = Timing()
        self._policy = policy
        self._wake_s = wake_s
        self._format = format
        self._buffer = MemoryBuffer(policy.queue_bytes) if buffer is None else buffer
        sent = None if trace is None else SentMessages(trace, name, transport)
        if format is not None:
            format.sent = sent
        self._account = ReadingAccount(observer, sent)
        self._queue_log = QueueLog(name, self._log)
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

    def offer(self, batch: Batch) -> None:
        """Queue a batch. If it does not fit, drop readings or wait, by the policy."""
        if not len(batch):
            return
        with self._changed:
            self._account.accept(len(batch))
            nbytes = batch.nbytes
            if self._policy.on_full == "block":
                self._wait_for_room(nbytes)
            if self._abandoned:
                self._drop([batch], NOT_SENT)
            elif self._is_over():
                self._drop([batch], f"transport {self._state}")
            else:
                entry = QueuedBatch(batch, self._time.monotonic(), nbytes)
                on_full = self._policy.on_full
                dropped = self._buffer.add(entry, drop_oldest=on_full == "drop_oldest")
                # A blocked offer continues without room only if the run stops.
                reason = NOT_SENT if on_full == "block" else QUEUE_FULL
                self._drop([one.batch for one in dropped], reason)
                pending, nbytes = self._account.counters.pending, self._buffer.nbytes
                if self._wake_s and 2 * nbytes > self._policy.queue_bytes:
                    self._queue_log.filling(pending, nbytes, self._policy.queue_bytes, on_full)
                self._changed.notify_all()

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

    def set_pace(self, on_full: OnFull, wake_s: float) -> None:
        """Change the rule for a full queue, and the time by which batches are judged late."""
        with self._changed:
            self._policy = replace(self._policy, on_full=on_full)
            self._wake_s = wake_s
            self._changed.notify_all()

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
        as unconfirmed. A transport that hangs is abandoned on its daemon thread."""
        with self._changed:
            stalled = self._thread.is_alive() and self.is_stalled() and not self._is_over()
            self._abandoned = True
            self._drop([entry.batch for entry in self._buffer.clear()], NOT_SENT)
            under_way = self._account.counters.pending
            if under_way:
                self._account.settle_next(under_way, "unconfirmed")
            if stalled:
                self._fail()
            self._changed.notify_all()

    # Called from the worker's thread.

    def _serve(self) -> None:
        """Write batches until the runner is closed or has failed."""
        while True:
            entry = self._begin()
            if entry is not None:
                self._write(entry)
            elif self._closing or self._is_over():
                return
            else:
                with self._calling("idle"):
                    self.transport.idle()

    def _begin(self) -> QueuedBatch | None:
        """Begin the oldest batch; return None after a while without one."""
        with self._changed:
            self._changed.wait_for(self._may_act, _IDLE_S)
            entry = self._buffer.begin()
            if entry is not None:
                self._account.begin(entry.batch)
                self._changed.notify_all()
            return entry

    def _may_act(self) -> bool:
        return len(self._buffer) > 0 or self._closing or self._is_over()

    def _write(self, entry: QueuedBatch) -> None:
        batch = entry.batch
        receipt = CountingReceipt(len(batch), self._settle, self.timing.far_end.append)
        began, computed = self._time.monotonic(), thread_time()
        try:
            with self._calling("write"):
                self.transport.write(batch, receipt)
            receipt.delivered(receipt.left)
        finally:
            now = self._time.monotonic()
            self.timing.writing += now - began
            self.timing.computing += thread_time() - computed
            with self._changed:
                self._finish(entry, receipt.left, now - entry.offered_at)

    def _finish(self, entry: QueuedBatch, left: int, seconds: float) -> None:
        """Commit the begun batch, or put its last `left` rows back. The lock is held."""
        if not left:
            self._buffer.commit()
            self.timing.settled.append(seconds)
            self.timing.late_batches += 0 < self._wake_s < seconds
            return
        if self._abandoned:
            self._buffer.commit()
            return
        # At the head again, in order: it is written again after the reconnection.
        rest = entry.batch.rows(len(entry.batch) - left)
        self._buffer.put_back(QueuedBatch(rest, entry.offered_at, rest.nbytes))
        self._account.again(rest.number, len(rest))
        if self._is_over():
            self._release()

    # Called with the lock held, or by the worker at its end.

    def _stops_connecting(self) -> bool:
        # While closing, a lost connection is retried until the deadline. A connection that never
        # worked, or whose failure is permanent, is not retried.
        is_final = self._backoff.permanent or not self.ever_connected
        failed = is_final and self._backoff.attempts > 0
        return self._abandoned or (self._closing and (failed or not len(self._buffer)))

    def _final_state(self, error: TransportError) -> ConnectionState | None:
        if isinstance(error, ReaderGone):
            return "reader gone"
        delivered = self._account.counters.delivered
        first = not self.ever_connected or (error.permanent and not delivered)
        return "failed" if first and self._policy.give_up_at_start else None

    def _note_up(self) -> None:
        # A file can be opened on a full disk: only a write shows that it works again.
        if self.transport.has_connection:
            super()._note_up()

    def _release(self) -> None:
        reason = NOT_SENT if self._state == "closed" else f"transport {self._state}"
        self._drop([entry.batch for entry in self._buffer.clear()], reason)

    def _settle(self, settled: Settled) -> None:
        with self._changed:
            if self._abandoned or not settled.rows:
                return
            self._progress_at = self._time.monotonic()
            if settled.fate == "delivered":
                self._backoff.reset()
                self._note_recovery()
            self._account.settle_next(settled.rows, settled.fate, settled.reason)
            if not self._account.counters.pending:
                self._changed.notify_all()
            if settled.reason:
                self._log_drop(settled.reason)

    def _fail(self) -> None:
        """Fail a transport that makes no progress."""
        call, limit_s = self._call, self._policy.stall_timeout_s
        if self.error is not None:
            reason = f"no progress for {limit_s:g} s ({self.error})"
        else:
            where = f" in {call[0]}()" if call is not None else ""
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

    def _drop(self, batches: Iterable[Batch], reason: str) -> None:
        if self._account.drop(batches, reason):
            self._log_drop(reason)

    def _log_drop(self, reason: str) -> None:
        if self._state == "reader gone":
            return  # The reader closed the pipe on purpose and does not need these readings.
        self._queue_log.dropped(reason, self._account.counters.dropped.total())
