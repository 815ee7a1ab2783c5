"""A socket for paho that reads many small packets with one system call."""

from __future__ import annotations

import ssl
from typing import Any, Final, NamedTuple

from gridsim_plugins.mqtt.session.sockets import SocketLike

_BYTES: Final = 65_536
_MUST_WAIT = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
# The first byte of a PUBLISH with QoS 0; the lowest bit is set if it is retained.
_PUBLISH: Final = 0x30
_RETAIN: Final = 0x01


class Publication(NamedTuple):
    """The content of a PUBLISH packet with QoS 0."""

    topic: str
    payload: bytes
    retained: bool


class ReadAhead:
    """A socket that reads the messages with QoS 0 itself and passes all other packets to paho. paho
    reads a message in three or four calls, and during each another thread may run. In a busy
    process a flood of messages would be read much more slowly than it arrives.
    """

    def __init__(self, sock: SocketLike, most_bytes: int, *, v5: bool) -> None:
        """Read nothing yet; a message larger than `most_bytes` is skipped and counted."""
        self._sock = sock
        self._most_bytes = most_bytes
        self._v5 = v5
        self._read = bytearray()
        """The bytes that were read and are not split into packets yet."""
        self._others = bytearray()
        """The packets for paho."""
        self._to_skip = 0
        self._skipped = 0
        self._end: OSError | None = None
        self._ended = False

    def receive(self) -> list[Publication]:
        """Read what has arrived, up to 64 KiB, and return the messages that are complete."""
        try:
            data = self._sock.recv(_BYTES)
            self._ended = self._ended or not data
        except _MUST_WAIT:
            return []
        except OSError as error:
            self._end = error
            return []
        if self._to_skip:
            skipped = min(self._to_skip, len(data))
            self._to_skip -= skipped
            data = data[skipped:]
        self._read += data
        return self._split()

    def take_skipped(self) -> int:
        """Return the number of messages since the last call that were too large or not UTF-8."""
        skipped, self._skipped = self._skipped, 0
        return skipped

    def is_for_paho(self) -> bool:
        """Return whether paho has something to read: packets, or the end of the stream."""
        return bool(self._others) or self._ended or self._end is not None

    def recv(self, size: int) -> bytes:
        """Return up to `size` bytes of the packets for paho. Raises as a socket does."""
        if not self._others:
            if self._end is not None:
                raise self._end
            if self._ended:
                return b""
            raise BlockingIOError
        part = bytes(self._others[:size])
        del self._others[:size]
        return part

    def pending(self) -> int:
        """Return the number of bytes that TLS has decrypted and that were not read yet."""
        decrypted = getattr(self._sock, "pending", None)
        return 0 if decrypted is None else int(decrypted())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def _split(self) -> list[Publication]:
        found: list[Publication] = []
        data = bytes(self._read)
        at = 0
        while (header := _header(data, at)) is not None:
            body, end = header
            if end < 0:
                # Not MQTT: paho ends the connection.
                end = len(data)
                self._others += data[at:]
            elif data[at] & ~_RETAIN != _PUBLISH:
                if end > len(data):
                    break
                self._others += data[at:end]
            elif end - at > self._most_bytes:
                self._skipped += 1
                self._to_skip = max(end - len(data), 0)
                end = min(end, len(data))
            elif end > len(data):
                break
            elif (one := self._publication(data, at, body, end)) is not None:
                found.append(one)
            else:
                self._skipped += 1
            at = end
        del self._read[:at]
        return found

    def _publication(self, data: bytes, at: int, body: int, end: int) -> Publication | None:
        """Return a message, or None if its topic or properties cannot be read."""
        payload = topic_end = body + 2 + int.from_bytes(data[body : body + 2], "big")
        if self._v5:
            properties = _varint(data, topic_end)
            payload = end + 1 if properties is None else sum(properties)
        if payload > end:
            return None
        try:
            topic = data[body + 2 : topic_end].decode()
        except UnicodeDecodeError:
            return None
        return Publication(topic, data[payload:end], bool(data[at] & _RETAIN))


def _header(data: bytes, at: int) -> tuple[int, int] | None:
    """Return where the body of the packet at `at` begins and ends; an end of -1: it is not MQTT.
    None if the header is incomplete.
    """
    length = _varint(data, at + 1)
    if length is None:
        return (at, -1) if len(data) - at > 4 else None
    size, body = length
    return body, body + size


def _varint(data: bytes, at: int) -> tuple[int, int] | None:
    """Return an integer of variable length and the place after it; None if it is incomplete."""
    value = 0
    for place, byte in enumerate(data[at : at + 4]):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at + place + 1
    return None
