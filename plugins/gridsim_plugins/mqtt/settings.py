"""The settings of the connection and of the transport, and the rules between them."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr

from gridsim.api import Settings, Unit

EMBEDDED = "embedded"
TLS_PORT = 8883


def _number(value: object) -> object:
    """A placeholder's value is text; a Literal of numbers takes no text."""
    return int(value) if isinstance(value, str) and value.strip().isdecimal() else value


def _text(value: object) -> object:
    """`protocol = 5` means `protocol = "5"`."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Qos = Annotated[Literal[0, 1, 2], BeforeValidator(_number)]


class Will(Settings):
    """A message that the broker publishes when this client vanishes."""

    topic: str = Field(description="where the broker publishes it")
    payload: str = Field("", max_length=65_535, description="what it publishes")
    qos: Qos = Field(0, description="its quality of service")
    retain: bool = Field(False, description="whether the broker keeps it for later subscribers")


class ConnectionSettings(Settings):
    """How to reach a broker."""

    host: str = Field(
        EMBEDDED,
        min_length=1,
        pattern=r"^[^\s/]+$",
        description='the broker\'s name or address; "embedded" starts the bundled broker',
    )
    port: int = Field(
        1883, ge=0, le=65_535, description="the broker's TCP port; 0: a free one, if embedded"
    )
    username: str = Field("", description="empty: the client is anonymous")
    password: SecretStr = Field(SecretStr(""), description="only with a username")
    tls: Literal["auto", "on", "off"] = Field(
        "auto", description='TLS 1.2 or later; "auto": on for port 8883'
    )
    ca_file: str = Field(
        "", description="PEM file of the authorities to trust; empty: the system's"
    )
    cert_file: str = Field("", description="PEM file of the client's own certificate")
    key_file: str = Field("", description="PEM file of its key; empty: it is in cert_file")
    tls_insecure: bool = Field(
        False, description="accept any certificate: anyone between can read and alter messages"
    )
    allow_plaintext_password: bool = Field(
        False, description="send the password without TLS to an address that is not loopback"
    )
    protocol: Annotated[Literal["3.1.1", "5"], BeforeValidator(_text)] = Field(
        "3.1.1", description="MQTT version"
    )
    transport: Literal["tcp", "websockets"] = Field(
        "tcp", description="the carrier of MQTT; WebSockets (with TLS, too) are much slower"
    )
    websocket_path: str = Field(
        "/mqtt", pattern=r"^/[\x21-\x7e]*$", description="where the broker serves WebSockets"
    )
    client_id: str = Field("", max_length=65_535, description="empty: gridsim- and a random suffix")
    keepalive_s: Annotated[int, Unit("s")] = Field(
        4, ge=1, le=65_535, description="a dead connection is found after twice this, if idle"
    )
    connect_timeout_s: Annotated[float, Unit("s")] = Field(
        5.0, gt=0, le=300, description="for the connection, and again for the broker's answer"
    )

    @property
    def embedded(self) -> bool:
        return self.host == EMBEDDED

    @property
    def uses_tls(self) -> bool:
        if self.tls == "auto":
            return self.port == TLS_PORT and not self.embedded
        return self.tls == "on"


class MqttSettings(ConnectionSettings):
    """Settings of the transport `mqtt`."""

    username: str = Field(
        "", description="empty: the client is anonymous. A template as client_id is"
    )
    protocol: Annotated[Literal["3.1.1", "5"], BeforeValidator(_text)] = Field(
        "3.1.1",
        description="MQTT version. A broker's access list drops messages silently, but with 5 "
        "and QoS 1 or 2 gridsim sees the refusal and counts it",
    )
    qos: Qos = Field(0, description="quality of service of the readings")
    max_inflight: int = Field(
        0,
        ge=0,
        le=65_535,
        description="messages of QoS 1 or 2 in flight at once, if MQTT 5's broker allows. "
        "0: 4096 with QoS 1, and 20 with QoS 2; there Mosquitto silently drops messages beyond "
        "its own max_inflight_messages",
    )
    retain: bool = Field(False, description="whether the broker keeps the last reading per topic")
    connections: Literal["shared", "project", "der"] = Field(
        "shared",
        description='one client for all, or one per project or DER. Those say {"is_online": '
        "true} or false, retained, at status_topic, false also by their last will; a DER that "
        "goes offline drops its connection. What comes while its client is not connected is "
        "dropped and counted",
    )
    status_topic: str = Field(
        "",
        description="with connections project or der: template of the topic of is_online. Empty: "
        "{topic}/status; projects/{project_id}/status if a project has several topics",
    )
    client_id: str = Field(
        "",
        max_length=65_535,
        description="empty: gridsim- and a random suffix. With connections der a template with "
        "{der_id}, {project_id}, {type}, with connections project with {project_id}",
    )
    topic: str = Field(
        "",
        description="template with {project_id}, {der_id}, {type}, {units}; framing project "
        "knows {project_id} only. Empty: projects/{project_id}/ders/{der_id}, or "
        "projects/{project_id} with framing project",
    )
    will: Will | None = Field(None, description="last will, a table: topic, payload, qos, retain")

    @property
    def window(self) -> int:
        """The messages in flight at QoS 1 and 2 that this side allows."""
        return self.max_inflight or {1: 4096, 2: 20}.get(self.qos, 0)


def check_connection(settings: ConnectionSettings) -> None:
    """Raise ValueError if settings contradict each other.

    Not a pydantic validator: its error would carry the input, and so the password.
    """
    password = settings.password.get_secret_value()
    if password and not settings.username:
        raise ValueError("password: it needs a username")
    if settings.embedded and settings.uses_tls:
        raise ValueError(
            "tls: the embedded broker does not support TLS; name a host, or leave tls out"
        )
    if settings.embedded and settings.protocol == "5":
        raise ValueError('protocol: the embedded broker speaks MQTT 3.1.1 only, not "5"')
    if settings.embedded and settings.transport == "websockets":
        raise ValueError("transport: the embedded broker does not support WebSockets; name a host")
    if settings.port == 0 and not settings.embedded:
        raise ValueError("port: 0 is for the embedded broker only")
    if settings.key_file and not settings.cert_file:
        raise ValueError("key_file: it needs a cert_file")
    for name in ("ca_file", "cert_file", "tls_insecure"):
        if getattr(settings, name) and not settings.uses_tls:
            raise ValueError(f'{name}: has no effect without TLS; set tls = "on"')
    if password and not (
        settings.uses_tls or settings.allow_plaintext_password or _is_local(settings)
    ):
        raise ValueError(
            f"password: it would go to {settings.host} unencrypted; "
            'set tls = "on", or allow_plaintext_password = true if you mean it'
        )


def check(settings: MqttSettings) -> None:
    """Raise ValueError as `check_connection` does, and for the settings of the transport."""
    check_connection(settings)
    own = settings.connections != "shared"
    if settings.status_topic and not own:
        raise ValueError('status_topic: it needs connections = "project" or "der"')
    if own and settings.will is not None:
        raise ValueError(f"will: with connections {settings.connections} each client has its own")
    if own and settings.transport == "websockets":
        raise ValueError('transport: WebSockets are for connections = "shared" only')


def _is_local(settings: ConnectionSettings) -> bool:
    if settings.embedded or settings.host.lower() == "localhost":
        return True
    try:
        return ip_address(settings.host).is_loopback
    except ValueError:
        return False
