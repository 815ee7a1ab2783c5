"""The paho client of a connection's settings."""

from __future__ import annotations

import ssl

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gridsim.api import TransportError
from gridsim_plugins.mqtt.fixed_messages import Will
from gridsim_plugins.mqtt.session.properties import constant_user_properties
from gridsim_plugins.mqtt.settings import ConnectionSettings, MqttSettings

# The largest number of messages of QoS 1 that wait for an answer, in MQTT 3.1.1.
_IN_FLIGHT = 1_000
_VERSIONS = {"3.1.1": MQTTProtocolVersion.MQTTv311, "5": MQTTProtocolVersion.MQTTv5}


def make_client(settings: ConnectionSettings, client_id: str, will: Will | None = None) -> Client:
    """Return a paho client for one clean session.

    Raises TransportError if a certificate file cannot be used.
    """
    v5 = settings.protocol == "5"
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        transport=settings.transport,
        clean_session=None if v5 else True,
        protocol=_VERSIONS[settings.protocol],
        # With this set, paho would also fall back to MQTT 3.1.
        reconnect_on_failure=False,
    )
    if not v5:
        # Otherwise paho sends only 20 messages before it waits for answers. A broker of MQTT 5 may
        # permit no more than that, in a property that paho ignores.
        client.max_inflight_messages_set(_IN_FLIGHT)
    client.connect_timeout = settings.connect_timeout_s
    if settings.username:
        client.username_pw_set(settings.username, settings.password.get_secret_value() or None)
    if settings.uses_tls:
        context = tls_context(settings)
        context.sslsocket_class = _Socket
        client.tls_set_context(context)
    if settings.transport == "websockets":
        client.ws_set_options(settings.websocket_path)
    if will is not None:
        properties = None
        if user := constant_user_properties(settings):
            properties = Properties(PacketTypes.WILLMESSAGE)  # type: ignore[no-untyped-call]
            properties.UserProperty = user
        client.will_set(will.topic, will.payload.encode(), will.qos, will.retain, properties)
    return client


def paho_connect_properties(settings: ConnectionSettings) -> Properties | None:
    """Return the properties of CONNECT; None if there are none."""
    if not (isinstance(settings, MqttSettings) and settings.session_expiry_s):
        return None
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = settings.session_expiry_s
    return properties


def tls_context(settings: ConnectionSettings) -> ssl.SSLContext:
    """Return the TLS context. Raises TransportError if a certificate file cannot be used."""
    try:
        context = ssl.create_default_context(cafile=settings.ca_file or None)
        if settings.cert_file:
            # Without the empty password, OpenSSL would ask for an encrypted key's password on the
            # terminal.
            context.load_cert_chain(settings.cert_file, settings.key_file or None, "")
    except OSError as error:
        names = ("ca_file", "cert_file", "key_file")
        files = ", ".join(
            f"{name} {getattr(settings, name)!r}" for name in names if getattr(settings, name)
        )
        reason = error.strerror or str(error)
        raise TransportError(f"cannot use {files}: {reason}", permanent=True) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.tls_insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class _Socket(ssl.SSLSocket):
    """A TLS socket that closes itself if the handshake fails; paho would leave it open."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise
