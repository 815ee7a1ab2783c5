"""Reading and writing of non-blocking sockets: plain, TLS, or paho's WebSocket."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from typing import Protocol

_READ = 1 << 16
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
MUST_WAIT = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class SocketLike(Protocol):
    """The methods of a socket that paho and this module use."""

    def recv(self, size: int, /) -> bytes: ...
    def send(self, data: bytes | memoryview, /) -> int: ...
    def fileno(self) -> int: ...
    def close(self) -> None: ...


def receive(sock: SocketLike) -> tuple[bytes, bool]:
    """Return the bytes that have arrived, and whether the broker has closed the stream.

    Raises OSError if the connection is lost.
    """
    pieces: list[bytes] = []
    ended = False
    try:
        while not ended:
            data = sock.recv(_READ)
            pieces.append(data)
            ended = not data
            # There may be more bytes; the selector reports them, but for plain sockets only.
            if len(data) < _READ and type(sock) is socket.socket:
                break
    except MUST_WAIT:
        pass
    except OSError as error:
        if not pieces and not isinstance(error, ssl.SSLEOFError):
            raise
        ended = True
    return b"".join(pieces), ended


def transmit(sock: SocketLike, data: bytes | memoryview) -> int:
    """Write to a socket and return the number of bytes accepted, which may be 0. Raises OSError."""
    try:
        return sock.send(data)
    except MUST_WAIT:
        return 0


def set_quickack(sock: SocketLike) -> None:
    """Set TCP_QUICKACK if the system has it (Linux): acknowledge the next bytes at once.

    A broker with Nagle's algorithm, such as Mosquitto, delays its second answer until the first
    is acknowledged, and the kernel delays that acknowledgement by up to 40 ms. The kernel resets
    this option by itself, so call this before each wait.
    """
    if _QUICKACK is not None and isinstance(sock, socket.socket):
        with suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
