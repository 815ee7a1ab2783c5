"""The opening of many connections: schedule, address, and the broker's limits."""

from __future__ import annotations

import heapq
import os
import random
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from loguru import logger

from gridsim.api import TransportError
from gridsim_plugins.mqtt.session import errors
from gridsim_plugins.mqtt.session.client import tls_context
from gridsim_plugins.mqtt.session.frames import MAX_PACKET
from gridsim_plugins.mqtt.session.link import Link, LinkState
from gridsim_plugins.mqtt.settings import MqttSettings

_BACKOFF_S = (1.0, 30.0)
_LOG_EVERY_S = 10.0
_MAX_CAUSES = 100


class OpeningSchedule:
    """The times at which connections will be opened."""

    def __init__(self, links: list[Link]) -> None:
        self._links = links
        self._heap: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._heap)

    def is_due(self, now: float) -> bool:
        """Return whether the time to open a connection has come."""
        return bool(self._heap) and self._heap[0][0] <= now

    def add(self, link: Link, at: float) -> None:
        """Schedule the opening of a connection at a time of the monotonic clock."""
        link.state, link.due = LinkState.WAITING, at
        heapq.heappush(self._heap, (at, link.index))

    def retry(self, link: Link, now: float, *, permanent: bool) -> None:
        """Schedule another attempt after a delay that grows with the failures of the link."""
        link.failures += 1
        low, high = _BACKOFF_S
        ceiling = high if permanent else min(high, low * 2.0 ** min(link.failures, 10))
        self.add(link, now + random.uniform(0.1 * ceiling, ceiling))

    def pop(self) -> Link | None:
        """Return the next link to open; None if it has been rescheduled since."""
        at, index = heapq.heappop(self._heap)
        link = self._links[index]
        return link if link.state is LinkState.WAITING and link.due == at else None


class UnusableCertificateError(OSError):
    """The certificate of one connection cannot be used; the others go on."""


class Dialler:
    """An opener of sockets to a broker; it resolves the host name for the first socket only."""

    def __init__(
        self,
        settings: MqttSettings,
        host: str,
        port: int,
        certificates: Sequence[tuple[str, str]],
    ) -> None:
        """Raise TransportError if a certificate file of the settings cannot be used.

        `certificates`: the certificate and key of each link; empty: those of the settings.
        """
        self._settings = settings
        self._certificates = certificates
        self.where = f"{host}:{port}"
        self.timeout_s = settings.connect_timeout_s
        self.uses_tls = settings.uses_tls
        self._context = tls_context(settings) if settings.uses_tls else None
        self._host, self._port = host, port
        self._family: int = socket.AF_INET
        self._address: Any = None

    def dial(self, link: Link) -> None:
        """Begin to connect a link. Raises OSError, or TransportError if there is no answer."""
        context = self._context_of(link)
        if self._address is None:
            link.adopt(self._first_socket(), context, self._host)
        else:
            link.start(self._family, self._address, context, self._host)

    def explain(self, link: Link, error: OSError) -> TransportError:
        """Return the error of a link that failed before it was up."""
        if isinstance(error, UnusableCertificateError):
            return TransportError(str(error), permanent=True)
        if isinstance(error, ssl.SSLError) and link.state is LinkState.CONNECT_SENT:
            return errors.tls_failure(str(error), self.where)
        if isinstance(error, ConnectionResetError) and link.state is LinkState.CONNECT_SENT:
            return errors.no_connack(self.where, uses_tls=self.uses_tls, retained_will=True)
        return errors.unreachable(error, self.where, self.timeout_s)

    def _context_of(self, link: Link) -> ssl.SSLContext | None:
        """Return the TLS context of a link, which is its own if its certificate is.

        A shared context would keep a key of another kind from the certificate before.
        """
        cert_file, key_file = self._certificates[link.index]
        if self._context is None or not cert_file:
            return self._context
        own = {"cert_file": cert_file, "key_file": key_file}
        try:
            return tls_context(self._settings.model_copy(update=own))
        except TransportError as error:
            raise UnusableCertificateError(str(error)) from None

    def _first_socket(self) -> socket.socket:
        """Connect to the first address of the broker's name that accepts, and store the address."""
        try:
            sock = socket.create_connection((self._host, self._port), self.timeout_s)
        except (OSError, UnicodeError) as error:
            raise errors.unreachable(error, self.where, self.timeout_s) from error
        self._family, self._address = sock.family, sock.getpeername()
        return sock


@dataclass(slots=True)
class BrokerLimits:
    """The strictest limits that the broker has set in any CONNACK."""

    keepalive_s: float
    max_packet: int = MAX_PACKET
    receive_maximum: int = 65_535

    def apply(self, properties: Any, qos: int, where: str) -> None:
        """Apply the limits of a CONNACK. Raises TransportError if it does not permit `qos`."""
        self.max_packet = min(self.max_packet, getattr(properties, "MaximumPacketSize", MAX_PACKET))
        self.receive_maximum = min(
            self.receive_maximum, getattr(properties, "ReceiveMaximum", 65_535)
        )
        self.keepalive_s = min(
            self.keepalive_s, getattr(properties, "ServerKeepAlive", self.keepalive_s)
        )
        if qos > getattr(properties, "MaximumQoS", 2):
            raise TransportError(
                f"the broker at {where} does not support QoS {qos}; set qos to a lower value",
                permanent=True,
            )


def pending_error(sock: Any) -> OSError | None:
    """Return the error of a socket that failed to connect, or None."""
    code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    # OSError returns the subclass for the code.
    return OSError(code, os.strerror(code)) if code else None


class FailureLog:
    """A log of connections that fail, limited to one line for each cause in ten seconds."""

    def __init__(self, connections: int) -> None:
        self._connections = connections
        self._quiet_until: dict[str, float] = {}

    def warn(self, up: int, owner: str, cause: str) -> None:
        """Log that the connection of `owner` failed, and the number of connections up."""
        now = time.monotonic()
        if now < self._quiet_until.get(cause, now):
            return
        self._quiet_until = {one: at for one, at in self._quiet_until.items() if now < at}
        if len(self._quiet_until) >= _MAX_CAUSES:
            return
        self._quiet_until[cause] = now + _LOG_EVERY_S
        logger.warning(
            "mqtt: {} of {} connections up; last failure ({}): {}",
            up,
            self._connections,
            owner,
            cause,
        )
