"""The reading of messages with QoS 0 past paho, on a pair of sockets."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from gridsim_plugins.mqtt.session.read_ahead import Publication, ReadAhead

PUBACK = b"\x40\x02\x00\x01"


def varint(value: int) -> bytes:
    out = bytearray()
    while True:
        value, byte = divmod(value, 128)
        out.append(byte | (0x80 if value else 0))
        if not value:
            return bytes(out)


def packet(topic: bytes, payload: bytes, *, first: int = 0x30, properties: bytes = b"") -> bytes:
    body = len(topic).to_bytes(2, "big") + topic + properties + payload
    return bytes([first]) + varint(len(body)) + body


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    broker, client = socket.socketpair()
    client.setblocking(False)
    with broker, client:
        yield broker, client


def reader(client: socket.socket, most_bytes: int = 1000, *, v5: bool = False) -> ReadAhead:
    return ReadAhead(client, most_bytes, v5=v5)


def test_messages_are_returned_and_other_packets_are_left_to_paho(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    broker, client = ends
    ahead = reader(client)
    at_least_once = packet(b"a", b"\x00\x07x", first=0x32)
    broker.sendall(packet(b"a/b", b"1") + PUBACK + packet(b"c", b"", first=0x31) + at_least_once)
    assert ahead.receive() == [Publication("a/b", b"1", False), Publication("c", b"", True)]
    assert ahead.is_for_paho()
    assert ahead.recv(1) + ahead.recv(100) == PUBACK + at_least_once
    assert not ahead.is_for_paho()
    with pytest.raises(BlockingIOError):
        ahead.recv(1)
    assert ahead.receive() == []


@pytest.mark.parametrize("size", [0, 1, 123, 124, 125, 300])
def test_packets_in_single_bytes_are_put_together(
    ends: tuple[socket.socket, socket.socket], size: int
) -> None:
    broker, client = ends
    ahead = reader(client)
    found: list[Publication] = []
    for byte in packet(b"t", b"x" * size) + PUBACK + packet(b"u", b"y"):
        broker.sendall(bytes([byte]))
        found += ahead.receive()
    assert found == [Publication("t", b"x" * size, False), Publication("u", b"y", False)]
    assert ahead.recv(100) == PUBACK


@pytest.mark.parametrize(("payload", "fits"), [(193, True), (194, True), (195, False)])
def test_a_message_over_the_limit_is_skipped_and_counted(
    ends: tuple[socket.socket, socket.socket], payload: int, fits: bool
) -> None:
    broker, client = ends
    ahead = reader(client, most_bytes=200)
    large = packet(b"t", b"x" * payload)
    assert (len(large) <= 200) is fits
    # In two parts, so that the rest arrives after the message was given up.
    broker.sendall(large[:50])
    assert ahead.receive() == []
    broker.sendall(large[50:] + PUBACK + packet(b"t", b"after"))
    found = ahead.receive()
    assert found[-1] == Publication("t", b"after", False)
    assert (len(found), ahead.take_skipped()) == ((2, 0) if fits else (1, 1))
    assert ahead.take_skipped() == 0
    assert ahead.recv(100) == PUBACK


def test_properties_of_mqtt_5_are_passed_over(ends: tuple[socket.socket, socket.socket]) -> None:
    broker, client = ends
    ahead = reader(client, v5=True)
    user = b"\x26\x00\x01k\x00\x01v"
    broker.sendall(packet(b"t", b"x", properties=b"\x00"))
    broker.sendall(packet(b"t", b"y", properties=varint(len(user)) + user))
    assert ahead.receive() == [Publication("t", b"x", False), Publication("t", b"y", False)]


@pytest.mark.parametrize(
    ("bad", "v5"),
    [
        (packet(b"\xff", b"x"), False),
        (b"\x30\x03\x00\x09t", False),
        (b"\x30\x01\x00", False),
        (packet(b"t", b"x", properties=b"\x09"), True),
        (packet(b"t", b""), True),
    ],
    ids=["not UTF-8", "topic too long", "no topic", "properties too long", "no properties"],
)
def test_a_message_that_cannot_be_read_is_counted(
    ends: tuple[socket.socket, socket.socket], bad: bytes, v5: bool
) -> None:
    broker, client = ends
    ahead = reader(client, v5=v5)
    broker.sendall(bad + packet(b"t", b"x", properties=b"\x00" if v5 else b""))
    assert ahead.receive() == [Publication("t", b"x", False)]
    assert ahead.take_skipped() == 1


def test_bytes_that_are_not_mqtt_are_left_to_paho(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    broker, client = ends
    ahead = reader(client)
    broker.sendall(b"\x30\xff\xff\xff\xff\xff")
    assert ahead.receive() == []
    assert ahead.recv(100) == b"\x30\xff\xff\xff\xff\xff"


def test_a_closed_socket_is_seen_by_paho_after_what_came_before(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    broker, client = ends
    ahead = reader(client)
    broker.sendall(packet(b"t", b"x") + PUBACK + packet(b"t", b"torn")[:-1])
    broker.close()
    assert ahead.receive() == [Publication("t", b"x", False)]
    assert ahead.receive() == []
    assert ahead.is_for_paho()
    assert ahead.recv(100) == PUBACK
    assert ahead.recv(100) == b""


def test_an_error_of_the_socket_is_raised_for_paho(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    _, client = ends
    ahead = reader(client)
    client.close()
    assert ahead.receive() == []
    with pytest.raises(OSError, match="Bad file descriptor"):
        ahead.recv(1)
