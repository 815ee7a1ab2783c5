"""A socket for paho that needs one system call for many small reads."""

from __future__ import annotations

import socket
from typing import Any, Final

_BYTES: Final = 65_536


class ReadAhead:
    """A socket that reads more than is asked for, and keeps the rest.

    paho reads a packet in three or four calls. Each lets another thread run, so in a busy process
    a flood of messages would be read much more slowly than it arrives.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._read = b""
        self._at = 0

    def recv(self, size: int) -> bytes:
        """Return up to `size` bytes; raises as the socket does if none has arrived."""
        if self._at == len(self._read):
            self._read, self._at = self._sock.recv(_BYTES), 0
        part = self._read[self._at : self._at + size]
        self._at += len(part)
        return part

    def pending(self) -> int:
        """Return the number of bytes that were read and not asked for yet."""
        decrypted = getattr(self._sock, "pending", None)
        return len(self._read) - self._at + (0 if decrypted is None else int(decrypted()))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)
