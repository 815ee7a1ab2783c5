"""The properties of MQTT 5, read back by paho's decoder."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from pydantic import ValidationError

from gridsim.api import Framing, Settings, TransportError
from gridsim.testing import PlainFormat, make_roster, make_run
from gridsim_plugins.mqtt.bench.benchmark import MqttBenchmark
from gridsim_plugins.mqtt.session.identities import make_identities
from gridsim_plugins.mqtt.session.owner_packets import OwnerPackets
from gridsim_plugins.mqtt.session.properties import owner_properties, publish_properties
from gridsim_plugins.mqtt.settings import MqttSettings
from gridsim_plugins.mqtt.transport import Mqtt
from tests.fixtures.packets import first_packet

ROSTER = make_roster([2, 1])
MAXIMUM = 4_294_967_295
FIVE = {"host": "127.0.0.1", "protocol": "5"}
USER = {"fw": "1.4", "site": "{project_id}", "kind": "{type}"}


def make(framing: Framing = "der", **settings: Any) -> Mqtt:
    plain = PlainFormat(Settings(), framing, ROSTER)
    return Mqtt(MqttSettings.model_validate({**FIVE, **settings}), plain, make_run(ROSTER))


def read(encoded: bytes, kind: int = PacketTypes.PUBLISH) -> dict[str, Any]:
    """The properties by their names; `encoded` has nothing after them."""
    properties = Properties(kind)  # type: ignore[no-untyped-call]
    _, size = properties.unpack(encoded)  # type: ignore[no-untyped-call]
    assert size == len(encoded)
    found: dict[str, Any] = properties.json()  # type: ignore[no-untyped-call]
    return found


def of_readings(framing: Framing = "der", **settings: Any) -> list[dict[str, Any]]:
    made = MqttSettings.model_validate({**FIVE, **settings})
    names = ("p", "soc") if framing == "measurand" else ()
    return [read(one) for one in publish_properties(made, framing, ROSTER, names)]


def test_without_properties_nothing_but_their_length_is_sent() -> None:
    made = MqttSettings.model_validate(FIVE)
    assert publish_properties(made, "der", ROSTER, ()) == [b"\x00"]
    assert publish_properties(MqttSettings(), "der", ROSTER, ()) == [b""]
    assert owner_properties(MqttSettings(), "der", ROSTER) == [b""] * 3


@pytest.mark.parametrize("seconds", [1, 255, 65_536, MAXIMUM])
def test_an_expiry_is_sent_to_the_second(seconds: int) -> None:
    assert of_readings(message_expiry_s=seconds) == [{"MessageExpiryInterval": seconds}]


@pytest.mark.parametrize("name", ["message_expiry_s", "session_expiry_s"])
@pytest.mark.parametrize("seconds", [-1, MAXIMUM + 1, 1.5])
def test_an_expiry_beyond_four_bytes_is_refused(name: str, seconds: float) -> None:
    with pytest.raises(ValidationError, match=name):
        MqttSettings.model_validate({**FIVE, name: seconds})


def test_user_properties_are_of_the_device_in_the_order_of_the_table() -> None:
    found = of_readings(content_type="application/json; ü", user_properties=USER)
    projects = ("PRJ_0", "PRJ_0", "PRJ_1")
    assert found == [
        {
            "ContentType": "application/json; ü",
            "UserProperty": [("fw", "1.4"), ("site", project), ("kind", kind)],
        }
        for project, kind in zip(projects, ROSTER.type, strict=True)
    ]


def test_user_properties_of_the_other_framings() -> None:
    def values(framing: Framing, template: str) -> list[str]:
        found = of_readings(framing, user_properties={"a": template})
        return [one["UserProperty"][0][1] for one in found]

    assert values("project", "{project_id}") == ["PRJ_0", "PRJ_1"]
    assert values("measurand", "{measurand}") == ["p", "soc"] * 3
    assert values("batch", "{units}") == ["kW"]
    assert values("der", "") == [""]
    assert values("der", "{{x}}") == ["{x}"]


def test_a_text_of_up_to_65535_bytes_is_sent() -> None:
    [found] = of_readings(content_type="x" * 65_535, user_properties={"a": "ü" * 32_767})
    assert found == {"ContentType": "x" * 65_535, "UserProperty": [("a", "ü" * 32_767)]}
    for settings in ({"content_type": "x" * 65_536}, {"user_properties": {"a": "ü" * 32_768}}):
        with pytest.raises(ValueError, match="is longer than 65535 bytes"):
            make(**settings)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"user_properties": {"a": "{der}"}}, "user_properties.a: unknown placeholder {der}"),
        ({"user_properties": {"a": "{der_id"}}, "user_properties.a: '{der_id': expected '}'"),
        ({"user_properties": {"a": "{latitude}"}}, "user_properties.a: the locations"),
        ({"user_properties": {"a\x00": "b"}}, r"contains the character '\x00'"),
        ({"user_properties": {"a": "b\ufffe"}}, r"contains the character '\ufffe'"),
        ({"content_type": "a\nb"}, r"content_type: 'a\nb' contains the character '\n'"),
        ({"content_type": "\U0010ffff"}, "contains the character"),
        ({"session_expiry_s": 60}, "session_expiry_s: it needs a client_id"),
        ({"protocol": "3.1.1", "message_expiry_s": 1}, "message_expiry_s: MQTT 3.1.1 does not"),
        ({"protocol": "3.1.1", "content_type": "a"}, "content_type: MQTT 3.1.1 does not have it; "),
        ({"protocol": "3.1.1", "user_properties": {"a": "b"}}, 'set protocol = "5"'),
        ({"protocol": "3.1.1", "session_expiry_s": 1}, "session_expiry_s: MQTT 3.1.1 does not"),
    ],
)
def test_what_no_broker_accepts_is_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=r"^\w+") as caught:
        make(**settings)
    assert says in str(caught.value)


def test_they_are_not_measured_because_the_reference_clients_do_not_send_them() -> None:
    made = MqttSettings.model_validate({**FIVE, "content_type": "text/plain"})
    with pytest.raises(ValueError, match=r"^content_type: .* leave it out"):
        MqttBenchmark(made, "der", make_run(ROSTER))


def fields(packet: bytes, flags: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The properties of a CONNECT and of its last will."""
    assert packet[8:10] == bytes([5, flags])
    at = 12
    own = packet[at : at + 1 + packet[at]]
    at += len(own)
    at += 2 + int.from_bytes(packet[at : at + 2], "big")
    will = packet[at : at + 1 + packet[at]]
    return read(own, PacketTypes.CONNECT), read(will, PacketTypes.WILLMESSAGE)


