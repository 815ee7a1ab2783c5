"""A batch over many connections: the messages of each connection, and their outcomes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise, starmap

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
from gridsim_plugins.mqtt.session.frames import PINGREQ, Frames
from gridsim_plugins.mqtt.session.link import Link

OPEN, _DELIVERED, GONE, LOST = 0, 1, 2, 3
"""Outcomes by number: none yet, delivered, sent before its connection failed, never sent."""

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
        count = len(messages)
        self._order: NDArray[np.intp] | None = None
        bodies = messages.bodies
        if (np.diff(link) < 0).any():
            self._order = np.argsort(link, kind="stable")
            link = link[self._order]
            bodies = [bodies[i] for i in self._order.tolist()]
        topic, sizes = self._sorted(messages.topic), self._sorted(messages.sizes)
        self._rows = messages.rows
        self.outcome = np.zeros(count, np.int16)
        self._names = list(_OUTCOMES)
        self.open = count
        packets = frames.sizes(topic, sizes)
        left_out = packets > max_packet
        self._refused = self._suspects = None
        self.is_ordinary = isolation is None or isolation.is_idle
        """True if every message is sent, none of them alone."""
        if isolation is not None and not isolation.is_idle:
            self._refused = isolation.drops(topic, packets)
            self._suspects = isolation.suspicious(topic, packets)
            left_out |= self._refused
        self._topic, self._packets = topic, packets
        self._over = np.flatnonzero(left_out)
        if len(self._over):
            self.is_ordinary = False
            # A message that is left out keeps its place and packet id, but its body is empty.
            bodies = list(bodies)
            for i in self._over.tolist():
                bodies[i] = b""
            sizes = np.where(left_out, 0, sizes)
            packets = frames.sizes(topic, sizes)
        self._starts = np.flatnonzero(np.diff(link, prepend=-1))
        """The first message of each connection that has any."""
        self._stops = np.append(self._starts[1:], count)
        self.links = link[self._starts]
        """The connections that have messages."""
        self.first_ids = next_id[self.links]
        """The packet id of the first message of each of these connections."""
        ids = pings = None
        space = np.zeros(count, np.intp)
        if qos:
            rank = np.arange(count) - np.repeat(self._starts, self._stops - self._starts)
            ids = (next_id[link] - 1 + rank) % PACKET_IDS + 1
        elif self.is_ordinary:
            pings = [b""] * count
            for i in (self._stops - 1).tolist():
                pings[i] = PINGREQ
            space[self._stops - 1] = len(PINGREQ)
        data = frames.pack(topic, bodies, sizes, ids, after=pings)
        self.data = memoryview(data)
        stops = np.cumsum(packets + space)
        self._ends = stops - space
        """The end of each packet in the data."""
        self._begins = self._ends - packets

    def next_ids(self) -> NDArray[np.intp]:
        """Return the packet ids after those of the messages, for each of `links`."""
        counts = self._stops - self._starts
        following: NDArray[np.intp] = (self.first_ids - 1 + counts) % PACKET_IDS + 1
        return following

    def shares(self) -> Iterator[tuple[int, int, int]]:
        """Return (connection, first message, end) of each connection."""
        return zip(self.links.tolist(), self._starts.tolist(), self._stops.tolist(), strict=True)

    def blocks(self) -> Iterator[memoryview]:
        """Return the packets of each connection; at QoS 0 a ping follows. They must be ordinary."""
        bounds = [*self._begins[self._starts].tolist(), len(self.data)]
        return map(self.data.__getitem__, starmap(slice, pairwise(bounds)))

    def block(self, first: int, end: int) -> bytes:
        """Return the packets of the messages `first` to before `end`, without those left out.

        They are messages of one connection.
        """
        pieces: list[memoryview] = []
        for stop in (*self.left_out(first, end), end):
            if stop > first:
                pieces.append(self.data[self._begins[first] : self._ends[stop - 1]])
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

    def deliver(self, links: Sequence[Link]) -> list[Link]:
        """Settle the messages of connections as delivered whose pings are all answered.

        Return the connections that still have messages to send, or had some left out.
        """
        firsts: list[int] = []
        counts: list[int] = []
        others: list[Link] = []
        for link in links:
            if link.open and not link.pings:
                first, count = link.first, link.open
                if first + count != link.end or link.given != link.end:
                    others.append(link)
                    continue
                firsts.append(first)
                counts.append(count)
                link.open = 0
        if firsts:
            sizes = np.array(counts)
            before = np.cumsum(sizes) - sizes
            places = np.repeat(np.array(firsts) - before, sizes) + np.arange(int(sizes.sum()))
            self.outcome[places] = _DELIVERED
            self.open -= len(places)
        return others

    def confirm(self, links: Sequence[Link], counts: Sequence[int], ids: NDArray[np.int64]) -> None:
        """Settle messages as delivered, by packet id: `counts[i]` ids are of the connection i.

        Ids that are not under way are ignored.
        """
        owner = np.repeat(np.arange(len(links)), counts)
        first = np.array([link.first for link in links])[owner]
        first_id = np.array([link.first_id for link in links])[owner]
        given = np.array([link.given if link.open else 0 for link in links])[owner]
        places = first + (ids - first_id) % PACKET_IDS
        known = np.flatnonzero((ids > 0) & (places < given))
        known = known[self.outcome[places[known]] == OPEN]
        places, unique = np.unique(places[known], return_index=True)
        self.outcome[places] = _DELIVERED
        self.open -= len(places)
        settled = np.bincount(owner[known[unique]], minlength=len(links)).tolist()
        for link, count in zip(links, settled, strict=True):
            link.open -= count

    def report(self, account: MessageAccount, *, resend: bool) -> None:
        """Report the outcomes in the order of the messages, up to the first without one.

        With `resend`, stop also at the first message that may not have reached the broker, so
        that it is sent again.
        """
        by_message = self.outcome
        if self._order is not None:
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
            # `link.out` is the end of the block that was not sent, including the ping.
            handed = int(self._ends[link.given - 1]) + len(PINGREQ) - len(link.out)
            sent = int(np.searchsorted(self._ends, handed, side="right"))
            sent = min(max(sent, link.first), link.given)
        link.open -= self.settle(link.first, sent, UNCONFIRMED)
        link.open -= self.settle(sent, link.end, NOT_CONNECTED)

    def _sorted(self, column: NDArray[np.intp]) -> NDArray[np.intp]:
        return column if self._order is None else column[self._order]

    def _number(self, outcome: str) -> int:
        if outcome not in self._names:
            self._names.append(outcome)
        return self._names.index(outcome)
