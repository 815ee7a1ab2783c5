"""Bytes in and out of a socket that never blocks: plain, TLS, or paho's WebSocket."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from typing import Protocol

_READ = 1 << 16
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
_MUST_WAIT = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class SocketLike(Protocol):
    """What paho, too, asks of a socket."""

    def recv(self, size: int, /) -> bytes: ...
    def send(self, data: memoryview, /) -> int: ...
    def fileno(self) -> int: ...
    def close(self) -> None: ...


def receive(sock: SocketLike) -> tuple[bytes, bool]:
    """What has come by now, and whether the other side has ended the stream.

    Raises OSError where the connection broke.
    """
    pieces: list[bytes] = []
    ended = False
    try:
        while not ended:
            data = sock.recv(_READ)
            pieces.append(data)
            ended = not data
            # There may be more; of a plain socket the selector will tell.
            if len(data) < _READ and type(sock) is socket.socket:
                break
    except _MUST_WAIT:
        pass
    except OSError as error:
        if not pieces and not isinstance(error, ssl.SSLEOFError):
            raise
        ended = True
    return b"".join(pieces), ended


def transmit(sock: SocketLike, data: memoryview) -> int:
    """How many bytes the socket has taken; 0 if it takes none now. Raises OSError."""
    try:
        return sock.send(data)
    except _MUST_WAIT:
        return 0


def hasten(sock: SocketLike) -> None:
    """Lets the kernel acknowledge what comes next at once, where it can (Linux).

    A broker that sends with Nagle's algorithm, as Mosquitto does, holds back its second answer
    until the first is acknowledged, and the kernel likes to wait with that for 40 ms. The
    kernel forgets the wish, so it is to be made again.
    """
    if _QUICKACK is not None and isinstance(sock, socket.socket):
        with suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
