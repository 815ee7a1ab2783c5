"""The runner of one transport: its queue, its thread, its retries."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterable
from dataclasses import replace

from loguru import logger

from gridsim.api import Batch, ReaderGone, Transport, TransportError
from gridsim.delivery.account import (
    QUEUE_FULL,
    Counters,
    DeliveryPolicy,
    OnFull,
    TransportState,
)
from gridsim.delivery.queue import BatchQueue, QueuedBatch
from gridsim.delivery.receipt import CountingReceipt, Settled
from gridsim.delivery.tally import Observer, ReadingAccount
from gridsim.delivery.timing import TimedFormat, Timing
from gridsim.errors import GridsimError

_IDLE_S = 0.2
_BACKOFF_S = (0.2, 1.5)
_PERMANENT_BACKOFF_S = 30.0


class Runner:
    """Carries batches to one transport on a worker thread of its own."""

    def __init__(
        self,
        name: str,
        transport: Transport,
        policy: DeliveryPolicy,
        *,
        wake_s: float = 0.0,
        format: TimedFormat | None = None,
        observer: Observer | None = None,
    ) -> None:
        """`wake_s` is the real time from wake-up to wake-up, 0 where no pace is promised;
        `format` the transport's, if its time is to be told apart; `observer` hears what
        becomes of every reading."""
        self.name = name
        self.transport = transport
        self.timing = Timing()
        self.error: str | None = None
        """Why the transport last failed, for a person."""
        self.ever_connected = False
        self._policy = policy
        self._wake_s = wake_s
        self._format = format
        self._state: TransportState = "connecting"
        self._queue = BatchQueue(policy.queue_bytes)
        self._writing_since: float | None = None
        self._writing = 0
        """The number of the first reading under way that is not settled yet."""
        self._tally = ReadingAccount(name, observer)
        self._changed = threading.Condition()
        self._closing = False
        self._abandoned = False
        self._progress_at = time.monotonic()
        self._attempts = 0
        self._hopeless = False
        self._thread = threading.Thread(target=self._work, name=f"transport {name}", daemon=True)

    # Called from the engine's thread and the main thread.

    @property
    def state(self) -> TransportState:
        return self._state

    @property
    def encoding_s(self) -> float:
        """Seconds spent in the transport's format."""
        return self._format.seconds if self._format is not None else 0.0

    def start(self) -> None:
        self._thread.start()

    def wait_first_attempt(self, timeout_s: float) -> None:
        """Returns once the transport is up, or its first attempt to connect has failed."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._state != "connecting" or self.error is not None, timeout_s
            )

    def offer(self, batch: Batch) -> None:
        """Queues a batch; what does not fit is dropped, or waited for, by policy."""
        if not len(batch):
            return
        with self._changed:
            self._tally.accept(len(batch))
            if self._policy.on_full == "block":
                self._wait_for_room(batch)
            while not self._queue.has_room_for(batch) and self._policy.on_full == "drop_oldest":
                self._drop([self._queue.take().batch], QUEUE_FULL)
            if self._over():
                self._drop([batch], f"transport {self._state}")
            elif not self._queue.has_room_for(batch):
                self._drop([batch], QUEUE_FULL)
            else:
                self._queue.put(QueuedBatch(batch, time.monotonic()))
                self._changed.notify_all()

    def counters(self) -> Counters:
        """The counters now, consistent with each other."""
        with self._changed:
            return self._tally.counters.copy()

    def behind_s(self) -> float:
        """How long ago the oldest batch was offered that is not settled yet."""
        with self._changed:
            since = self._writing_since
            if since is None:
                since = self._queue.oldest_at
            return 0.0 if since is None else time.monotonic() - since

    def set_pace(self, on_full: OnFull, wake_s: float) -> None:
        """Change the rule for a full queue, and the time by which batches are judged late."""
        with self._changed:
            self._policy = replace(self._policy, on_full=on_full)
            self._wake_s = wake_s
            self._changed.notify_all()

    def is_alive(self) -> bool:
        """Whether the worker's thread still runs; after `settle`: whether the transport hangs."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Asks the worker to write what is queued, then to close the transport."""
        with self._changed:
            self._closing = True
            self._progress_at = time.monotonic()
            self._changed.notify_all()

    def wait(self, timeout_s: float) -> bool:
        """Whether the worker has come to its end in time; see `close`."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def is_stalled(self) -> bool:
        """Whether nothing has moved for the stall timeout, or ever will."""
        stalled = time.monotonic() - self._progress_at > self._policy.stall_timeout_s
        return stalled or self._state == "failed"

    def settle(self) -> None:
        """Closes the account: what is not written counts as dropped, and what is being written
        as unconfirmed. A transport that hangs is left behind on its daemon thread."""
        with self._changed:
            if self._thread.is_alive() and self.is_stalled() and self._state != "failed":
                self._fail()
            self._abandoned = True
            self._drop_queue("not sent before the end")
            under_way = self._tally.counters.pending
            if under_way:
                self._tally.settle(self._writing, under_way, "unconfirmed")
            self._changed.notify_all()

    # Called from the worker's thread.

    def _work(self) -> None:
        try:
            while self._connect():
                if self._serve():
                    break
        except ReaderGone as gone:
            self._end("reader gone", str(gone))
        except BaseException as error:
            # The transport is a plugin: whatever it raises must take out nobody else.
            known = isinstance(error, GridsimError)
            message = str(error) if known else f"{type(error).__name__}: {error}"
            logger.error("transport {} is taken out: {}", self.name, message)
            self._end("failed", message)
        self._close_transport()
        with self._changed:
            if self._state not in ("failed", "reader gone"):
                self._state = "closed"
            self._changed.notify_all()

    def _connect(self) -> bool:
        """Tries until the transport is connected; False if there is no more use in it."""
        while self._may_connect():
            self._attempts += 1
            try:
                self.transport.connect()
            except ReaderGone:
                raise
            except TransportError as error:
                if not self.ever_connected and self._policy.give_up_at_start:
                    self._end("failed", str(error))
                    return False
                self._note_loss("cannot connect", error)
            else:
                self._note_connection()
                return True
        return False

    def _may_connect(self) -> bool:
        """Waits, the longer the more attempts have brought nothing; False if told to end."""
        self._close_transport()
        with self._changed:
            # While closing, a lost connection is tried again as long as the end can wait, but
            # one that never was there, or never will be, is not worth waiting for.
            hopeless = self._hopeless or not self.ever_connected

            def leaves() -> bool:
                return self._abandoned or (
                    self._closing and ((hopeless and self._attempts > 0) or not self._queue)
                )

            if self._attempts:
                low, high = _BACKOFF_S
                pause = random.uniform(low, min(high, low * 2.0**self._attempts))
                self._changed.wait_for(leaves, _PERMANENT_BACKOFF_S if self._hopeless else pause)
            return not leaves()

    def _note_connection(self) -> None:
        with self._changed:
            self._state = "up"
            self._tally.counters.reconnects += self.ever_connected
            self.ever_connected = True
            recovered, self.error = self.error, None
            self._changed.notify_all()
        if recovered is not None:
            self._tally.say("INFO", "transport {} is connected again", self.name)

    def _note_loss(self, what: str, error: TransportError) -> None:
        with self._changed:
            self._state = "connecting"
            self.error = str(error)
            self._hopeless = error.permanent
            self._changed.notify_all()
        message = f"transport {{}} {what}: {{}}; trying again"
        self._tally.say("WARNING", message, self.name, error)

    def _serve(self) -> bool:
        """Writes batches until told to close (True) or until the connection is lost (False)."""
        try:
            while True:
                entry = self._next()
                if entry is None:
                    if self._closing:
                        return True
                    self.transport.idle()
                    continue
                self._write(entry)
        except ReaderGone:
            raise
        except TransportError as error:
            delivered = self._tally.counters.delivered
            if error.permanent and self._policy.give_up_at_start and not delivered:
                self._end("failed", str(error))
                return True
            self._note_loss("lost its connection", error)
            return False

    def _next(self) -> QueuedBatch | None:
        """The oldest batch, taken off the queue; None after a while without one."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._queue) or self._closing, _IDLE_S)
            if not self._queue:
                return None
            entry = self._queue.take()
            self._writing_since = entry.offered_at
            self._writing = entry.batch.number
            self._changed.notify_all()
            return entry

    def _write(self, entry: QueuedBatch) -> None:
        batch = entry.batch
        receipt = CountingReceipt(len(batch), self._settle, self.timing.far_end.append)
        began, computed = time.monotonic(), time.thread_time()
        try:
            self.transport.write(batch, receipt)
            receipt.delivered(receipt.left)
        finally:
            now = time.monotonic()
            self.timing.writing += now - began
            self.timing.computing += time.thread_time() - computed
            with self._changed:
                self._writing_since = None
                if not receipt.left:
                    self._note_settled(now - entry.offered_at)
                elif not self._abandoned:
                    # At the head again, in order: it is written anew after the reconnection.
                    rest = batch.rows(len(batch) - receipt.left)
                    self._queue.put_back(QueuedBatch(rest, entry.offered_at))
                    self._tally.again(rest.number, len(rest))

    def _note_settled(self, seconds: float) -> None:
        self.timing.settled.append(seconds)
        if self._wake_s:
            self.timing.late_batches += seconds > self._wake_s

    def _close_transport(self) -> None:
        try:
            self.transport.close()
        except (Exception, SystemExit) as error:
            logger.debug("transport {} while closing: {}", self.name, error)

    # Called with the lock held, or by the worker at its end.

    def _settle(self, settled: Settled) -> None:
        with self._changed:
            if self._abandoned or not settled.rows:
                return
            self._progress_at = time.monotonic()
            if settled.fate == "delivered":
                self._attempts = 0
            self._tally.settle(self._writing, settled.rows, settled.fate, settled.reason)
            self._writing += settled.rows
            if settled.reason:
                self._say_drop(settled.reason)

    def _end(self, state: TransportState, reason: str) -> None:
        with self._changed:
            self._state, self.error = state, reason
            self._drop_queue(f"transport {state}")
            self._changed.notify_all()

    def _fail(self) -> None:
        reason = f"nothing moved for {self._policy.stall_timeout_s:g} s"
        if self.error is not None:
            reason += f" ({self.error})"
        self._state, self.error = "failed", reason
        logger.error("transport {} failed: {}", self.name, reason)

    def _over(self) -> bool:
        return self._abandoned or self._state in ("failed", "reader gone", "closed")

    def _wait_for_room(self, batch: Batch) -> None:
        since = time.monotonic()
        while not (self._over() or self._closing or self._queue.has_room_for(batch)):
            stalled = time.monotonic() - max(since, self._progress_at)
            if stalled > self._policy.stall_timeout_s:
                self._fail()
                self._drop_queue("transport failed")
                return
            self._changed.wait(0.1)

    def _drop(self, batches: Iterable[Batch], reason: str) -> None:
        for batch in batches:
            self._tally.settle(batch.number, len(batch), "dropped", reason)
            self._say_drop(reason)

    def _say_drop(self, reason: str) -> None:
        if self._state != "reader gone":  # on purpose: nobody is missing them
            self._tally.say_drop(reason)

    def _drop_queue(self, reason: str) -> None:
        self._drop(self._queue.clear(), reason)
