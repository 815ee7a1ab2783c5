"""A broker that closes the connection on certain messages: they are found, and the rest flows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import count

import numpy as np
import pytest

from gridsim.api import Batch, Framing, Settings, TransportError
from gridsim.testing import PlainFormat, make_batch, make_roster, make_run
from gridsim_plugins.mqtt.publish.isolation import REFUSED
from gridsim_plugins.mqtt.transport import Mqtt
from tests.fixtures.scripted_broker import (
    CONNECT,
    PUBLISH,
    Answer,
    Packet,
    ScriptedBroker,
    answer_well,
)

SMALL = 12
ROSTER = make_roster([1] * SMALL + [60] + [1] * SMALL)
"""The message of one project is large."""
LARGE_TOPIC = f"projects/PRJ_{SMALL}"


class Outcomes:
    """A receipt that keeps the outcome of each row, in order."""

    def __init__(self) -> None:
        self.all: list[str] = []

    def delivered(self, rows: int) -> None:
        self.all += ["delivered"] * rows

    def unconfirmed(self, rows: int) -> None:
        self.all += ["unconfirmed"] * rows

    def dropped(self, rows: int, reason: str) -> None:
        self.all += [reason] * rows

    def lag(self, seconds: float) -> None:
        pass


def transport_to(port: int, roster: object = ROSTER, **settings: object) -> Mqtt:
    given = {"host": "127.0.0.1", "port": port, **settings}
    run = make_run(roster)  # type: ignore[arg-type]
    framing: Framing = "der" if settings.get("connections") == "der" else "project"
    plain = PlainFormat(Settings(), framing, run.roster)
    return Mqtt(Mqtt.Settings.model_validate(given), plain, run)


def deliver(transport: Mqtt, batch: Batch, *, at_most: int = 60) -> tuple[list[str], int]:
    """Do as delivery does, without its pauses; return the outcomes, and how often it connected."""
    outcomes = Outcomes()
    for attempt in count():
        assert attempt < at_most, Counter(outcomes.all)
        try:
            if transport._connection is None:
                transport.connect()
            transport.write(batch.rows(len(outcomes.all)), outcomes)
        except TransportError:
            transport.close()
        else:
            return outcomes.all, attempt
    raise AssertionError


def closes_on(is_refused: Callable[[Packet], bool]) -> Answer:
    def answer(packet: Packet) -> bytes | None:
        if packet.type == PUBLISH and is_refused(packet):
            return None
        return answer_well(packet)

    return answer


@pytest.mark.parametrize("resets", [False, True])
@pytest.mark.parametrize("qos", [1, 2])
def test_the_message_on_which_the_broker_closes_is_found(qos: int, resets: bool) -> None:
    batch = make_batch(ROSTER)
    answer = closes_on(lambda packet: packet.size > 1000)
    with ScriptedBroker(answer, resets=resets) as broker:
        transport = transport_to(broker.port, qos=qos)
        first, attempts = deliver(transport, batch)
        assert first == ["delivered"] * SMALL + [REFUSED] * 60 + ["delivered"] * SMALL
        assert attempts <= 6
        opened = broker.connections
        for _ in range(3):
            again, attempts = deliver(transport, batch)
            assert (again, attempts) == (first, 0)
        assert broker.connections == opened, "the same message is not tried again"
        transport.close()
    topics = [packet.topic for packet in broker.received]
    small = [f"projects/PRJ_{n}" for n in range(2 * SMALL + 1) if n != SMALL]
    assert topics[-3 * len(small) :] == small * 3, "in order"
    assert set(topics) == set(small)


def test_at_qos_0_it_is_found_over_several_batches() -> None:
    batch = make_batch(ROSTER)
    with ScriptedBroker(closes_on(lambda packet: packet.size > 1000)) as broker:
        transport = transport_to(broker.port, qos=0)
        found = [deliver(transport, batch) for _ in range(8)]
        transport.close()
    outcomes, attempts = found[-1]
    assert outcomes == ["delivered"] * SMALL + [REFUSED] * 60 + ["delivered"] * SMALL
    assert attempts == 0
    lost = sum(each.count("unconfirmed") for each, _ in found)
    assert 60 * 4 <= lost <= 60 * 4 + 2 * len(ROSTER)


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("place", [0, -1])
def test_it_is_found_at_each_end_of_the_batch(qos: int, place: int) -> None:
    ders = [1] * 10
    ders[place] = 60
    roster = make_roster(ders)
    batch = make_batch(roster)
    with ScriptedBroker(closes_on(lambda packet: packet.size > 1000)) as broker:
        transport = transport_to(broker.port, roster, qos=qos)
        for _ in range(8):
            outcomes, attempts = deliver(transport, batch)
        transport.close()
    assert Counter(outcomes) == {"delivered": 9, REFUSED: 60}
    assert attempts == 0


def test_a_reason_other_than_the_size_is_found_too() -> None:
    roster = make_roster([1] * 20)
    batch = make_batch(roster)
    refused = "projects/PRJ_7"
    with ScriptedBroker(closes_on(lambda packet: packet.topic == refused)) as broker:
        transport = transport_to(broker.port, roster, qos=1)
        outcomes, _ = deliver(transport, batch)
        transport.close()
    assert [n for n, outcome in enumerate(outcomes) if outcome == REFUSED] == [7]
    assert outcomes.count("delivered") == 19


def test_several_large_messages_give_a_limit() -> None:
    roster = make_roster([60, 1, 61, 1, 62, 63, 64, 1, 65, 66])
    batch = make_batch(roster)
    with ScriptedBroker(closes_on(lambda packet: packet.size > 1000)) as broker:
        transport = transport_to(broker.port, roster, qos=1)
        outcomes, attempts = deliver(transport, batch)
        transport.close()
    assert Counter(outcomes) == {"delivered": 3, REFUSED: len(roster) - 3}
    assert attempts <= 10, "two are found; the others have at least their size"


def test_the_only_message_is_dropped_after_five_times() -> None:
    roster = make_roster([60])
    batch = make_batch(roster)
    with ScriptedBroker(closes_on(lambda packet: True)) as broker:
        transport = transport_to(broker.port, roster, qos=1)
        outcomes, attempts = deliver(transport, batch)
        assert (set(outcomes), attempts) == ({REFUSED}, 6)
        transport.close()


def test_a_broker_that_closes_on_everything_gets_no_message_blamed() -> None:
    batch = make_batch(make_roster([1, 1, 1]))
    broken = [True]
    with ScriptedBroker(closes_on(lambda packet: broken[0])) as broker:
        transport = transport_to(broker.port, batch.roster, qos=1)
        with pytest.raises(AssertionError, match=r"Counter\(\)"):
            deliver(transport, batch, at_most=14)
        broken[0] = False
        assert deliver(transport, batch)[0] == ["delivered"] * 3
        transport.close()


@pytest.mark.parametrize("qos", [1, 2])
def test_a_broker_that_closes_at_random_gets_no_message_blamed(qos: int) -> None:
    rng = np.random.default_rng(7)
    batch = make_batch(make_roster([1] * 40))
    answer = closes_on(lambda packet: bool(rng.random() < 0.03))
    with ScriptedBroker(answer) as broker:
        transport = transport_to(broker.port, batch.roster, qos=qos)
        for _ in range(10):
            assert set(deliver(transport, batch)[0]) == {"delivered"}
        assert broker.connections > 7
        transport.close()


def test_after_the_broker_was_away_it_is_asked_again() -> None:
    batch = make_batch(ROSTER)
    limit, away = [1000], [False]

    def answer(packet: Packet) -> bytes | None:
        if packet.type == CONNECT and away[0]:
            return None
        refused = packet.type == PUBLISH and packet.size > limit[0]
        return None if refused else answer_well(packet)

    with ScriptedBroker(answer) as broker:
        transport = transport_to(broker.port, qos=1)
        assert REFUSED in deliver(transport, batch)[0]
        transport.close()
        away[0] = True
        with pytest.raises(TransportError):
            transport.connect()
        away[0], limit[0] = False, 100_000
        assert set(deliver(transport, batch)[0]) == {"delivered"}
        transport.close()
