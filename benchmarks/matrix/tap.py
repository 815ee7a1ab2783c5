"""A reader of the bytes between a client and its broker: it knows what the broker confirmed.

A broker that is killed forgets what it has not written, so a subscriber cannot judge what
arrived. The frames are parsed here, so that no code of the transport is used to check itself.
"""

from __future__ import annotations

from collections import Counter

from benchmarks.matrix.sinks import Received

_PUBLISH, _PUBACK = 0x30, 0x40


class Tap:
    """The messages with QoS 1 of each connection, and those that the broker confirmed."""

    def __init__(self) -> None:
        self.confirmed = Received()
        self.connections = 0
        self.copies = 0
        """The number of messages that were sent before."""
        self.within = 0
        """The number of messages that were sent before on the same connection."""
        self._sent: set[bytes] = set()
        self._here: Counter[tuple[int, bytes]] = Counter()
        self._waiting: dict[tuple[int, int], bytes] = {}
        self._rest: dict[tuple[int, bool], bytes] = {}

    def __call__(self, connection: int, towards_broker: bool, data: bytes) -> None:
        """Take bytes that were forwarded."""
        self.connections = max(self.connections, connection)
        key = connection, towards_broker
        data = self._rest.get(key, b"") + data
        while (frame := _frame(data)) is not None:
            kind, body, data = frame
            if towards_broker and kind & 0xF0 == _PUBLISH:
                self._publish(connection, kind, body)
            elif not towards_broker and kind == _PUBACK:
                payload = self._waiting.pop((connection, int.from_bytes(body[:2])), None)
                if payload is not None:
                    self.confirmed.take(payload)
        self._rest[key] = data

    def _publish(self, connection: int, kind: int, body: bytes) -> None:
        place = 2 + int.from_bytes(body[:2])
        if kind & 0x06:
            number = int.from_bytes(body[place : place + 2])
            place += 2
            self._waiting[connection, number] = body[place:]
        payload = body[place:]
        self.copies += payload in self._sent
        self._sent.add(payload)
        self.within += self._here[connection, payload]
        self._here[connection, payload] += 1


def _frame(data: bytes) -> tuple[int, bytes, bytes] | None:
    """Return the first packet's first byte, its body, and the bytes after it; None: not whole."""
    length, place = 0, 1
    while True:
        if place >= len(data):
            return None
        length |= (data[place] & 0x7F) << 7 * (place - 1)
        place += 1
        if data[place - 1] < 0x80:
            break
    if len(data) < place + length:
        return None
    return data[0], data[place : place + length], data[place + length :]
