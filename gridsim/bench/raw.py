"""The ceiling: what a broker takes from one plain socket that sends one constant packet."""

from __future__ import annotations

import socket
from collections.abc import Iterator

from gridsim.bench.broker import Broker, connect
from gridsim.bench.sample import Sample, Stopwatch
from gridsim.bench.survey import Message
from gridsim.errors import GridsimError

_BLOCK = 1 << 18
_WAVE = 1_000
_PINGREQ, _PINGRESP = b"\xc0\x00", 0xD0
_PUBACK, _PUBREC, _PUBREL, _PUBCOMP = 0x40, 0x50, 0x62, 0x70


def raw(broker: Broker, message: Message, count: int) -> Sample:
    """`count` times the same PUBLISH, then a PINGREQ, to its answer: the broker has read all.

    At QoS 1 and 2 acknowledgements are awaited in blocks, two blocks being under way at QoS 1.
    paho makes the connection, so that this is the same socket as everyone's.
    """
    client, receive_maximum = connect(broker)
    sock = client.socket()
    assert isinstance(sock, socket.socket)
    sock.setblocking(True)
    sock.settimeout(30.0)
    line = _Line(sock)
    watch = Stopwatch()
    try:
        if broker.qos == 0:
            _send_all(line, publish(message, broker, 0), count)
        else:
            wave = max(1, min(_WAVE, receive_maximum // 2))
            send = _wave_of_1 if broker.qos == 1 else _wave_of_2
            send(line, message, broker, wave, count)
        line.send(_PINGREQ)
        line.expect(_PINGRESP, 1)
        sample = watch.read()
    except OSError as error:
        raise GridsimError(f"the broker dropped the raw socket: {error}") from error
    client.disconnect()
    return sample


def publish(message: Message, broker: Broker, packet_id: int) -> bytes:
    """A PUBLISH packet (MQTT 3.1.1 and 5.0, section 3.3)."""
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


def _wave_of_1(line: _Line, message: Message, broker: Broker, wave: int, count: int) -> None:
    # Two blocks with ids of their own: while one is acknowledged the other is on its way.
    blocks = [_packets(message, broker, wave * half + 1, wave) for half in (0, 1)]
    sizes = list(_sizes(count, wave))
    for number, size in enumerate(sizes):
        if number >= 2:
            line.expect(_PUBACK, sizes[number - 2])
        packets = blocks[number % 2]
        line.send(packets if size == wave else packets[: len(packets) // wave * size])
    line.expect(_PUBACK, sum(sizes[-2:]))


def _wave_of_2(line: _Line, message: Message, broker: Broker, wave: int, count: int) -> None:
    packets = _packets(message, broker, 1, wave)
    releases = b"".join(bytes([_PUBREL, 2]) + i.to_bytes(2, "big") for i in range(1, wave + 1))
    for size in _sizes(count, wave):
        line.send(packets[: len(packets) // wave * size])
        line.expect(_PUBREC, size)
        line.send(releases[: 4 * size])
        line.expect(_PUBCOMP, size)


def _packets(message: Message, broker: Broker, first_id: int, count: int) -> bytes:
    return b"".join(publish(message, broker, first_id + i) for i in range(count))


def _sizes(count: int, wave: int) -> Iterator[int]:
    for start in range(0, count, wave):
        yield min(wave, count - start)


class _Line:
    """A blocking socket on which answers are counted, not read one by one."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._rest = b""

    def send(self, data: bytes) -> None:
        self._sock.sendall(data)

    def expect(self, kind: int, count: int) -> None:
        """Wait for so many packets of a kind, all of the size of the first."""
        self._fill(2)
        if self._rest[0] != kind:
            raise GridsimError(f"the broker answers the raw socket with packet {self._rest[0]:#x}")
        size = count * (2 + self._rest[1])
        self._fill(size)
        self._rest = self._rest[size:]

    def _fill(self, size: int) -> None:
        while len(self._rest) < size:
            got = self._sock.recv(1 << 16)
            if not got:
                raise OSError("it hung up")
            self._rest += got
