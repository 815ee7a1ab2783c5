"""Publishing on one connection with QoS 0, confirmed by the answers to pings."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridsim_plugins.mqtt.publish.isolation import QUIET_S, REFUSED, Isolation, MessageSpan
from gridsim_plugins.mqtt.publish.messages import (
    DELIVERED,
    OVERSIZE,
    UNCONFIRMED,
    MessageAccount,
    Messages,
)
from gridsim_plugins.mqtt.session.connection import Connection
from gridsim_plugins.mqtt.session.frames import PINGREQ, Frames, whole_packets


class PublishUnacknowledged:
    """A publisher with QoS 0; the answer to the ping after each block confirms the block."""

    def __init__(
        self,
        connection: Connection,
        frames: Frames,
        isolation: Isolation,
    ) -> None:
        self._connection = connection
        self._isolation = isolation
        self._frames = frames
        self._waiting: deque[_Block] = deque()
        self._whole = True
        """False while a block is being written."""
        self._proof = False
        """True while a message is alone on a connection that has been quiet."""

    def go_on(self, frames: Frames, isolation: Isolation) -> None:
        """Publish to other topics."""
        self._frames, self._isolation = frames, isolation

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
        self,
        messages: Messages,
        sizes: NDArray[np.intp],
        piece: MessageSpan,
        account: MessageAccount,
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
    data: bytes | bytearray
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
