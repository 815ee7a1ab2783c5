"""MQTT's wire format, as far as a publisher at QoS 0 needs it (OASIS MQTT 3.1.1 and 5.0)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

MAX_PACKET = 1 + 4 + 268_435_455
"""Bytes of the largest packet that MQTT can express, fixed header included (section 2.2.3)."""
PINGREQ = b"\xc0\x00"

_PUBLISH = 0x30
_RETAIN = 0x01


@lru_cache(maxsize=16_384)
def publish_header(remaining: int, retain: bool) -> bytes:
    """The fixed header of a QoS 0 PUBLISH with `remaining` bytes after it (section 2.2)."""
    header = bytearray([_PUBLISH | _RETAIN if retain else _PUBLISH])
    rest = remaining
    while rest >= 128:
        header.append(rest & 127 | 128)
        rest >>= 7
    header.append(rest)
    return bytes(header)


def topic_head(topic: str, *, v5: bool) -> bytes:
    """What precedes the payload at QoS 0: the topic with its length, in MQTT 5 no properties."""
    name = topic.encode()
    return len(name).to_bytes(2, "big") + name + (b"\x00" if v5 else b"")


def publishes(heads: Iterable[bytes], bodies: Iterable[bytes], *, retain: bool) -> bytes:
    """QoS 0 PUBLISH packets, one after the other."""
    pieces: list[bytes] = []
    for head, body in zip(heads, bodies, strict=True):
        pieces += (publish_header(len(head) + len(body), retain), head, body)
    return b"".join(pieces)


def packet_size(topic_bytes: int, body_bytes: int, *, qos: int, v5: bool) -> int:
    """Bytes of a PUBLISH packet, all included."""
    remaining = 2 + topic_bytes + (2 if qos else 0) + (1 if v5 else 0) + body_bytes
    length_bytes = 1 + (remaining > 127) + (remaining > 16_383) + (remaining > 2_097_151)
    return 1 + length_bytes + remaining


def whole_packets(stream: bytes, size: int) -> int:
    """How many packets end within the first `size` bytes of a stream of whole packets."""
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
