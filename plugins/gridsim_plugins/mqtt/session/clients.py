"""Many connections in one selector loop, without a separate thread or paho client for each."""

from __future__ import annotations

import selectors
import time
from contextlib import suppress

from gridsim.api import TransportError
from gridsim_plugins.mqtt.session import errors
from gridsim_plugins.mqtt.session.answer_reader import AnswerReader
from gridsim_plugins.mqtt.session.answers import (
    ProtocolError,
)
from gridsim_plugins.mqtt.session.connect import connack
from gridsim_plugins.mqtt.session.frames import PINGREQ
from gridsim_plugins.mqtt.session.identities import Identities
from gridsim_plugins.mqtt.session.keepalive import KeepaliveWheel
from gridsim_plugins.mqtt.session.limits import allow_descriptors, exhausted
from gridsim_plugins.mqtt.session.link import READ, WRITE, Link, LinkState
from gridsim_plugins.mqtt.session.opening import (
    BrokerLimits,
    Dialler,
    FailureLog,
    OpeningSchedule,
    pending_error,
)
from gridsim_plugins.mqtt.session.owner_packets import OwnerPackets
from gridsim_plugins.mqtt.session.sockets import MUST_WAIT
from gridsim_plugins.mqtt.settings import MqttSettings

_AT_ONCE = 64
"""The largest number of connections that are opened at once: brokers queue about a hundred."""
_FEW = 3
"""The consecutive failures, with no connection up, after which the transport gives up."""
_EARLY_S = 0.5
"""The time before the end of the keepalive from which on a ping is sent."""


