"""The plain connections of the reference clients to the measured broker."""

from __future__ import annotations

import secrets
import select
import time
from importlib.metadata import version as distribution_version
from typing import Any, NamedTuple

from paho.mqtt.client import Client, MQTTMessage

from gridsim.api import TransportError
from gridsim_plugins.mqtt.session.client import make_client
from gridsim_plugins.mqtt.settings import MqttSettings

_CONNACK_S = 5.0
_VERSION_S = 1.5


class MeasuredBroker(NamedTuple):
    """The address of a broker, and the transport's settings for it."""

    host: str
    port: int
    settings: MqttSettings

    @property
    def qos(self) -> int:
        return self.settings.qos

    @property
    def v5(self) -> bool:
        return self.settings.protocol == "5"


def connect(broker: MeasuredBroker, *, window: int | None = None) -> tuple[Client, int]:
    """Return a connected paho client, without a thread yet, and the broker's Receive Maximum.

    `window` is the largest number of messages of QoS 1 and 2 that paho keeps in flight; 0: no
    limit, None: paho's default. Raises TransportError.
    """
    client = make_client(broker.settings, f"gridsim-bench-{secrets.token_hex(6)}")
    if window is not None:
        client.max_inflight_messages_set(window)
    answers: list[tuple[Any, Any]] = []

    def on_connect(_: Any, __: Any, ___: Any, code: Any, properties: Any) -> None:
        answers.append((code, properties))

    client.on_connect = on_connect
    where = f"{broker.host}:{broker.port}"
    try:
        client.connect(broker.host, broker.port)
    except (OSError, UnicodeError) as error:
        raise TransportError(f"cannot connect to {where}: {error}") from error
    deadline = time.monotonic() + _CONNACK_S
    # Not `loop`: it opens a pair of sockets, which `loop_start` would replace without closing it.
    while not answers and time.monotonic() < deadline and (sock := client.socket()) is not None:
        client.loop_read()
        if not answers:
            select.select([sock], [], [], 0.1)
    if not answers or answers[0][0].is_failure:
        client.disconnect()
        reason = answers[0][0] if answers else "no answer"
        raise TransportError(f"the broker at {where} does not accept the client: {reason}")
    return client, getattr(answers[0][1], "ReceiveMaximum", 65_535)


def broker_version(broker: MeasuredBroker) -> str:
    """Return the broker's `$SYS/broker/version`, or "unknown" if it does not publish that."""
    if broker.settings.embedded:
        return f"amqtt {distribution_version('amqtt')} (embedded)"
    client, _ = connect(broker)
    versions: list[str] = []

    def on_message(_: Any, __: Any, message: MQTTMessage) -> None:
        versions.append(message.payload.decode(errors="replace"))

    client.on_message = on_message
    client.subscribe("$SYS/broker/version")
    deadline = time.monotonic() + _VERSION_S
    while not versions and time.monotonic() < deadline and client.loop(0.1) == 0:
        pass
    client.disconnect()
    return versions[0] if versions else "unknown"
