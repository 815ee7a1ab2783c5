"""A connection for every project or DER, all in the transport's single thread. Readings are lost
like those of a real device. A reading is dropped ("not connected") if its connection is down. A
reading that was sent on a connection that then fails is unconfirmed. The remaining readings are
kept, and sent again at QoS 1 and 2, only if no connection is left.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from gridsim.api import DEVICE_OFFLINE, NOT_CONNECTED, Batch, Format
from gridsim_plugins.mqtt.publish.isolation import QUIET_S, Isolation
from gridsim_plugins.mqtt.publish.messages import (
    DELIVERED,
    UNCONFIRMED,
    MessageAccount,
    Messages,
    all_messages,
    gathered,
)
from gridsim_plugins.mqtt.publish.scatter import Scatter
from gridsim_plugins.mqtt.publish.unanswered import Unanswered
from gridsim_plugins.mqtt.publish.window import PACKET_IDS
from gridsim_plugins.mqtt.session.answers import PINGRESP, PUBCOMP, PUBREC, AnswerGroup
from gridsim_plugins.mqtt.session.clients import Clients
from gridsim_plugins.mqtt.session.frames import PINGREQ, Frames, pubrels
from gridsim_plugins.mqtt.session.identities import Identities
from gridsim_plugins.mqtt.session.link import Link, LinkState
from gridsim_plugins.mqtt.session.reasons import REFUSAL, reason_name
from gridsim_plugins.mqtt.settings import MqttSettings

_ROWS_AT_ONCE = 65_536
"""The number of readings that are sent before all their answers are awaited."""
_READ_EVERY = 256
"""The number of connections that are written to before answers are read."""


class PerDeviceConnections:
    """The connections of all owners; every method raises TransportError if none is left."""

    closed_by_broker = False

    def __init__(
        self,
        settings: MqttSettings,
        address: tuple[str, int],
        identities: Identities,
        frames: Frames,
        online: NDArray[np.bool_],
        isolation: Isolation,
        unanswered: Unanswered,
        answer_timeout_s: float,
    ) -> None:
        """Connect; `online`, bool[devices], is updated from the readings."""
        self._qos = settings.qos
        self._window = settings.window
        self._answer_timeout_s = answer_timeout_s
        self._where = f"{address[0]}:{address[1]}"
        self._of_device = identities.of_device
        self._online = online
        self._isolation = isolation
        self._unanswered = unanswered
        unanswered.note_answers(1)
        self._owner_online = self._owners_online()
        self._frames = frames
        self._scatter: Scatter | None = None
        self._progress_at = self._sent_at = time.monotonic()
        self._clients = Clients(settings, *address, identities, self._owner_online.tolist())
        self._clients.lost = self._lost
        self._clients.connected = self._connected
        self._clients.answered = self._answered
        try:
            self._clients.open()
        except BaseException:
            self._clients.close()
            raise

    def write(self, format: Format, batch: Batch, account: MessageAccount) -> None:
        self._follow_online(batch)
        per_device = {"der": 1, "measurand": len(format.measurands)}.get(format.framing, 0)
        parts = all_messages(format, format.encode_parts(batch))
        for messages in gathered(parts, _ROWS_AT_ONCE):
            link = messages.topic
            if per_device:
                link = self._of_device[link // per_device]
            self._write(messages, link, account)

    def keep_alive(self) -> None:
        self._clients.keep_alive()

    def close(self) -> None:
        self._clients.close()

    def _write(self, messages: Messages, link: NDArray[np.intp], account: MessageAccount) -> None:
        links = self._clients.links
        next_id = np.array([one.next_id for one in links] if self._qos else [])
        scatter = self._scatter = Scatter(
            messages,
            link,
            self._frames,
            qos=self._qos,
            max_packet=self._clients.limits.max_packet,
            next_id=next_id,
            isolation=self._isolation,
        )
        carrying: list[Link] = []
        self._progress_at = self._sent_at = time.monotonic()
        failed = True
        try:
            for index, first, end in scatter.shares():
                carrying.append(links[index])
                self._share(links[index], first, end)
                if len(carrying) % _READ_EVERY == 0:
                    self._clients.turn(0)
            while scatter.open:
                left = self._progress_at + self._answer_timeout_s - time.monotonic()
                if left > 0:
                    self._clients.turn(left)
                    continue
                for one in carrying:
                    if one.open:
                        self._overdue(one)
            account.lag(time.monotonic() - self._sent_at)
            failed = False
        finally:
            for one in carrying:
                if one.open:
                    self._lost(one)
                one.first = one.given = one.end = one.open = 0
            self._scatter = None
            scatter.report(account, resend=failed and self._qos > 0)

    def _share(self, link: Link, first: int, end: int) -> None:
        """Send a connection's messages, or settle them as dropped."""
        scatter = self._scatter
        assert scatter is not None
        link.first = link.given = first
        link.end, link.open = end, end - first
        link.first_id = link.next_id
        link.next_id = (link.first_id - 1 + end - first) % PACKET_IDS + 1
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
        self._progress_at = self._sent_at = time.monotonic()
        if not self._qos or self._may_be_silent(np.arange(first, link.given)):
            self._ping(link, block)
        else:
            self._clients.send(link, block)

    def _overdue(self, link: Link) -> None:
        """Ask with a ping whether the broker still answers on a connection, then drop it."""
        assert self._scatter is not None
        if self._qos and not link.overdue and len(self._scatter.under_way(link)):
            link.overdue = True
            self._progress_at = time.monotonic() - self._answer_timeout_s / 2
            self._ping(link, b"")
            return
        cause = f"no answer for {self._answer_timeout_s:g} s"
        self._clients.fail(link, f"{self._where} has stalled: {cause}")

    def _may_be_silent(self, places: NDArray[np.intp]) -> bool:
        """Return whether no answer is expected to one of the messages."""
        scatter, unanswered = self._scatter, self._unanswered
        assert scatter is not None
        return unanswered.known and bool(unanswered.among(scatter.columns(places)[0]).any())

    def _ping(self, link: Link, block: bytes) -> None:
        link.pings += 1
        self._clients.send(link, block + PINGREQ)

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

    def _answered(self, link: Link, run: AnswerGroup) -> None:
        self._progress_at = time.monotonic()
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
            self._clients.send(link, pubrels(run.ids))
            return
        for packet_id in run.ids.tolist():
            place = link.first + (packet_id - link.first_id) % PACKET_IDS
            if place < link.given:
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

    def _follow_online(self, batch: Batch) -> None:
        """Connect and drop connections according to the latest reading of each device."""
        # If a device has several readings, the last one is assigned last.
        self._online[batch.device] = batch.is_online
        before, self._owner_online = self._owner_online, self._owners_online()
        for index in np.flatnonzero(before != self._owner_online).tolist():
            link = self._clients.links[index]
            if self._owner_online[index]:
                self._clients.go_online(link)
            else:
                self._clients.go_offline(link)

    def _owners_online(self) -> NDArray[np.bool_]:
        count = int(self._of_device.max(initial=-1)) + 1
        return np.bincount(self._of_device, self._online, count) > 0
