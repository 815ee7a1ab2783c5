"""The measuring tools of `gridsim bench` for MQTT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gridsim.api import (
    Batch,
    Benchmark,
    FarEnd,
    Framing,
    Payloads,
    ReferenceClient,
    RunContext,
    WireMessage,
)
from gridsim_plugins.mqtt.bench.client import MeasuredBroker, broker_version
from gridsim_plugins.mqtt.bench.paho_clients import PahoBest, PahoScript
from gridsim_plugins.mqtt.bench.raw import RawSocket
from gridsim_plugins.mqtt.embedded import MESSAGES_PER_S, embedded_address
from gridsim_plugins.mqtt.settings import MqttSettings
from gridsim_plugins.mqtt.topics import DEFAULT_TOPIC, make_topics


class MqttBenchmark(Benchmark):
    """The measurement of a transport's broker; the embedded broker is started when needed."""

    def __init__(self, settings: MqttSettings, framing: Framing, run: RunContext) -> None:
        """Raise ValueError if the reference clients do not support the transport's settings."""
        if settings.transport == "websockets":
            raise ValueError('WebSockets cannot be measured; set transport = "tcp"')
        if framing not in ("der", "project"):
            raise ValueError(f"framing {framing} cannot be measured; use der or project")
        for name in ("message_expiry_s", "content_type", "user_properties"):
            if getattr(settings, name):
                raise ValueError(f"{name}: the reference clients do not send it; leave it out")
        self._settings = settings
        self._framing = framing
        self._run = run
        template = settings.topic or DEFAULT_TOPIC[framing]
        self._topics = make_topics(
            template, framing, run.roster, dollar=settings.allow_dollar_topics
        )
        self.wire: Mapping[str, str | int | float | bool] = {
            "qos": settings.qos,
            "protocol": settings.protocol,
        }
        self.capacity_per_s = float(MESSAGES_PER_S) if settings.embedded else None

    def describe_wire(self) -> str:
        return f"MQTT {self._settings.protocol}, QoS {self._settings.qos}"

    def far_end(self) -> FarEnd:
        broker = self._broker()
        tls = self._settings.uses_tls
        return FarEnd(broker.host, broker.port, broker_version(broker), tls)

    def messages(self, batch: Batch, payloads: Payloads) -> Sequence[WireMessage]:
        owner = batch.device[payloads.starts[:-1]]
        if self._framing == "project":
            owner = batch.roster.project[owner]
        extra = (2 if self._settings.qos else 0) + (self._settings.protocol == "5")
        topics = [self._topics[index] for index in owner.tolist()]
        return [
            WireMessage(topic, body, packet_size(len(topic.encode()), len(body), extra))
            for topic, body in zip(topics, payloads.bodies, strict=True)
        ]

    def references(
        self, stock: Sequence[WireMessage], typical: WireMessage
    ) -> Sequence[ReferenceClient]:
        return (
            RawSocket(self._broker, typical),
            PahoScript(self._broker, stock),
            PahoBest(self._broker, stock),
        )

    def _broker(self) -> MeasuredBroker:
        settings = self._settings
        address = (settings.host, settings.port)
        if settings.embedded:
            address = embedded_address(self._run, settings.port, "#")
        return MeasuredBroker(*address, settings)


def packet_size(topic_bytes: int, body_bytes: int, extra: int) -> int:
    """Return the bytes of a PUBLISH; `extra` is the size of its packet id and properties."""
    remaining = 2 + topic_bytes + extra + body_bytes
    return 1 + 1 + (remaining > 127) + (remaining > 16_383) + (remaining > 2_097_151) + remaining
