"""A broker's answers, in whatever pieces they come, and the window that they move."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridsim_plugins.mqtt.publish.window import PACKET_IDS, PacketWindow
from gridsim_plugins.mqtt.session.answers import (
    DISCONNECT,
    PINGRESP,
    PUBACK,
    PUBCOMP,
    PUBREC,
    AnswerParser,
    ProtocolError,
)
from gridsim_plugins.mqtt.session.frames import length

IDS = st.integers(1, PACKET_IDS)
# Runs of equal packets, as brokers send them, among lone ones.
ACKNOWLEDGED = st.tuples(
    st.sampled_from([PUBACK, PUBREC, PUBCOMP]),
    st.sampled_from([None, 0x00, 0x10, 0x87]),
    st.sampled_from([0, 0, 0, 5, 300]),
    st.lists(IDS, min_size=1, max_size=40),
)
PINGS = st.tuples(st.just(PINGRESP), st.none(), st.just(0), st.lists(st.just(0), min_size=1))
STREAMS = st.lists(st.one_of(ACKNOWLEDGED, ACKNOWLEDGED, PINGS), max_size=8)

Answer = tuple[int, int, int]


def encode(kind: int, reason: int | None, properties: int, mid: int) -> bytes:
    if kind == PINGRESP:
        return bytes([kind, 0])
    body = mid.to_bytes(2, "big") + (b"" if reason is None else bytes([reason]))
    if reason is not None and properties:
        body += length(properties) + bytes(properties)
    return bytes([kind]) + length(len(body)) + body


def answers(parser: AnswerParser, data: bytes) -> list[Answer]:
    found: list[Answer] = []
    for run in parser.feed(data):
        ids = run.ids.tolist() or [0] * run.packets
        assert len(ids) == run.packets
        found += [(run.kind, run.reason, mid) for mid in ids]
    return found


@given(STREAMS, st.data())
def test_any_split_of_the_stream_gives_the_same_answers(
    stream: list[tuple[int, int | None, int, list[int]]], data: st.DataObject
) -> None:
    whole = b"".join(
        encode(kind, reason, properties, mid)
        for kind, reason, properties, ids in stream
        for mid in ids
    )
    sent = [(kind, reason or 0, mid) for kind, reason, _, ids in stream for mid in ids]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=20)))
    parser = AnswerParser()
    pieces = [whole[a:b] for a, b in pairwise([0, *cuts, len(whole)])]
    assert [found for piece in pieces for found in answers(parser, piece)] == sent
    parser = AnswerParser()
    assert [found for i in range(len(whole)) for found in answers(parser, whole[i : i + 1])] == sent


def test_equal_answers_are_one_group() -> None:
    stream = b"".join(encode(PUBACK, None, 0, mid) for mid in range(1, 1001))
    [group] = AnswerParser().feed(stream)
    assert group.ids.tolist() == list(range(1, 1001))


def test_nothing_counts_after_the_farewell() -> None:
    stream = b"\x40\x02\x00\x01\xe0\x01\x8b\x40\x02\x00\x02"
    assert answers(AnswerParser(), stream) == [(PUBACK, 0, 1), (DISCONNECT, 0x8B, 0)]
    assert answers(AnswerParser(), b"\xe0\x00") == [(DISCONNECT, 0, 0)]


@pytest.mark.parametrize(
    "stream",
    [
        b"\x30\x05\x00\x01aoh",
        b"\x40\x01\x00",
        b"\x41\x02\x00\x01",
        b"\xd0\x01\x00",
        b"\x40\xff\xff\xff\xff\x01",
        b"\x40\xff\xff\xff\x7f",
        b"SSH-2.0-OpenSSH",
    ],
)
def test_what_is_not_an_answer_is_an_error(stream: bytes) -> None:
    with pytest.raises(ProtocolError):
        answers(AnswerParser(), stream + bytes(300))


def array(*ids: int) -> np.ndarray[tuple[int], np.dtype[np.uint16]]:
    return np.array(ids, np.uint16)


def test_packet_ids_go_round_without_zero() -> None:
    window = PacketWindow(1000)
    given_out: list[int] = []
    while len(given_out) < 2 * PACKET_IDS + 7:
        ids = window.take(min(window.room, 999))
        given_out += ids.tolist()
        window.finish(ids)
    assert given_out == [1 + n % PACKET_IDS for n in range(len(given_out))]
    assert window.settled == window.sent == len(given_out)


def test_only_what_is_complete_from_the_start_is_settled() -> None:
    window = PacketWindow(10)
    window.take(4)
    window.finish(array(3, 4))
    assert (window.settled, window.room) == (0, 6)
    window.finish(array(1), "no")
    assert (window.settled, window.refused) == (1, {0: "no"})
    window.finish(array(0, 9, 1, 3))
    assert window.settled == 1, "strangers and repetitions change nothing"
    window.finish(array(3), "no")
    assert window.refused == {0: "no"}, "the first answer counts"
    window.finish(array(2))
    assert (window.settled, window.room) == (4, 10)


@given(
    st.integers(1, 50),
    st.lists(st.tuples(st.integers(1, 50), st.booleans(), st.randoms()), max_size=40),
    st.integers(PACKET_IDS - 60, PACKET_IDS),
)
def test_in_whatever_order_the_answers_come_all_is_settled(
    size: int, steps: list[tuple[int, bool, object]], before: int
) -> None:
    window = PacketWindow(size)
    window.sent = window.settled = before
    open_ids: list[int] = []
    for count, all_of_them, rng in steps:
        if count <= window.room:
            open_ids += window.take(count).tolist()
        rng.shuffle(open_ids)  # type: ignore[attr-defined]
        done = len(open_ids) if all_of_them else len(open_ids) // 2
        finished, open_ids = open_ids[:done], open_ids[done:]
        window.finish(array(*finished))
        oldest = min(((mid - 1 - window.settled) % PACKET_IDS for mid in open_ids), default=None)
        assert oldest in (0, None), "settled stops at the oldest that is open"
        assert window.sent - window.settled <= size
    window.finish(array(*open_ids))
    assert window.settled == window.sent
