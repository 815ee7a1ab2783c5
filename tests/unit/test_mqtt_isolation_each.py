"""A connection per project that the broker closes on certain messages."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from gridsim.api import Batch, Settings, TransportError
from gridsim.testing import PlainFormat, make_batch, make_roster, make_run
from gridsim_plugins.mqtt.publish.isolation import REFUSED
from gridsim_plugins.mqtt.transport import Mqtt
from tests.fixtures.scripted_broker import (
    ScriptedBroker,
)
from tests.unit.test_mqtt_isolation import Outcomes, closes_on, deliver, transport_to


def delivered_over_time(
    transport: Mqtt, batch: Batch, is_over: Callable[[Counter[str]], bool], *, at_most: int = 100
) -> Counter[str]:
    """Deliver a batch again and again, with time for reconnections, until its outcome is right."""
    for _ in range(at_most):
        found = Counter(deliver(transport, batch)[0])
        if is_over(found):
            return found
        until = time.monotonic() + 0.1
        while time.monotonic() < until:
            try:
                transport.idle()
            except TransportError:
                transport.close()
                break
            time.sleep(0.01)
    raise AssertionError(found)


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_each_project_with_its_own_connection(qos: int) -> None:
    roster = make_roster([1, 60, 1])
    batch = make_batch(roster)
    answer = closes_on(lambda packet: packet.size > 1000)
    with ScriptedBroker(answer) as broker:
        transport = transport_to(broker.port, roster, qos=qos, connections="project")
        wanted = {"delivered": 2, REFUSED: 60}
        delivered_over_time(transport, batch, lambda found: found == wanted)
        opened = broker.connections
        for _ in range(5):
            assert Counter(deliver(transport, batch)[0]) == wanted
        assert broker.connections == opened, "every connection stays"
        transport.close()


@pytest.mark.parametrize("refused", [0, 1, 2])
def test_a_project_whose_status_is_refused_stops_no_other(refused: int) -> None:
    roster = make_roster([1, 1, 1])
    batch = make_batch(roster)
    topic = f"projects/PRJ_{refused}/"
    with ScriptedBroker(closes_on(lambda packet: packet.topic.startswith(topic))) as broker:
        transport = transport_to(broker.port, roster, qos=1, connections="project")
        outcomes, attempts = deliver(transport, batch)
        transport.close()
    assert attempts == 0
    assert [n for n, outcome in enumerate(outcomes) if outcome == "delivered"] == [
        n for n in range(3) if n != refused
    ]
    assert outcomes[refused] in ("not connected", "unconfirmed")


@pytest.mark.parametrize("resets", [False, True])
def test_a_broker_that_refuses_each_status_is_an_error(resets: bool) -> None:
    batch = make_batch(make_roster([1, 1, 1]))
    answer = closes_on(lambda packet: packet.topic.endswith("/status"))
    with ScriptedBroker(answer, resets=resets) as broker:
        transport = transport_to(broker.port, batch.roster, qos=1, connections="project")

        def publish() -> None:
            transport.connect()
            transport.write(batch, Outcomes())

        with pytest.raises(TransportError, match="closed the connection"):
            publish()
        transport.close()


def test_other_devices_on_the_same_connection_go_on() -> None:
    roster = make_roster([3, 1])
    batch = make_batch(roster)
    answer = closes_on(lambda packet: packet.topic.endswith("DER_1") and packet.qos == 1)
    with ScriptedBroker(answer) as broker:
        given = {"host": "127.0.0.1", "port": broker.port, "qos": 1, "connections": "project"}
        plain = PlainFormat(Settings(), "der", roster)
        transport = Mqtt(Mqtt.Settings.model_validate(given), plain, make_run(roster))
        wanted = {"delivered": 3, REFUSED: 1}
        delivered_over_time(transport, batch, lambda found: found == wanted)
        assert deliver(transport, batch)[0] == ["delivered", REFUSED, "delivered", "delivered"]
        transport.close()


@pytest.mark.parametrize("qos", [0, 1])
def test_connections_that_close_at_random_get_no_message_blamed(qos: int) -> None:
    rng = np.random.default_rng(5)
    roster = make_roster([1] * 10)
    batch = make_batch(roster)
    answer = closes_on(lambda packet: bool(rng.random() < 0.1))
    with ScriptedBroker(answer) as broker:
        transport = transport_to(broker.port, roster, qos=qos, connections="project")
        seen: Counter[str] = Counter()

        def is_over(found: Counter[str]) -> bool:
            seen.update(found)
            return broker.connections > 30

        delivered_over_time(transport, batch, is_over)
        assert REFUSED not in seen
        assert seen["delivered"] > 50
        transport.close()
