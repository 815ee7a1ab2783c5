"""The settings of the connection and of the transport, and the checks of their combinations."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, SecretStr, WithJsonSchema, model_validator

from gridsim.api import ClientName, LocalPath, RunPeriod, Settings, Unit
from gridsim_plugins.mqtt.certificates import certificate_problems
from gridsim_plugins.mqtt.credentials import check_password_way, credentials_problems
from gridsim_plugins.mqtt.fixed_messages import Announcement, Qos, Will
from gridsim_plugins.mqtt.topics import check_text
from gridsim_plugins.mqtt.url import AUTO, PORT, TLS_PORT, with_address

EMBEDDED = "embedded"
_MAX_UINT32 = 4_294_967_295


def _text(value: object) -> object:
    """Convert an integer to a text, so that `protocol = 5` means `protocol = "5"`."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


_PORT_SCHEMA = {
    "anyOf": [{"type": "integer", "minimum": 0, "maximum": 65_535}, {"const": AUTO}],
    "default": AUTO,
}


class ConnectionSettings(Settings):
    """The settings of a connection to a broker."""

    # An error of pydantic would also show the other settings, including the password.
    model_config = ConfigDict(hide_input_in_errors=True)

    host: str = Field(
        EMBEDDED,
        min_length=1,
        pattern=r"^[^\s/]+$",
        description="the broker's name or address, or a URL such as mqtts://h:8883 (mqtt, mqtts, "
        'tcp, ssl, ws, wss); "embedded" starts the embedded broker',
    )
    port: Annotated[int, WithJsonSchema(_PORT_SCHEMA)] = Field(
        PORT,
        ge=0,
        le=65_535,
        description='the broker\'s TCP port; "auto" (the default): that of the URL, or 8883 with '
        'tls = "on", or 1883. 0: a free port, for the embedded broker only',
    )
    username: str = Field("", description="empty: the client is anonymous")
    password: SecretStr = Field(SecretStr(""), description="only with a username")
    tls: Literal["auto", "on", "off"] = Field(
        "auto", description='TLS 1.2 or later; "auto": on for port 8883'
    )
    ca_file: LocalPath = Field(
        "",
        description="PEM file of the trusted certificate authorities, relative to the folder of "
        "the configuration; empty: the system's",
    )
    cert_file: LocalPath = Field("", description="PEM file of the client's own certificate")
    key_file: LocalPath = Field(
        "", description="PEM file of the client's private key; empty: the key is in cert_file"
    )
    tls_insecure: bool = Field(
        False,
        description="accept any certificate; an attacker in the network can then read and change "
        "messages",
    )
    allow_plaintext_password: bool = Field(
        False, description="send the password without TLS to an address that is not loopback"
    )
    protocol: Annotated[Literal["3.1.1", "5"], BeforeValidator(_text)] = Field(
        "3.1.1", description="MQTT version"
    )
    transport: Literal["tcp", "websockets"] = Field(
        "tcp", description="the carrier of MQTT; WebSockets are much slower, with or without TLS"
    )
    websocket_path: str = Field(
        "/mqtt", pattern=r"^/[\x21-\x7e]*$", description="path of the broker's WebSocket endpoint"
    )
    client_id: ClientName = Field(
        "",
        max_length=65_535,
        description="empty: gridsim- and a random suffix; each shard of a run gets its own",
    )
    allow_dollar_topics: bool = Field(
        False,
        description="allow topics that begin with $, such as $aws/things/{der_id}/shadow/update; "
        "the embedded broker refuses them",
    )
    keepalive_s: Annotated[int, Unit("s")] = Field(
        4,
        ge=1,
        le=65_535,
        description="MQTT keep alive; an idle connection that has failed is detected after twice "
        "this time",
    )
    connect_timeout_s: Annotated[float, Unit("s")] = Field(
        5.0,
        gt=0,
        le=300,
        description="time limit for the TCP connection, and again for the broker's CONNACK",
    )

    @model_validator(mode="before")
    @classmethod
    def _split_address(cls, settings: Any) -> Any:
        return with_address(settings) if isinstance(settings, dict) else settings

    def file_problems(self, period: RunPeriod | None) -> Iterator[tuple[str, str]]:
        """Yield the problems of the certificate files, if the connection uses TLS."""
        if not self.uses_tls:
            return iter(())
        return certificate_problems(self.ca_file, self.cert_file, self.key_file)

    @property
    def embedded(self) -> bool:
        return self.host == EMBEDDED

    def claims(self) -> Iterator[tuple[str, str]]:
        """Yield the client id: a broker closes the older of two connections with one id."""
        if self.client_id:
            where = "the embedded broker" if self.embedded else f"{self.host}:{self.port}"
            yield "client_id", f"the client id {self.client_id!r} at {where}"

    def only_here(self) -> Iterator[tuple[str, str]]:
        """Yield the host if the run starts its own broker."""
        if self.embedded:
            yield "host", "the embedded broker serves this machine only, so name another"

    @property
    def uses_tls(self) -> bool:
        if self.tls == "auto":
            return self.port == TLS_PORT and not self.embedded
        return self.tls == "on"


