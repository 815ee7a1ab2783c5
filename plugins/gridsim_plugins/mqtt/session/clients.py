"""Many connections in one selector loop, without a thread or a paho client for each."""

from __future__ import annotations

import heapq
import os
import random
import selectors
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from loguru import logger

from gridsim.api import TransportError
from gridsim_plugins.mqtt.session import errors
from gridsim_plugins.mqtt.session.answers import DISCONNECT as FAREWELL
from gridsim_plugins.mqtt.session.answers import PINGRESP, AnswerGroup, ProtocolError
from gridsim_plugins.mqtt.session.client import tls_context
from gridsim_plugins.mqtt.session.connect import connack, connect_packet
from gridsim_plugins.mqtt.session.frames import DISCONNECT, MAX_PACKET, PINGREQ, status_packet
from gridsim_plugins.mqtt.session.identities import Identities
from gridsim_plugins.mqtt.session.limits import allow_descriptors, exhausted
from gridsim_plugins.mqtt.session.link import READ, WRITE, Link, LinkState
from gridsim_plugins.mqtt.settings import MqttSettings

_AT_ONCE = 64
"""How many may be connecting: brokers queue about a hundred before they have accepted."""
_FEW = 3
"""If so many fail and none stands, the broker is to blame."""
_BACKOFF_S = (1.0, 30.0)
_LOG_EVERY_S = 10.0
_SCAN_EVERY_S = 1.0
_ONLINE, _OFFLINE = b'{"is_online": true}', b'{"is_online": false}'


