"""The broker that is measured, as the baselines see it: paho connects, the rest is theirs."""

from __future__ import annotations

import secrets
import ssl
import time
from dataclasses import dataclass
from importlib.metadata import version as distribution_version
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from gridsim.bench.target import BenchTarget
from gridsim.errors import NeverConnectedError, UsageError

_ANSWER_S = 5.0
_VERSION_S = 1.5
_VERSIONS = {"3.1.1": MQTTProtocolVersion.MQTTv311, "5": MQTTProtocolVersion.MQTTv5}


@dataclass(frozen=True, slots=True)
class Broker:
    """Where it listens, and with which of the transport's settings it is met."""

    host: str
    port: int
    settings: Any

    @property
    def qos(self) -> int:
        return int(self.settings.qos)

    @property
    def v5(self) -> bool:
        return bool(self.settings.protocol == "5")


def find_broker(target: BenchTarget) -> Broker:
    """The one that the transport names; the embedded one is started if it does not run."""
    settings = target.settings
    if settings.embedded:
        return Broker(*target.plan.broker.start(settings.port), settings)
    return Broker(settings.host, settings.port, settings)


def connect(broker: Broker, *, window: int | None = None) -> tuple[Client, int]:
    """A paho client that is connected and has no thread yet, and the broker's Receive Maximum.

    `window` is how many messages of QoS 1 and 2 paho lets be under way, 0 for all; without it,
    paho's own number. Raises NeverConnectedError.
    """
    settings = broker.settings
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=f"gridsim-bench-{secrets.token_hex(6)}",
        protocol=_VERSIONS[settings.protocol],
        reconnect_on_failure=False,
    )
    if window is not None:
        client.max_inflight_messages_set(window)
    if settings.username:
        client.username_pw_set(settings.username, settings.password.get_secret_value() or None)
    answers: list[tuple[Any, Any]] = []

    def on_connect(_: Any, __: Any, ___: Any, code: Any, properties: Any) -> None:
        answers.append((code, properties))

    client.on_connect = on_connect
    where = f"{broker.host}:{broker.port}"
    try:
        if settings.uses_tls:
            client.tls_set_context(_tls(settings))
        client.connect(broker.host, broker.port)
    except (OSError, UnicodeError) as error:
        raise NeverConnectedError(f"cannot connect to {where}: {error}") from error
    deadline = time.monotonic() + _ANSWER_S
    while not answers and time.monotonic() < deadline and client.socket() is not None:
        client.loop(0.1)
    if not answers or answers[0][0].is_failure:
        client.disconnect()
        why = answers[0][0] if answers else "no answer"
        raise NeverConnectedError(f"the broker at {where} does not accept the client: {why}")
    return client, getattr(answers[0][1], "ReceiveMaximum", 65_535)


def broker_version(broker: Broker) -> str:
    """What the broker says of itself in `$SYS/broker/version`; "unknown" if it says nothing."""
    if broker.settings.embedded:
        return f"amqtt {distribution_version('amqtt')} (embedded)"
    client, _ = connect(broker)
    said: list[str] = []

    def on_message(_: Any, __: Any, message: MQTTMessage) -> None:
        said.append(message.payload.decode(errors="replace"))

    client.on_message = on_message
    client.subscribe("$SYS/broker/version")
    deadline = time.monotonic() + _VERSION_S
    while not said and time.monotonic() < deadline and client.loop(0.1) == 0:
        pass
    client.disconnect()
    return said[0] if said else "unknown"


def check_reachable(settings: Any) -> None:
    """Raises UsageError where the baselines cannot go the transport's way."""
    if settings.transport == "websockets":
        raise UsageError("gridsim bench: error: it compares with a plain socket, not WebSockets")


def _tls(settings: Any) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.ca_file or None)
    if settings.cert_file:
        context.load_cert_chain(settings.cert_file, settings.key_file or None, "")
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.tls_insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
