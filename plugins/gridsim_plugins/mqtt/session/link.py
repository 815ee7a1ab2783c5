"""One of many connections: a socket and where it is in its life."""

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
    """The device is offline; nobody wants it."""
    WAITING = enum.auto()
    """To be opened, at `due`."""
    CONNECTING = enum.auto()
    SECURING = enum.auto()
    """In the TLS handshake."""
    GREETING = enum.auto()
    """CONNECT is on its way; there is no CONNACK yet."""
    UP = enum.auto()


@dataclass(slots=True, eq=False)
class Link:
    """Owned by `Clients`. Many exist, so it holds little."""

    index: int
    state: LinkState = LinkState.OFF
    sock: Any = None
    parser: AnswerParser | None = None
    greeting: bytes = b""
    """What has come of the CONNACK."""
    out: bytes = b""
    """What the socket has not taken yet."""
    events: int = 0
    """What the selector watches for."""
    due: float = 0.0
    """When to open it; while it is being opened, until when that may take."""
    failures: int = 0
    """Attempts to connect that failed one after the other."""
    wrote: float = 0.0
    pings: int = 0
    """Pings without an answer so far."""
    next_id: int = 1
    first: int = 0
    given: int = 0
    end: int = 0
    """Of the batch being written: its own messages are `first` to before `end`; those before
    `given` have been handed over to `out`."""
    open: int = 0
    """How many of these have no outcome yet."""
    first_id: int = 0
    """The packet id of the message `first`."""

    def is_due(self) -> bool:
        """Return whether the connection is up, or about to be."""
        if self.state is LinkState.WAITING:
            return not self.failures
        return self.state is not LinkState.OFF

    def start(self, family: int, address: Any, context: ssl.SSLContext | None, host: str) -> None:
        """Begins to connect. Raises OSError."""
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
        """Goes on with a socket that is connected, or about to be. Raises OSError."""
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
        """Goes on with the TLS handshake: what to wait for, 0 when it is complete."""
        try:
            self.sock.do_handshake()
        except ssl.SSLWantReadError:
            return READ
        except ssl.SSLWantWriteError:
            return WRITE
        return 0

    def flush(self) -> None:
        """Writes what the socket takes. Raises OSError."""
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
        return self.parser.feed(data)

    def drop(self) -> None:
        """Closes the socket, without any farewell."""
        if self.sock is not None:
            self.sock.close()
        self.sock, self.parser, self.out, self.greeting = None, None, b"", b""
        self.events = self.pings = 0
        self.next_id = 1
