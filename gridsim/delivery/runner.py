"""The runner of one transport: its worker thread, which carries batches from the buffer."""

from __future__ import annotations

from collections.abc import Callable
from time import thread_time

from gridsim.api import Batch, ReaderGone, TransportError
from gridsim.delivery.account import UNREADABLE
from gridsim.delivery.buffer import QueuedBatch
from gridsim.delivery.connection import ConnectionState
from gridsim.delivery.intake import Intake
from gridsim.delivery.receipt import CountingReceipt, Settled
from gridsim.delivery.sent import SentMessages
from gridsim.errors import printable

_IDLE_S = 0.2


class Runner(Intake):
    """The carrier of batches to one transport, on its own worker thread."""

    # Called from the worker's thread.

    def _attempt(self) -> bool:
        self._describe()
        return super()._attempt()

    def _note_connection(self) -> None:
        # An embedded broker has its port now.
        self._describe()
        super()._note_connection()

    def _describe(self) -> None:
        """Keep the texts of the transport, so that a status calls no plugin."""
        with self._calling("describe"):
            self.target = _said(self.transport.describe)
        with self._calling("hint"):
            self.hint = _said(self.transport.hint)

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
        unreadable = self._buffer.prepare()
        with self._changed:
            self._drop(unreadable, UNREADABLE)
            if self._abandoned:
                return None
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
            self._follow(batch)
            with self._calling("write"):
                self.transport.write(batch, receipt)
            receipt.delivered(receipt.left)
        finally:
            now = self._time.monotonic()
            self.timing.writing += now - began
            self.timing.computing += thread_time() - computed
            with self._changed:
                self._finish(entry, receipt.left, now - entry.offered_at)

    def _follow(self, batch: Batch) -> None:
        """Replace the transport by the one that was made for the devices of a batch."""
        while self._successors and self._successors[0].first <= batch.number:
            successor = self._successors.popleft()
            older, self.transport = self.transport, successor.transport
            self._plugin = successor.transport
            if successor.format is not None and self._format is not None:
                successor.format.continue_timing(self._format)
            self._format = successor.format
            sent = None
            if successor.trace is not None:
                sent = SentMessages(successor.trace, self.name, successor.transport)
            if successor.format is not None:
                successor.format.sent = sent
            with self._changed:
                self._account.messages = sent
            with self._calling("take_over"):
                taken = successor.transport.take_over(older)
            if not taken:
                with self._calling("close"):
                    older.close()
                with self._calling("connect"):
                    successor.transport.connect()
                self._note_connection()
            else:
                self._describe()

    def _finish(self, entry: QueuedBatch, left: int, seconds: float) -> None:
        """Commit the begun batch, or put its last `left` rows back. The lock is held."""
        if self._abandoned:
            # Counted already. A buffer that keeps batches has its account of this one.
            if not self._buffer.keeps:
                self._buffer.commit()
            return
        if not left:
            self._buffer.commit()
            if entry.batch.number >= self._timed_from:
                self.timing.settled.append(seconds)
                self.timing.late_batches += 0 < self._wake_s < seconds
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
        # worked, or whose failure is permanent, is not retried; nor is any if the buffer keeps what
        # waits.
        is_final = self._backoff.permanent or not self.ever_connected
        failed = is_final and self._backoff.attempts > 0
        done = failed or not len(self._buffer) or self._buffer.keeps
        return self._abandoned or (self._closing and done)

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

    def _settle(self, settled: Settled) -> None:
        with self._changed:
            if self._abandoned or not settled.rows:
                return
            self._progress_at = self._time.monotonic()
            if settled.fate == "delivered":
                self._backoff.reset()
                self._note_recovery()
            self._account.settle_next(settled.rows, settled.fate, settled.reason)
            self._buffer.settle(settled.rows, settled.fate, settled.reason)
            if not self._account.counters.pending:
                self._changed.notify_all()
            if settled.reason:
                self._log_drop(settled.reason)


def _said(text: Callable[[], str]) -> str:
    """Return a plugin's text; empty if the plugin fails, because a status needs no text."""
    try:
        said = text()
    except BaseException:
        return ""
    return printable(said) if isinstance(said, str) else ""
