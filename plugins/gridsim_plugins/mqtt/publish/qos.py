"""Publishing a batch on one connection: QoS 0 confirmed by pings, QoS 1 and 2 by a window."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridsim_plugins.mqtt.publish.messages import (
    DELIVERED,
    OVERSIZE,
    UNCONFIRMED,
    MessageAccount,
    Messages,
)
from gridsim_plugins.mqtt.publish.window import Window
from gridsim_plugins.mqtt.session.answers import PUBCOMP, PUBREC
from gridsim_plugins.mqtt.session.connection import Connection
from gridsim_plugins.mqtt.session.frames import PINGREQ, Frames, pubrels, whole_packets
from gridsim_plugins.mqtt.session.reasons import REFUSAL, reason_name


class PublishUnacknowledged:
    """A publisher with QoS 0; the answer to the ping after each block confirms the block."""

    def __init__(
        self, connection: Connection, topics: Sequence[str], *, retain: bool, v5: bool
    ) -> None:
        self._connection = connection
        self._frames = Frames(topics, qos=0, retain=retain, v5=v5)

    def write(self, parts: Iterator[Messages], account: MessageAccount) -> None:
        connection = self._connection
        waiting: deque[_Block] = deque()
        connection.touch()
        whole = True
        try:
            for messages in parts:
                block = self._block(messages)
                whole = False
                waiting.append(block)
                connection.send(block.data)
                whole = True
                block.sent_at = time.monotonic()
                connection.poll()
                self._confirm(waiting, account)
            while waiting:
                connection.wait()
                self._confirm(waiting, account)
        except Exception:
            self._confirm(waiting, account)
            for block in waiting:
                torn = block is waiting[-1] and not whole
                size = connection.sent if torn else len(block.data)
                block.settle(account, UNCONFIRMED, whole_packets(block.data, size))
            account.report()
            raise

    def _block(self, messages: Messages) -> _Block:
        connection = self._connection
        sizes = self._frames.sizes(messages.topic, messages.sizes)
        left_out = np.flatnonzero(sizes > connection.max_packet)
        kept = messages.without(left_out)
        data = self._frames.pack(kept.topic, kept.bodies, kept.sizes, trailer=PINGREQ)
        connection.pings_sent += 1
        return _Block(data, connection.pings_sent, messages.rows, left_out)

    def _confirm(self, waiting: deque[_Block], account: MessageAccount) -> None:
        while waiting and waiting[0].ping <= self._connection.pings_answered:
            block = waiting.popleft()
            account.lag(time.monotonic() - block.sent_at)
            block.settle(account, DELIVERED, len(block.rows))
            account.report()


@dataclass(slots=True, eq=False)
class _Block:
    data: bytes
    ping: int
    """The number, on this connection, of the ping that ends the block."""
    rows: NDArray[np.intp]
    left_out: NDArray[np.intp]
    sent_at: float = 0.0

    def settle(self, account: MessageAccount, outcome: str, packets: int) -> None:
        """Report the outcome of the first `packets` packets; the others were not sent whole."""
        if not len(self.left_out):
            account.add(outcome, int(self.rows[:packets].sum()))
            return
        left_out = set(self.left_out.tolist())
        for i, rows in enumerate(self.rows.tolist()):
            if i in left_out:
                account.add(OVERSIZE, rows)
            elif packets:
                packets -= 1
                account.add(outcome, rows)
            else:
                break


class PublishAcknowledged:
    """A publisher with QoS 1 or 2; messages are accounted for in the order of sending.

    The messages from the first one without an acknowledgement on are not accounted for.
    """

    def __init__(
        self,
        connection: Connection,
        topics: Sequence[str],
        *,
        qos: int,
        retain: bool,
        v5: bool,
        window: int,
    ) -> None:
        self._connection = connection
        self._frames = Frames(topics, qos=qos, retain=retain, v5=v5)
        self._window = Window(min(window, connection.receive_maximum or window))

    def write(self, parts: Iterator[Messages], account: MessageAccount) -> None:
        self._connection.touch()
        # A batch of oversize messages only writes nothing.
        self._connection.keep_alive()
        flight = _Flight(self._window, account)
        try:
            for messages in parts:
                self._send(messages, flight)
            # Messages that are not sent, because they are oversize, get no answer.
            self._collect(flight)
            while flight.under_way:
                self._connection.wait()
                self._collect(flight)
        finally:
            # Acknowledgements that arrived just before the connection failed count too.
            self._collect(flight, release=False)

    def _send(self, messages: Messages, flight: _Flight) -> None:
        connection, window = self._connection, self._window
        sizes = self._frames.sizes(messages.topic, messages.sizes)
        stops = np.flatnonzero(sizes > connection.max_packet).tolist()
        flight.expect(messages.rows)
        start = 0
        for stop in (*stops, len(messages)):
            while start < stop:
                # Blocks of a few messages would cost more time than they save.
                while window.room < min(stop - start, window.size // 4 + 1):
                    connection.wait()
                    self._collect(flight)
                count = min(window.room, stop - start)
                part = messages.part(start, start + count)
                ids = window.take(count)
                connection.send(self._frames.pack(part.topic, part.bodies, part.sizes, ids))
                start += count
                flight.note_sent()
                connection.poll()
                self._collect(flight)
            if stop < len(messages):
                while not window.room:
                    connection.wait()
                    self._collect(flight)
                window.skip(OVERSIZE)
                start += 1

    def _collect(self, flight: _Flight, *, release: bool = True) -> None:
        """Process the broker's answers; with `release`, also send the PUBRELs of QoS 2."""
        connection = self._connection
        answers, connection.answers = connection.answers, []
        received: list[NDArray[np.uint16]] = []
        for run in answers:
            if run.reason >= REFUSAL:
                name = reason_name(run.kind, run.reason)
                # In MQTT 5 a PUBREC can be a refusal too; it then ends the exchange (4.3.3).
                refusal = "" if run.kind == PUBCOMP else f"refused by broker: {name}"
                self._window.finish(run.ids, refusal)
            elif run.kind == PUBREC:
                received.append(run.ids)
            else:
                self._window.finish(run.ids)
        flight.account_for()
        if received and release:
            connection.send(pubrels(np.concatenate(received)))


