"""The probe `mqtt`: what a user's own system does at the broker."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from gridsim.api import Benchmark, Framing, Instruction, Listener, Probe, write_instruction
from gridsim_plugins.mqtt.broker_process import HOST
from gridsim_plugins.mqtt.listener import MqttListener
from gridsim_plugins.mqtt.settings import ConnectionSettings, MqttSettings
from gridsim_plugins.mqtt.source import MqttCommandSettings, command_topics
from gridsim_plugins.mqtt.topics import DEFAULT_TOPIC, topic_filter

_PATIENCE_S = 5.0
_PULSE_S = 0.5


class MqttProbe(Probe[MqttSettings, MqttCommandSettings]):
    """Subscribes to readings, sends commands, and measures a broker."""

    def listen(self, settings: MqttSettings, framing: Framing) -> Listener:
        pattern = topic_filter(settings.topic or DEFAULT_TOPIC[framing])
        return MqttListener(settings, _address(settings), pattern)

    def send(self, settings: MqttCommandSettings, instruction: Instruction) -> Iterator[bytes]:
        # Imported here: loading the plugin must not cost the import of paho.
        from gridsim_plugins.mqtt.session.dialogue import Dialogue

        topics, target = command_topics(settings, self.run.roster), instruction.target
        # A client id of its own: with that of the source, the broker would end its session.
        client_id = f"gridsim-send-{secrets.token_hex(6)}"
        dialogue = Dialogue(settings, _address(settings), client_id, _PATIENCE_S)
        try:
            dialogue.subscribe([topics.acknowledgement(target)])
            dialogue.publish([(topics.command(target), write_instruction(instruction))])
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


def _address(settings: ConnectionSettings) -> tuple[str, int]:
    """Return where the broker of a run in another process listens. Raises ValueError."""
    if not settings.embedded:
        return settings.host, settings.port
    if not settings.port:
        raise ValueError("the embedded broker's port is not known: it is 0 in the configuration")
    return HOST, settings.port
