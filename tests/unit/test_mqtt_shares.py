"""The answers of many connections, processed together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridsim.api import Roster, Settings
from gridsim.testing import (
    PlainFormat,
    RecordingReceipt,
    make_batch,
    make_roster,
    make_run,
)
from gridsim_plugins.mqtt.publish.gathering import gather_s
from gridsim_plugins.mqtt.publish.messages import Messages
from gridsim_plugins.mqtt.publish.scatter import OPEN, Scatter
from gridsim_plugins.mqtt.publish.window import PACKET_IDS
from gridsim_plugins.mqtt.session.answers import (
    PUBACK,
    AnswerParser,
    ProtocolError,
    accepted_ids,
)
from gridsim_plugins.mqtt.session.frames import PINGREQ, Frames
from gridsim_plugins.mqtt.session.keepalive import KeepaliveWheel
from gridsim_plugins.mqtt.session.link import Link, LinkState
from gridsim_plugins.mqtt.transport import Mqtt
from tests.fixtures.scripted_broker import CONNECT, PUBLISH, Packet, ScriptedBroker, answer_well

PIECES = st.lists(
    st.lists(
        st.sampled_from(
            [
                b"\x40\x02\x00\x01",
                b"\x40\x02\xff\xff",
                b"\x40\x02\x00\x00",
                b"\x40\x03\x00\x01\x00",
                b"\x40\x03\x00\x02\x10",
                b"\x40\x03\x00\x02\x87",
                b"\x40\x04\x00\x02\x00\x00",
                b"\x40\x02\x00",
                b"\xd0\x00",
                b"\x50\x02\x00\x01",
            ]
        ),
        min_size=1,
        max_size=4,
    ).map(b"".join),
    min_size=1,
    max_size=4,
).filter(lambda pieces: all(len(piece) > 1 and piece[0] == PUBACK for piece in pieces))


@given(PIECES)
def test_what_is_read_together_is_what_the_parser_reads(pieces: list[bytes]) -> None:
    together = accepted_ids(pieces)
    if together is None:
        return
    ids, counts = together
    one_by_one = [AnswerParser().feed(piece) for piece in pieces]
    assert all(run.kind == PUBACK and run.reason < 0x80 for runs in one_by_one for run in runs)
    assert counts == [sum(run.packets for run in runs) for runs in one_by_one]
    assert ids.tolist() == [mid for runs in one_by_one for run in runs for mid in run.ids.tolist()]


@pytest.mark.parametrize(
    ("pieces", "ids"),
    [
        ([b"\x40\x02\x00\x01", b"\x40\x02\x00\x02\x40\x02\xff\xff"], [1, 2, 65_535]),
        ([b"\x40\x03\x00\x01\x00", b"\x40\x03\x00\x02\x10"], [1, 2]),
        ([b"\x40\x03\x00\x01\x80"], None),
        ([b"\x40\x02\x00\x01", b"\x40\x03\x00\x01\x00"], None),
        ([b"\x40\x02\x00\x01\x40\x02", b"\x40\x02"], None),
        ([b"\x40\x02\x00\x01", b"\x40\x02\x00\x02\xd0\x00"], None),
        ([b"\x40\x02\x00\x01\x50\x02\x00\x01"], None),
        ([b"\x40\x00\x40\x00"], None),
    ],
)
def test_only_accepting_answers_of_one_length_are_read_together(
    pieces: list[bytes], ids: list[int] | None
) -> None:
    found = accepted_ids(pieces)
    assert (None if found is None else found[0].tolist()) == ids


def scattered(links: list[int], *, qos: int, first_id: int = 1, given: int = 9) -> Scatter:
    """Messages on connections, all of them sent, or up to `given` on each."""
    n = len(links)
    messages = Messages(
        np.zeros(n, np.intp), [b"%d" % i for i in range(n)], np.ones(n, np.intp), np.ones(n, int)
    )
    frames = Frames(["t"], qos=qos, retain=False, properties=[b""])
    ids = np.full(max(links) + 1, first_id, np.intp)
    return Scatter(messages, np.array(links), frames, qos=qos, max_packet=100, next_id=ids)


def sent(scatter: Scatter, given: int = 9) -> list[Link]:
    """The connections with messages, of which up to `given` are under way."""
    return [
        Link(
            index,
            first=first,
            given=min(first + given, end),
            end=end,
            open=end - first,
            first_id=int(first_id),
            state=LinkState.UP,
        )
        for (index, first, end), first_id in zip(scatter.shares(), scatter.first_ids, strict=True)
    ]


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=8),
    st.sampled_from([1, PACKET_IDS - 1, PACKET_IDS]),
    st.integers(1, 3),
    st.lists(
        st.lists(st.sampled_from([0, 1, 2, 3, 9, PACKET_IDS - 1, PACKET_IDS]), max_size=6),
        min_size=4,
        max_size=4,
    ),
)
def test_confirmations_count_once_in_any_order_and_strangers_never(
    links: list[int], first_id: int, given: int, answers: list[list[int]]
) -> None:
    scatter = scattered(links, qos=1, first_id=first_id)
    connections = sent(scatter, given)
    # The model: the places of the ids under way, by connection.
    wanted = set()
    for link in connections:
        under_way = {
            (first_id - 1 + n) % PACKET_IDS + 1: link.first + n
            for n in range(link.given - link.first)
        }
        wanted |= {under_way[mid] for mid in answers[link.index] if mid in under_way}
    ids = [mid for link in connections for mid in answers[link.index]]
    counts = [len(answers[link.index]) for link in connections]
    for _ in range(2):
        scatter.confirm(connections, counts, np.array(ids, np.int64))
        assert set(np.flatnonzero(scatter.outcome != OPEN).tolist()) == wanted
        assert scatter.open == len(links) - len(wanted)
        assert sum(link.open for link in connections) == scatter.open


def test_a_connection_without_messages_confirms_nothing() -> None:
    scatter = scattered([0], qos=1)
    stranger = Link(7, first=0, given=1, end=1, open=0, first_id=1)
    scatter.confirm([stranger], [1], np.array([1]))
    assert (scatter.open, stranger.open) == (1, 0)


def test_a_ping_confirms_all_that_was_sent_before_it() -> None:
    scatter = scattered([0, 1, 1, 2, 3, 3, 4], qos=0)
    links = sent(scatter, 1)
    links[3].given = links[3].end
    links[4].pings = 1
    # Of connection 1 only one message of two is under way; 4 still waits for a ping.
    assert scatter.deliver(links) == [links[1]]
    assert [link.open for link in links] == [0, 2, 0, 0, 1]
    assert np.flatnonzero(scatter.outcome != OPEN).tolist() == [0, 3, 4, 5]
    assert scatter.open == 3


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("links", [[0, 0, 1], [1, 0, 1]])
def test_the_blocks_of_a_batch_are_those_of_each_connection(qos: int, links: list[int]) -> None:
    scatter = scattered(links, qos=qos)
    blocks = [bytes(block) for block in scatter.blocks()]
    ping = b"" if qos else PINGREQ
    assert blocks == [scatter.block(first, end) + ping for _, first, end in scatter.shares()]


def test_ids_go_on_after_the_last_of_each_connection() -> None:
    scatter = scattered([0, 0, 2], qos=1, first_id=PACKET_IDS)
    assert scatter.next_ids().tolist() == [2, 1]


def test_a_connection_is_looked_at_when_its_keepalive_may_be_over() -> None:
    wheel = KeepaliveWheel(100.5)
    up, again, off = (Link(i, state=LinkState.UP, up_since=1.0) for i in range(3))
    for link, at in ((up, 103.2), (again, 104.0), (off, 103.0)):
        wheel.add(link, at)
    off.state = LinkState.OFF
    again.up_since = 2.0
    assert list(wheel.due(103.9)) == []
    assert list(wheel.due(104.0)) == [up], "the others have gone or are other connections"
    wheel.add(up, 50.0)
    assert list(wheel.due(104.9)) == []
    assert list(wheel.due(105.0)) == [up], "a time in the past is the next second"
    assert list(wheel.due(1e4)) == []


def test_answers_gather_only_while_many_messages_are_in_flight() -> None:
    assert gather_s(0) == gather_s(99) == 0.0
    assert gather_s(100) == pytest.approx(0.0002)
    assert gather_s(5_000) == gather_s(65_535) == 0.01


def connected(broker: ScriptedBroker, roster: Roster, connections: str, **settings: Any) -> Mqtt:
    given = {"host": "127.0.0.1", "port": broker.port, "qos": 1, **settings}
    run = make_run(roster)
    transport = Mqtt(
        Mqtt.Settings.model_validate({"connections": connections, **given}),
        PlainFormat(Settings(), "der", roster),
        run,
    )
    transport.connect()
    return transport


@pytest.mark.parametrize("connections", ["project", "der"])
@pytest.mark.parametrize("v5", [False, True])
def test_strange_answers_neither_confirm_nor_hold_up(connections: str, v5: bool) -> None:
    """Answers come late and in reverse, twice, in pieces, with unknown ids and id 0."""
    waiting: dict[int, list[bytes]] = {}
    most = 3 if connections == "project" else 1

    def answer(packet: Packet) -> bytes:
        if packet.type == CONNECT:
            return answer_well(packet, v5=v5)
        if packet.type != PUBLISH or not packet.qos:
            return answer_well(packet)
        own = waiting.setdefault(packet.connection, [])
        id_ = packet.id.to_bytes(2, "big")
        own.append(b"\x40\x03" + id_ + b"\x10" if v5 and packet.id % 2 else b"\x40\x02" + id_)
        if len(own) < most:
            return b""
        strangers = b"\x40\x02\x00\x00" + b"\x40\x02\x7f\xff"
        found = strangers + b"".join(own[::-1]) + own[0]
        own.clear()
        return found

    roster = make_roster([3, 3, 3])
    batch = make_batch(roster)
    with ScriptedBroker(answer) as broker:
        transport = connected(broker, roster, connections, protocol="5" if v5 else "3.1.1")
        for _ in range(3):
            receipt = RecordingReceipt(len(batch))
            transport.write(batch, receipt)
            assert (receipt.delivered_rows, receipt.left) == (9, 0)
        transport.close()
    published = [packet for packet in broker.received if packet.qos]
    assert len(published) == 27
    each = {packet.connection for packet in published}
    assert all(
        [packet.id for packet in published if packet.connection == one]
        == list(range(1, 1 + 3 * most))
        for one in each
    )


def test_an_answer_that_is_not_mqtt_drops_its_connection_only() -> None:
    roster = make_roster([1, 1, 1])

    def answer(packet: Packet) -> bytes:
        is_second = packet.topic.endswith(roster.der_id[1])
        if packet.type == PUBLISH and packet.qos and is_second:
            return b"\x40\x02\x00\x01\x40\x00"
        return answer_well(packet)

    batch = make_batch(roster)
    with ScriptedBroker(answer) as broker:
        transport = connected(broker, roster, "der")
        receipt = RecordingReceipt(len(batch))
        transport.write(batch, receipt)
        transport.close()
    assert (receipt.delivered_rows, receipt.unconfirmed_rows) == (2, 1)
    with pytest.raises(ProtocolError):
        AnswerParser().feed(b"\x40\x00\x40\x00")
