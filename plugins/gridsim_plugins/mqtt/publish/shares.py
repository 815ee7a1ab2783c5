"""The messages of a batch on many connections, from sending to their answers."""

from __future__ import annotations

import time
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from gridsim.api import DEVICE_OFFLINE, NOT_CONNECTED
from gridsim_plugins.mqtt.publish.isolation import QUIET_S, Isolation
from gridsim_plugins.mqtt.publish.messages import DELIVERED, UNCONFIRMED
from gridsim_plugins.mqtt.publish.scatter import Scatter
from gridsim_plugins.mqtt.publish.unanswered import Unanswered
from gridsim_plugins.mqtt.publish.window import PACKET_IDS
from gridsim_plugins.mqtt.session.answer_reader import Acknowledged
from gridsim_plugins.mqtt.session.answers import (
    ONE_PING,
    PINGRESP,
    PUBCOMP,
    PUBREC,
    AnswerGroup,
    accepted_ids,
)
from gridsim_plugins.mqtt.session.clients import Clients
from gridsim_plugins.mqtt.session.frames import PINGREQ, pubrels
from gridsim_plugins.mqtt.session.link import Link, LinkState
from gridsim_plugins.mqtt.session.reasons import REFUSAL, reason_name
from gridsim_plugins.mqtt.settings import MqttSettings

_READ_EVERY = 256
"""The number of connections that are written to before answers are read."""


