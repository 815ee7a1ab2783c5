"""A session with a paho client that subscribes, receives and publishes, by default with QoS 1.

It is for the few messages of commands; readings use `Connection`. All methods are called from one
thread. The callbacks only store what they receive.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import MQTTErrorCode

from gridsim.api import TransportError
from gridsim_plugins.mqtt.session.arrivals import ArrivedMessage, MessageQueue
from gridsim_plugins.mqtt.session.handshake import open_session
from gridsim_plugins.mqtt.session.read_ahead import ReadAhead
from gridsim_plugins.mqtt.session.sockets import set_quickack
from gridsim_plugins.mqtt.settings import ConnectionSettings

_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
# The largest number of messages that wait for the broker's answer. It must be below 65,535, because
# packet ids are reused after that.
_AT_ONCE = 1000
# How long one call may read before it returns messages, and how many messages it returns at most.
_READ_S = 0.1
_TAKEN = 200
# The limit of unread messages in bytes; without it, a sender could fill the memory.
_MOST_BYTES = 32_000_000
# The factor on the time limit of an answer while messages arrive.
_FLOOD_TIMEOUTS = 6
# The time limit of all answers together after `hurry`, and the interval of the checks for it.
_HURRY_S = 0.9
_LOOK_S = 0.05


class Dialogue:
    """A session that the constructor opens; methods raise TransportError after it is lost."""

    def __init__(
        self,
        settings: ConnectionSettings,
        address: tuple[str, int],
        client_id: str,
        answer_timeout_s: float,
        *,
        qos: int = 1,
        most_each: int | None = None,
    ) -> None:
        """Connect; `answer_timeout_s` is the time limit for each answer of the broker.

        `most_each` is the largest number of unread messages of one topic; None: no limit.
        """
        self._qos = qos
        self._where = "{}:{}".format(*address)
        self._answer_timeout_s = answer_timeout_s
        self._dropped = self._received = 0
        self._most_each = most_each
        self._arrivals = MessageQueue(_MOST_BYTES, most_each)
        self._filters: list[str] = []
        self._unanswered: set[int] = set()
        self._hurry_by: float | None = None
        """The time limit of all answers; None before `hurry`."""
        self._refusals: list[str] = []
        """The reasons for the subscriptions that the broker has refused."""
        self._places: dict[int, int] = {}
        """The index of each message that is being published, by its packet identifier."""
        self._refused: dict[int, str] = {}
        self._end = ""
        self._session = open_session(settings, *address, client_id=client_id, qos=qos)
        client = self._client = self._session.client
        # With this set, paho formats a text for each packet.
        client.on_log = None
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe
        client.on_unsubscribe = self._on_unsubscribe
        client.on_publish = self._on_publish
        client.on_disconnect = self._on_disconnect
        self._selector = selectors.DefaultSelector()
        self._key = self._selector.register(self._session.sock, _READ)
        self._ahead: ReadAhead | None = None
        if isinstance(self._session.sock, socket.socket):
            # A WebSocket has its own buffer.
            v5 = settings.protocol == "5"
            self._ahead = ReadAhead(self._session.sock, _MOST_BYTES, v5=v5)
            client._sock = self._ahead

    def subscribe(self, filters: Sequence[str], qos: int | None = None) -> None:
        """Subscribe, by default with the session's QoS, and wait until the broker has accepted."""
        for one in filters:
            code, mid = self._client.subscribe(one, self._qos if qos is None else qos)
            self._await(code, mid)
        self._settle()
        self._filters += filters
        refused, self._refusals = self._refusals, []
        if refused:
            raise TransportError(
                f"the broker at {self._where} refuses the subscription to "
                f"{' and '.join(filters)}: {refused[0]}",
                permanent=True,
            )

    def publish(self, messages: Sequence[tuple[str, bytes]]) -> dict[int, str]:
        """Publish, and wait until the broker has answered all; the topics must be valid.

        Return the reason for each message that the broker has refused, by its index (MQTT 5 only).
        """
        self._refused = {}
        for first in range(0, len(messages), _AT_ONCE):
            self._places = {}
            for place, (topic, payload) in enumerate(messages[first : first + _AT_ONCE], first):
                info = self._client.publish(topic, payload, self._qos)
                self._places[info.mid] = place
                self._await(info.rc, info.mid)
            self._settle()
        return self._refused

    def listen(self, timeout_s: float) -> list[ArrivedMessage]:
        """Return some of the messages received; wait for one for up to `timeout_s`.

        If topics are served in turn, everything that the broker has sent is read first, because a
        message arrives behind all earlier ones. In a flood, reading and dropping is much cheaper
        than taking.
        """
        arrivals = self._arrivals
        self._turn(0.0 if len(arrivals) else timeout_s)
        if not self._most_each:
            return arrivals.take(_AT_ONCE)
        end = time.monotonic() + _READ_S
        before = -1
        while before < self._received and time.monotonic() < end:
            before = self._received
            self._turn(0.0)
        return arrivals.take(_TAKEN)

    def hurry(self) -> None:
        """End the subscriptions at the next wait for answers, and limit the time of all waits.

        May be called from another thread.
        """
        if self._hurry_by is None:
            self._hurry_by = time.monotonic() + _HURRY_S

    def unsubscribe(self, timeout_s: float) -> bool:
        """End the subscriptions, and return whether everything that the broker sent before was
        read. The broker's answer arrives after these messages. Raises TransportError if the
        connection is lost.
        """
        deadline = time.monotonic() + timeout_s
        if self._hurry_by is not None:
            deadline = max(deadline, self._hurry_by)
        self._end_subscriptions()
        while self._unanswered and (left := deadline - time.monotonic()) > 0:
            self._turn(left)
        return not self._unanswered

    def _end_subscriptions(self) -> None:
        if self._filters:
            code, mid = self._client.unsubscribe(self._filters)
            self._await(code, mid)
            self._filters = []

    def take_dropped(self) -> int:
        """Return the number of messages dropped since the last call, because there was no room."""
        dropped, self._dropped = self._dropped, 0
        return dropped

    def take_unread(self) -> int:
        """Drop the waiting messages, and return the number of all dropped messages."""
        unread = len(self._arrivals) + self.take_dropped()
        self._arrivals = MessageQueue(_MOST_BYTES)
        return unread

    def close(self) -> None:
        """Send DISCONNECT if that is possible without waiting, and close the socket."""
        with suppress(Exception):
            if self._client.socket() is not None:
                self._client.disconnect()
                self._client.loop_write()
        self._selector.close()
        self._session.close()

    def _settle(self) -> None:
        """Wait for all answers that are due."""
        began = time.monotonic()
        deadline = began + self._answer_timeout_s
        first = self._received
        while self._unanswered:
            before = len(self._unanswered), self._received
            if self._hurry_by is not None:
                # The answers arrive after messages; without subscriptions no further messages
                # follow.
                self._end_subscriptions()
                deadline = min(deadline, self._hurry_by)
            left = deadline - time.monotonic()
            if left <= 0:
                raise self._no_answer(time.monotonic() - began, self._received - first)
            self._turn(min(left, _LOOK_S))
            # A broker that sends messages has not stalled; its answers follow them.
            if (len(self._unanswered), self._received) != before:
                end = began + _FLOOD_TIMEOUTS * self._answer_timeout_s
                deadline = min(time.monotonic() + self._answer_timeout_s, end)

    def _no_answer(self, seconds: float, received: int) -> TransportError:
        if received:
            return TransportError(
                f"no answer from {self._where} for {seconds:.0f} s, in which {received:,} commands "
                "arrived: they arrive faster than they are read"
            )
        return TransportError(
            f"the broker at {self._where} has stalled: no answer for {self._answer_timeout_s:g} s"
        )

    def _turn(self, timeout_s: float) -> None:
        """Wait until the socket is ready, and read and write."""
        client, sock = self._client, self._session.sock
        wanted = _READ | (_WRITE if client.want_write() else 0)
        if wanted != self._key.events:
            self._key = self._selector.modify(sock, wanted)
        # The selector does not report bytes that were read, or that TLS has already decrypted.
        pending = getattr(self._ahead or sock, "pending", None)
        ready = _READ if pending is not None and pending() > 0 else 0
        set_quickack(sock)
        for _, events in self._selector.select(0.0 if ready else timeout_s):
            ready |= events
        if ready & _READ and self._ahead is not None:
            self._read(self._ahead)
        elif ready & _READ:
            # paho reads one packet at a time; packets that have already arrived need no select.
            before, stop = -1, self._received + _AT_ONCE
            while before < self._received < stop:
                before = self._received
                self._check(client.loop_read())
        if client.want_write():
            self._check(client.loop_write())
        self._check(client.loop_misc())

    def _read(self, ahead: ReadAhead) -> None:
        """Read once; the time that this takes is bounded."""
        for topic, payload, retained in ahead.receive():
            self._received += 1
            self._dropped += not self._arrivals.add(ArrivedMessage(topic, payload, retained))
        skipped = ahead.take_skipped()
        self._received += skipped
        self._dropped += skipped
        while ahead.is_for_paho():
            self._check(self._client.loop_read())

    def _await(self, code: MQTTErrorCode, mid: int | None) -> None:
        self._check(code)
        if mid is not None:
            self._unanswered.add(mid)

    def _check(self, code: MQTTErrorCode) -> None:
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS or self._client.socket() is None:
            end = self._end or "the broker closed the connection or does not answer"
            raise TransportError(f"the connection to {self._where} is lost: {end}")

    def _on_message(self, client: Client, data: Any, message: MQTTMessage) -> None:
        self._received += 1
        try:
            one = ArrivedMessage(message.topic, bytes(message.payload), message.retain, message.qos)
        except UnicodeDecodeError:
            self._dropped += 1
            return
        self._dropped += not self._arrivals.add(one)

    def _on_subscribe(
        self, client: Client, data: Any, mid: int, codes: Sequence[Any], properties: Any
    ) -> None:
        self._unanswered.discard(mid)
        self._refusals += [str(code) for code in codes if code.is_failure]

    def _on_unsubscribe(
        self, client: Client, data: Any, mid: int, codes: Sequence[Any], properties: Any
    ) -> None:
        self._unanswered.discard(mid)

    def _on_publish(self, client: Client, data: Any, mid: int, code: Any, properties: Any) -> None:
        self._unanswered.discard(mid)
        if code.is_failure and mid in self._places:
            self._refused[self._places[mid]] = str(code)

    def _on_disconnect(
        self, client: Client, data: Any, flags: Any, code: Any, properties: Any
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self._end = f"the broker closed the connection: {code}"
