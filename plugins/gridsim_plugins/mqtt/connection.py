"""One MQTT session: paho keeps it, this module moves its bytes, from one thread.

paho's own loops are not used: they cost two system calls and a lock per message. Between
packets paho reads and writes the socket (`turn`), and between them blocks of packets made
elsewhere go out (`send`): never both, for a ping in a half-written block would corrupt the
stream.
"""

from __future__ import annotations

import selectors
import socket
import ssl
import time
from contextlib import suppress
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import LogLevel
from paho.mqtt.reasoncodes import ReasonCode

from gridsim.api import TransportError
from gridsim_plugins.mqtt import errors
from gridsim_plugins.mqtt.client import make_client
from gridsim_plugins.mqtt.frames import MAX_PACKET
from gridsim_plugins.mqtt.settings import MqttSettings

_CHUNK = 1 << 18


class Connection:
    """A fresh session with the broker; made, opened, used and closed once.

    Every method raises TransportError once the connection is lost, or if nothing has moved
    for `patience_s` while an answer is due.
    """

    def __init__(
        self, settings: MqttSettings, host: str, port: int, client_id: str, patience_s: float
    ) -> None:
        self.max_packet = MAX_PACKET
        """Bytes of the largest packet that the broker takes."""
        self.receive_maximum = 65_535
        """How many messages of QoS 1 and 2 the broker lets be under way at once."""
        self.pings_sent = 0
        self.pings_answered = 0
        self.sent = 0
        """Bytes of the block last given to `send` that the operating system has taken."""
        self.acknowledged: list[tuple[int, str]] = []
        """Packet ids of QoS 1 and 2 that are done, each with the broker's refusal or "";
        the reader empties it."""
        self.closed_by_broker = False
        self._settings = settings
        self._where = f"{host}:{port}"
        self._address = (host, port)
        self._client_id = client_id
        self._patience_s = patience_s
        self._moved = time.monotonic()
        self._connack: tuple[ReasonCode, Any] | None = None
        self._torn = False
        self._end = ""
        self._complaint = ""
        self._selector = selectors.DefaultSelector()
        self._client = self._listen(make_client(settings, client_id))

    def open(self) -> None:
        """Connects, and waits for the broker's word."""
        settings = self._settings
        try:
            self._client.connect(*self._address, keepalive=settings.keepalive_s)
        except (OSError, UnicodeError) as error:
            raise errors.unreachable(error, self._where, settings.connect_timeout_s) from error
        deadline = time.monotonic() + settings.connect_timeout_s
        while self._connack is None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TransportError(
                    f"{self._where} accepts the connection but does not answer in MQTT "
                    f"within {settings.connect_timeout_s:g} s"
                )
            self._turn(left)
            if self._connack is None and self._client.socket() is None:
                raise self._no_connack()
        code, properties = self._connack
        if code.is_failure:
            raise errors.refused(code.value, str(code), self._where, settings.protocol)
        self._heed(properties)
        if settings.qos:
            # The log serves to see pings; at QoS 1 and 2 paho would format a line per message.
            self._client.on_log = None

    def touch(self) -> None:
        """From now on an answer is due."""
        self._moved = time.monotonic()

    def poll(self) -> None:
        """Reads and writes what is possible at once."""
        self._turn(0)
        self._check()

    def wait(self) -> None:
        """Reads and writes as soon as possible."""
        left = self._moved + self._patience_s - time.monotonic()
        if left <= 0:
            raise TransportError(
                f"the broker at {self._where} has stalled: no answer for {self._patience_s:g} s"
            )
        self._turn(left)
        self._check()

    def keep_alive(self) -> None:
        """To be called a few times a second while there is nothing to send."""
        # Read first: paho gives up on a ping whose answer lies unread in the socket.
        self.poll()
        self._client.loop_misc()
        self.poll()

    def send(self, block: bytes) -> None:
        """Write whole packets; `sent` tells how far it came when this raises."""
        self.sent = 0
        while self._client.want_write():
            self.wait()
        sock = self._client.socket()
        if not isinstance(sock, socket.socket):
            raise self._lost()
        view = memoryview(block)
        self._torn = True
        while self.sent < len(view):
            try:
                self.sent += sock.send(view[self.sent : self.sent + _CHUNK])
                self._moved = time.monotonic()
            except (BlockingIOError, ssl.SSLWantWriteError):
                self._await(sock, selectors.EVENT_WRITE)
            except ssl.SSLWantReadError:
                self._await(sock, selectors.EVENT_READ)
            except OSError as error:
                self._complaint = str(error)
                raise self._after_reset() from error
        self._torn = False

    def publish(self, topic: str, body: bytes) -> int:
        """Queue a message of QoS 1 or 2, and return its packet id."""
        settings = self._settings
        return self._client.publish(topic, body, settings.qos, settings.retain).mid

    def close(self) -> None:
        """Takes leave if that is possible at once, and frees the socket."""
        client = self._client
        sock = client.socket()
        if sock is not None:
            if client.is_connected() and not self._torn:
                client.disconnect()
                with suppress(OSError):
                    client.loop_write()
            client.on_socket_close = client.on_socket_unregister_write = None
            sock.close()
        self._selector.close()

    def _listen(self, client: Client) -> Client:
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_log = self._on_log
        client.on_socket_open = self._on_socket_open
        client.on_socket_close = self._on_socket_close
        # With this set, paho only queues its packets instead of writing them at once.
        client.on_socket_register_write = self._on_register_write
        client.on_socket_unregister_write = self._on_unregister_write
        return client

    def _turn(self, timeout_s: float) -> None:
        """Let paho read and write once, after waiting for a chance to."""
        sock = self._client.socket()
        if sock is None:
            return
        # Bytes that TLS has decrypted already wake no selector.
        buffered = isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
        events = 0
        for _, ready in self._selector.select(0 if buffered else timeout_s):
            events |= ready
        # Read first: the broker's reason for hanging up is there, a write would only fail.
        if buffered or events & selectors.EVENT_READ:
            self._client.loop_read()
            self._moved = time.monotonic()
        if events & selectors.EVENT_WRITE:
            self._client.loop_write()
            if not self._client.want_write():
                self._moved = time.monotonic()

    def _await(self, sock: socket.socket, event: int) -> None:
        """Wait in the middle of a block; here paho must not touch the socket."""
        left = self._moved + self._patience_s - time.monotonic()
        self._selector.modify(sock, event)
        ready = self._selector.select(max(left, 0))
        self._selector.modify(sock, selectors.EVENT_READ)
        if not ready and left <= 0:
            raise TransportError(
                f"the broker at {self._where} has stalled: "
                f"it takes nothing for {self._patience_s:g} s"
            )

    def _check(self) -> None:
        if self._client.socket() is None:
            raise self._lost()

    def _after_reset(self) -> TransportError:
        """The stream broke off while writing; MQTT 5 may have told why before."""
        while self._client.socket() is not None and self._client.loop_read() == 0:
            if not self._selector.select(0):
                break
        self.closed_by_broker = True
        return self._lost()

    def _lost(self) -> TransportError:
        cause = self._end or self._complaint or "the broker closed it"
        return TransportError(f"the connection to {self._where} is lost: {cause}")

    def _no_connack(self) -> TransportError:
        settings = self._settings
        if settings.uses_tls and self._complaint:
            return errors.tls_failure(self._complaint, self._where)
        if self._end:
            return TransportError(
                f"{self._where} does not answer in MQTT {settings.protocol}: {self._end}",
                permanent=True,
            )
        advice = "" if settings.uses_tls else "; does this port expect TLS?"
        return TransportError(f"{self._where} hangs up without an answer{advice}")

    def _heed(self, properties: Any) -> None:
        """Take over what a broker of MQTT 5 allows."""
        self.receive_maximum = getattr(properties, "ReceiveMaximum", self.receive_maximum)
        self.max_packet = min(getattr(properties, "MaximumPacketSize", MAX_PACKET), MAX_PACKET)
        highest = getattr(properties, "MaximumQoS", 2)
        if self._settings.qos > highest:
            raise TransportError(
                f"the broker at {self._where} takes no QoS above {highest}", permanent=True
            )
        if self._settings.retain and not getattr(properties, "RetainAvailable", 1):
            raise TransportError(
                f"the broker at {self._where} keeps no messages: set retain = false",
                permanent=True,
            )

    # paho calls these from within `turn`; they only take notes.

    def _on_connect(
        self, client: Client, data: Any, flags: Any, code: ReasonCode, properties: Any
    ) -> None:
        self._connack = (code, properties)

    def _on_disconnect(
        self, client: Client, data: Any, flags: Any, code: ReasonCode, properties: Any
    ) -> None:
        self.closed_by_broker = True
        if flags.is_disconnect_packet_from_server:
            taken = code.value == errors.TAKEN_OVER
            why = f"another client uses the client id {self._client_id!r}" if taken else code
            self._end = f"the broker ended it: {why}"
        elif code.getName() == "Keep alive timeout":
            self.closed_by_broker = False
            self._end = "no answer to a ping"
        elif code.getName() == "Protocol error":
            self._end = "protocol error"

    def _on_publish(
        self, client: Client, data: Any, mid: int, code: ReasonCode, properties: Any
    ) -> None:
        self.acknowledged.append((mid, str(code) if code.is_failure else ""))

    def _on_log(self, client: Client, data: Any, level: int, text: str) -> None:
        # paho has no callback for pings; its log is the public way to see them.
        if text == "Received PINGRESP":
            self.pings_answered += 1
        elif text == "Sending PINGREQ":
            self.pings_sent += 1
        elif level == LogLevel.MQTT_LOG_ERR:
            self._complaint = text.removeprefix("failed to receive on socket: ")

    def _on_socket_open(self, client: Client, data: Any, sock: Any) -> None:
        # The last packet of a block must not wait for the broker's delayed acknowledgement.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(sock, selectors.EVENT_READ)

    def _on_socket_close(self, client: Client, data: Any, sock: Any) -> None:
        self._selector.unregister(sock)

    def _on_register_write(self, client: Client, data: Any, sock: Any) -> None:
        self._selector.modify(sock, selectors.EVENT_READ | selectors.EVENT_WRITE)

    def _on_unregister_write(self, client: Client, data: Any, sock: Any) -> None:
        self._selector.modify(sock, selectors.EVENT_READ)
