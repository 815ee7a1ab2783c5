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
        {"host": "mqtt//broker"},
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
        ({"host": "mqtts://b"}, True),
        ({"host": "mqtt://b:8883"}, False),
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
        ({"client_id": "a\x01"}, "client_id"),
        ({"client_id": "ü" * 32_768}, "client_id"),
        ({"username": "a\uffff"}, "username"),
        ({"username": "u" * 65_536}, "username"),
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


def address(**settings: Any) -> tuple[Any, ...]:
    made = MqttSettings.model_validate(settings)
    return made.host, made.port, made.uses_tls, made.transport, made.websocket_path


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("b", ("b", 1883, False, "tcp", "/mqtt")),
        ("mqtt://b", ("b", 1883, False, "tcp", "/mqtt")),
        ("mqtt://b/", ("b", 1883, False, "tcp", "/mqtt")),
        ("tcp://b:1884", ("b", 1884, False, "tcp", "/mqtt")),
        ("mqtts://b", ("b", 8883, True, "tcp", "/mqtt")),
        ("MQTTS://b:8884", ("b", 8884, True, "tcp", "/mqtt")),
        ("ssl://b", ("b", 8883, True, "tcp", "/mqtt")),
        ("ws://b", ("b", 80, False, "websockets", "/mqtt")),
        ("ws://b:9001/live", ("b", 9001, False, "websockets", "/live")),
        ("wss://b/mqtt?token=x", ("b", 443, True, "websockets", "/mqtt?token=x")),
        ("mqtt://[::1]:1884", ("::1", 1884, False, "tcp", "/mqtt")),
        ("[::1]", ("::1", 1883, False, "tcp", "/mqtt")),
        ("::1", ("::1", 1883, False, "tcp", "/mqtt")),
        ("fe80::1:8883", ("fe80::1:8883", 1883, False, "tcp", "/mqtt")),
    ],
)
def test_host_may_be_a_url(host: str, expected: tuple[Any, ...]) -> None:
    assert address(host=host) == expected


@pytest.mark.parametrize(
    ("settings", "port"),
    [
        ({"port": "auto"}, 1883),
        ({"port": ""}, 1883),
        ({"host": "b", "port": "auto", "tls": "on"}, 8883),
        ({"host": "b", "tls": "on"}, 8883),
        ({"host": "b", "tls": "on", "port": 1883}, 1883),
        ({"host": "mqtts://b", "port": "auto"}, 8883),
        ({"host": "mqtts://b", "port": 8883}, 8883),
        ({"host": "mqtts://b", "port": "8883"}, 8883),
        ({"host": "mqtts://b:99", "port": "auto"}, 99),
    ],
)
def test_a_port_that_is_not_given_follows_from_the_rest(
    settings: dict[str, Any], port: int
) -> None:
    assert MqttSettings.model_validate(settings).port == port


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"host": "mqtts://b:8883", "port": 1883}, "port: 1883 contradicts the mqtts:// address"),
        ({"host": "mqtts://b", "port": 1883}, "port: 1883 contradicts the mqtts:// address"),
        ({"host": "mqtts://b", "tls": "off"}, "tls: off contradicts the mqtts:// address"),
        ({"host": "mqtt://b", "tls": "on"}, "tls: on contradicts the mqtt:// address"),
        ({"host": "ws://b", "transport": "tcp"}, "transport: tcp contradicts the ws:// address"),
        ({"host": "ws://b/x", "websocket_path": "/y"}, "websocket_path: /y contradicts"),
        ({"host": "http://b"}, "host: http:// is not one of mqtt://, tcp://, mqtts://, ssl://"),
        ({"host": "mqtt://b/topic"}, "host: a mqtt:// address ends after the port"),
        ({"host": "mqtt://b:99999"}, "host: the URL is not valid"),
        ({"host": "mqtt://b:x"}, "host: the URL is not valid"),
        ({"host": "mqtt://"}, "host: the URL has no host name"),
        ({"host": "mqtt://[::1"}, "host: the URL is not valid"),
        ({"host": "b:8883"}, "host: 'b:8883' contains a port: write port = 8883"),
        ({"host": "mqtt://ann:hush@b"}, "host: the URL must not contain a user name or password"),
        ({"host": "mqtt://hush@b"}, "host: the URL must not contain a user name or password"),
        ({"host": "mqtt://ann:hush/1@b"}, "host: the URL must not contain a user name or password"),
        ({"host": "ann:hush@b"}, "host: it must not contain a user name or password"),
        ({"host": "b/mqtt"}, "host: a path belongs into a URL"),
    ],
)
def test_addresses_that_cannot_be_used(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        MqttSettings.model_validate(settings)
    assert message in str(caught.value)
    assert "hush" not in str(caught.value)


def test_without_its_package_the_embedded_broker_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gridsim_plugins.mqtt.settings.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"^host: .* pip install 'gridsim-der\[broker\]'"):
        check(MqttSettings())
    check(MqttSettings(host="broker.example"))