class MqttSettings(ConnectionSettings):
    """Settings of the transport `mqtt`."""

    username: str = Field(
        "", description="empty: the client is anonymous. A template, like client_id"
    )
    protocol: Annotated[Literal["3.1.1", "5"], BeforeValidator(_text)] = Field(
        "3.1.1",
        description="MQTT version. With 3.1.1, a broker's access list drops messages silently; "
        "with 5 and QoS 1 or 2, the broker reports the refusal and gridsim counts it",
    )
    qos: Qos = Field(0, description="quality of service of the readings")
    max_inflight: int = Field(
        0,
        ge=0,
        le=65_535,
        description="maximum number of messages of QoS 1 or 2 in flight; a broker with MQTT 5 "
        "can set a "
        "lower limit. 0: 4096 with QoS 1, 20 with QoS 2. With QoS 2, Mosquitto silently drops "
        "messages beyond its own max_inflight_messages",
    )
    retain: bool = Field(False, description="true: the broker keeps the last reading per topic")
    connections: Literal["shared", "project", "der"] = Field(
        "shared",
        description="one client for all, or one per project or DER. The latter publish "
        "status_online or status_offline, retained, to status_topic; the last will is "
        "status_offline. A DER that goes offline drops its connection. Readings are dropped and "
        "counted while their client is not connected",
    )
    status_topic: str = Field(
        "",
        description="with connections project or der: template of the topic of is_online. Empty: "
        "{topic}/status; if a project has several topics, or topic begins with $, "
        "projects/{project_id}/status or projects/{project_id}/ders/{der_id}/status",
    )
    status_online: str = Field(
        '{"is_online": true}',
        max_length=1000,
        description="the payload of status_topic while the device is online",
    )
    status_offline: str = Field(
        '{"is_online": false}',
        max_length=1000,
        description="the payload of status_topic while it is offline, also by the last will",
    )
    client_id: ClientName = Field(
        "",
        max_length=65_535,
        description="empty: gridsim- and a random suffix. With connections der a template with "
        "the placeholders of topic with framing der, with connections project of framing project",
    )
    credentials_file: LocalPath = Field(
        "",
        description="with connections der or project: CSV file with a row for each, by the column "
        "der_id or project_id, and any of username, password, client_id, cert_file and key_file "
        "(relative to the folder of the CSV file). An empty field means the setting of that name",
    )
    topic: str = Field(
        "",
        description="template with {project_id}, {der_id}, {type}, {units}, {nameplate_capacity}, "
        "{timezone}, {latitude}, {longitude}, {make}, {model}, {serial}, {firmware}, and "
        "{measurand} with framing measurand; with framing project without those of a DER. Empty: "
        "projects/{project_id}/ders/{der_id}, "
        "projects/{project_id} with framing project, "
        "projects/{project_id}/ders/{der_id}/{measurand} with framing measurand, or readings",
    )
    message_expiry_s: Annotated[int, Unit("s")] = Field(
        0,
        ge=0,
        le=_MAX_UINT32,
        description='with protocol "5": the broker drops readings that it could not deliver in '
        "this time. 0: never",
    )
    content_type: str = Field(
        "",
        description='with protocol "5": the content type of the readings, for example '
        "application/json. Empty: none",
    )
    user_properties: dict[str, str] = Field(
        {},
        description='with protocol "5": user properties, a table of templates like topic. '
        "Status messages and last wills carry those that are known there",
    )
    session_expiry_s: Annotated[int, Unit("s")] = Field(
        0,
        ge=0,
        le=_MAX_UINT32,
        description='with protocol "5" and a client_id: how long the broker keeps the session '
        "after the connection; each connection begins a new one. 4294967295: for ever",
    )
    will: Will | None = Field(None, description="last will, a table: topic, payload, qos, retain")
    announce: list[Announcement] = Field(
        [],
        description="messages at the start of each connection, a list of tables: topic, payload, "
        "types, retain",
    )

    def file_problems(self, period: RunPeriod | None) -> Iterator[tuple[str, str]]:
        """Yield the problems of the certificates and of the credentials."""
        yield from super().file_problems(period)
        if self.credentials_file and self.connections != "shared":
            for problem in credentials_problems(self.credentials_file, self.connections):
                yield "credentials_file", problem

    @property
    def window(self) -> int:
        """The largest number of messages of QoS 1 and 2 in flight, before the broker's limit."""
        return self.max_inflight or {1: 4096, 2: 20}.get(self.qos, 0)