class Clients(AnswerReader):
    """The connections of all owners; opened by `open`, used and closed once.

    `open`, `turn` and `keep_alive` raise TransportError if no connection is left, or if the
    machine has no descriptor or port for another connection.
    """

    def __init__(
        self,
        settings: MqttSettings,
        host: str,
        port: int,
        identities: Identities,
        wanted: list[bool],
    ) -> None:
        """Schedule the connections of the owners that are online, by the flags `wanted`."""
        self._dialler = Dialler(settings, host, port, identities.certificate)
        super().__init__(self._dialler.where, uses_tls=settings.uses_tls)
        self.limits = BrokerLimits(settings.keepalive_s)
        self.up = 0
        """The number of connections that are up."""
        self._settings = settings
        self._v5 = settings.protocol == "5"
        self._packets = OwnerPackets(settings, identities)
        self._identities = identities
        self._selector = selectors.DefaultSelector()
        self.links = [Link(index) for index in range(len(identities))]
        self._schedule = OpeningSchedule(self.links)
        self._opening: set[int] = set()
        self._failed_in_a_row = self._silent_in_a_row = 0
        self._cause = ""
        self._log = FailureLog(len(identities))
        now = time.monotonic()
        self._keepalives = KeepaliveWheel(now)
        for link in self.links:
            if wanted[link.index]:
                self._schedule.add(link, now)

    def open(self) -> None:
        """Open all scheduled connections; return when each is up or has failed once."""
        if not len(self._schedule):
            return
        allow_descriptors(len(self._schedule))
        began = time.monotonic()
        while self._opening or self._schedule.is_due(began):
            # Open a single connection first, to find out if the broker accepts it.
            self.turn(0.1, at_once=_AT_ONCE if self.up else 1)
            if self._silent_in_a_row > _AT_ONCE:
                fits = f"only {self.up} of {len(self.links)} connections could be opened: "
                raise TransportError(f"{fits}{self._cause}")
        if not self.up:
            raise TransportError(self._cause)

    def turn(self, timeout_s: float, at_once: int = _AT_ONCE) -> None:
        """Open the connections that are due, wait for ready sockets, then read and write once."""
        now = time.monotonic()
        while len(self._opening) < at_once and self._schedule.is_due(now):
            link = self._schedule.pop()
            if link is not None:
                self._start(link, now)
        self._serve_all(self._selector.select(timeout_s))
        now = time.monotonic()
        for index in [i for i in self._opening if self.links[i].due <= now]:
            within = f"within {self._dialler.timeout_s:g} s"
            self.fail(self.links[index], f"{self.where} does not answer {within}")

    def keep_alive(self) -> None:
        """Send a ping on idle connections.

        Call it a few times a second while there is nothing to send.
        """
        self.turn(0)
        now = time.monotonic()
        for link in self._keepalives.due(now):
            if now >= self._idle_at(link):
                if link.pings:
                    self.fail(link, "no answer to a ping")
                    continue
                link.pings += 1
                self.send(link, PINGREQ, now)
            if link.state is LinkState.UP:
                self._keepalives.add(link, self._idle_at(link))

    def send(self, link: Link, block: bytes | memoryview, now: float) -> None:
        """Append whole packets to the connection's output, and write as much as is possible."""
        link.wrote = now
        if link.out:
            link.out += block
            self._flush(link)
            return
        try:
            taken = link.sock.send(block)
        except MUST_WAIT:
            taken = 0
        except OSError as error:
            self._give_up(link, error)
            return
        if taken < len(block):
            link.out = bytes(block[taken:])
            self._flush(link)

    def go_online(self, link: Link) -> None:
        """Connect a link whose owner is online."""
        if link.state is LinkState.OFF:
            link.failures = 0
            self._schedule.add(link, time.monotonic())

    def go_offline(self, link: Link) -> None:
        """Drop a link whose owner went offline, without DISCONNECT: the last will is published."""
        if link.state is not LinkState.OFF:
            self._drop(link)
            link.state = LinkState.OFF

    def fail(
        self, link: Link, cause: str, *, permanent: bool = False, closed: bool = False
    ) -> None:
        """Drop a connection and schedule its reopening.

        `closed`: the broker has closed it, perhaps because of a message.
        """
        was_up = link.state is LinkState.UP
        link.closed = closed and was_up
        self.lost(link)
        self._drop(link)
        self._cause = cause
        now = time.monotonic()
        # The broker may refuse only this connection, such as its status message: try others first.
        others_follow = bool(self._opening) or self._schedule.is_due(now)
        self._schedule.retry(link, now, permanent=permanent)
        if not was_up or others_follow:
            self._failed_in_a_row += 1
        if not was_up:
            self._silent_in_a_row += not permanent
        few = min(_FEW, len(self.links))
        was_last = was_up and not others_follow
        if not self.up and (was_last or self._failed_in_a_row >= few):
            raise TransportError(cause, permanent=permanent)
        self._log.warn(self.up, self._identities.owner[link.index], cause)

    def close(self) -> None:
        """Send DISCONNECT on connections without pending output, and close every socket."""
        for link in self.links:
            if link.state is LinkState.UP and not link.out:
                link.out = self._packets.leave(link.index)
                with suppress(OSError):
                    link.flush()
            link.drop()
        self._selector.close()

    def _start(self, link: Link, now: float) -> None:
        try:
            self._dialler.dial(link)
        except OSError as error:
            end = exhausted(error, self.up + len(self._opening), len(self.links))
            if end is not None:
                raise end from error
            self._give_up(link, error)
            return
        link.due = now + self._dialler.timeout_s
        self._opening.add(link.index)
        link.events = WRITE
        self._selector.register(link.sock, WRITE, link)

    def _serve(self, link: Link, mask: int) -> None:
        if link.sock is None:
            return  # dropped earlier in the same round
        try:
            if link.state is LinkState.CONNECTING:
                if (error := pending_error(link.sock)) is not None:
                    raise error
                if not self._dialler.uses_tls:
                    link.state = LinkState.CONNECT_SENT
                    self._send_connect(link)
                    return
                link.state = LinkState.SECURING
            if link.state is LinkState.SECURING:
                wanted = link.secure()
                self._watch(link, wanted or READ)
                if not wanted:
                    link.state = LinkState.CONNECT_SENT
                    self._send_connect(link)
                return
            if mask & READ:
                self._read(link)
            if mask & WRITE and link.out:
                self._flush(link)
        except (OSError, ProtocolError) as failure:
            self._give_up(link, failure)

    def _send_connect(self, link: Link) -> None:
        link.out = self._packets.connect(link.index)
        self._flush(link)

    def _read(self, link: Link) -> None:
        data, ended = link.receive()
        if link.state is LinkState.CONNECT_SENT:
            data = self._read_connack(link, data)
            if link.state is LinkState.CONNECT_SENT and ended:
                uses_tls = self._dialler.uses_tls
                # The last will of each of these connections is retained.
                error = errors.no_connack(self.where, uses_tls=uses_tls, retained_will=True)
                self.fail(link, str(error))
                return
        self.take(link, data, ended=ended)

    def _read_connack(self, link: Link, data: bytes) -> bytes:
        """Read the CONNACK if it is complete, and return the bytes after it."""
        link.connack += data
        answer = connack(link.connack, v5=self._v5)
        if answer is None:
            return b""
        code, properties, rest, number = answer
        if code.is_failure:
            refusal = errors.refused(code.value, self.where, self._settings.protocol, number)
            self.fail(link, str(refusal), permanent=refusal.permanent)
            return b""
        self.limits.apply(properties, self._settings.qos, self.where)
        link.connack, link.failures = b"", 0
        link.state, link.up_since = LinkState.UP, time.monotonic()
        self._opening.discard(link.index)
        self._keepalives.add(link, link.up_since + self.limits.keepalive_s - _EARLY_S)
        self.up += 1
        self._failed_in_a_row = self._silent_in_a_row = 0
        self.send(link, self._packets.online(link.index), link.up_since)
        if link.state is LinkState.UP:
            self.connected(link)
        return rest

    def _idle_at(self, link: Link) -> float:
        """Return the time at which a connection needs a ping if nothing is sent before."""
        return link.wrote + self.limits.keepalive_s - _EARLY_S

    def _flush(self, link: Link) -> None:
        try:
            link.flush()
        except OSError as error:
            self._give_up(link, error)
            return
        self._watch(link, READ | WRITE if link.out else READ)

    def _watch(self, link: Link, events: int) -> None:
        if events != link.events:
            link.events = events
            self._selector.modify(link.sock, events, link)

    def _give_up(self, link: Link, error: Exception) -> None:
        if link.state is LinkState.UP or not isinstance(error, OSError):
            cause = f"the connection to {self.where} is lost: {errors.cause_of_end(error)}"
            self.fail(link, cause, closed=isinstance(error, OSError))
            return
        reason = self._dialler.explain(link, error)
        self.fail(link, str(reason), permanent=reason.permanent)

    def _drop(self, link: Link) -> None:
        if link.sock is not None:
            self._selector.unregister(link.sock)
        self.up -= link.state is LinkState.UP
        self._opening.discard(link.index)
        link.drop()
