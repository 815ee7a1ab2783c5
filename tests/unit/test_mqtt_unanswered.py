"""A broker that does not answer certain messages: they are named, and the rest flows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from loguru import logger

from gridsim.api import Settings, TransportError
from gridsim.testing import PlainFormat, make_batch, make_roster, make_run
from gridsim_plugins.mqtt.transport import Mqtt
from tests.fixtures.scripted_broker import (
    CONNECT,
    PINGREQ,
    PUBLISH,
    PUBREL,
    Answer,
    Packet,
    ScriptedBroker,
    answer_well,
)
from tests.unit.test_mqtt_isolation import Outcomes, deliver, transport_to

ROSTER = make_roster([1] * 8)
BATCH = make_batch(ROSTER)
SILENT = "projects/PRJ_3"


@pytest.fixture
def log() -> Iterator[list[str]]:
    lines: list[str] = []
    handler = logger.add(lines.append, format="{message}")
    yield lines
    logger.remove(handler)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mqtt, "answer_timeout_s", 0.2)


def silent_on(is_ignored: Callable[[Packet], bool]) -> Answer:
    return lambda packet: b"" if is_ignored(packet) else answer_well(packet)


def silent_topic(packet: Packet) -> bool:
    return packet.type == PUBLISH and packet.topic == SILENT


@pytest.mark.parametrize("qos", [1, 2])
def test_it_is_sent_again_and_then_counts_as_unconfirmed(qos: int, log: list[str]) -> None:
    with ScriptedBroker(silent_on(silent_topic)) as broker:
        transport = transport_to(broker.port, ROSTER, qos=qos)
        first, attempts = deliver(transport, BATCH)
        again = [deliver(transport, BATCH) for _ in range(3)]
        transport.close()
    wanted = ["delivered"] * 8
    wanted[3] = "unconfirmed"
    assert (first, attempts) == (wanted, 1)
    assert again == [(wanted, 0)] * 3, "it holds up the others no longer"
    assert broker.connections == 2
    assert len([line for line in log if f"bytes to {SILENT}, even when sent again" in line]) == 1


def test_it_is_confirmed_when_the_broker_answers_the_second_time() -> None:
    answer = silent_on(lambda packet: silent_topic(packet) and packet.connection == 1)
    with ScriptedBroker(answer) as broker:
        transport = transport_to(broker.port, ROSTER, qos=1)
        assert deliver(transport, BATCH) == (["delivered"] * 8, 1)
        transport.close()


def test_a_topic_that_is_answered_again_is_waited_for_again() -> None:
    silent = [True]
    with ScriptedBroker(silent_on(lambda packet: silent[0] and silent_topic(packet))) as broker:
        transport = transport_to(broker.port, ROSTER, qos=1)
        assert "unconfirmed" in deliver(transport, BATCH)[0]
        silent[0] = False
        assert deliver(transport, BATCH) == (["delivered"] * 8, 0)
        silent[0] = True
        assert deliver(transport, BATCH)[1] == 1, "it is sent again on a new connection"
        transport.close()


@pytest.mark.parametrize("receives", [1, 2, 5])
def test_messages_without_an_answer_take_room(receives: int) -> None:
    """In MQTT 5 the broker closes the connection on more than it receives at once."""
    open_: Counter[int] = Counter()

    def answer(packet: Packet) -> bytes | None:
        if packet.type == CONNECT:
            return b"\x20\x06\x00\x00\x03\x21\x00" + bytes([receives])
        if silent_topic(packet):
            open_[packet.connection] += 1
            return b"" if open_[packet.connection] <= receives else None
        return answer_well(packet)

    with ScriptedBroker(answer) as broker:
        transport = transport_to(broker.port, ROSTER, qos=1, protocol="5")
        for _ in range(4):
            found = Counter(deliver(transport, BATCH)[0])
            assert found == {"delivered": 7, "unconfirmed": 1}
        transport.close()


def test_a_packet_id_without_an_answer_stops_only_some_connections() -> None:
    """The same id is another message on each connection."""
    with ScriptedBroker(silent_on(lambda p: p.type == PUBLISH and p.id == 2)) as broker:
        transport = transport_to(broker.port, ROSTER, qos=1)
        outcomes, attempts = deliver(transport, BATCH)
        assert (outcomes, attempts) == (["delivered"] * 4 + ["unconfirmed"] + ["delivered"] * 3, 3)
        assert deliver(transport, BATCH) == (["delivered"] * 8, 0)
        transport.close()


@pytest.mark.parametrize("ids", [b"\x77\x77", b"\x00\x00"])
def test_an_answer_to_another_id_confirms_nothing(ids: bytes) -> None:
    answer = lambda p: b"\x40\x02" + ids if silent_topic(p) else answer_well(p)  # noqa: E731
    with ScriptedBroker(answer) as broker:
        transport = transport_to(broker.port, ROSTER, qos=1)
        found = Counter(deliver(transport, BATCH)[0])
        transport.close()
    assert found == {"delivered": 7, "unconfirmed": 1}


@pytest.mark.parametrize("qos", [1, 2])
def test_an_answer_that_comes_twice_counts_once(qos: int) -> None:
    answer = lambda p: answer_well(p) * (2 if p.type in (PUBLISH, PUBREL) else 1)  # noqa: E731
    with ScriptedBroker(answer) as broker:
        transport = transport_to(broker.port, ROSTER, qos=qos)
        for _ in range(3):
            assert deliver(transport, BATCH) == (["delivered"] * 8, 0)
        transport.close()


def test_an_answer_of_another_qos_confirms_nothing() -> None:
    def answer(packet: Packet) -> bytes:
        puback = packet._replace(qos=1)
        return answer_well(puback if silent_topic(packet) else packet)

    with ScriptedBroker(answer) as broker:
        transport = transport_to(broker.port, ROSTER, qos=2)
        assert Counter(deliver(transport, BATCH)[0]) == {"delivered": 7, "unconfirmed": 1}
        transport.close()


@pytest.mark.parametrize(
    ("ignored", "says"),
    [
        ({PUBLISH}, "answers pings, but for 0.2 s has not confirmed 8 messages, the first to"),
        ({PUBLISH, PINGREQ}, "has stalled: no answer for 0.2 s"),
    ],
)
def test_a_broker_that_answers_nothing_is_an_error(ignored: set[int], says: str) -> None:
    with ScriptedBroker(silent_on(lambda packet: packet.type in ignored)) as broker:
        transport = transport_to(broker.port, ROSTER, qos=1)
        for _ in range(2):
            transport.connect()
            with pytest.raises(TransportError, match=says):
                transport.write(BATCH, Outcomes())
            transport.close()


def test_a_broker_that_stops_answering_is_an_error_in_the_end() -> None:
    answers = [True]
    answer = silent_on(lambda packet: packet.type == PUBLISH and not answers[0])
    with ScriptedBroker(answer) as broker:
        transport = transport_to(broker.port, ROSTER, qos=1)
        deliver(transport, BATCH)
        answers[0] = False
        assert set(deliver(transport, BATCH)[0]) == {"unconfirmed"}
        with pytest.raises(AssertionError, match=r"Counter\(\)"):
            deliver(transport, BATCH, at_most=2)
        answers[0] = True
        assert set(deliver(transport, BATCH)[0]) == {"delivered"}
        transport.close()


@pytest.mark.parametrize("qos", [1, 2])
def test_a_connection_stays_though_one_of_its_messages_has_no_answer(
    qos: int, log: list[str]
) -> None:
    """Each project has its connection; a device of one project gets no answer."""
    roster = make_roster([1, 3])
    batch = make_batch(roster)
    silent = silent_on(lambda packet: packet.qos > 0 and packet.topic.endswith("DER_2"))
    with ScriptedBroker(silent) as broker:
        given = {"host": "127.0.0.1", "port": broker.port, "qos": qos, "connections": "project"}
        plain = PlainFormat(Settings(), "der", roster)
        transport = Mqtt(Mqtt.Settings.model_validate(given), plain, make_run(roster))
        wanted = ["delivered"] * 4
        wanted[2] = "unconfirmed"
        for _ in range(4):
            assert deliver(transport, batch) == (wanted, 0)
        transport.close()
    assert broker.connections == 2
    assert len([line for line in log if "/DER_2, though it answers pings" in line]) == 1


def test_a_connection_that_answers_no_ping_either_is_opened_again() -> None:
    roster = make_roster([1, 1])
    batch = make_batch(roster)
    first: set[int] = set()

    def answer(packet: Packet) -> bytes:
        if packet.qos and packet.topic == "projects/PRJ_1":
            first.add(packet.connection)
        return b"" if packet.connection in first else answer_well(packet)

    with ScriptedBroker(answer) as broker:
        transport = transport_to(broker.port, roster, qos=1, connections="project")
        assert deliver(transport, batch) == (["delivered", "unconfirmed"], 0)
        transport.close()
