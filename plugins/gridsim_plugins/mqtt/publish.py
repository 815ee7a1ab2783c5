"""Publishing a batch: at QoS 0 by own frames and pings, at QoS 1 and 2 by paho."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from gridsim_plugins.mqtt.connection import Connection
from gridsim_plugins.mqtt.frames import PINGREQ, publishes, topic_head, whole_packets
from gridsim_plugins.mqtt.messages import (
    DELIVERED,
    OVERSIZE,
    UNCONFIRMED,
    Account,
    Messages,
    SizeLimit,
)

WINDOW = {1: 100, 2: 20}
"""Messages under way at QoS 1 and 2; what brokers commonly take from one client."""


class PublishUnacknowledged:
    """QoS 0. The answer to the ping behind each block proves that the broker has read it."""

    def __init__(
        self, connection: Connection, topics: Sequence[str], *, retain: bool, v5: bool
    ) -> None:
        self._connection = connection
        self._heads = [topic_head(topic, v5=v5) for topic in topics]
        self._retain = retain
        self._limit = SizeLimit(topics, connection.max_packet, qos=0, v5=v5)

    def write(self, parts: Iterator[Messages], account: Account) -> None:
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
                connection.poll()
                self._confirm(waiting, account)
            while waiting:
                connection.wait()
                self._confirm(waiting, account)
        except Exception:
            for block in waiting:
                torn = block is waiting[-1] and not whole
                size = connection.sent if torn else len(block.data)
                block.settle(account, UNCONFIRMED, whole_packets(block.data, size))
            account.tell()
            raise

    def _block(self, messages: Messages) -> _Block:
        connection = self._connection
        left_out = self._limit.exceeded_by(messages)
        kept = [i for i in range(len(messages.rows)) if i not in left_out]
        heads = [self._heads[messages.topic[i]] for i in kept]
        bodies = [messages.bodies[i] for i in kept] if left_out else messages.bodies
        data = publishes(heads, bodies, retain=self._retain) + PINGREQ
        connection.pings_sent += 1
        return _Block(data, connection.pings_sent, messages.rows, left_out)

    def _confirm(self, waiting: deque[_Block], account: Account) -> None:
        while waiting and waiting[0].ping <= self._connection.pings_answered:
            block = waiting.popleft()
            block.settle(account, DELIVERED, len(block.rows))
            account.tell()


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    data: bytes
    ping: int
    """The number, on this connection, of the ping that ends the block."""
    rows: list[int]
    left_out: set[int]

    def settle(self, account: Account, outcome: str, packets: int) -> None:
        """The first `packets` packets have met `outcome`; the rest never went out whole."""
        if not self.left_out:
            account.add(outcome, sum(self.rows[:packets]))
            return
        for i, rows in enumerate(self.rows):
            if i in self.left_out:
                account.add(OVERSIZE, rows)
            elif packets:
                packets -= 1
                account.add(outcome, rows)
            else:
                break


class PublishAcknowledged:
    """QoS 1 and 2. What the broker has not acknowledged in order stays unaccounted for."""

    def __init__(
        self, connection: Connection, topics: Sequence[str], *, qos: int, v5: bool
    ) -> None:
        self._connection = connection
        self._topics = topics
        self._limit = SizeLimit(topics, connection.max_packet, qos=qos, v5=v5)
        self._window = min(WINDOW[qos], connection.receive_maximum)

    def write(self, parts: Iterator[Messages], account: Account) -> None:
        connection = self._connection
        pending: deque[tuple[int, int]] = deque()
        outcomes: dict[int, str] = {}
        never_sent = count(-1, -1)
        connection.touch()
        try:
            for messages in parts:
                left_out = self._limit.exceeded_by(messages)
                for i, topic in enumerate(messages.topic):
                    while len(pending) >= self._window:
                        connection.wait()
                        self._collect(pending, outcomes, account)
                    if i in left_out:
                        mid = next(never_sent)
                        outcomes[mid] = OVERSIZE
                    else:
                        mid = connection.publish(self._topics[topic], messages.bodies[i])
                    pending.append((mid, messages.rows[i]))
            while pending:
                connection.wait()
                self._collect(pending, outcomes, account)
        finally:
            # What the broker acknowledged just before the connection broke counts too.
            self._collect(pending, outcomes, account)

    def _collect(
        self, pending: deque[tuple[int, int]], outcomes: dict[int, str], account: Account
    ) -> None:
        for mid, refusal in self._connection.acknowledged:
            outcomes[mid] = f"refused by broker: {refusal}" if refusal else DELIVERED
        self._connection.acknowledged.clear()
        while pending and pending[0][0] in outcomes:
            mid, rows = pending.popleft()
            account.add(outcomes.pop(mid), rows)
        account.tell()