class Shares:
    """The connections' shares of a scattered batch; the same object serves all batches."""

    def __init__(
        self,
        clients: Clients,
        settings: MqttSettings,
        isolation: Isolation,
        unanswered: Unanswered,
        answer_timeout_s: float,
    ) -> None:
        """Receive the answers from `clients`."""
        self._clients = clients
        self._qos, self._window = settings.qos, settings.window
        self._isolation, self._unanswered = isolation, unanswered
        self._answer_timeout_s = answer_timeout_s
        self._scatter: Scatter | None = None
        self._links: list[Link] = []
        """The connections that have a share."""
        self.progress_at = self.sent_at = 0.0
        """The times of the last progress, and of the last message."""
        clients.lost = self._lost
        clients.connected = self._connected
        clients.answered = self._answered
        clients.pinged = self._pinged
        clients.acknowledged = self._acknowledged

    def send(self, scatter: Scatter) -> None:
        """Send each connection's messages, or settle them as dropped."""
        self._scatter = scatter
        self._links = [self._clients.links[index] for index in scatter.links.tolist()]
        now = self.progress_at = self.sent_at = time.monotonic()
        up = LinkState.UP
        most = self._room() if self._qos else len(scatter.outcome)
        pings = 0 if self._qos else 1
        is_ordinary = scatter.is_ordinary and not self._unanswered.known
        blocks = scatter.blocks() if is_ordinary else repeat(memoryview(b""))
        # Without connections that have special messages, this loop is most of a message's cost.
        shares = zip(
            self._links, scatter.shares(), scatter.first_ids.tolist(), blocks, strict=False
        )
        for number, (link, (_, first, end), first_id, block) in enumerate(shares, 1):
            link.first, link.given, link.end, link.first_id = first, first, end, first_id
            link.open = count = end - first
            if is_ordinary and count <= most and link.state is up and not link.given_up:
                link.alone = link.proof = False
                link.given = end
                link.pings += pings
                self._clients.send(link, block, now)
            else:
                self._share(link, first, end)
            if number % _READ_EVERY == 0:
                self._clients.turn(0)
                now = self.progress_at = self.sent_at = time.monotonic()
                is_ordinary = is_ordinary and not self._unanswered.known

    def ask(self) -> None:
        """Ask whether the broker still answers on the connections whose answers are overdue."""
        for link in self._links:
            if link.open:
                self._overdue(link)

    def end(self) -> None:
        """Drop what has no outcome yet."""
        scatter, links = self._scatter, self._links
        if scatter is not None and scatter.open:
            for link in links:
                if link.open:
                    self._lost(link)
                link.first = link.given = link.end = link.open = 0
        self._scatter, self._links = None, []

    def _share(self, link: Link, first: int, end: int) -> None:
        """Send a connection's messages one by one if that is needed, or settle them as dropped."""
        scatter = self._scatter
        assert scatter is not None
        for place in scatter.left_out(first, end):
            link.open -= scatter.settle(place, place + 1, scatter.drop_reason(place))
        link.alone = scatter.has_suspects(first, end)
        if link.alone and self._isolation.needs_quiet(scatter.columns(np.arange(first, end))[0]):
            while (left := self._too_new_s(link)) > 0:
                self._clients.turn(left)
        if link.state is LinkState.OFF:
            link.open -= scatter.settle(first, end, DEVICE_OFFLINE)
        elif not link.is_due():
            link.open -= scatter.settle(first, end, NOT_CONNECTED)
        elif link.state is LinkState.UP and link.open:
            self._give(link)

    def _too_new_s(self, link: Link) -> float:
        """Return how long to wait until a connection has been up for a while; 0 if it is not up."""
        if link.state is not LinkState.UP:
            return 0.0
        return link.up_since + QUIET_S - time.monotonic()

    def _give(self, link: Link) -> None:
        """Send as many of a connection's messages as its window permits."""
        scatter = self._scatter
        assert scatter is not None
        first, count = link.given, link.end - link.given
        if self._qos:
            window = self._room() - link.given_up
            left_out = scatter.left_out(first, link.end)
            under_way = link.open - (count - len(left_out))
            room = (1 if link.alone else window) - under_way
            # Messages that are left out get no answer, so they take no room.
            for place in left_out:
                room += place - first <= room
            count = min(count, room)
        elif link.alone:
            count = min(count, 1)
        if count <= 0:
            return
        link.given += count
        block = scatter.block(first, link.given)
        link.proof = link.alone and self._too_new_s(link) <= 0
        self.progress_at = self.sent_at = time.monotonic()
        if not self._qos or self._may_be_silent(np.arange(first, link.given)):
            self._ping(link, block)
        else:
            self._clients.send(link, block, self.sent_at)

    def _overdue(self, link: Link) -> None:
        """Ask with a ping whether the broker still answers on a connection, then drop it."""
        assert self._scatter is not None
        if self._qos and not link.overdue and len(self._scatter.under_way(link)):
            link.overdue = True
            self.progress_at = time.monotonic() - self._answer_timeout_s / 2
            self._ping(link, b"")
            return
        cause = f"no answer for {self._answer_timeout_s:g} s"
        self._clients.fail(link, f"{self._clients.where} has stalled: {cause}")

    def _may_be_silent(self, places: NDArray[np.intp]) -> bool:
        """Return whether no answer is expected to one of the messages."""
        scatter, unanswered = self._scatter, self._unanswered
        assert scatter is not None
        return unanswered.known and bool(unanswered.among(scatter.columns(places)[0]).any())

    def _ping(self, link: Link, block: bytes) -> None:
        link.pings += 1
        self._clients.send(link, block + PINGREQ, time.monotonic())

    def _give_up(self, link: Link) -> None:
        """Settle messages as unconfirmed that have no answer, but a later ping has."""
        scatter, unanswered = self._scatter, self._unanswered
        assert scatter is not None
        places = scatter.under_way(link)
        topics, sizes = scatter.columns(places)
        if not link.overdue:
            silent = unanswered.among(topics)
            places, topics, sizes = places[silent], topics[silent], sizes[silent]
        link.overdue = False
        unanswered.note_stall(topics, sizes, resend=False)
        for place in places.tolist():
            link.open -= scatter.settle(place, place + 1, UNCONFIRMED)
        link.given_up += len(places)
        if link.given_up > self._room() // 2:
            self._clients.fail(link, f"{link.given_up} messages have no answer")
        elif link.given < link.end:
            self._give(link)

    def _room(self) -> int:
        """Return the number of messages that may be under way on a connection."""
        return min(self._window, self._clients.limits.receive_maximum)

    def _connected(self, link: Link) -> None:
        if link.open:
            self._give(link)

    def _lost(self, link: Link) -> None:
        scatter = self._scatter
        if link.open and scatter is not None:
            if link.closed:
                topics, sizes = scatter.columns(scatter.under_way(link))
                self._isolation.note_closed(topics, sizes, proof=link.proof, narrow=False)
            scatter.lose(link, qos=self._qos)
        link.closed = False

    def _pinged(self, links: list[Link]) -> None:
        """Process one PINGRESP of each of many connections."""
        self.progress_at = time.monotonic()
        scatter = self._scatter
        if scatter is None:
            return
        if not self._qos and self._isolation.is_idle:
            links = scatter.deliver(links)
        for link in links:
            self._answered(link, ONE_PING)

    def _acknowledged(self, found: list[Acknowledged]) -> None:
        """Process the bytes of many connections that begin with a PUBACK."""
        self.progress_at = time.monotonic()
        scatter = self._scatter
        noted = self._unanswered.known or not self._isolation.is_idle
        by_size: dict[bytes, list[Acknowledged]] = {}
        for pair in found:
            by_size.setdefault(pair[1][1:2], []).append(pair)
        others: list[Acknowledged] = []
        for size, pairs in by_size.items():
            links, pieces = zip(*pairs, strict=True)
            read = accepted_ids(pieces) if size and not noted else None
            if scatter is None or read is None:
                others += pairs
            else:
                scatter.confirm(links, read[1], read[0])
        for link, _ in found:
            if link.open and link.given < link.end:
                self._give(link)
        for link, data in others:
            self._clients.take(link, data)

    def _answered(self, link: Link, run: AnswerGroup) -> None:
        self.progress_at = time.monotonic()
        scatter = self._scatter
        if scatter is None or not link.open:
            return
        if run.kind == PINGRESP:
            if self._qos and not link.pings and (link.overdue or self._unanswered.known):
                self._give_up(link)
            elif not self._qos and not link.pings:
                self._deliver(link, scatter.under_way(link))
                if link.given < link.end:
                    self._give(link)
            return
        outcome = DELIVERED
        if run.reason >= REFUSAL and run.kind != PUBCOMP:
            outcome = f"refused by broker: {reason_name(run.kind, run.reason)}"
        elif run.kind == PUBREC:
            self._clients.send(link, pubrels(run.ids), self.progress_at)
            return
        for packet_id in run.ids.tolist():
            place = link.first + (packet_id - link.first_id) % PACKET_IDS
            if packet_id and place < link.given:
                noted = self._unanswered.known or not self._isolation.is_idle
                if outcome == DELIVERED and noted:
                    topics, sizes = scatter.columns(np.array([place]))
                    self._isolation.note_passed(topics, sizes)
                    self._unanswered.note_delivered(topics)
                link.open -= scatter.settle(place, place + 1, outcome)
        if link.given < link.end:
            self._give(link)

    def _deliver(self, link: Link, places: NDArray[np.intp]) -> None:
        """Settle the messages that were under way on a connection as delivered."""
        assert self._scatter is not None
        if not self._isolation.is_idle:
            self._isolation.note_passed(*self._scatter.columns(places))
        link.open -= self._scatter.settle(link.first, link.given, DELIVERED)
