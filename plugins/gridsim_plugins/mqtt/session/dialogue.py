"""A session that paho keeps: it subscribes, listens, and publishes, by default with QoS 1.

For the few messages of commands; the readings' way is `Connection`. Everything is called from
one thread, and callbacks only take notes.
"""

from __future__ import annotations

import selectors
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import MQTTErrorCode

from gridsim.api import TransportError
from gridsim_plugins.mqtt.session.handshake import open_session
from gridsim_plugins.mqtt.settings import ConnectionSettings

_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
# So many messages wait for the broker's answer at once: an identifier, of which there are
# 65,535, must not come round again while it does.
_AT_ONCE = 1000
# What may wait to be listened to; a sender could otherwise fill the memory.
_MOST_BYTES = 32_000_000
_OVERHEAD_BYTES = 300


class Message(NamedTuple):
    """What came in."""

    topic: str
    payload: bytes
    retained: bool
    """Whether the broker kept it from before this session."""


class Dialogue:
    """Connects when it is made. Every method raises TransportError once the session is lost."""

    def __init__(
        self,
        settings: ConnectionSettings,
        address: tuple[str, int],
        client_id: str,
        patience_s: float,
        *,
        qos: int = 1,
    ) -> None:
        """Connect; `patience_s` is how long the broker may take for an answer."""
        self._qos = qos
        self._where = "{}:{}".format(*address)
        self._patience_s = patience_s
        self._dropped = 0
        self._messages: list[Message] = []
        self._waiting_bytes = 0
        self._unanswered: set[int] = set()
        self._refusals: list[str] = []
        self._end = ""
        self._session = open_session(settings, *address, client_id=client_id, qos=qos)
        client = self._client = self._session.client
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_disconnect = self._on_disconnect
        self._selector = selectors.DefaultSelector()
        self._key = self._selector.register(self._session.sock, _READ)

    def subscribe(self, filters: Sequence[str]) -> None:
        """Returns once the broker has agreed."""
        for one in filters:
            code, mid = self._client.subscribe(one, self._qos)
            self._await(code, mid)
        self._settle()
        if self._refusals:
            raise TransportError(
                f"the broker at {self._where} refuses the subscription to "
                f"{' and '.join(filters)}: {self._refusals[0]}",
                permanent=True,
            )

    def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Returns once the broker has them all; their topics must be valid."""
        for first in range(0, len(messages), _AT_ONCE):
            for topic, payload in messages[first : first + _AT_ONCE]:
                info = self._client.publish(topic, payload, self._qos)
                self._await(info.rc, info.mid)
            self._settle()

    def listen(self, timeout_s: float) -> list[Message]:
        """What has come; waits for something for up to `timeout_s`."""
        if not self._messages:
            self._turn(timeout_s)
            # paho reads one packet at a time; what has arrived meanwhile needs no select.
            before = 0
            while before < len(self._messages) < _AT_ONCE:
                before = len(self._messages)
                self._check(self._client.loop_read())
        came, self._messages, self._waiting_bytes = self._messages, [], 0
        return came

    def take_dropped(self) -> int:
        """How many messages there was no room for since the last call."""
        dropped, self._dropped = self._dropped, 0
        return dropped

    def close(self) -> None:
        """Takes leave if that is possible at once, and frees the socket."""
        with suppress(Exception):
            if self._client.socket() is not None:
                self._client.disconnect()
                self._client.loop_write()
        self._selector.close()
        self._session.close()

    def _settle(self) -> None:
        """Waits for every answer that is due."""
        deadline = time.monotonic() + self._patience_s
        while self._unanswered:
            before = len(self._unanswered)
            left = deadline - time.monotonic()
            if left <= 0:
                raise TransportError(
                    f"the broker at {self._where} has stalled: no answer for {self._patience_s:g} s"
                )
            self._turn(left)
            if len(self._unanswered) < before:
                deadline = time.monotonic() + self._patience_s

    def _turn(self, timeout_s: float) -> None:
        """Waits until there is something to read or to write, and does it."""
        client, sock = self._client, self._session.sock
        wanted = _READ | (_WRITE if client.want_write() else 0)
        if wanted != self._key.events:
            self._key = self._selector.modify(sock, wanted)
        # Bytes that TLS has decrypted already wake no selector.
        pending = getattr(sock, "pending", None)
        ready = _READ if pending is not None and pending() > 0 else 0
        for _, events in self._selector.select(0.0 if ready else timeout_s):
            ready |= events
        if ready & _READ:
            self._check(client.loop_read())
        if client.want_write():
            self._check(client.loop_write())
        self._check(client.loop_misc())

    def _await(self, code: MQTTErrorCode, mid: int | None) -> None:
        self._check(code)
        if mid is not None:
            self._unanswered.add(mid)

    def _check(self, code: MQTTErrorCode) -> None:
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS or self._client.socket() is None:
            end = self._end or "the broker closed it, or does not answer"
            raise TransportError(f"the connection to {self._where} is lost: {end}")

    def _on_message(self, client: Client, data: Any, message: MQTTMessage) -> None:
        held = self._waiting_bytes + len(message.payload) + _OVERHEAD_BYTES
        if self._messages and held > _MOST_BYTES:
            self._dropped += 1
            return
        self._waiting_bytes = held
        with suppress(UnicodeDecodeError):
            self._messages.append(Message(message.topic, bytes(message.payload), message.retain))

    def _on_subscribe(
        self, client: Client, data: Any, mid: int, codes: Sequence[Any], properties: Any
    ) -> None:
        self._unanswered.discard(mid)
        self._refusals += [str(code) for code in codes if code.is_failure]

    def _on_publish(self, client: Client, data: Any, mid: int, code: Any, properties: Any) -> None:
        self._unanswered.discard(mid)

    def _on_disconnect(
        self, client: Client, data: Any, flags: Any, code: Any, properties: Any
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self._end = f"the broker ended it: {code}"
