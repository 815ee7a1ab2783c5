"""Announcements: what each connection sends when it begins, and which settings are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gridsim.testing import make_roster
from gridsim_plugins.mqtt.announcements import Announcements, without_devices
from gridsim_plugins.mqtt.settings import MqttSettings

ROSTER = make_roster([2, 1])


def announced(
    announcement: dict[str, Any], connections: str = "shared", index: int = 0, **settings: Any
) -> list[tuple[str, bytes]]:
    """Return topics and payloads of the packets, whose lengths are below 128 bytes each."""
    table = {"announce": [announcement], "connections": connections, **settings}
    made = Announcements(MqttSettings.model_validate(table), ROSTER)
    stream, found = made.packets(index), []
    while stream:
        retain = announcement.get("retain", True)
        assert stream[0] == (0x31 if retain else 0x30)
        end, size = 2 + stream[1], int.from_bytes(stream[2:4], "big")
        found.append((stream[4 : 4 + size].decode(), stream[4 + size : end]))
        stream = stream[end:]
    return found


def test_a_payload_names_what_a_message_is_for() -> None:
    device = {"topic": "connect", "payload": {"device": "{der_id}"}, "retain": False}
    assert announced(device) == [("connect", f'{{"device":"DER_{n}"}}'.encode()) for n in range(3)]
    project = {"topic": "{project_id}/x", "payload": "{{here}}"}
    assert announced(project) == [("PRJ_0/x", b"{here}"), ("PRJ_1/x", b"{here}")]
    assert announced({"topic": "run", "payload": "in {units}"}) == [("run", b"in kW")]


@pytest.mark.parametrize(
    ("connections", "index", "ids"),
    [
        ("der", 0, ["DER_0"]),
        ("der", 2, ["DER_2"]),
        ("project", 0, ["DER_0", "DER_1"]),
        ("project", 1, ["DER_2"]),
        ("shared", 0, ["DER_0", "DER_1", "DER_2"]),
    ],
)
def test_a_connection_announces_its_own_devices(
    connections: str, index: int, ids: list[str]
) -> None:
    found = announced({"topic": "{der_id}", "payload": ""}, connections, index)
    assert found == [(id, b"") for id in ids]


@pytest.mark.parametrize(
    ("connections", "index", "ids"),
    [("project", 1, ["PRJ_1"]), ("shared", 0, ["PRJ_0", "PRJ_1"])],
)
def test_a_connection_announces_its_projects(connections: str, index: int, ids: list[str]) -> None:
    found = announced({"topic": "{project_id}", "payload": ""}, connections, index)
    assert found == [(id, b"") for id in ids]


def test_texts_of_numbers_alone_become_numbers() -> None:
    payload = {
        "{der_id}": [{"min": "-{nameplate_capacity}", "max": "{nameplate_capacity}"}],
        "id": "7",
        "unit": "{nameplate_capacity} kW",
        "on": True,
    }
    made = announced({"topic": "t", "payload": payload}, "der", 1)
    kw = float(ROSTER.nameplate_capacity[1])
    assert json.loads(made[0][1]) == {
        "DER_1": [{"min": -kw, "max": kw}],
        "id": "7",
        "unit": f"{kw:.2f} kW",
        "on": True,
    }


def test_types_choose_the_devices() -> None:
    types = sorted(set(ROSTER.type))
    for chosen in ([types[0]], types, ["none"]):
        found = announced({"topic": "{der_id}", "payload": "", "types": chosen})
        wanted = [id for id, one in zip(ROSTER.der_id, ROSTER.type, strict=True) if one in chosen]
        assert [topic for topic, _ in found] == wanted


def test_mqtt_5_has_properties() -> None:
    settings = MqttSettings.model_validate(
        {"announce": [{"topic": "t", "payload": "p"}], "protocol": "5", "host": "h"}
    )
    assert Announcements(settings, ROSTER).packets(0) == b"\x31\x05\x00\x01t\x00p"


@pytest.mark.parametrize(
    ("announcement", "connections", "reason"),
    [
        ({"topic": "{x}", "payload": ""}, "shared", r"announce.0.topic: unknown placeholder {x}"),
        ({"topic": "t", "payload": ["{x}"]}, "shared", r"announce.0.payload"),
        ({"topic": "t", "payload": {"a": ["{x}"]}}, "shared", r"announce.0.payload: unknown .*{x}"),
        ({"topic": "t", "payload": {"{x}": 1}}, "shared", r"announce.0.payload: unknown .*{x}"),
        ({"topic": "t", "payload": "{"}, "shared", r"announce.0.payload: '{'"),
        ({"topic": "t/#", "payload": ""}, "shared", r"announce.0.topic: .* wildcard '#'"),
        ({"topic": "", "payload": ""}, "shared", r"announce.0.topic: it is empty"),
        ({"topic": "$t", "payload": ""}, "shared", r"announce.0.topic: .*allow_dollar_topics"),
        (
            {"topic": "t", "payload": {"a": float("inf")}},
            "shared",
            r"payload: JSON has no value inf",
        ),
        ({"topic": "t", "payload": {"a": {1}}}, "shared", r"payload: JSON has no value"),
        ({"topic": "t", "payload": "", "types": ["solar"]}, "shared", r"announce.0.types: neither"),
        ({"topic": "{project_id}", "payload": ""}, "der", r"announce.0: a connection of a DER"),
    ],
)
def test_settings_that_cannot_be_sent_are_refused(
    announcement: dict[str, Any], connections: str, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        announced(announcement, connections)


def test_an_id_with_a_wildcard_is_no_topic() -> None:
    roster = make_roster([1])
    object.__setattr__(roster, "der_id", ["a+"])
    settings = MqttSettings.model_validate({"announce": [{"topic": "t/{der_id}", "payload": ""}]})
    with pytest.raises(ValueError, match=r"announce.0.topic: 't/a\+' contains the wildcard"):
        Announcements(settings, roster)


def test_an_announcement_for_types_that_no_der_has_is_named() -> None:
    own = ROSTER.type[0]
    made = [{"topic": "{der_id}", "payload": "", "types": types} for types in ([], [own, "x"])]
    made.append({"topic": "{der_id}", "payload": "", "types": ["batery", "solar1"]})
    settings = MqttSettings.model_validate({"announce": made})
    assert list(without_devices(settings, ROSTER)) == [
        "announce.2 announces nothing: no DER reports the type 'batery' or 'solar1'; there are: "
        + ", ".join(sorted(set(ROSTER.type)))
    ]