def check_connection(settings: ConnectionSettings) -> None:
    """Raise ValueError if settings contradict each other.

    This is not a pydantic validator, because its error would contain the password.
    """
    for name in ("client_id", "username"):
        check_text(getattr(settings, name), name)
    password = settings.password.get_secret_value()
    if password and not settings.username:
        raise ValueError("password: it needs a username")
    if settings.embedded and find_spec("amqtt") is None:
        raise ValueError(
            "host: the embedded broker needs amqtt, which is not installed: pip install "
            "'gridsim-der[broker]', or name another broker, for example by MQTT_HOST"
        )
    if settings.embedded and settings.uses_tls:
        raise ValueError(
            "tls: the embedded broker does not support TLS; name a host, or leave tls out"
        )
    if settings.embedded and settings.allow_dollar_topics:
        raise ValueError(
            "allow_dollar_topics: the embedded broker refuses topics that begin with $; name a host"
        )
    if settings.embedded and settings.protocol == "5":
        raise ValueError('protocol: the embedded broker supports MQTT 3.1.1 only, not "5"')
    if settings.embedded and settings.transport == "websockets":
        raise ValueError("transport: the embedded broker does not support WebSockets; name a host")
    if settings.port == 0 and not settings.embedded:
        raise ValueError("port: 0 is valid for the embedded broker only; set the broker's port")
    if settings.key_file and not settings.cert_file:
        raise ValueError("key_file: it needs a cert_file")
    for name in ("ca_file", "cert_file", "tls_insecure"):
        if getattr(settings, name) and not settings.uses_tls:
            raise ValueError(f'{name}: has no effect without TLS; set tls = "on"')
    if password:
        check_password_way(settings, "password")


def check(settings: MqttSettings) -> None:
    """Raise ValueError if settings of the connection or the transport contradict each other."""
    check_connection(settings)
    own = settings.connections != "shared"
    for name in ("status_topic", "status_online", "status_offline", "credentials_file"):
        if getattr(settings, name) != MqttSettings.model_fields[name].default and not own:
            raise ValueError(f'{name}: it needs connections = "project" or "der"')
    if own and settings.will is not None:
        raise ValueError(
            f"will: with connections {settings.connections}, gridsim sets each client's last will; "
            "remove will"
        )
    if own and settings.transport == "websockets":
        raise ValueError('transport: WebSockets need connections = "shared"')