class Clients:
    """The connections of all owners; opened by `open`, used and closed once.

    `open`, `turn` and `keep_alive` raise TransportError if no connection is left, or if the
    machine has nothing to make another one of.
    """

    def __init__(
        self,
        settings: MqttSettings,
        host: str,
        port: int,
        identities: Identities,
        wanted: list[bool],
    ) -> None:
        """`wanted` says who is online, and so to be connected."""
        self.max_packet = MAX_PACKET
        self.receive_maximum = 65_535
        self.up = 0
        self.lost: Callable[[Link], None] = lambda link: None
        """Told of each connection that breaks or cannot be made, and that..."""
        self.connected: Callable[[Link], None] = lambda link: None
        """... stands now, and of..."""
        self.answered: Callable[[Link, AnswerGroup], None] = lambda link, run: None
        """... each answer about messages of QoS 1 and 2, and to pings."""
        self._settings = settings
        self._v5 = settings.protocol == "5"
        self._host = host
        self._where = f"{host}:{port}"
        self._port = port
        self._identities = identities
        self._context = tls_context(settings) if settings.uses_tls else None
        self._family: int = socket.AF_INET
        self._address: Any = None
        self._keepalive_s: float = settings.keepalive_s
        self._selector = selectors.DefaultSelector()
        self.links = [Link(index) for index in range(len(identities))]
        self._schedule: list[tuple[float, int]] = []
        self._opening: set[int] = set()
        self._failed_in_a_row = self._silent_in_a_row = 0
        self._cause = ""
        self._quiet_until = 0.0
        self._scan_at = 0.0
        now = time.monotonic()
        for link in self.links:
            if wanted[link.index]:
                self._plan(link, now)

    def open(self) -> None:
        """Returns when every connection that is wanted stands, or has failed once."""
        if not self._schedule:
            return
        allow_descriptors(len(self._schedule))
        began = time.monotonic()
        while self._opening or (self._schedule and self._schedule[0][0] <= began):
            # One first: it tells whether the broker takes us.
            self._turn(0.1, at_once=_AT_ONCE if self.up else 1)
            if self._silent_in_a_row > _AT_ONCE:
                fits = f"only {self.up} of {len(self.links)} connections fit: "
                raise TransportError(f"{fits}{self._cause}")
        if not self.up:
            raise TransportError(self._cause)

    def turn(self, timeout_s: float) -> None:
        """Opens what is due, and reads and writes once, after waiting for a chance to."""
        self._turn(timeout_s)

    def keep_alive(self) -> None:
        """To be called a few times a second while there is nothing to send."""
        self._turn(0)
        now = time.monotonic()
        if now < self._scan_at:
            return
        self._scan_at = now + _SCAN_EVERY_S
        for link in self.links:
            if (
                link.state is LinkState.UP
                and now - link.wrote >= self._keepalive_s - _SCAN_EVERY_S / 2
            ):
                if link.pings:
                    self.fail(link, "no answer to a ping")
                else:
                    link.pings += 1
                    self.send(link, PINGREQ)

    def send(self, link: Link, block: bytes) -> None:
        """Queue whole packets, and write what the socket takes."""
        link.out += block
        link.wrote = time.monotonic()
        self._flush(link)

    def want(self, link: Link) -> None:
        """Its owner is online."""
        if link.state is LinkState.OFF:
            link.failures = 0
            self._plan(link, time.monotonic())

    def unwant(self, link: Link) -> None:
        """Its owner has gone: no farewell, so that the broker publishes the last will."""
        if link.state is not LinkState.OFF:
            self._drop(link)
            link.state = LinkState.OFF

    def is_due(self, link: Link) -> bool:
        """Whether it stands, or is about to."""
        opening = link.state in (LinkState.CONNECTING, LinkState.SECURING, LinkState.GREETING)
        return (
            link.state is LinkState.UP
            or opening
            or (link.state is LinkState.WAITING and not link.failures)
        )

    def fail(self, link: Link, cause: str, *, permanent: bool = False) -> None:
        """Give the connection up, and plan to make it again."""
        was_up = link.state is LinkState.UP
        self.lost(link)
        self._drop(link)
        self._cause = cause
        link.failures += 1
        low, high = _BACKOFF_S
        ceiling = high if permanent else min(high, low * 2.0 ** min(link.failures, 10))
        self._plan(link, time.monotonic() + random.uniform(0.1 * ceiling, ceiling))
        if not was_up:
            self._failed_in_a_row += 1
            self._silent_in_a_row += not permanent
        few = min(_FEW, len(self.links))
        if not self.up and (was_up or self._failed_in_a_row >= few):
            raise TransportError(cause, permanent=permanent)
        self._say(self._identities.owner[link.index], cause)

    def close(self) -> None:
        """Takes leave of the broker where that is possible at once."""
        for link in self.links:
            if link.state is LinkState.UP and not link.out:
                topic = self._identities.status_topic[link.index]
                link.out = status_packet(topic, _OFFLINE, v5=self._v5) + DISCONNECT
                with suppress(OSError):
                    link.flush()
            link.drop()
        self._selector.close()

    def _plan(self, link: Link, at: float) -> None:
        link.state, link.due = LinkState.WAITING, at
        heapq.heappush(self._schedule, (at, link.index))

    def _turn(self, timeout_s: float, at_once: int = _AT_ONCE) -> None:
        now = time.monotonic()
        while self._schedule and len(self._opening) < at_once and self._schedule[0][0] <= now:
            at, index = heapq.heappop(self._schedule)
            link = self.links[index]
            if link.state is LinkState.WAITING and link.due == at:
                self._start(link, now)
        for key, mask in self._selector.select(timeout_s):
            self._serve(key.data, mask)
        now = time.monotonic()
        for index in [i for i in self._opening if self.links[i].due <= now]:
            within = f"within {self._settings.connect_timeout_s:g} s"
            self.fail(self.links[index], f"{self._where} does not answer {within}")

    def _start(self, link: Link, now: float) -> None:
        try:
            if self._address is None:
                link.adopt(self._first_socket(), self._context, self._host)
            else:
                link.start(self._family, self._address, self._context, self._host)
        except OSError as error:
            end = exhausted(error, self.up + len(self._opening), len(self.links))
            if end is not None:
                raise end from error
            self._give_up(link, error)
            return
        self._opened(link, now)

    def _first_socket(self) -> socket.socket:
        """Finds the first address of the broker's name that somebody listens at."""
        timeout_s = self._settings.connect_timeout_s
        try:
            sock = socket.create_connection((self._host, self._port), timeout_s)
        except (OSError, UnicodeError) as error:
            raise errors.unreachable(error, self._where, timeout_s) from error
        self._family, self._address = sock.family, sock.getpeername()
        return sock

    def _opened(self, link: Link, now: float) -> None:
        link.due = now + self._settings.connect_timeout_s
        self._opening.add(link.index)
        link.events = WRITE
        self._selector.register(link.sock, WRITE, link)

    def _serve(self, link: Link, mask: int) -> None:
        if link.sock is None:
            return  # given up earlier in the same round
        try:
            if link.state is LinkState.CONNECTING:
                code = link.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code:
                    raise _error(code)
                link.state = LinkState.GREETING if self._context is None else LinkState.SECURING
                if self._context is None:
                    self._greet(link)
                    return
            if link.state is LinkState.SECURING:
                wanted = link.secure()
                self._watch(link, wanted or READ)
                if not wanted:
                    link.state = LinkState.GREETING
                    self._greet(link)
                return
            if mask & READ:
                self._read(link)
            if mask & WRITE and link.out:
                self._flush(link)
        except (OSError, ProtocolError) as error:
            self._give_up(link, error)

    def _greet(self, link: Link) -> None:
        settings, identities = self._settings, self._identities
        link.out = connect_packet(
            client_id=identities.client_id[link.index],
            username=identities.username[link.index],
            password=settings.password.get_secret_value(),
            keepalive_s=settings.keepalive_s,
            will_topic=identities.status_topic[link.index],
            will_payload=_OFFLINE,
            v5=self._v5,
        )
        self._flush(link)

    def _read(self, link: Link) -> None:
        data, ended = link.receive()
        if link.state is LinkState.GREETING:
            data = self._read_connack(link, data)
            if link.state is LinkState.GREETING and ended:
                advice = "" if self._context is not None else "; does this port expect TLS?"
                self.fail(link, f"{self._where} hangs up without an answer{advice}")
                return
        for run in link.answers(data) if data and link.state is LinkState.UP else ():
            if run.kind == FAREWELL:
                name = errors.reason_name(FAREWELL, run.reason)
                self.fail(link, f"the broker at {self._where} ended it: {name}")
                return
            if run.kind == PINGRESP:
                link.pings = max(link.pings - run.packets, 0)
            self.answered(link, run)
        if ended and link.sock is not None:
            self.fail(link, f"the broker at {self._where} closed it")

    def _read_connack(self, link: Link, data: bytes) -> bytes:
        """Takes the CONNACK off the stream, if it is there; returns what follows it."""
        link.greeting += data
        answer = connack(link.greeting, v5=self._v5)
        if answer is None:
            return b""
        code, properties, rest = answer
        if code.is_failure:
            refusal = errors.refused(code.value, str(code), self._where, self._settings.protocol)
            self.fail(link, str(refusal), permanent=refusal.permanent)
            return b""
        self.max_packet = min(self.max_packet, getattr(properties, "MaximumPacketSize", MAX_PACKET))
        self.receive_maximum = min(
            self.receive_maximum, getattr(properties, "ReceiveMaximum", 65_535)
        )
        self._keepalive_s = min(
            self._keepalive_s, getattr(properties, "ServerKeepAlive", self._keepalive_s)
        )
        if self._settings.qos > getattr(properties, "MaximumQoS", 2):
            raise TransportError(
                f"the broker at {self._where} takes no QoS {self._settings.qos}", permanent=True
            )
        link.greeting, link.failures = b"", 0
        link.state = LinkState.UP
        self._opening.discard(link.index)
        self.up += 1
        self._failed_in_a_row = self._silent_in_a_row = 0
        topic = self._identities.status_topic[link.index]
        self.send(link, status_packet(topic, _ONLINE, v5=self._v5))
        if link.state is LinkState.UP:
            self.connected(link)
        return rest

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
            self.fail(link, f"the connection to {self._where} is lost: {errors.spoken(error)}")
            return
        timeout_s = self._settings.connect_timeout_s
        if isinstance(error, ssl.SSLError) and link.state is LinkState.GREETING:
            told = errors.tls_failure(str(error), self._where)
        else:
            told = errors.unreachable(error, self._where, timeout_s)
        self.fail(link, str(told), permanent=told.permanent)

    def _drop(self, link: Link) -> None:
        if link.sock is not None:
            self._selector.unregister(link.sock)
        self.up -= link.state is LinkState.UP
        self._opening.discard(link.index)
        link.drop()

    def _say(self, owner: str, cause: str) -> None:
        """Logs a warning, but at most one in ten seconds."""
        now = time.monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + _LOG_EVERY_S
            logger.warning(
                "mqtt: {} of {} connections stand; the last that did not, of {}: {}",
                self.up,
                len(self.links),
                owner,
                cause,
            )


def _error(code: int) -> OSError:
    # OSError makes the fitting subclass of it.
    return OSError(code, os.strerror(code))
