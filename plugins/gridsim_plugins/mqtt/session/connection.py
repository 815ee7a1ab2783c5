"""The stream of one MQTT session after its CONNACK: it sends blocks and reads answers."""

from __future__ import annotations

import selectors
import time
from contextlib import suppress

from gridsim.api import TransportError
from gridsim_plugins.mqtt.session import errors
from gridsim_plugins.mqtt.session.answers import (
    DISCONNECT as SERVER_DISCONNECT,
)
from gridsim_plugins.mqtt.session.answers import (
    PINGRESP,
    AnswerGroup,
    AnswerParser,
    ProtocolError,
)
from gridsim_plugins.mqtt.session.frames import DISCONNECT, PINGREQ
from gridsim_plugins.mqtt.session.handshake import open_session
from gridsim_plugins.mqtt.session.reasons import ABOUT_CONNECTION, reason_name
from gridsim_plugins.mqtt.session.sockets import receive, set_quickack, transmit
from gridsim_plugins.mqtt.settings import MqttSettings

_CHUNK = 1 << 18
_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Connection:
    """A new session with the broker; opened by the constructor, used from one thread, closed once.

    Every method raises TransportError after the connection is lost, or if no byte has been
    sent or received for `answer_timeout_s` while an answer is due.
    """

    def __init__(
        self, settings: MqttSettings, host: str, port: int, client_id: str, answer_timeout_s: float
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
        """The pings sent, including those at the end of blocks, which the caller counts."""
        self.pings_answered = 0
        self.sent = 0
        """The bytes of the last block that the operating system has accepted."""
        self.answers: list[AnswerGroup] = []
        """The answers to messages of QoS 1 and 2; the caller removes them."""
        self.closed_by_broker = False
        self.closed_on_message = False
        """True if the broker has closed the connection, perhaps because of a message."""
        self._where = f"{host}:{port}"
        self._client_id = client_id
        self._answer_timeout_s = answer_timeout_s
        self._keepalive_s = self._session.keepalive_s
        self._sock = self._session.sock
        self._parser = AnswerParser()
        self._progress_at = self._wrote = time.monotonic()
        self._incomplete = False
        self._lost: str | None = None
        """The cause of the end. An error that is kept would keep all messages of its frames."""
        self._selector = selectors.DefaultSelector()
        self._events = _READ
        self._selector.register(self._sock, _READ)

    def touch(self) -> None:
        """Restart the time limit for an answer."""
        self._progress_at = time.monotonic()

    def poll(self) -> None:
        """Read the answers that have arrived, without waiting."""
        self._read()
        if self._lost is not None:
            raise self._connection_lost(self._lost)

    def stay_quiet(self, for_s: float) -> None:
        """Send nothing for a while, and then a ping; return when it is answered."""
        if self._events != _READ:
            self._selector.modify(self._sock, _READ)
            self._events = _READ
        until = time.monotonic() + for_s
        while (left := until - time.monotonic()) > 0:
            self._selector.select(left)
            self.poll()
        self.ping()

    def ping(self, share: float = 1.0) -> None:
        """Send a ping and return when it is answered, within a share of the usual time limit."""
        self.pings_sent += 1
        self.send(PINGREQ)
        self._progress_at -= self._answer_timeout_s * (1 - share)
        while self.pings_answered < self.pings_sent:
            self.wait()

    def overdue(self) -> bool:
        """Return whether `wait` would raise because an answer is due for too long."""
        return time.monotonic() >= self._progress_at + self._answer_timeout_s

    def wait(self, gather_s: float = 0.0) -> None:
        """Wait for an answer and read it, with those that arrive in the `gather_s` after it."""
        set_quickack(self._sock)
        self._select(_READ, "no answer")
        if gather_s:
            time.sleep(gather_s)
        self.poll()

    def send(self, block: bytes | bytearray) -> None:
        """Write whole packets; if this raises, `sent` is the number of bytes written.

        Answers are read meanwhile, because a broker may stop reading until its answers are read.
        """
        self.sent = 0
        self._incomplete = True
        view = memoryview(block)
        while self.sent < len(view):
            try:
                taken = transmit(self._sock, view[self.sent : self.sent + _CHUNK])
            except OSError as error:
                raise self._after_reset(error) from error
            if taken:
                self.sent += taken
                self._progress_at = time.monotonic()
            elif self._select(_READ | _WRITE, "it has read nothing") & _READ:
                self.poll()
        self._incomplete = False
        self._wrote = self._progress_at

    def keep_alive(self) -> None:
        """Send a ping if the connection is idle.

        Call it a few times a second while there is nothing to send.
        """
        self.poll()
        silent_s = time.monotonic() - self._wrote
        if silent_s < self._keepalive_s:
            return
        if self.pings_answered < self.pings_sent:
            raise self._connection_lost("no answer to a ping")
        self.pings_sent += 1
        self.send(PINGREQ)

    def close(self) -> None:
        """Send DISCONNECT if that is possible without waiting, and close the socket."""
        if self._lost is None and not self._incomplete:
            with suppress(OSError):
                transmit(self._sock, memoryview(DISCONNECT))
        self._selector.close()
        self._session.close()

    def not_confirmed(self, messages: int, topic: str) -> TransportError:
        """Return the error for messages without an answer, the first of them to `topic`."""
        count = "a message" if messages == 1 else f"{messages:,} messages, the first"
        return TransportError(
            f"the broker at {self._where} answers pings, but for {self._answer_timeout_s:g} s "
            f"has not confirmed {count} to {topic}"
        )

    def _select(self, events: int, fault: str) -> int:
        """Wait for events until the time limit for an answer, and return those that are ready."""
        left = self._progress_at + self._answer_timeout_s - time.monotonic()
        if left <= 0:
            raise TransportError(
                f"the broker at {self._where} has stalled: {fault} for {self._answer_timeout_s:g} s"
            )
        if events != self._events:
            self._selector.modify(self._sock, events)
            self._events = events
        ready = 0
        for _, mask in self._selector.select(left):
            ready |= mask
        return ready

    def _read(self) -> None:
        """Read the bytes that have arrived; set `_lost` if the connection has ended."""
        if self._lost is not None:
            return
        try:
            data, ended = receive(self._sock)
            runs = self._parser.feed(data) if data else []
        except (OSError, ProtocolError) as error:
            self.closed_by_broker = self.closed_on_message = isinstance(error, OSError)
            self._lost = errors.cause_of_end(error)
            return
        if data:
            self._progress_at = time.monotonic()
        if ended:
            self.closed_by_broker = self.closed_on_message = True
            self._lost = "the broker closed the connection"
        for run in runs:
            if run.kind == PINGRESP:
                self.pings_answered += run.packets
            elif run.kind == SERVER_DISCONNECT:
                self.closed_by_broker = True
                self.closed_on_message = run.reason not in ABOUT_CONNECTION
                self._lost = self._disconnect_cause(run.reason)
            else:
                self.answers.append(run)

    def _after_reset(self, error: OSError) -> TransportError:
        """Return the cause of an error while writing: the broker's DISCONNECT if it sent one."""
        self._read()
        if self._lost is None:
            self.closed_by_broker = self.closed_on_message = True
            self._lost = errors.cause_of_end(error)
        return self._connection_lost(self._lost)

    def _disconnect_cause(self, reason: int) -> str:
        if reason == errors.TAKEN_OVER:
            cause = f"another client uses the client id {self._client_id!r}"
        else:
            cause = reason_name(SERVER_DISCONNECT, reason)
        return f"the broker closed the connection: {cause}"

    def _connection_lost(self, cause: str) -> TransportError:
        return TransportError(f"the connection to {self._where} is lost: {cause}")