def test_connect_has_the_session_expiry_and_the_last_will_the_constant_properties() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        packet = pool.submit(first_packet, listener)
        made = make(
            port=listener.getsockname()[1],
            client_id="c",
            session_expiry_s=MAXIMUM,
            user_properties=USER,
            message_expiry_s=1,
            will={"topic": "w", "payload": "gone"},
        )
        with pytest.raises(TransportError):
            made.connect()
        own, will = fields(packet.result(20), 0x06)
    assert own == {"SessionExpiryInterval": MAXIMUM}
    assert will == {"UserProperty": [("fw", "1.4")]}


def test_the_last_will_of_a_project_has_what_is_known_of_it() -> None:
    settings = MqttSettings.model_validate(
        {
            **FIVE,
            "connections": "project",
            "client_id": "{project_id}",
            "session_expiry_s": 1,
            "content_type": "text/plain",
            "user_properties": USER,
        }
    )
    identities = make_identities(settings, "der", ROSTER, ["a", "b", "c"], "")
    packets = OwnerPackets(settings, identities)
    user = {"UserProperty": [("fw", "1.4"), ("site", "PRJ_1")]}
    assert fields(packets.connect(1), 0x26) == ({"SessionExpiryInterval": 1}, user)
    topic = b"\x00\x15projects/PRJ_1/status"
    status = packets.online(1)
    assert status[2:25] == topic
    assert read(status[25:].removesuffix(b'{"is_online": true}')) == user
