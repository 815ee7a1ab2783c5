"""The upper bound: one plain socket that sends a constant packet repeatedly."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar

from gridsim.api import ReferenceClient, TransportError, WireMessage
from gridsim_plugins.mqtt.bench.client import MeasuredBroker, connect
from gridsim_plugins.mqtt.bench.paho_clients import Address

_BLOCK = 1 << 18
# The largest number of messages in flight; brokers commonly allow the limit at QoS 2.
_WINDOW = {1: 2_000, 2: 20}
_PINGREQ, _PINGRESP = b"\xc0\x00", 0xD0
_PUBACK, _PUBREC, _PUBREL, _PUBCOMP = 0x40, 0x50, b"\x62\x02", 0x70


class RawSocket(ReferenceClient):
    """A client that sends the same PUBLISH many times, then a PINGREQ.

    The PINGRESP shows that the broker has read all messages. At QoS 1 and 2 the window is kept
    full, and acknowledgements are read in blocks. paho opens the connection, so that the socket
    has the same options as those of the other clients.
    """

    name: ClassVar[str] = "raw"
    title: ClassVar[str] = "raw socket, one constant packet"

    def __init__(self, broker: Address, message: WireMessage) -> None:
        self._broker = broker
        self._message = message

    @contextmanager
    def sending(self, count: int) -> Iterator[Callable[[], None]]:
        broker = self._broker()
        client, receive_maximum = connect(broker)
        sock = client.socket()
        assert isinstance(sock, socket.socket)
        sock.setblocking(True)
        sock.settimeout(30.0)
        # Otherwise the kernel may delay the last bytes of a block until the others are
        # acknowledged.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line = _Line(sock)

        def send() -> None:
            try:
                if broker.qos == 0:
                    _send_all(line, publish(self._message, broker, 0), count)
                else:
                    window = min(_WINDOW[broker.qos], receive_maximum)
                    _acknowledged(line, self._message, broker, window, count)
                line.ping()
            except OSError as error:
                raise TransportError(f"the raw socket lost its connection: {error}") from error

        try:
            yield send
        finally:
            client.disconnect()


def publish(message: WireMessage, broker: MeasuredBroker, packet_id: int) -> bytes:
    """Return a PUBLISH packet (MQTT 3.1.1 and 5.0, section 3.3)."""
    topic = message.topic.encode()
    rest = len(topic).to_bytes(2, "big") + topic
    if broker.qos:
        rest += packet_id.to_bytes(2, "big")
    rest += (b"\x00" if broker.v5 else b"") + message.body
    head = bytearray([0x30 | broker.qos << 1 | bool(broker.settings.retain)])
    size = len(rest)
    while size >= 128:
        head.append(size & 127 | 128)
        size >>= 7
    head.append(size)
    return bytes(head) + rest


def _send_all(line: _Line, packet: bytes, count: int) -> None:
    per_block = max(1, _BLOCK // len(packet))
    block = packet * per_block
    blocks, rest = divmod(count, per_block)
    for _ in range(blocks):
        line.send(block)
    line.send(packet * rest)


def _acknowledged(
    line: _Line, message: WireMessage, broker: MeasuredBroker, window: int, count: int
) -> None:
    # The packets of all ids twice, so that every slice of `window` packets is contiguous.
    ring = b"".join(publish(message, broker, i % window + 1) for i in range(2 * window))
    size = len(ring) // (2 * window)
    sent = done = 0
    while done < count:
        free = min(window - (sent - done), count - sent)
        at = sent % window
        line.send(ring[at * size : (at + free) * size])
        sent += free
        done += line.acknowledgements() if broker.qos == 1 else line.completions()


class _Line:
    """A blocking socket whose answers are read in blocks."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._rest = b""

    def send(self, data: bytes) -> None:
        self._sock.sendall(data)

    def ping(self) -> None:
        """Send a PINGREQ and wait for the PINGRESP."""
        self.send(_PINGREQ)
        while len(self._rest) < 2:
            self._receive()
        if self._rest[0] != _PINGRESP:
            raise _unexpected(self._rest[0])

    def acknowledgements(self) -> int:
        """Wait for PUBACKs and return their number; all have the size of the first."""
        while len(self._rest) < 2 or len(self._rest) < 2 + self._rest[1]:
            self._receive()
        if self._rest[0] != _PUBACK:
            raise _unexpected(self._rest[0])
        size = 2 + self._rest[1]
        count = len(self._rest) // size
        self._rest = self._rest[count * size :]
        return count

    def completions(self) -> int:
        """Answer the PUBRECs that have arrived, and return the number of PUBCOMPs."""
        self._receive()
        releases, completed, at = [], 0, 0
        while at + 2 <= len(self._rest) and at + 2 + self._rest[at + 1] <= len(self._rest):
            kind = self._rest[at]
            if kind == _PUBREC:
                releases.append(_PUBREL + self._rest[at + 2 : at + 4])
            elif kind == _PUBCOMP:
                completed += 1
            else:
                raise _unexpected(kind)
            at += 2 + self._rest[at + 1]
        self._rest = self._rest[at:]
        self.send(b"".join(releases))
        return completed

    def _receive(self) -> None:
        got = self._sock.recv(1 << 16)
        if not got:
            raise OSError("the broker closed the connection")
        self._rest += got


def _unexpected(kind: int) -> TransportError:
    return TransportError(f"the broker sent an unexpected packet {kind:#x} to the raw socket")
