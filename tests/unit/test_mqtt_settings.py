from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from gridsim_plugins.mqtt.settings import MqttSettings, check


def test_placeholders_values_are_text() -> None:
    made = MqttSettings.model_validate(
        {"port": "1884", "qos": "1", "retain": "true", "keepalive_s": "9", "protocol": 5}
    )
    assert (made.port, made.qos, made.retain, made.keepalive_s, made.protocol) == (
        1884,
        1,
        True,
        9,
        "5",
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"qos": 3},
        {"qos": "x"},
        {"port": 65_536},
        {"protocol": "3.1"},
        {"tls": "maybe"},
        {"host": ""},
        {"host": "mqtt://broker"},
        {"keepalive_s": 0},
        {"transport": "websockets", "websocket_path": "no slash"},
        {"will": {"payload": "no topic"}},
    ],
)
def test_values_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MqttSettings.model_validate(settings)


@pytest.mark.parametrize(
    ("settings", "uses_tls"),
    [
        ({"host": "b", "port": 8883}, True),
        ({"host": "b", "port": 1883}, False),
        ({"host": "b", "tls": "on"}, True),
        ({"host": "b", "port": 8883, "tls": "off"}, False),
        ({"port": 8883}, False),
    ],
)
def test_when_tls_is_used(settings: dict[str, Any], uses_tls: bool) -> None:
    assert MqttSettings.model_validate(settings).uses_tls is uses_tls


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"password": "hush"}, "password"),
        ({"tls": "on"}, "tls"),
        ({"protocol": "5"}, "protocol"),
        ({"host": "b", "tls": "on", "key_file": "k"}, "key_file"),
        ({"host": "b", "ca_file": "c"}, "ca_file"),
        ({"host": "b", "cert_file": "c", "tls": "off"}, "cert_file"),
        ({"host": "b", "tls_insecure": True}, "tls_insecure"),
        ({"host": "b", "port": 0}, "port"),
        ({"transport": "websockets"}, "transport"),
    ],
)
def test_contradictions_are_refused(settings: dict[str, Any], key: str) -> None:
    with pytest.raises(ValueError, match=f"^{key}: "):
        check(MqttSettings.model_validate(settings))


LOGIN = {"username": "u", "password": "hush"}


@pytest.mark.parametrize("host", ["broker.example", "192.0.2.1", "::ffff:192.0.2.1", "0.0.0.0"])
def test_a_password_does_not_leave_the_machine_in_the_clear(host: str) -> None:
    with pytest.raises(ValueError, match=f"^password: it would be sent to {host}") as caught:
        check(MqttSettings.model_validate({"host": host, **LOGIN}))
    assert "hush" not in str(caught.value)
    check(MqttSettings.model_validate({"host": host, "tls": "on", **LOGIN}))
    meant = {"host": host, "allow_plaintext_password": True, **LOGIN}
    check(MqttSettings.model_validate(meant))


@pytest.mark.parametrize("host", ["embedded", "localhost", "127.0.0.1", "127.8.8.8", "::1"])
def test_on_the_machine_itself_it_may(host: str) -> None:
    check(MqttSettings.model_validate({"host": host, **LOGIN}))
