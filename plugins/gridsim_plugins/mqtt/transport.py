"""The transport `mqtt`: publishes readings to a broker."""

from __future__ import annotations

import math
import secrets
import time
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from loguru import logger

from gridsim.api import (
    Batch,
    Format,
    Framing,
    MessageAddress,
    Receipt,
    Register,
    RunContext,
    Transport,
    TransportError,
    hookimpl,
)
from gridsim_plugins.mqtt.announcements import Announcements, without_devices
from gridsim_plugins.mqtt.credentials import warn_if_readable
from gridsim_plugins.mqtt.embedded import MESSAGES_PER_S, describe_embedded, embedded_address
from gridsim_plugins.mqtt.probe import MqttProbe
from gridsim_plugins.mqtt.publish.isolation import Isolation
from gridsim_plugins.mqtt.publish.messages import MessageAccount
from gridsim_plugins.mqtt.publish.unanswered import Unanswered
from gridsim_plugins.mqtt.session.frames import Frames
from gridsim_plugins.mqtt.session.identities import make_identities
from gridsim_plugins.mqtt.session.properties import check_properties, publish_properties
from gridsim_plugins.mqtt.settings import EMBEDDED, MqttSettings, check
from gridsim_plugins.mqtt.source import MqttCommands
from gridsim_plugins.mqtt.topics import (
    DEFAULT_TOPIC,
    check_topic,
    make_topics,
    mosquitto_sub,
    subscription,
)

if TYPE_CHECKING:
    from gridsim_plugins.mqtt.publish.per_device import PerDeviceConnections
    from gridsim_plugins.mqtt.publish.shared import SharedConnection

_SHORT_S = 10.0
_SUSPICIOUS = 3


