"""A batch over many connections: the messages of each connection, and their outcomes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gridsim.api import DEVICE_OFFLINE, NOT_CONNECTED
from gridsim_plugins.mqtt.publish.isolation import REFUSED, Isolation
from gridsim_plugins.mqtt.publish.messages import (
    DELIVERED,
    OVERSIZE,
    UNCONFIRMED,
    MessageAccount,
    Messages,
)
from gridsim_plugins.mqtt.publish.window import PACKET_IDS
from gridsim_plugins.mqtt.session.frames import Frames
from gridsim_plugins.mqtt.session.link import Link

OPEN, GONE, LOST = 0, 2, 3
"""Outcomes by number: none yet (0), sent before its connection failed (2), never sent (3).

The number of delivered is 1.
"""

_OUTCOMES = ["", DELIVERED, UNCONFIRMED, NOT_CONNECTED, DEVICE_OFFLINE, OVERSIZE]


class Scatter:
    """The messages of one part of a batch, sorted by connection; the sort is stable."""

    def __init__(
        self,
        messages: Messages,
        link: NDArray[np.intp],
        frames: Frames,
        *,
        qos: int,
        max_packet: int,
        next_id: NDArray[np.intp],
        isolation: Isolation | None = None,
    ) -> None:
        """Sort and pack the messages.

        `link` is each message's connection, `next_id` each connection's next packet id.
        `isolation` has the messages that are dropped, and the suspects.
        """
        self._order = np.argsort(link, kind="stable")
        self._rows = messages.rows
        self.outcome = np.zeros(len(messages), np.int16)
        self._names = list(_OUTCOMES)
        self.open = len(messages)
        sorted_link = link[self._order]
        topic, sizes = messages.topic[self._order], messages.sizes[self._order]
        packets = frames.sizes(topic, sizes)
        left_out = packets > max_packet
        self._refused = self._suspects = None
        if isolation is not None and not isolation.is_idle:
            self._refused = isolation.drops(topic, packets)
            self._suspects = isolation.suspicious(topic, packets)
            left_out |= self._refused
        self._topic, self._packets = topic, packets
        over = np.flatnonzero(left_out)
        bodies = [messages.bodies[i] for i in self._order.tolist()]
        starts = np.flatnonzero(np.diff(sorted_link, prepend=-1))
        self._starts = starts
        self._links = sorted_link[starts]
        ids = None
        if qos:
            rank = np.arange(len(link)) - np.repeat(starts, np.diff(starts, append=len(link)))
            ids = ((next_id[sorted_link] - 1 + rank) % PACKET_IDS + 1).astype(np.uint16)
        if len(over):
            # A message that is left out keeps its place and packet id, but its body is empty.
            for i in over.tolist():
                bodies[i] = b""
            sizes = np.where(left_out, 0, sizes)
        self.data = memoryview(frames.pack(topic, bodies, sizes, ids))
        self.ends = np.concatenate(([0], np.cumsum(frames.sizes(topic, sizes))))
        self._over = over

    def shares(self) -> Iterator[tuple[int, int, int]]:
        """Yield (connection, first message, end) for each connection."""
        stops = [*self._starts[1:].tolist(), len(self.outcome)]
        yield from zip(self._links.tolist(), self._starts.tolist(), stops, strict=True)

    def block(self, first: int, end: int) -> bytes:
        """Return the packets of the messages `first` to before `end`, without those left out."""
        over = [i for i in self._over.tolist() if first <= i < end] if len(self._over) else []
        pieces: list[memoryview] = []
        for stop in (*over, end):
            pieces.append(self.data[self.ends[first] : self.ends[stop]])
            first = stop + 1
        return b"".join(pieces)

    def left_out(self, first: int, end: int) -> list[int]:
        """Return the messages among `first` to before `end` that are too large or refused."""
        return [i for i in self._over.tolist() if first <= i < end] if len(self._over) else []

    def drop_reason(self, place: int) -> str:
        """Return the reason why a message is left out."""
        return REFUSED if self._refused is not None and self._refused[place] else OVERSIZE

    def has_suspects(self, first: int, end: int) -> bool:
        """Return whether one of the messages `first` to before `end` is a suspect."""
        return self._suspects is not None and bool(self._suspects[first:end].any())

    def columns(self, places: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the topics and the packet sizes of messages."""
        return self._topic[places], self._packets[places]

    def under_way(self, link: Link) -> NDArray[np.intp]:
        """Return the messages that were sent on a connection and have no outcome."""
        return link.first + np.flatnonzero(self.outcome[link.first : link.given] == OPEN)

    def settle(self, first: int, end: int, outcome: str) -> int:
        """Set the outcome of the messages `first` to before `end` that have none yet.

        Return the number of messages whose outcome was set.
        """
        part = self.outcome[first:end]
        fresh = part == OPEN
        part[fresh] = self._number(outcome)
        count = int(fresh.sum())
        self.open -= count
        return count

    def report(self, account: MessageAccount, *, resend: bool) -> None:
        """Report the outcomes in the order of the messages, up to the first without one.

        With `resend`, stop also at the first message that may not have reached the broker, so
        that it is sent again.
        """
        by_message = np.empty_like(self.outcome)
        by_message[self._order] = self.outcome
        stop = (by_message == OPEN) | (resend & ((by_message == GONE) | (by_message == LOST)))
        places = np.flatnonzero(stop)
        settled = by_message[: places[0]] if len(places) else by_message
        bounds = [*np.flatnonzero(np.diff(settled, prepend=-1)).tolist(), len(settled)]
        for first, end in pairwise(bounds):
            account.add(self._names[settled[first]], int(self._rows[first:end].sum()))
        account.report()

    def lose(self, link: Link, *, qos: int) -> None:
        """Set the outcomes of a failed connection's messages."""
        sent = link.given
        if not qos and link.out and link.given > link.first:
            # `link.out` is the end of the block that was not sent, including the 2-byte ping.
            handed = int(self.ends[link.given]) + 2 - len(link.out)
            sent = int(np.searchsorted(self.ends, handed, side="right")) - 1
            sent = min(max(sent, link.first), link.given)
        link.open -= self.settle(link.first, sent, UNCONFIRMED)
        link.open -= self.settle(sent, link.end, NOT_CONNECTED)

    def _number(self, outcome: str) -> int:
        if outcome not in self._names:
            self._names.append(outcome)
        return self._names.index(outcome)
