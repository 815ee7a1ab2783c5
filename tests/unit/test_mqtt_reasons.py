"""Reason codes of MQTT 5, also those that no table lists for the packet in which they come."""

from __future__ import annotations

from functools import partial

import pytest

from gridsim.api import Settings, TransportError
from gridsim.testing import PlainFormat, RecordingReceipt, make_batch, make_roster, make_run
from gridsim_plugins.mqtt.session.answers import DISCONNECT, PUBACK, PUBCOMP, PUBREC
from gridsim_plugins.mqtt.session.dialogue import Dialogue
from gridsim_plugins.mqtt.session.reasons import reason_name
from gridsim_plugins.mqtt.source import MqttCommandSettings
from gridsim_plugins.mqtt.transport import Mqtt
from tests.fixtures.scripted_broker import (
    CONNECT,
    PUBLISH,
    PUBREL,
    SUBSCRIBE,
    Packet,
    ScriptedBroker,
    answer_well,
)

ROSTER = make_roster([1, 1])


@pytest.mark.parametrize(
    ("kind", "code", "name"),
    [
        (PUBACK, 0x87, "Not authorized"),
        (PUBACK, 0x95, "Packet too large"),
        (PUBREC, 0x95, "Packet too large"),
        (PUBCOMP, 0x80, "Unspecified error"),
        (PUBACK, 0xC3, "reason code 0xc3"),
        (PUBACK, 0xFF, "reason code 0xff"),
        (DISCONNECT, 0x8E, "Session taken over"),
        (DISCONNECT, 0x00, "Normal disconnection"),
        (PUBACK, 0x00, "Success"),
    ],
)
def test_every_reason_code_has_a_name_in_every_packet(kind: int, code: int, name: str) -> None:
    assert reason_name(kind, code) == name


def test_no_reason_code_is_without_a_name() -> None:
    for kind in (0x20, PUBACK, PUBREC, 0x62, PUBCOMP, 0x90, 0xB0, DISCONNECT, 0xF0):
        assert all(reason_name(kind, code) for code in range(256))


def refusing(packet: Packet, refused: int, code: int, qos: int = 1, topic: str = "") -> bytes:
    """Answer well, except for packets of one type (and topic): `code` is in their answer."""
    id_ = packet.id.to_bytes(2, "big")
    if packet.type == refused and topic in packet.topic:
        match refused:
            case 1:
                return b"\x20\x03\x00" + bytes([code]) + b"\x00"
            case 3:
                return (b"\x40\x03" if qos == 1 else b"\x50\x03") + id_ + bytes([code])
            case 6:
                return b"\x70\x03" + id_ + bytes([code])
            case 8:
                return b"\x90\x04" + id_ + b"\x00" + bytes([code])
    return answer_well(packet, v5=True)


def transport_to(port: int, **settings: object) -> Mqtt:
    given = {"host": "127.0.0.1", "port": port, "protocol": "5", **settings}
    run = make_run(ROSTER)
    return Mqtt(Mqtt.Settings.model_validate(given), PlainFormat(Settings(), "der", ROSTER), run)


@pytest.mark.parametrize("connections", ["shared", "project"])
@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize(
    ("code", "name"),
    [
        (0x90, "Topic name invalid"),
        (0x95, "Packet too large"),
        (0x97, "Quota exceeded"),
        (0x99, "Payload format invalid"),
        (0xC3, "reason code 0xc3"),
    ],
)
def test_a_refused_message_is_dropped_and_the_connection_stays(
    qos: int, connections: str, code: int, name: str
) -> None:
    answer = partial(refusing, refused=PUBLISH, code=code, qos=qos, topic="PRJ_0")
    batch = make_batch(ROSTER)
    with ScriptedBroker(answer) as broker:
        transport = transport_to(broker.port, qos=qos, connections=connections)
        transport.connect()
        opened = broker.connections
        for _ in range(3):
            receipt = RecordingReceipt(len(batch))
            transport.write(batch, receipt)
            assert (receipt.delivered_rows, receipt.dropped_rows) == (1, 1)
            assert receipt.reasons == [f"refused by broker: {name}"]
        transport.close()
        assert broker.connections == opened


@pytest.mark.parametrize("connections", ["shared", "project"])
def test_an_unknown_code_at_the_end_of_qos_2_is_a_confirmation(connections: str) -> None:
    with ScriptedBroker(partial(refusing, refused=PUBREL, code=0xC3)) as broker:
        transport = transport_to(broker.port, qos=2, connections=connections)
        transport.connect()
        receipt = RecordingReceipt(2)
        transport.write(make_batch(ROSTER), receipt)
        transport.close()
    assert receipt.delivered_rows == 2


