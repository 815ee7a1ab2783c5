"""The parts of MQTT's wire format that a publisher needs (OASIS MQTT 3.1.1 and 5.0)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

MAX_PACKET = 1 + 4 + 268_435_455
"""The size of the largest packet in MQTT, bytes, with its fixed header (section 2.2.3)."""
PINGREQ = b"\xc0\x00"
DISCONNECT = b"\xe0\x00"

_PUBLISH = 0x30
_RETAIN = 0x01
_PUBREL = 0x6202
_ID_BYTES = 2


class Frames:
    """An encoder of PUBLISH packets to known topics; it caches the parts that repeat."""

    def __init__(
        self, topics: Sequence[str], *, qos: int, retain: bool, properties: Sequence[bytes]
    ) -> None:
        """Take the properties of each topic, or one for all, with their length.

        In MQTT 3.1.1 they are empty.
        """
        names = [string(topic) for topic in topics]
        each = list(properties) * (len(names) if len(properties) == 1 else 1)
        self._properties_size = np.array([len(own) for own in each], np.intp)
        # At QoS 1 and 2 the packet id stands between topic and properties; `pack` writes it there.
        space = bytes(_ID_BYTES if qos else 0)
        names = [name + space + own for name, own in zip(names, each, strict=True)]
        self._before_body = np.array([len(name) for name in names], np.intp)
        self._names = names
        self._headers = _Headers(_PUBLISH | qos << 1 | (_RETAIN if retain else 0))

    def sizes(self, topic: NDArray[np.intp], body_sizes: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the size of each packet, bytes, including its headers."""
        return _packet_sizes(self._before_body[topic] + body_sizes)

    def pack(
        self,
        topic: NDArray[np.intp],
        bodies: Sequence[bytes],
        body_sizes: NDArray[np.intp],
        ids: NDArray[np.integer] | None = None,
        *,
        trailer: bytes = b"",
        after: Iterable[bytes] | None = None,
    ) -> bytes | bytearray:
        """Return the packets in one block that ends with `trailer`.

        `ids` are the packet ids at QoS 1 and 2. At QoS 0, `after` are the bytes after each packet.
        """
        rest = self._before_body[topic] + body_sizes
        columns: list[Iterable[bytes]] = [
            map(self._headers.__getitem__, rest.tolist()),
            map(self._names.__getitem__, topic.tolist()),
            bodies,
        ]
        if after is not None:
            columns.append(after)
        # Filling by strides is faster than zip and chain.
        pieces = [trailer] * (len(columns) * len(bodies) + 1)
        for place, column in enumerate(columns):
            pieces[place : -1 : len(columns)] = column
        if ids is None:
            return b"".join(pieces)
        block = bytearray().join(pieces)
        after_id = self._properties_size[topic] + body_sizes
        at = np.cumsum(_packet_sizes(rest)) - after_id - _ID_BYTES
        raw = np.frombuffer(block, np.uint8)
        raw[at], raw[at + 1] = ids >> 8, ids & 255
        return block


class _Headers(dict[int, bytes]):
    """The fixed headers by remaining length."""

    def __init__(self, first: int) -> None:
        super().__init__()
        self._first = first

    def __missing__(self, remaining: int) -> bytes:
        made = self[remaining] = bytes([self._first]) + length(remaining)
        return made


def _packet_sizes(remaining: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the sizes of packets by their remaining lengths."""
    return remaining + 2 + (remaining > 127) + (remaining > 16_383) + (remaining > 2_097_151)


def length(remaining: int) -> bytes:
    """Encode a remaining length, seven bits per byte (section 2.2.3)."""
    encoded = bytearray()
    while remaining >= 128:
        encoded.append(remaining & 127 | 128)
        remaining >>= 7
    encoded.append(remaining)
    return bytes(encoded)


def string(text: str) -> bytes:
    """Encode a text as UTF-8 after its length (section 1.5.3)."""
    encoded = text.encode()
    return len(encoded).to_bytes(2, "big") + encoded


def pubrels(ids: NDArray[np.uint16]) -> bytes:
    """Return the PUBREL packets of the packet ids (section 3.6)."""
    packets = np.empty((len(ids), 2), ">u2")
    packets[:, 0], packets[:, 1] = _PUBREL, ids
    return packets.tobytes()


def whole_packets(stream: bytes | bytearray, size: int) -> int:
    """Return the number of packets that end within the first `size` bytes of a stream."""
    count = at = 0
    while True:
        remaining = shift = 0
        at += 1
        while at < size:
            remaining |= (stream[at] & 127) << shift
            shift += 7
            at += 1
            if stream[at - 1] < 128:
                break
        else:
            return count
        at += remaining
        if at > size:
            return count
        count += 1


def single_publish(topic: str, payload: bytes, properties: bytes, *, retain: bool) -> bytes:
    """Return a PUBLISH of QoS 0; `properties` as `Frames` takes them."""
    body = string(topic) + properties + payload
    return bytes([_PUBLISH | (_RETAIN if retain else 0)]) + length(len(body)) + body
