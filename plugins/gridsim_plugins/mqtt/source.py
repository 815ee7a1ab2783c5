"""The source `mqtt`: takes commands from a broker, and answers there."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from loguru import logger
from pydantic import Field

from gridsim.api import (
    Acknowledgement,
    Inbox,
    Roster,
    RunContext,
    Source,
    acknowledgement_json,
    read_instruction,
)
from gridsim_plugins.mqtt.command_topics import CommandTopics
from gridsim_plugins.mqtt.embedded import embedded_address
from gridsim_plugins.mqtt.settings import ConnectionSettings, check_connection

if TYPE_CHECKING:
    from gridsim_plugins.mqtt.session.dialogue import Dialogue


class MqttCommandSettings(ConnectionSettings):
    """Settings of the source `mqtt`."""

    topic: str = Field(
        "projects/{project_id}/ders/{der_id}/command",
        description="template of the topic where a DER's commands arrive, with {der_id} and "
        "mostly {project_id}",
    )
    project_topic: str = Field(
        "projects/{project_id}/command",
        description="template of the topic where a project's commands arrive, with {project_id}",
    )
    ack_topic: str = Field(
        "projects/{project_id}/ders/{der_id}/ack",
        description="template of the topic where a DER's commands are acknowledged",
    )
    project_ack_topic: str = Field(
        "projects/{project_id}/ack",
        description="template of the topic where a project's commands are acknowledged",
    )


class MqttCommands(Source[MqttCommandSettings]):
    """Takes commands for DERs and projects from topics, and acknowledges them on others.

    A command is a JSON object: {"id": "c-17", "command": "set_power", "value": -3.0, "unit":
    "kW", "start": "2026-07-01T12:00:00Z", "duration_s": 600, "ramp_s": 10}. `id` is unique for
    each target; `start` is simulated time, absent: at once; without `duration_s` it holds
    until another of its kind comes.

    set_power      kW (or %, of the nameplate capacity); positive feeds the site. For a
                   project: what its flexible DERs give together.
    limit_power    % (or kW): the most output, in both directions
    limit_export   kW: the most output; for a project: the most that the site feeds in
    limit_import   kW: the most draw; for a project: the most that the site draws
    target_soc     %: charges or discharges at full power, then holds it
    connect, disconnect

    A DER's own command goes over its project's, that over an event, and that over the DER's
    strategy. Commands of one kind supersede each other: set_power and target_soc; each limit;
    connect and disconnect.

    An acknowledgement is {"id": "c-17", "status": "accepted", "reason": "", "command":
    "set_power", "timestamp": "2026-07-01T12:00:00.000Z", "tick": 0}, with the simulated time
    and the tick at which it was decided. The status is accepted, rejected, completed or
    superseded; a command that was rejected gets one answer, another one up to two. All with
    QoS 1, at least once.

    Commands that were retained before the source connected are ignored, with a warning: they
    were meant for an earlier run, and would come again with every connection. What is sent
    while the source is not connected is lost: who gets no acknowledgement sends it again,
    under the same id.
    """

    Settings = MqttCommandSettings
    patience_s: ClassVar[float] = 5.0
    """How long the broker may owe an answer before the connection counts as lost."""

    settings: MqttCommandSettings

    def __init__(self, settings: MqttCommandSettings, run: RunContext) -> None:
        super().__init__(settings, run)
        check_connection(settings)
        self._topics = command_topics(settings, run.roster)
        self._client_id = settings.client_id or f"gridsim-commands-{secrets.token_hex(6)}"
        self._address = (settings.host, settings.port)
        self._dialogue: Dialogue | None = None

    def describe(self) -> str:
        settings = self.settings
        kind = "mqtt" if settings.transport == "tcp" else "ws"
        host, port = self._address
        where = f"{host}:{port}{settings.websocket_path if kind == 'ws' else ''}"
        return (
            f"{kind}{'s' if settings.uses_tls else ''}://{where} {settings.topic} and "
            f"{settings.project_topic}, MQTT {settings.protocol}"
        )

    def connect(self) -> None:
        settings = self.settings
        if settings.embedded:
            self._address = embedded_address(self.run, settings.port)
        # Imported here: loading the plugin must not cost the import of paho.
        from gridsim_plugins.mqtt.session.dialogue import Dialogue

        self._dialogue = Dialogue(settings, self._address, self._client_id, self.patience_s)
        self._dialogue.subscribe(self._topics.filters)

    def serve(self, inbox: Inbox, timeout_s: float) -> None:
        assert self._dialogue is not None
        ignored = 0
        for message in self._dialogue.listen(timeout_s):
            target = self._topics.target(message.topic)
            if message.retained:
                ignored += 1
            elif target is not None:
                inbox.post(read_instruction(message.payload, target))
        if ignored:
            logger.warning("mqtt: {} commands that the broker had retained are ignored", ignored)
        if dropped := self._dialogue.take_dropped():
            logger.warning("mqtt: {} commands came too fast and are dropped unread", dropped)

    def acknowledge(self, acknowledgements: Sequence[Acknowledgement]) -> None:
        assert self._dialogue is not None
        self._dialogue.publish(
            [
                (self._topics.acknowledgement(one.target), acknowledgement_json(one))
                for one in acknowledgements
            ]
        )

    def close(self) -> None:
        dialogue, self._dialogue = self._dialogue, None
        if dialogue is not None:
            dialogue.close()


def command_topics(settings: MqttCommandSettings, roster: Roster) -> CommandTopics:
    """Return the topics of the settings. Raises ValueError if they cannot be used."""
    return CommandTopics(
        settings.topic,
        settings.project_topic,
        settings.ack_topic,
        settings.project_ack_topic,
        roster,
    )