@pytest.mark.parametrize("connections", ["shared", "project"])
def test_a_connection_that_is_refused_with_an_unknown_code(connections: str) -> None:
    with ScriptedBroker(partial(refusing, refused=CONNECT, code=0xC3)) as broker:
        transport = transport_to(broker.port, connections=connections)
        with pytest.raises(TransportError) as caught:
            transport.connect()
        transport.close()
    assert str(caught.value) == (
        f"the broker at 127.0.0.1:{broker.port} refuses the connection: reason code 0xc3"
    )


@pytest.mark.parametrize("connections", ["shared", "project"])
@pytest.mark.parametrize(
    ("code", "expected", "permanent"),
    [
        (2, "{broker} does not accept the client id", True),
        (3, "{broker} is unavailable", False),
        (5, "{broker} does not authorise this client; check the user name and password", True),
        (
            6,
            "{broker} refuses the connection: return code 6, which MQTT 3.1.1 does not define",
            False,
        ),
        (
            255,
            "{broker} refuses the connection: return code 255, which MQTT 3.1.1 does not define",
            False,
        ),
    ],
)
def test_a_connection_that_is_refused_in_mqtt_3(
    connections: str, code: int, expected: str, permanent: bool
) -> None:
    def answer(packet: Packet) -> bytes:
        return b"\x20\x02\x00" + bytes([code])

    with ScriptedBroker(answer) as broker:
        transport = transport_to(broker.port, connections=connections, protocol="3.1.1")
        with pytest.raises(TransportError) as caught:
            transport.connect()
        transport.close()
    assert str(caught.value) == expected.format(broker=f"the broker at 127.0.0.1:{broker.port}")
    if connections == "shared":
        assert caught.value.permanent is permanent


def test_a_broker_that_refuses_mqtt_3_says_so() -> None:
    with ScriptedBroker(lambda packet: b"\x20\x02\x00\x01") as broker:
        transport = transport_to(broker.port, protocol="3.1.1")
        with pytest.raises(TransportError) as caught:
            transport.connect()
        transport.close()
    assert str(caught.value) == (
        f"127.0.0.1:{broker.port} does not answer in MQTT 3.1.1: protocol error; perhaps it "
        "supports another version only (protocol)"
    )
    assert caught.value.permanent


@pytest.mark.parametrize("connections", ["shared", "project"])
def test_a_connection_that_ends_with_an_unknown_code(connections: str) -> None:
    def answer(packet: Packet) -> bytes:
        # The status of a connection per project has QoS 0.
        return b"\xe0\x01\xc3" if packet.qos else answer_well(packet, v5=True)

    with ScriptedBroker(answer) as broker:
        transport = transport_to(broker.port, connections=connections, qos=1)
        transport.connect()
        with pytest.raises(TransportError) as caught:
            transport.write(make_batch(ROSTER), RecordingReceipt(2))
        transport.close()
    assert "closed the connection: reason code 0xc3" in str(caught.value)


def dialogue_to(port: int) -> Dialogue:
    settings = MqttCommandSettings(host="127.0.0.1", port=port, protocol="5")
    return Dialogue(settings, ("127.0.0.1", port), "gridsim-test", 5.0)


def test_a_subscription_that_is_refused_with_an_unknown_code() -> None:
    with ScriptedBroker(partial(refusing, refused=SUBSCRIBE, code=0xC3)) as broker:
        session = dialogue_to(broker.port)
        with pytest.raises(TransportError) as caught:
            session.subscribe(["a/+"])
        session.close()
    assert str(caught.value).endswith("refuses the subscription to a/+: reason code 0xc3")
    assert caught.value.permanent


@pytest.mark.parametrize(("code", "name"), [(0x95, "Packet too large"), (0xC3, "reason code 0xc3")])
def test_a_published_answer_that_is_refused_is_reported(code: int, name: str) -> None:
    with ScriptedBroker(partial(refusing, refused=PUBLISH, code=code, topic="a")) as broker:
        session = dialogue_to(broker.port)
        assert session.publish([("b", b"1")]) == {}
        assert session.publish([("b", b"1"), ("a", b"2"), ("b", b"3")]) == {1: name}
        assert session.publish([("b", b"3")]) == {}
        session.close()
    assert broker.connections == 1
