"""The source `mqtt`: receives commands from a broker and publishes acknowledgements."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

from loguru import logger
from pydantic import Field

from gridsim.api import (
    Acknowledgement,
    Inbox,
    MessageAddress,
    Roster,
    RunContext,
    Source,
    Target,
    TransportError,
    acknowledgement_json,
    read_instruction,
    read_value,
)
from gridsim_plugins.mqtt.command_topics import CommandTopics
from gridsim_plugins.mqtt.embedded import describe_embedded, embedded_address
from gridsim_plugins.mqtt.settings import EMBEDDED, ConnectionSettings, check_connection
from gridsim_plugins.mqtt.topics import subscription

if TYPE_CHECKING:
    from gridsim_plugins.mqtt.session.dialogue import Dialogue

# The largest number of unread commands to one target, so that a flood to it does not delay the
# others.
_MOST_EACH = 1_000
# How long the source may take at its end to count the commands that the broker has already sent.
_UNREAD_S = 0.15
# The session is clean, so a higher QoS would repeat nothing after a loss of the connection. It
# would instead limit the commands in flight (Mosquitto: to 20), and the broker would drop the rest.
_QOS = 0


class MqttCommandSettings(ConnectionSettings):
    """Settings of the source `mqtt`."""

    topic: str = Field(
        "projects/{project_id}/ders/{der_id}/command",
        description="template of the topic of a DER's commands, with {der_id} and usually "
        "{project_id}",
    )
    project_topic: str = Field(
        "projects/{project_id}/command",
        description="template of the topic of a project's commands, with {project_id}",
    )
    ack_topic: str = Field(
        "projects/{project_id}/ders/{der_id}/ack",
        description="template of the topic of a DER's acknowledgements",
    )
    project_ack_topic: str = Field(
        "projects/{project_id}/ack",
        description="template of the topic of a project's acknowledgements",
    )
    fleet_topic: str = Field(
        "fleet/command",
        description="topic of event calls and fault injections that name projects and DERs by "
        "patterns; empty: there is none",
    )
    fleet_ack_topic: str = Field("fleet/ack", description="topic where these are acknowledged")
    value_topic: str = Field(
        "",
        description="template with {der_id} and {command}, such as {der_id}/set/{command}: a topic "
        "of plain values, such as 3.5 at DER_0/set/set_power, or ON or OFF at DER_0/set/connect; "
        "empty: there is none",
    )


class MqttCommands(Source[MqttCommandSettings]):
    """A source that receives the commands of DERs and projects and acknowledges them.

    A command is a JSON object: {"id": "c-17", "command": "set_power", "value": -3.0, "unit":
    "kW", "start": "2026-07-01T12:00:00Z", "duration_s": 600, "ramp_s": 10}. `id` is unique for
    each target. `start` is simulated time; without it the command starts at once. Without
    `duration_s` the command holds until another of its kind arrives. Instead of `value`, a power
    or a limit can have "periods": [{"start_s": 0, "value": 3.0}, {"start_s": 600, "value": 1.5}].
    "stack_level", 0 to 9, decides which of several commands of a kind applies.

    set_power      kW (or %, of the nameplate capacity); positive feeds the site. For a
                   project: the sum over its flexible DERs.
    limit_power    % (or kW): the most output, in both directions
    limit_export   kW: the most output; for a project: the most export of the site
    limit_import   kW: the most draw; for a project: the most import of the site
    target_soc     %: charges or discharges at full power, then holds it
    connect, disconnect

    {"id": "e-1", "command": "call_event", "event": "peak", "duration_s": 600, "target_kw": 2}
    calls a demand-response event, {"id": "f-1", "command": "inject_fault", "fault": "dark",
    "type": "offline", "duration_s": 60} injects a fault. Both take the keys of [[events]] and
    [[faults]]; without a start they start now, and `after_s` counts from now. `cancel_event`
    with `event` and `clear_fault` with `fault` end them. At a project's or DER's topic they are for
    that project or DER; at `fleet_topic`, `projects` and `ders` name others by patterns.

    A DER's own command takes precedence over its project's, a project's command over an event,
    and an event over the DER's strategy. Commands of one kind and stack level supersede each
    other. The kinds are: set_power and target_soc; each limit; connect and disconnect.

    With `value_topic`, a message can also be a value alone: kW (limit_power and target_soc: %), or,
    for connect, ON or OFF (or true, false, 1, 0). It takes effect at once and holds until the next
    command. gridsim gives it an id. Messages below `value_topic` for which there is no command are
    ignored.

    An acknowledgement is {"id": "c-17", "status": "accepted", "reason": "", "command":
    "set_power", "timestamp": "2026-07-01T12:00:00.000Z", "tick": 0}, with the simulated time
    and the tick of the decision. The status is accepted, rejected, completed, superseded or, of a
    called event or injected fault, cancelled. A rejected instruction gets one acknowledgement,
    any other one up to two. All are published with QoS 1, at least once.

    Commands that were retained before the source connected are ignored with a warning, because
    they were meant for an earlier run and would arrive again with every connection. A command
    that is sent while the source is not connected is lost. If there is no acknowledgement, send
    the command again with the same id.

    The source subscribes with QoS 0, because its session is clean: a higher QoS would repeat
    nothing after a loss of the connection, and brokers permit few messages of a higher QoS at a
    time. All commands that reach the source are counted: received, refused, or dropped unread. A
    broker drops what exceeds its own queue (Mosquitto: `max_queued_messages`) and reports it to
    neither side.
    """

    Settings = MqttCommandSettings
    answer_timeout_s: ClassVar[float] = 5.0
    """The time limit for the broker's answer, after which the connection counts as lost."""

    settings: MqttCommandSettings

    def __init__(self, settings: MqttCommandSettings, run: RunContext) -> None:
        super().__init__(settings, run)
        check_connection(settings)
        self._topics = command_topics(settings, run.roster)
        self._client_id = settings.client_id or f"gridsim-commands-{secrets.token_hex(6)}"
        # An earlier run, whose commands a checkpoint keeps, must have used other ids.
        self._unique = secrets.token_hex(4)
        self._values = 0
        self._address = (settings.host, settings.port)
        self._dialogue: Dialogue | None = None
        self._hurried = False
        self._inbox: Inbox | None = None

    def describe(self) -> str:
        settings = self.settings
        kind = "mqtt" if settings.transport == "tcp" else "ws"
        host, port = self._address
        where = f"{host}:{port}{settings.websocket_path if kind == 'ws' else ''}"
        url = f"{kind}{'s' if settings.uses_tls else ''}://{where}"
        if host == EMBEDDED:
            url = describe_embedded(port)
        topics = [settings.topic, settings.project_topic]
        topics += [settings.fleet_topic] if settings.fleet_topic else []
        return f"{url} {', '.join(topics[:-1])} and {topics[-1]}, MQTT {settings.protocol}"

    def address(self, target: Target) -> MessageAddress:
        return MessageAddress(self._topics.acknowledgement(target), 1)

    def connect(self) -> None:
        settings = self.settings
        if settings.embedded:
            self._address = embedded_address(
                self.run, settings.port, subscription(settings.ack_topic)
            )
        # Imported here: loading the plugin must not cost the import of paho.
        from gridsim_plugins.mqtt.session.dialogue import Dialogue

        self._dialogue = Dialogue(
            settings,
            self._address,
            self._client_id,
            self.answer_timeout_s,
            most_each=_MOST_EACH,
        )
        if self._hurried:
            self._dialogue.hurry()
        self._dialogue.subscribe(self._topics.filters, _QOS)
        if self._topics.fleet:
            self._subscribe_to_fleet(self._dialogue, self._topics.fleet)

    def _subscribe_to_fleet(self, dialogue: Dialogue, topic: str) -> None:
        try:
            dialogue.subscribe([topic], _QOS)
        except TransportError as error:
            if not error.permanent:
                raise
            # The access list permits only devices and projects.
            logger.warning("mqtt: {}; the other topics of commands work", error)

    def change_roster(self, run: RunContext) -> None:
        super().change_roster(run)
        # The filters depend on the settings alone, so the subscriptions stay.
        self._topics = command_topics(self.settings, run.roster)

    def serve(self, inbox: Inbox, timeout_s: float) -> None:
        assert self._dialogue is not None
        self._inbox = inbox
        ignored = 0
        for message in self._dialogue.listen(timeout_s):
            target = self._topics.target(message.topic)
            if message.retained:
                ignored += 1
            elif target is not None:
                inbox.post(
                    read_instruction(message.payload, target, topic=message.topic, qos=message.qos)
                )
            elif (found := self._topics.value(message.topic)) is not None:
                target, action = found
                self._values += 1
                id = f"value-{self._unique}-{self._values}"
                topic, qos = message.topic, message.qos
                inbox.post(read_value(message.payload, action, target, id, topic=topic, qos=qos))
        if ignored:
            logger.warning("mqtt: {} retained commands ignored; send them without retain", ignored)
        self._count_dropped()

    def acknowledge(self, acknowledgements: Sequence[Acknowledgement]) -> Mapping[int, str]:
        assert self._dialogue is not None
        refused = self._dialogue.publish(
            [
                (self._topics.acknowledgement(one.target), acknowledgement_json(one))
                for one in acknowledgements
            ]
        )
        if refused:
            logger.warning(
                "mqtt: the broker refuses {} of {} acknowledgements: {}",
                len(refused),
                len(acknowledgements),
                next(iter(refused.values())),
            )
        # In a flood most messages arrive while the source waits for the broker's answers.
        self._count_dropped()
        return refused

    def hurry(self) -> None:
        self._hurried = True
        if (dialogue := self._dialogue) is not None:
            dialogue.hurry()

    def _count_dropped(self) -> None:
        if self._dialogue is None or self._inbox is None:
            return
        if dropped := self._dialogue.take_dropped():
            self._inbox.lost(dropped)

    def close(self) -> None:
        dialogue, self._dialogue = self._dialogue, None
        if dialogue is not None:
            # The worker has reported the loss of a connection.
            with suppress(TransportError):
                if not dialogue.unsubscribe(_UNREAD_S):
                    logger.warning(
                        "mqtt: commands were still arriving at the end; those still in the broker "
                        "are not counted"
                    )
            unread = dialogue.take_unread()
            if unread and self._inbox is not None:
                self._inbox.lost(unread)
            dialogue.close()


def command_topics(settings: MqttCommandSettings, roster: Roster) -> CommandTopics:
    """Return the topics of the settings. Raises ValueError if they cannot be used."""
    return CommandTopics(
        settings.topic,
        settings.project_topic,
        settings.ack_topic,
        settings.project_ack_topic,
        roster,
        fleet_topic=settings.fleet_topic,
        fleet_ack_topic=settings.fleet_ack_topic,
        value_topic=settings.value_topic,
        dollar=settings.allow_dollar_topics,
    )