class Mqtt(Transport[MqttSettings]):
    """A transport with one connection for all devices, or for each device or project."""

    Settings = MqttSettings
    framings: ClassVar[tuple[Framing, ...]] = ("der", "project", "measurand", "batch")
    answer_timeout_s: ClassVar[float] = 5.0
    """The time limit for the broker's answer, after which the connection counts as lost."""

    settings: MqttSettings

    def __init__(self, settings: MqttSettings, format: Format, run: RunContext) -> None:
        super().__init__(settings, format, run)
        check(settings)
        check_properties(settings)
        if settings.will is not None:
            check_topic(settings.will.topic, "will.topic", dollar=settings.allow_dollar_topics)
        self._template = settings.topic or DEFAULT_TOPIC[format.framing]
        self._topics = make_topics(
            self._template,
            format.framing,
            run.roster,
            format.measurands,
            dollar=settings.allow_dollar_topics,
        )
        self._frames = Frames(
            self._topics,
            qos=settings.qos,
            retain=settings.retain,
            properties=publish_properties(settings, format.framing, run.roster, format.measurands),
        )
        unique = f"gridsim-{secrets.token_hex(6)}"
        self._client_id = settings.client_id or unique
        self._identities = None
        if settings.connections == "shared":
            self._announced = Announcements(settings, run.roster)
        else:
            self._identities = make_identities(
                settings, format.framing, run.roster, self._topics, unique
            )
            if settings.credentials_file:
                warn_if_readable(settings.credentials_file)
        self._online = np.ones(len(run.roster), np.bool_)
        """The devices that were online in their latest readings."""
        self._address = (settings.host, settings.port)
        self._isolation = Isolation(self._topics)
        self._unanswered = Unanswered(self._topics)
        self._connection: SharedConnection | PerDeviceConnections | None = None
        self._connected_at = 0.0
        self._short_lived = 0
        self._warned = False

    @property
    def at_most_once(self) -> bool:
        return self.settings.qos == 0

    def describe(self) -> str:
        settings = self.settings
        kind = "mqtt" if settings.transport == "tcp" else "ws"
        host, port = self._address
        clients = ""
        if self._identities is not None:
            clients = f", {len(self._identities)} connections, one per {settings.connections}"
        where = f"{host}:{port}{settings.websocket_path if kind == 'ws' else ''}"
        url = f"{kind}{'s' if settings.uses_tls else ''}://{where}"
        if host == EMBEDDED:
            url = describe_embedded(port)
        return f"{url} {self._template}, QoS {settings.qos}, MQTT {settings.protocol}{clients}"

    def hint(self) -> str:
        settings = self.settings
        host, port = self._address
        options: list[str] = []
        if settings.uses_tls:
            trust = ["--cafile", settings.ca_file] if settings.ca_file else ["--tls-use-os-certs"]
            options = trust + (["--insecure"] if settings.tls_insecure else [])
        if settings.cert_file:
            key = settings.key_file or settings.cert_file
            options += ["--cert", settings.cert_file, "--key", key]
        return mosquitto_sub(
            "127.0.0.1" if settings.embedded else host,
            port,
            subscription(self._template),
            username=settings.username,
            tls_options=options,
        )

    def address(self, device: int) -> MessageAddress:
        place = device
        match self.format.framing:
            case "project":
                place = int(self.run.roster.project[device])
            case "measurand":
                place = device * len(self.format.measurands)
            case "batch":
                place = 0
        return MessageAddress(self._topics[place], self.settings.qos)

    def warning(self, readings_per_s: float) -> str:
        share = 1.0
        match self.format.framing:
            case "project":
                share = len(self.run.roster.project_id) / max(len(self.run.roster), 1)
            case "measurand":
                share = float(len(self.format.measurands))
            case "batch":
                share = 1 / self.format.batch_size
        rate = readings_per_s * share
        if not self.settings.embedded or rate <= MESSAGES_PER_S:
            return ""
        if math.isinf(rate):
            return (
                f"the embedded broker, with about {MESSAGES_PER_S:,} messages/s, limits the speed "
                "of a run as fast as possible; another broker, for example Mosquitto, is faster"
            )
        return (
            f"this run sends up to {rate:,.0f} messages/s, more than the embedded broker handles, "
            f"about {MESSAGES_PER_S:,}: use another broker, for example Mosquitto"
        )

    def share(self) -> None:
        if self.settings.embedded:
            template = subscription(self._template)
            self._address = embedded_address(self.run, self.settings.port, template)

    def connect(self) -> None:
        settings = self.settings
        self.share()
        if not self._warned:
            self._warned = True
            if settings.tls_insecure:
                logger.warning("mqtt: tls_insecure is set: the broker's certificate is not checked")
            for text in without_devices(settings, self.run.roster):
                logger.warning("mqtt: {}", text)
        try:
            self._connection = self._open()
        except TransportError:
            # The broker was unreachable: it may have other limits now.
            self._isolation.forget()
            raise
        self._connected_at = time.monotonic()

    def take_over(self, older: Mqtt) -> bool:
        """Continue on a shared connection; connections per device or project are made again."""
        # Imported here, as in `_open`.
        from gridsim_plugins.mqtt.publish.shared import SharedConnection

        connection = older._connection
        if not isinstance(connection, SharedConnection):
            return False
        connection.go_on(self._topics, self._frames, self._isolation, self._unanswered)
        self._connection, older._connection = connection, None
        self._address, self._client_id = older._address, older._client_id
        self._connected_at, self._short_lived = older._connected_at, older._short_lived
        self._warned = older._warned
        connection.announce(self._announced.packets(0))
        return True

    def write(self, batch: Batch, receipt: Receipt) -> None:
        assert self._connection is not None
        try:
            self._connection.write(self.format, batch, MessageAccount(receipt))
        except TransportError as error:
            if (likely := self._likely(error)) is None:
                # Not from itself: an error in a circle keeps its frames, and all their messages.
                raise
            raise likely from error

    def idle(self) -> None:
        assert self._connection is not None
        try:
            self._connection.keep_alive()
        except TransportError as error:
            if (likely := self._likely(error)) is None:
                # Not from itself: an error in a circle keeps its frames, and all their messages.
                raise
            raise likely from error

    def close(self) -> None:
        way, self._connection = self._connection, None
        if way is not None:
            way.close()

    def _open(self) -> SharedConnection | PerDeviceConnections:
        # Imported here: loading the plugin must not cost the import of paho.
        if self._identities is None:
            from gridsim_plugins.mqtt.publish.shared import SharedConnection

            return SharedConnection(
                self.settings,
                self._address,
                self._client_id,
                self._topics,
                self._frames,
                self._isolation,
                self._unanswered,
                self.answer_timeout_s,
                self._announced.packets(0),
            )
        from gridsim_plugins.mqtt.publish.per_device import PerDeviceConnections

        return PerDeviceConnections(
            self.settings,
            self._address,
            self._identities,
            self._frames,
            self._online,
            self._isolation,
            self._unanswered,
            self.answer_timeout_s,
        )

    def _likely(self, error: TransportError) -> TransportError | None:
        """Return an error with a likely cause if the broker repeatedly closes new connections."""
        assert self._connection is not None
        lived = time.monotonic() - self._connected_at
        if not (self._connection.closed_by_broker and lived < _SHORT_S):
            self._short_lived = 0
            return None
        self._short_lived += 1
        if self._short_lived < _SUSPICIOUS:
            return None
        if self.settings.client_id:
            likely = f"perhaps another client uses the client id {self._client_id!r}"
        else:
            likely = "the broker's log may give the reason"
        return TransportError(
            f"{error}; repeatedly, soon after connecting: {likely}",
            permanent=error.permanent,
        )


@hookimpl
def gridsim_register(register: Register) -> None:
    register.transport("mqtt", Mqtt)
    register.source("mqtt", MqttCommands)
    register.probe("mqtt", MqttProbe)
