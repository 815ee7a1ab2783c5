"""A subscriber that keeps everything it gets, with the time of arrival."""

from __future__ import annotations

import secrets
import ssl
import threading
import time
from dataclasses import dataclass
from string import Formatter
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from gridsim.errors import UsageError
from gridsim.running.plan import Options, make_plan

_VERSIONS = {"3.1.1": MQTTProtocolVersion.MQTTv311, "5": MQTTProtocolVersion.MQTTv5}
_DEFAULT_TOPIC = {"der": "projects/{project_id}/ders/{der_id}", "project": "projects/{project_id}"}
_PAUSE_S = 0.2


@dataclass(frozen=True, slots=True)
class Source:
    """An mqtt transport of a configuration, seen from the other side."""

    name: str
    settings: Any
    """The transport's own; the core does not know their class."""
    topic: str
    """The filter that its topics match."""


def find_source(options: Options, name: str | None) -> Source:
    """The mqtt transport of a configuration. Raises UsageError."""
    choices = make_plan(options).configuration.transports
    for choice in choices:
        if choice.name.partition("#")[0] == "mqtt" and name in (None, choice.name):
            settings: Any = choice.settings
            if settings.transport == "websockets":
                raise UsageError("gridsim verify: error: --subscribe speaks no WebSockets")
            template = settings.topic or _DEFAULT_TOPIC[choice.framing]
            return Source(choice.name, settings, topic_filter(template))
    raise UsageError(f"{options.config}: error: there is no such mqtt transport to subscribe to")


def topic_filter(template: str) -> str:
    """A subscription to all topics of a template: `+` in the place of each varying level."""
    return "/".join(
        "+" if any(name is not None for _, name, _, _ in Formatter().parse(level)) else level
        for level in template.split("/")
    )


class Subscriber:
    """Connects on a thread of its own, again and again if need be."""

    def __init__(self, source: Source) -> None:
        settings = source.settings
        self._source = source
        self._host = "127.0.0.1" if settings.embedded else settings.host
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"gridsim-verify-{secrets.token_hex(6)}",
            protocol=_VERSIONS[settings.protocol],
        )
        if settings.username:
            self._client.username_pw_set(
                settings.username, settings.password.get_secret_value() or None
            )
        try:
            if settings.uses_tls:
                self._client.tls_set_context(_tls(settings))
        except OSError as error:
            raise UsageError(f"gridsim verify: error: TLS cannot be set up: {error}") from error
        self._lock = threading.Lock()
        self._bodies: list[bytes] = []
        self._times: list[int] = []
        self._ending = False
        self.subscribed = threading.Event()
        self.refusal = ""
        """Why the broker does not let it in."""
        self.losses = 0
        """How often the connection was lost: what came meanwhile is missing here."""
        self.since_ms = 0
        """From when on it hears everything, ms since 1970."""
        self.last_at = time.monotonic()
        """When the last message came."""
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        self._thread = threading.Thread(target=self._work, name="subscriber", daemon=True)

    @property
    def where(self) -> str:
        return f"{self._host}:{self._source.settings.port}, {self._source.topic}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ending = True
        self._client.disconnect()
        self._thread.join(2 * _PAUSE_S + 5)

    def take(self) -> tuple[list[bytes], list[int]]:
        """What has come since the last call, and when, ms since 1970."""
        with self._lock:
            bodies, self._bodies = self._bodies, []
            times, self._times = self._times, []
        return bodies, times

    def _work(self) -> None:
        while not self._ending and not self.refusal:
            try:
                self._client.connect(self._host, self._source.settings.port)
                while self._client.loop(_PAUSE_S) == MQTTErrorCode.MQTT_ERR_SUCCESS:
                    if self._ending:
                        return
            except ssl.SSLCertVerificationError as error:
                self.refusal = str(error)
            except (OSError, ValueError):
                pass  # the broker may come with the run
            time.sleep(_PAUSE_S)

    def _on_connect(self, client: Client, _: Any, __: Any, code: Any, ___: Any) -> None:
        if code.is_failure:
            self.refusal = str(code)
        else:
            client.subscribe(self._source.topic, self._source.settings.qos)

    def _on_subscribe(self, _: Client, __: Any, ___: int, codes: Any, ____: Any) -> None:
        if any(code.is_failure for code in codes):
            self.refusal = f"it does not allow a subscription to {self._source.topic}"
        elif not self.subscribed.is_set():
            self.since_ms = time.time_ns() // 1_000_000
            self.subscribed.set()

    def _on_disconnect(self, _: Client, __: Any, ___: Any, ____: Any, _____: Any) -> None:
        if self.subscribed.is_set() and not self._ending:
            self.losses += 1

    def _on_message(self, _: Client, __: Any, message: MQTTMessage) -> None:
        if message.retain:
            return  # of an earlier run
        now = time.time_ns() // 1_000_000
        with self._lock:
            self._bodies.append(bytes(message.payload))
            self._times.append(now)
        self.last_at = time.monotonic()


def _tls(settings: Any) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.ca_file or None)
    if settings.cert_file:
        context.load_cert_chain(settings.cert_file, settings.key_file or None, "")
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.tls_insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
