from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gridsim_plugins.mqtt.frames import (
    PINGREQ,
    packet_size,
    publish_header,
    publishes,
    topic_head,
    whole_packets,
)

TOPICS = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="+#"), min_size=1
)
MESSAGES = st.lists(st.tuples(TOPICS, st.binary(max_size=300)), max_size=5)


def decode(stream: bytes, *, v5: bool) -> list[tuple[int, str, bytes]]:
    """(first byte, topic, payload) of QoS 0 PUBLISH packets, by the letter of the standard."""
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
        payload = body[end:]
        if v5:
            assert payload[0] == 0, "no properties"
            payload = payload[1:]
        packets.append((first, body[2:end].decode(), payload))
    return packets


@given(MESSAGES, st.booleans(), st.booleans())
def test_what_is_encoded_can_be_decoded(
    messages: list[tuple[str, bytes]], retain: bool, v5: bool
) -> None:
    heads = [topic_head(topic, v5=v5) for topic, _ in messages]
    stream = publishes(heads, [body for _, body in messages], retain=retain)
    first = 0x31 if retain else 0x30
    assert decode(stream, v5=v5) == [(first, topic, body) for topic, body in messages]


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
        assert publish_header(remaining, False).hex() == "30" + encoded


@given(TOPICS, st.integers(0, 20_000), st.booleans())
def test_the_size_is_known_beforehand(topic: str, length: int, v5: bool) -> None:
    made = publishes([topic_head(topic, v5=v5)], [bytes(length)], retain=False)
    size = packet_size(len(topic.encode()), length, qos=0, v5=v5)
    assert size == len(made)
    at_qos_1 = packet_size(len(topic.encode()), length, qos=1, v5=v5)
    assert at_qos_1 in (size + 2, size + 3), "a packet id, and perhaps a longer length"


@given(MESSAGES, st.data())
def test_whole_packets_are_counted_up_to_any_byte(
    messages: list[tuple[str, bytes]], data: st.DataObject
) -> None:
    single = [
        publishes([topic_head(topic, v5=False)], [body], retain=False) for topic, body in messages
    ]
    stream = b"".join(single) + PINGREQ
    ends = [len(b"".join(single[: i + 1])) for i in range(len(single))] + [len(stream)]
    size = data.draw(st.integers(0, len(stream)))
    assert whole_packets(stream, size) == sum(end <= size for end in ends)
