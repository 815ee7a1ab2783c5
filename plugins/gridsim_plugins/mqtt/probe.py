"""The probe `mqtt`: a client of the broker, like a user's own system."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from functools import partial

from gridsim.api import (
    Benchmark,
    Capture,
    Framing,
    Instruction,
    Listener,
    Probe,
    RunContext,
    TransportError,
    write_instruction,
)
from gridsim_plugins.mqtt.broker_process import HOST
from gridsim_plugins.mqtt.capture import MqttCapture
from gridsim_plugins.mqtt.embedded import SERVICE, EmbeddedBroker
from gridsim_plugins.mqtt.listener import MqttListener
from gridsim_plugins.mqtt.settings import ConnectionSettings, MqttSettings
from gridsim_plugins.mqtt.source import MqttCommandSettings, command_topics
from gridsim_plugins.mqtt.topics import DEFAULT_TOPIC, topic_filter

_ANSWER_TIMEOUT_S = 5.0
_PULSE_S = 0.5


class MqttProbe(Probe[MqttSettings, MqttCommandSettings]):
    """A probe that subscribes to readings, sends commands, and measures a broker."""

    def listen(self, settings: MqttSettings, framing: Framing) -> Listener:
        pattern = topic_filter(settings.topic or DEFAULT_TOPIC[framing])
        find = partial(_address, settings, self.run)
        return MqttListener(settings, find, [pattern], qos=settings.qos)

    def capture(self, settings: MqttSettings, framing: Framing, topics: Sequence[str]) -> Capture:
        return MqttCapture(
            settings, partial(_own_address, settings, self.run), DEFAULT_TOPIC[framing], topics
        )

    def restart(self, settings: MqttSettings) -> None:
        if not settings.embedded:
            raise ValueError(f"gridsim cannot restart the broker at {settings.host}")
        self.run.service(SERVICE, EmbeddedBroker).restart()

    def send(self, settings: MqttCommandSettings, instruction: Instruction) -> Iterator[bytes]:
        # Imported here: loading the plugin must not cost the import of paho.
        from gridsim_plugins.mqtt.session.dialogue import Dialogue

        topics, target = command_topics(settings, self.run.roster), instruction.target
        # With the source's client id, the broker would close the source's connection.
        client_id = f"gridsim-send-{secrets.token_hex(6)}"
        address = _address(settings, self.run)
        dialogue = Dialogue(settings, address, client_id, _ANSWER_TIMEOUT_S)
        try:
            dialogue.subscribe([topics.acknowledgement(target)])
            topic = topics.command(target)
            refused = dialogue.publish([(topic, write_instruction(instruction))])
            if refused:
                raise TransportError(
                    f"the broker refuses the command to {topic}: {refused[0]}", permanent=True
                )
            while True:
                for message in dialogue.listen(_PULSE_S):
                    if not message.retained:
                        yield message.payload
                yield b""
        finally:
            dialogue.close()

    def measure(self, settings: MqttSettings, framing: Framing) -> Benchmark:
        from gridsim_plugins.mqtt.bench.benchmark import MqttBenchmark

        return MqttBenchmark(settings, framing, self.run)


def _address(settings: ConnectionSettings, run: RunContext) -> tuple[str, int]:
    """Return the address of the broker that a run in another process uses.

    Raises TransportError if the run with the embedded broker is not up.
    """
    if not settings.embedded:
        return settings.host, settings.port
    found = run.announced(SERVICE, {"port": settings.port})
    if found is not None:
        return str(found["host"]), int(found["port"])
    if not settings.port:
        raise TransportError(
            "the embedded broker's port is not known, because it is 0 in the configuration; "
            "set port to a number",
            permanent=True,
        )
    return HOST, settings.port


def _own_address(settings: ConnectionSettings, run: RunContext) -> tuple[str, int]:
    """Return the address of the broker that the run in this process uses.

    Raises TransportError if its embedded broker has not started.
    """
    if not settings.embedded:
        return settings.host, settings.port
    address = run.service(SERVICE, EmbeddedBroker).address
    if address is None:
        raise TransportError("the embedded broker of this run has not started")
    return address