class _Flight:
    """The messages of one batch in the window."""

    def __init__(self, window: Window, account: MessageAccount) -> None:
        self._window = window
        self._account = account
        self._rows: deque[tuple[int, NDArray[np.intp]]] = deque()
        """The first message's number, and the number of rows in each message."""
        self._end = self._accounted = window.sent
        self._sent: deque[tuple[int, float]] = deque()
        """The end of each block, as a message's number, and its time of sending."""

    @property
    def under_way(self) -> bool:
        return self._accounted < self._end

    def expect(self, rows: NDArray[np.intp]) -> None:
        """Add messages that are about to be sent, by the number of rows in each."""
        self._rows.append((self._end, rows))
        self._end += len(rows)

    def note_sent(self) -> None:
        self._sent.append((self._window.sent, time.monotonic()))

    def account_for(self) -> None:
        """Report the messages that have been settled since the last call to the receipt."""
        settled = self._window.settled
        while self._sent and self._sent[0][0] <= settled:
            self._account.lag(time.monotonic() - self._sent.popleft()[1])
        while self._accounted < min(settled, self._end):
            first, rows = self._rows[0]
            stop = min(settled, first + len(rows))
            self._add(rows[self._accounted - first : stop - first])
            self._accounted = stop
            if stop == first + len(rows):
                self._rows.popleft()
        self._account.report()

    def _add(self, rows: NDArray[np.intp]) -> None:
        refused = self._window.refused
        if not refused:
            self._account.add(DELIVERED, int(rows.sum()))
            return
        for number, count in enumerate(rows.tolist(), self._accounted):
            self._account.add(refused.pop(number, DELIVERED), count)
