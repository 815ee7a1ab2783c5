"""The stream of one MQTT session, from its CONNACK on: blocks out, answers in, from one thread."""

from __future__ import annotations

import selectors
import time
from contextlib import suppress

from gridsim.api import TransportError
from gridsim_plugins.mqtt.session import errors
from gridsim_plugins.mqtt.session.answers import (
    DISCONNECT as FAREWELL,
)
from gridsim_plugins.mqtt.session.answers import (
    PINGRESP,
    AnswerGroup,
    AnswerParser,
    ProtocolError,
)
from gridsim_plugins.mqtt.session.frames import DISCONNECT, PINGREQ
from gridsim_plugins.mqtt.session.handshake import open_session
from gridsim_plugins.mqtt.session.sockets import hasten, receive, transmit
from gridsim_plugins.mqtt.settings import MqttSettings

_CHUNK = 1 << 18
_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Connection:
    """A fresh session with the broker; opened by being made, used and closed once.

    Every method raises TransportError once the connection is lost, or if nothing has moved
    for `patience_s` while an answer is due.
    """

    def __init__(
        self, settings: MqttSettings, host: str, port: int, client_id: str, patience_s: float
    ) -> None:
        self._session = open_session(
            settings,
            host,
            port,
            client_id,
            qos=settings.qos,
            retain=settings.retain,
            will=settings.will,
        )
        self.max_packet = self._session.max_packet
        self.receive_maximum = self._session.receive_maximum
        self.pings_sent = 0
        """Including those at the end of blocks that `send` was given, counted by their maker."""
        self.pings_answered = 0
        self.sent = 0
        """Bytes of the block last given to `send` that the operating system has taken."""
        self.answers: list[AnswerGroup] = []
        """What came about messages of QoS 1 and 2; the reader empties it."""
        self.closed_by_broker = False
        self._where = f"{host}:{port}"
        self._client_id = client_id
        self._patience_s = patience_s
        self._keepalive_s = self._session.keepalive_s
        self._sock = self._session.sock
        self._parser = AnswerParser()
        self._moved = self._wrote = time.monotonic()
        self._torn = False
        self._lost: TransportError | None = None
        self._selector = selectors.DefaultSelector()
        self._events = _READ
        self._selector.register(self._sock, _READ)

    def touch(self) -> None:
        """From now on an answer is due."""
        self._moved = time.monotonic()

    def poll(self) -> None:
        """Reads what has come."""
        self._read()
        if self._lost is not None:
            raise self._lost

    def wait(self) -> None:
        """Reads as soon as something comes."""
        hasten(self._sock)
        self._select(_READ, "no answer")
        self.poll()

    def send(self, block: bytes) -> None:
        """Write whole packets; `sent` tells how far it came when this raises.

        Meanwhile reads what comes, for a broker may wait for that before it takes more.
        """
        self.sent = 0
        self._torn = True
        view = memoryview(block)
        while self.sent < len(view):
            try:
                taken = transmit(self._sock, view[self.sent : self.sent + _CHUNK])
            except OSError as error:
                raise self._after_reset(error) from error
            if taken:
                self.sent += taken
                self._moved = time.monotonic()
            elif self._select(_READ | _WRITE, "it takes nothing") & _READ:
                self.poll()
        self._torn = False
        self._wrote = self._moved

    def keep_alive(self) -> None:
        """To be called a few times a second while there is nothing to send."""
        self.poll()
        silent_s = time.monotonic() - self._wrote
        if silent_s < self._keepalive_s:
            return
        if self.pings_answered < self.pings_sent:
            raise self._say("no answer to a ping")
        self.pings_sent += 1
        self.send(PINGREQ)

    def close(self) -> None:
        """Takes leave if that is possible at once, and frees the socket."""
        if self._lost is None and not self._torn:
            with suppress(OSError):
                transmit(self._sock, memoryview(DISCONNECT))
        self._selector.close()
        self._session.close()

    def _select(self, events: int, fault: str) -> int:
        """What is ready; waits for as long as patience lasts."""
        left = self._moved + self._patience_s - time.monotonic()
        if left <= 0:
            raise TransportError(
                f"the broker at {self._where} has stalled: {fault} for {self._patience_s:g} s"
            )
        if events != self._events:
            self._selector.modify(self._sock, events)
            self._events = events
        ready = 0
        for _, mask in self._selector.select(left):
            ready |= mask
        return ready

    def _read(self) -> None:
        """Takes what has come; `_lost` says if that was the end."""
        if self._lost is not None:
            return
        try:
            data, ended = receive(self._sock)
            runs = self._parser.feed(data) if data else []
        except (OSError, ProtocolError) as error:
            self.closed_by_broker = isinstance(error, OSError)
            self._lost = self._say(errors.spoken(error))
            return
        if data:
            self._moved = time.monotonic()
        if ended:
            self.closed_by_broker = True
            self._lost = self._say("the broker closed it")
        for run in runs:
            if run.kind == PINGRESP:
                self.pings_answered += run.packets
            elif run.kind == FAREWELL:
                self.closed_by_broker = True
                self._lost = self._say(self._farewell(run.reason))
            else:
                self.answers.append(run)

    def _after_reset(self, error: OSError) -> TransportError:
        """The stream broke off while writing; what the broker said before is there to read."""
        self._read()
        self.closed_by_broker = True
        return self._lost or self._say(errors.spoken(error))

    def _farewell(self, reason: int) -> str:
        if reason == errors.TAKEN_OVER:
            return f"the broker ended it: another client uses the client id {self._client_id!r}"
        return f"the broker ended it: {errors.reason_name(FAREWELL, reason)}"

    def _say(self, cause: str) -> TransportError:
        return TransportError(f"the connection to {self._where} is lost: {cause}")
