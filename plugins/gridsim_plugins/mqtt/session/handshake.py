"""The opening of a session from the settings: paho connects and is not used afterwards.

paho opens the socket, TLS and the WebSocket, sends CONNECT and reads CONNACK. After that its client
is kept only because it closes the socket when it is deleted.
"""

from __future__ import annotations

import re
import selectors
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import LogLevel
from paho.mqtt.reasoncodes import ReasonCode

from gridsim.api import TransportError
from gridsim_plugins.mqtt.fixed_messages import Will
from gridsim_plugins.mqtt.session import errors
from gridsim_plugins.mqtt.session.client import make_client, paho_connect_properties
from gridsim_plugins.mqtt.session.frames import MAX_PACKET
from gridsim_plugins.mqtt.session.sockets import SocketLike
from gridsim_plugins.mqtt.settings import ConnectionSettings

_CONNACK_3_1_1 = re.compile(r"Received CONNACK \(\d+, (\d+)\)$")
"""The line that paho logs for a CONNACK of MQTT 3.1.1, the only source of its number."""


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """An accepted session and the broker's limits."""

    sock: SocketLike
    max_packet: int
    """The size of the largest packet that the broker accepts, bytes."""
    receive_maximum: int
    """The largest number of messages of QoS 1 and 2 in flight that the broker permits; 0 if not
    known.
    """
    keepalive_s: int
    client: Client

    def close(self) -> None:
        self.client.on_socket_close = self.client.on_socket_unregister_write = None
        self.sock.close()


def open_session(
    settings: ConnectionSettings,
    host: str,
    port: int,
    client_id: str,
    *,
    qos: int,
    retain: bool = False,
    will: Will | None = None,
) -> Session:
    """Connect, and wait for the CONNACK. Raises TransportError if that fails, or if the broker does
    not permit `qos` or `retain`.
    """
    return _Handshake(settings, host, port, client_id, qos, retain, will).run()


class _Handshake:
    """One attempt to connect; paho calls the `_on_` methods, which only store their arguments."""

    def __init__(
        self,
        settings: ConnectionSettings,
        host: str,
        port: int,
        client_id: str,
        qos: int,
        retain: bool,
        will: Will | None,
    ) -> None:
        self._settings = settings
        self._qos, self._retain = qos, retain
        self._retained_will = will is not None and will.retain
        self._address = (host, port)
        self._where = f"{host}:{port}"
        self._connack: tuple[ReasonCode, Any] | None = None
        self._return_code = 0
        """The number in a CONNACK of MQTT 3.1.1; paho has names for 0 to 5 only."""
        self._end = ""
        self._paho_error = ""
        self._client = make_client(settings, client_id, will)

    def run(self) -> Session:
        client, settings = self._client, self._settings
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_log = self._on_log
        client.on_socket_open = self._on_socket_open
        # With this set, paho queues its packets instead of writing them at once.
        client.on_socket_register_write = lambda client, data, sock: None
        try:
            client.connect(
                *self._address,
                keepalive=settings.keepalive_s,
                properties=paho_connect_properties(settings),
            )
        except (OSError, UnicodeError, ValueError) as error:
            raise errors.unreachable(error, self._where, settings.connect_timeout_s) from error
        try:
            self._await_connack()
            assert self._connack is not None
            code, properties = self._connack
            if code.is_failure:
                raise errors.refused(code.value, self._where, settings.protocol, self._return_code)
            return self._session(properties)
        except BaseException:
            sock = client.socket()
            if sock is not None:
                sock.close()
            raise

    def _await_connack(self) -> None:
        client = self._client
        deadline = time.monotonic() + self._settings.connect_timeout_s
        with selectors.DefaultSelector() as selector:
            sock: Any = client.socket()
            key = selector.register(sock, selectors.EVENT_READ)
            while self._connack is None:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TransportError(
                        f"{self._where} accepts the connection but does not answer in MQTT "
                        f"within {self._settings.connect_timeout_s:g} s"
                    )
                wanted = selectors.EVENT_READ
                if client.want_write():
                    wanted |= selectors.EVENT_WRITE
                if wanted != key.events:
                    key = selector.modify(sock, wanted)
                # The selector does not report bytes that TLS has already decrypted.
                pending = hasattr(sock, "pending") and sock.pending() > 0
                events = 0
                for _, ready in selector.select(0 if pending else left):
                    events |= ready
                # Read first: if the broker has closed the connection, the reason can be read, and
                # a write would fail.
                if pending or events & selectors.EVENT_READ:
                    client.loop_read()
                if events & selectors.EVENT_WRITE and client.socket() is not None:
                    client.loop_write()
                if self._connack is None and client.socket() is None:
                    raise self._no_connack()

    def _session(self, properties: Any) -> Session:
        """Check the limits of a broker's CONNACK and return the session."""
        settings = self._settings
        highest = getattr(properties, "MaximumQoS", 2)
        if self._qos > highest:
            raise TransportError(
                f"the broker at {self._where} does not support QoS above {highest}; set qos to it",
                permanent=True,
            )
        if self._retain and not getattr(properties, "RetainAvailable", 1):
            raise TransportError(
                f"the broker at {self._where} does not support retained messages; "
                "set retain = false",
                permanent=True,
            )
        sock: Any = self._client.socket()
        if sock is None:
            raise self._no_connack()
        v5 = settings.protocol == "5"
        return Session(
            sock,
            min(getattr(properties, "MaximumPacketSize", MAX_PACKET), MAX_PACKET),
            getattr(properties, "ReceiveMaximum", 65_535 if v5 else 0),
            getattr(properties, "ServerKeepAlive", settings.keepalive_s),
            self._client,
        )

    def _no_connack(self) -> TransportError:
        settings = self._settings
        if settings.uses_tls and self._paho_error:
            return errors.tls_failure(self._paho_error, self._where)
        if self._end:
            return errors.no_mqtt(self._where, settings.protocol, self._end)
        return errors.no_connack(
            self._where, uses_tls=settings.uses_tls, retained_will=self._retained_will
        )

    def _on_connect(
        self, client: Client, data: Any, flags: Any, code: ReasonCode, properties: Any
    ) -> None:
        self._connack = (code, properties)

    def _on_disconnect(
        self, client: Client, data: Any, flags: Any, code: ReasonCode, properties: Any
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self._end = f"the broker closed the connection: {code}"
        elif code.getName() == "Protocol error":
            self._end = "protocol error"

    def _on_log(self, client: Client, data: Any, level: int, text: str) -> None:
        if (match := _CONNACK_3_1_1.match(text)) is not None:
            self._return_code = int(match[1])
        elif level == LogLevel.MQTT_LOG_ERR:
            self._paho_error = text.removeprefix("failed to receive on socket: ")

    def _on_socket_open(self, client: Client, data: Any, sock: Any) -> None:
        # The last packet of a block must not wait for a delayed TCP acknowledgement.
        with suppress(AttributeError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
