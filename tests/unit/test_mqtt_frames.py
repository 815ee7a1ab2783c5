from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gridsim_plugins.mqtt.session.frames import PINGREQ, Frames, length, pubrels, whole_packets

TOPICS = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="+#"), min_size=1
)
MESSAGES = st.lists(st.tuples(TOPICS, st.binary(max_size=300)), max_size=5)


def pack(
    messages: list[tuple[str, bytes]],
    *,
    qos: int = 0,
    retain: bool = False,
    properties: Sequence[bytes] = (b"",),
) -> tuple[bytes, list[int]]:
    """The packets, and how large each was said to be; packet ids from 65,534 on."""
    topics = [topic for topic, _ in messages]
    frames = Frames(topics, qos=qos, retain=retain, properties=properties)
    topic = np.arange(len(messages))
    bodies = [body for _, body in messages]
    sizes = np.array([len(body) for body in bodies], np.intp)
    ids = np.arange(65_534, 65_534 + len(messages)).astype(np.uint16) if qos else None
    return bytes(frames.pack(topic, bodies, sizes, ids)), frames.sizes(topic, sizes).tolist()


def decode(stream: bytes, *, v5: bool) -> list[tuple[int, int, str, int, bytes, bytes]]:
    """(first byte, size, topic, packet id, properties, payload) of PUBLISH packets.

    By the standard, for properties of less than 128 bytes.
    """
    packets = []
    while stream:
        first, at, remaining, factor = stream[0], 1, 0, 1
        while True:
            remaining += (stream[at] & 127) * factor
            factor *= 128
            at += 1
            if not stream[at - 1] & 128:
                break
        body, stream = stream[at : at + remaining], stream[at + remaining :]
        assert len(body) == remaining
        end = 2 + int.from_bytes(body[:2], "big")
        payload, mid, properties = body[end:], 0, b""
        if first & 0x06:
            mid, payload = int.from_bytes(payload[:2], "big"), payload[2:]
        if v5:
            size = 1 + payload[0]
            properties, payload = payload[:size], payload[size:]
        packets.append((first, at + remaining, body[2:end].decode(), mid, properties, payload))
    return packets


@given(
    MESSAGES,
    st.sampled_from([0, 1, 2]),
    st.booleans(),
    st.sampled_from(["3", "none", "one", "each"]),
)
def test_what_is_encoded_can_be_decoded(
    messages: list[tuple[str, bytes]], qos: int, retain: bool, kind: str
) -> None:
    properties = {"3": [b""], "none": [b"\x00"], "one": [b"\x03abc"]}.get(
        kind, [bytes([i]) + b"x" * i for i in range(len(messages))]
    )
    stream, sizes = pack(messages, qos=qos, retain=retain, properties=properties)
    first = 0x30 | qos << 1 | retain
    each = properties if kind == "each" else properties * len(messages)
    assert decode(stream, v5=kind != "3") == [
        (first, size, topic, (65_534 + i) & 0xFFFF if qos else 0, each[i], body)
        for i, ((topic, body), size) in enumerate(zip(messages, sizes, strict=True))
    ]


def test_large_sizes_are_known_beforehand() -> None:
    for body in (117, 118, 16_373, 16_374, 2_097_141, 2_097_142):
        stream, [size] = pack([("topic/id", bytes(body))])
        assert size == len(stream)


def test_lengths_are_encoded_as_in_the_standards_table() -> None:
    table = {
        0: "00",
        127: "7f",
        128: "8001",
        16_383: "ff7f",
        16_384: "808001",
        2_097_151: "ffff7f",
        2_097_152: "80808001",
        268_435_455: "ffffff7f",
    }
    for remaining, encoded in table.items():
        assert length(remaining).hex() == encoded


def test_releases_follow_each_other() -> None:
    assert pubrels(np.array([1, 0x1234, 65_535], np.uint16)).hex() == "62020001620212346202ffff"


@given(MESSAGES, st.data())
def test_whole_packets_are_counted_up_to_any_byte(
    messages: list[tuple[str, bytes]], data: st.DataObject
) -> None:
    packed, sizes = pack(messages)
    stream = packed + PINGREQ
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))] + [len(stream)]
    size = data.draw(st.integers(0, len(stream)))
    assert whole_packets(stream, size) == sum(end <= size for end in ends)
