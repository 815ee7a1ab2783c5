"""One of many connections: a socket and its state."""

from __future__ import annotations

import enum
import errno
import os
import selectors
import socket
import ssl
from dataclasses import dataclass
from typing import Any

from gridsim_plugins.mqtt.session.answers import AnswerGroup, AnswerParser
from gridsim_plugins.mqtt.session.sockets import receive, transmit

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_UNDER_WAY = (0, errno.EINPROGRESS, errno.EWOULDBLOCK, getattr(errno, "WSAEWOULDBLOCK", 0))


class LinkState(enum.Enum):
    OFF = enum.auto()
    """The device is offline; the connection is not opened."""
    WAITING = enum.auto()
    """The connection will be opened at `due`."""
    CONNECTING = enum.auto()
    SECURING = enum.auto()
    """The TLS handshake has begun."""
    CONNECT_SENT = enum.auto()
    """CONNECT is sent; the CONNACK has not been received."""
    UP = enum.auto()


@dataclass(slots=True, eq=False)
class Link:
    """A connection of `Clients`. Keep it small, because there are many."""

    index: int
    state: LinkState = LinkState.OFF
    sock: Any = None
    parser: AnswerParser | None = None
    """The parser of an answer that has been received in part; None: there is no such answer."""
    connack: bytes = b""
    """The bytes received of the CONNACK."""
    out: bytes = b""
    """The bytes that are not written to the socket yet."""
    events: int = 0
    """The events that the selector watches for."""
    due: float = 0.0
    """The time to open the connection, or the deadline while it is being opened."""
    failures: int = 0
    """The number of consecutive failed attempts to connect."""
    wrote: float = 0.0
    pings: int = 0
    """The number of pings without an answer."""
    overdue: bool = False
    """True if the last ping asks whether the broker still answers."""
    given_up: int = 0
    """The number of messages that were given up, because the broker does not answer them."""
    first: int = 0
    given: int = 0
    end: int = 0
    """The end of the link's messages in the current batch.

    They are `first` to before `end`; those before `given` have been appended to `out`.
    """
    open: int = 0
    """The number of these messages without an outcome."""
    up_since: float = 0.0
    alone: bool = False
    """True if the messages of the current batch are sent one at a time."""
    proof: bool = False
    """True if the last message was sent alone when the connection had been up for a while."""
    closed: bool = False
    """True if the broker has closed the connection, perhaps because of a message."""
    first_id: int = 0
    """The packet id of the message `first`."""

    def is_due(self) -> bool:
        """Return whether the connection is up, being opened, or waiting for its first attempt."""
        if self.state is LinkState.WAITING:
            return not self.failures
        return self.state is not LinkState.OFF

    def start(self, family: int, address: Any, context: ssl.SSLContext | None, host: str) -> None:
        """Begin to connect. Raises OSError."""
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            code = sock.connect_ex(address)
            if code not in _UNDER_WAY:
                raise OSError(code, os.strerror(code))
        except BaseException:
            sock.close()
            raise
        self.adopt(sock, context, host)

    def adopt(self, sock: socket.socket, context: ssl.SSLContext | None, host: str) -> None:
        """Use a socket that is connected or connecting. Raises OSError."""
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context is not None:
                sock = context.wrap_socket(
                    sock, server_hostname=host, do_handshake_on_connect=False
                )
        except BaseException:
            sock.close()
            raise
        self.sock = sock
        self.state = LinkState.CONNECTING

    def secure(self) -> int:
        """Continue the TLS handshake; return the event to wait for, or 0 if it is complete."""
        try:
            self.sock.do_handshake()
        except ssl.SSLWantReadError:
            return READ
        except ssl.SSLWantWriteError:
            return WRITE
        return 0

    def flush(self) -> None:
        """Write as much output as the socket accepts. Raises OSError."""
        view = memoryview(self.out)
        taken = 0
        while taken < len(view):
            more = transmit(self.sock, view[taken:])
            if not more:
                break
            taken += more
        self.out = self.out[taken:]

    def receive(self) -> tuple[bytes, bool]:
        return receive(self.sock)

    def answers(self, data: bytes) -> list[AnswerGroup]:
        if self.parser is None:
            self.parser = AnswerParser()
        found = self.parser.feed(data)
        if not self.parser.is_within_packet:
            self.parser = None
        return found

    def drop(self) -> None:
        """Close the socket without a DISCONNECT."""
        if self.sock is not None:
            self.sock.close()
        self.sock, self.parser, self.out, self.connack = None, None, b"", b""
        self.events = self.pings = self.given_up = 0
        self.overdue = False
