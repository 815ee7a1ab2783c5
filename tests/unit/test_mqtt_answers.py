"""Answers that Mosquitto cannot be made to give, from a scripted broker over a real socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from gridsim.api import Settings, TransportError
from gridsim.testing import PlainFormat, RecordingReceipt, make_batch, make_roster, make_run
from gridsim_plugins.mqtt.transport import Mqtt

CONNACK = b"\x20\x02\x00\x00"
CONNACK_5 = b"\x20\x03\x00\x00\x00"


@dataclass
class ScriptedBroker:
    """Answers CONNECT with `connack`, then each PUBLISH of QoS 1 with `answer(number, id)`."""

    connack: bytes = CONNACK
    answer: Callable[[int, bytes], bytes] = lambda number, mid: b"\x40\x02" + mid
    under_way: int = 1
    """The number of messages that must have come before their answers go out."""
    most_at_once: int = 0
    released: list[int] = field(default_factory=list)
    """Packet ids of the PUBRELs that came; each is completed."""
    _server: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    def __post_init__(self) -> None:
        self.port: int = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.close()
        self._thread.join(30)

    def _serve(self) -> None:
        client, _ = self._server.accept()
        # A client that was told to go may reset the connection.
        with client, client.makefile("rb") as stream, suppress(ConnectionError):
            waiting: list[bytes] = []
            number = 0
            while first := stream.read(1):
                size = shift = 0
                while True:
                    byte = stream.read(1)[0]
                    size |= (byte & 127) << shift
                    shift += 7
                    if byte < 128:
                        break
                body = stream.read(size)
                kind = first[0] >> 4
                if kind == 1:
                    client.sendall(self.connack)
                elif kind == 12:
                    client.sendall(b"\xd0\x00")
                elif kind == 6:
                    self.released.append(int.from_bytes(body, "big"))
                    client.sendall(b"\x70\x02" + body)
                elif kind == 3 and first[0] & 0x06:
                    end = 2 + int.from_bytes(body[:2], "big")
                    waiting.append(self.answer(number, body[end : end + 2]))
                    number += 1
                    self.most_at_once = max(self.most_at_once, len(waiting))
                    if len(waiting) == self.under_way:
                        client.sendall(b"".join(waiting))
                        waiting.clear()


@pytest.fixture
def started() -> Iterator[list[ScriptedBroker]]:
    made: list[ScriptedBroker] = []
    yield made
    for broker in made:
        broker.close()


def connected(broker: ScriptedBroker, ders: int = 3, **settings: Any) -> Mqtt:
    run = make_run(make_roster([ders]))
    given = {"host": "127.0.0.1", "port": broker.port, **settings}
    plain = PlainFormat(Settings(), "der", run.roster)
    transport = Mqtt(Mqtt.Settings.model_validate(given), plain, run)
    try:
        transport.connect()
    except BaseException:
        transport.close()
        raise
    return transport


@pytest.mark.parametrize(
    ("protocol", "connack", "says", "permanent"),
    [
        ("3.1.1", b"\x20\x02\x00\x01", "does not answer in MQTT 3.1.1", True),
        ("3.1.1", b"\x20\x02\x00\x02", "does not accept the client id", True),
        ("3.1.1", b"\x20\x02\x00\x03", "is unavailable", False),
        ("3.1.1", b"\x20\x02\x00\x04", "rejects the user name or password", True),
        ("3.1.1", b"\x20\x02\x00\x05", "does not authorise this client", True),
        ("5", b"\x20\x02\x00\x01", "does not support MQTT 5", True),
        ("5", b"\x20\x03\x00\x86\x00", "rejects the user name or password", True),
        ("5", b"\x20\x03\x00\x88\x00", "is unavailable", False),
        ("5", b"\x20\x03\x00\x89\x00", "is busy", False),
        ("5", b"\x20\x03\x00\x9f\x00", "Connection rate exceeded", False),
        ("3.1.1", b"SSH-2.0-OpenSSH_9.2\r\n", "does not answer in MQTT", False),
    ],
)
def test_why_the_connection_is_refused(
    started: list[ScriptedBroker], protocol: str, connack: bytes, says: str, permanent: bool
) -> None:
    started.append(ScriptedBroker(connack))
    with pytest.raises(TransportError) as caught:
        connected(started[0], protocol=protocol, connect_timeout_s=0.5)
    assert says in str(caught.value)
    assert caught.value.permanent is permanent


@pytest.mark.parametrize(
    ("settings", "properties", "says"),
    [
        ({"qos": 2}, b"\x24\x01", "does not support QoS above 1"),
        ({"retain": True}, b"\x25\x00", "set retain = false"),
    ],
)
def test_what_the_broker_does_not_offer(
    started: list[ScriptedBroker], settings: dict[str, Any], properties: bytes, says: str
) -> None:
    connack = bytes([0x20, 3 + len(properties), 0, 0, len(properties)]) + properties
    started.append(ScriptedBroker(connack))
    with pytest.raises(TransportError, match=says) as caught:
        connected(started[0], protocol="5", **settings)
    assert caught.value.permanent


def test_a_refused_message_is_dropped_with_the_brokers_reason(
    started: list[ScriptedBroker],
) -> None:
    def answer(number: int, mid: bytes) -> bytes:
        return b"\x40\x03" + mid + b"\x87" if number == 1 else b"\x40\x02" + mid

    started.append(ScriptedBroker(CONNACK_5, answer))
    transport = connected(started[0], protocol="5", qos=1)
    receipt = RecordingReceipt(3)
    transport.write(make_batch(transport.run.roster), receipt)
    transport.close()
    assert receipt.delivered_rows == 2
    assert receipt.reasons == ["refused by broker: Not authorized"]


def test_no_more_is_under_way_than_the_broker_receives(started: list[ScriptedBroker]) -> None:
    started.append(ScriptedBroker(b"\x20\x06\x00\x00\x03\x21\x00\x05", under_way=5))
    transport = connected(started[0], ders=50, protocol="5", qos=1)
    receipt = RecordingReceipt(50)
    transport.write(make_batch(transport.run.roster), receipt)
    transport.close()
    assert receipt.delivered_rows == 50
    assert started[0].most_at_once == 5


def test_the_brokers_farewell_is_passed_on(started: list[ScriptedBroker]) -> None:
    farewell = b"\xe0\x01\x8b"
    started.append(ScriptedBroker(CONNACK_5, lambda number, mid: farewell))
    transport = connected(started[0], protocol="5", qos=1)
    receipt = RecordingReceipt(3)
    with pytest.raises(TransportError, match="closed the connection: Server shutting down"):
        transport.write(make_batch(transport.run.roster), receipt)
    transport.close()
    assert receipt.left == 3


def test_the_acknowledged_prefix_counts_though_the_connection_breaks(
    started: list[ScriptedBroker],
) -> None:
    def answer(number: int, mid: bytes) -> bytes:
        # The third is acknowledged, the second never, and then the broker leaves.
        return {0: b"\x40\x02" + mid, 1: b"", 2: b"\x40\x02" + mid + b"\xe0\x00"}[number]

    started.append(ScriptedBroker(CONNACK_5, answer, under_way=3))
    transport = connected(started[0], protocol="5", qos=1)
    receipt = RecordingReceipt(3)
    with pytest.raises(TransportError):
        transport.write(make_batch(transport.run.roster), receipt)
    transport.close()
    assert (receipt.delivered_rows, receipt.left) == (1, 2)


def test_qos_2_is_released_and_a_refusal_at_once_is_the_end(
    started: list[ScriptedBroker],
) -> None:
    def answer(number: int, mid: bytes) -> bytes:
        # PUBREC: taken, refused, taken.
        return b"\x50\x03" + mid + b"\x97" if number == 1 else b"\x50\x02" + mid

    started.append(ScriptedBroker(CONNACK_5, answer, under_way=3))
    transport = connected(started[0], protocol="5", qos=2)
    receipt = RecordingReceipt(3)
    transport.write(make_batch(transport.run.roster), receipt)
    transport.close()
    assert (receipt.delivered_rows, receipt.dropped_rows) == (2, 1)
    assert receipt.reasons == ["refused by broker: Quota exceeded"]
    assert started[0].released == [1, 3]


def test_packet_ids_go_round(started: list[ScriptedBroker]) -> None:
    ids: list[int] = []

    def answer(number: int, mid: bytes) -> bytes:
        ids.append(int.from_bytes(mid, "big"))
        return b"\x40\x02" + mid

    started.append(ScriptedBroker(answer=answer))
    transport = connected(started[0], ders=10_000, qos=1)
    batch = make_batch(transport.run.roster)
    for _ in range(7):
        receipt = RecordingReceipt(len(batch))
        transport.write(batch, receipt)
        assert receipt.delivered_rows == len(batch)
    transport.close()
    assert ids == [1 + n % 65_535 for n in range(70_000)]


class Lags(RecordingReceipt):
    def __init__(self, rows: int) -> None:
        super().__init__(rows)
        self.lags: list[float] = []

    def lag(self, seconds: float) -> None:
        super().lag(seconds)
        self.lags.append(seconds)


@pytest.mark.parametrize("qos", [0, 1])
def test_the_receipt_learns_how_long_the_broker_took(
    started: list[ScriptedBroker], qos: int
) -> None:
    started.append(ScriptedBroker())
    transport = connected(started[0], qos=qos)
    receipt = Lags(3)
    transport.write(make_batch(transport.run.roster), receipt)
    transport.close()
    assert len(receipt.lags) == 1


@pytest.mark.parametrize("qos", [1, 2])
def test_nor_is_more_under_way_on_a_connection_of_its_own(
    started: list[ScriptedBroker], qos: int
) -> None:
    def answer(number: int, mid: bytes) -> bytes:
        return (b"\x40\x02" if qos == 1 else b"\x50\x02") + mid

    started.append(ScriptedBroker(b"\x20\x06\x00\x00\x03\x21\x00\x05", answer, under_way=5))
    # One message is the connection's state, of QoS 0.
    transport = connected(started[0], ders=50, protocol="5", qos=qos, connections="project")
    receipt = RecordingReceipt(50)
    transport.write(make_batch(transport.run.roster), receipt)
    transport.close()
    assert receipt.delivered_rows == 50
    assert started[0].most_at_once == 5
