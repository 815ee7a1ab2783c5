"""Publishing a batch on one connection: QoS 0 confirmed by pings, QoS 1 and 2 by a window."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridsim_plugins.mqtt.publish.flight import Flight, NotedOutcome
from gridsim_plugins.mqtt.publish.isolation import QUIET_S, REFUSED, Isolation, Piece
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
        self,
        connection: Connection,
        topics: Sequence[str],
        isolation: Isolation,
        *,
        retain: bool,
        v5: bool,
    ) -> None:
        self._connection = connection
        self._isolation = isolation
        self._frames = Frames(topics, qos=0, retain=retain, v5=v5)
        self._waiting: deque[_Block] = deque()
        self._whole = True
        """False while a block is being written."""
        self._proof = False
        """True while a message is alone on a connection that has been quiet."""

    def write(self, parts: Iterator[Messages], account: MessageAccount) -> None:
        connection = self._connection
        self._waiting.clear()
        self._whole = True
        connection.touch()
        try:
            for messages in parts:
                sizes = self._frames.sizes(messages.topic, messages.sizes)
                for piece in self._isolation.pieces(messages.topic, sizes):
                    part = messages.part(piece.start, piece.stop)
                    self._write(part, sizes[piece.start : piece.stop], piece, account)
            self._finish(account)
        except Exception:
            self._confirm(account)
            self._note_closed()
            for block in self._waiting:
                torn = block is self._waiting[-1] and not self._whole
                size = connection.sent if torn else len(block.data)
                block.settle(account, UNCONFIRMED, whole_packets(block.data, size))
            account.report()
            raise

    def _write(
        self, messages: Messages, sizes: NDArray[np.intp], piece: Piece, account: MessageAccount
    ) -> None:
        if piece.treatment == "drop":
            every = np.arange(len(messages))
            self._waiting.append(
                _Block(b"", self._connection.pings_sent, messages, sizes, every, REFUSED)
            )
        elif piece.treatment == "send":
            self._send(messages, sizes, account)
        else:
            self._finish(account)
            if piece.proof:
                self._connection.stay_quiet(QUIET_S)
            self._proof = piece.proof
            self._send(messages, sizes, account)
            self._finish(account)
            self._proof = False

    def _send(self, messages: Messages, sizes: NDArray[np.intp], account: MessageAccount) -> None:
        connection = self._connection
        left_out = np.flatnonzero(sizes > connection.max_packet)
        kept = messages.without(left_out)
        data = self._frames.pack(kept.topic, kept.bodies, kept.sizes, trailer=PINGREQ)
        connection.pings_sent += 1
        block = _Block(data, connection.pings_sent, messages, sizes, left_out, OVERSIZE)
        self._whole = False
        self._waiting.append(block)
        connection.send(data)
        self._whole = True
        block.sent_at = time.monotonic()
        connection.poll()
        self._confirm(account)

    def _finish(self, account: MessageAccount) -> None:
        """Wait until all blocks are confirmed."""
        self._confirm(account)
        while self._waiting:
            self._connection.wait()
            self._confirm(account)

    def _confirm(self, account: MessageAccount) -> None:
        waiting = self._waiting
        while waiting and waiting[0].ping <= self._connection.pings_answered:
            block = waiting.popleft()
            if block.data:
                account.lag(time.monotonic() - block.sent_at)
            block.settle(account, DELIVERED, len(block.messages))
            account.report()
            if not self._isolation.is_idle:
                self._isolation.note_passed(*block.sent())

    def _note_closed(self) -> None:
        """Note the messages that were under way, if the broker has closed the connection."""
        if self._connection.closed_on_message and self._waiting:
            blocks = [block.sent() for block in self._waiting]
            topics, sizes = (np.concatenate(column) for column in zip(*blocks, strict=True))
            self._isolation.note_closed(topics, sizes, proof=self._proof, narrow=True)


@dataclass(slots=True, eq=False)
class _Block:
    data: bytes
    ping: int
    """The number, on this connection, of the ping that ends the block."""
    messages: Messages
    sizes: NDArray[np.intp]
    """The size of each packet, bytes."""
    left_out: NDArray[np.intp]
    reason: str
    """The reason why the messages at `left_out` are dropped."""
    sent_at: float = 0.0

    def sent(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the topics and the packet sizes of the messages in the block's data."""
        topic = self.messages.topic
        return np.delete(topic, self.left_out), np.delete(self.sizes, self.left_out)

    def settle(self, account: MessageAccount, outcome: str, packets: int) -> None:
        """Report the outcome of the first `packets` packets; the others were not sent whole."""
        if not len(self.left_out):
            account.add(outcome, int(self.messages.rows[:packets].sum()))
            return
        left_out = set(self.left_out.tolist())
        for i, rows in enumerate(self.messages.rows.tolist()):
            if i in left_out:
                account.add(self.reason, rows)
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
        isolation: Isolation,
        *,
        qos: int,
        retain: bool,
        v5: bool,
        window: int,
    ) -> None:
        self._connection = connection
        self._isolation = isolation
        self._proof = False
        """True while a message is alone on a connection that has been quiet."""
        self._frames = Frames(topics, qos=qos, retain=retain, v5=v5)
        self._window = Window(min(window, connection.receive_maximum or window))

    def write(self, parts: Iterator[Messages], account: MessageAccount) -> None:
        self._connection.touch()
        # A batch of oversize messages only writes nothing.
        self._connection.keep_alive()
        flight = Flight(self._window, account, self._isolation)
        try:
            for messages in parts:
                self._write(messages, flight)
            self._finish(flight)
        except Exception:
            # Acknowledgements that arrived just before the connection failed count too.
            self._collect(flight, release=False)
            if self._connection.closed_on_message:
                topics, sizes = flight.sent()
                self._isolation.note_closed(topics, sizes, proof=self._proof, narrow=True)
            raise

    def _write(self, messages: Messages, flight: Flight) -> None:
        isolation = self._isolation
        sizes = self._frames.sizes(messages.topic, messages.sizes)
        ahead = -1
        for piece in isolation.pieces(messages.topic, sizes):
            first, stop = piece.start, piece.stop
            if first <= ahead < stop:
                # This message has passed already, for comparison.
                self._send_piece(messages.part(first, ahead), sizes[first:ahead], piece, flight)
                flight.expect(messages.part(ahead, ahead + 1), sizes[ahead : ahead + 1])
                self._leave_out(DELIVERED, flight)
                first = ahead + 1
            elif piece.proof and isolation.needs_comparison(int(messages.topic[first])):
                self._finish(flight)
                ahead = self._compare(messages, sizes, first, flight)
            self._send_piece(messages.part(first, stop), sizes[first:stop], piece, flight)

    def _send_piece(
        self, messages: Messages, sizes: NDArray[np.intp], piece: Piece, flight: Flight
    ) -> None:
        if not len(messages):
            return
        if piece.treatment == "drop":
            flight.expect(messages, sizes)
            for _ in range(len(messages)):
                self._leave_out(REFUSED, flight)
        elif piece.treatment == "send":
            self._send(messages, sizes, flight)
            if self._isolation.is_searching:
                self._finish(flight)
        else:
            self._finish(flight)
            if piece.proof:
                self._connection.stay_quiet(QUIET_S)
            self._proof = piece.proof
            self._send(messages, sizes, flight)
            self._finish(flight)
            self._proof = False

    def _compare(
        self, messages: Messages, sizes: NDArray[np.intp], suspect: int, flight: Flight
    ) -> int:
        """Send a later message to another topic; return its index if it passes, else -1."""
        topic = messages.topic
        other = (topic != topic[suspect]) & (sizes <= self._connection.max_packet)
        other &= self._isolation.fit(topic, sizes)
        after = np.flatnonzero(other[suspect:])
        if not len(after):
            return -1
        # The smallest, because a size limit is the most likely reason.
        index = suspect + int(after[np.argmin(sizes[suspect:][after])])
        noted = NotedOutcome()
        trial = Flight(self._window, MessageAccount(noted), self._isolation)
        try:
            self._send(messages.part(index, index + 1), sizes[index : index + 1], trial)
            self._finish(trial)
        except Exception:
            self._isolation.note_unfit(int(topic[index]))
            raise
        flight.resume()
        return index if noted.delivered_rows else -1

    def _finish(self, flight: Flight) -> None:
        """Wait until all messages are settled."""
        # Messages that are not sent, because they are oversize, get no answer.
        self._collect(flight)
        while flight.under_way:
            self._connection.wait()
            self._collect(flight)

    def _leave_out(self, outcome: str, flight: Flight) -> None:
        """Settle the next message without sending it."""
        while not self._window.room:
            self._connection.wait()
            self._collect(flight)
        self._window.skip(outcome)

    def _send(self, messages: Messages, sizes: NDArray[np.intp], flight: Flight) -> None:
        connection, window = self._connection, self._window
        stops = np.flatnonzero(sizes > connection.max_packet).tolist()
        flight.expect(messages, sizes)
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
                self._leave_out(OVERSIZE, flight)
                start += 1

    def _collect(self, flight: Flight, *, release: bool = True) -> None:
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
