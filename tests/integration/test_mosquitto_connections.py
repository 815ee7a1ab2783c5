"""A connection for every project or DER: who is seen, who is missed, and what is counted.

The broker is that of all tests, and keeps what is retained: hence a topic for each test.
"""

from __future__ import annotations

import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gridsim.api import Batch, Framing, TransportError
from gridsim.delivery import DeliveryPolicy, Runner
from gridsim.testing import RecordingReceipt, make_batch, make_roster
from gridsim_plugins.mqtt.transport import Mqtt
from tests.integration.conftest import Brokers, MakeTransport, Subscribe
from tests.integration.mosquitto import DEADLINE_S, Mosquitto, Subscriber
from tests.integration.proxy import FaultProxy

ONLINE, OFFLINE = '{"is_online": true}', '{"is_online": false}'


def write(transport: Mqtt, batch: Batch) -> RecordingReceipt:
    receipt = RecordingReceipt(len(batch))
    transport.write(batch, receipt)
    assert receipt.left == 0
    return receipt


def idle_until(transport: Mqtt, reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not reached():
        assert time.monotonic() < deadline
        transport.idle()
        time.sleep(0.02)


def with_offline(batch: Batch, *devices: int) -> Batch:
    return replace(batch, is_online=~np.isin(batch.device, devices))


def by_topic(messages: list[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for topic, payload in messages:
        found.setdefault(topic, []).append(payload)
    return found


@pytest.mark.parametrize("tls", ["off", "on"])
@pytest.mark.parametrize(
    ("connections", "framing", "qos", "protocol"),
    [
        ("der", "der", 0, "3.1.1"),
        ("der", "der", 1, "5"),
        ("der", "der", 2, "3.1.1"),
        ("project", "der", 0, "5"),
        ("project", "der", 2, "5"),
        ("project", "project", 1, "3.1.1"),
    ],
)
def test_each_owner_is_seen_and_its_messages_arrive_in_order(
    brokers: Brokers,
    subscribe: Subscribe,
    make_transport: MakeTransport,
    connections: str,
    framing: Framing,
    qos: int,
    protocol: str,
    tls: str,
) -> None:
    # Retained states of one test are not to be seen by the next.
    root = secrets.token_hex(4)
    batch = make_batch(make_roster([3] * 40), ticks=4)
    roster = batch.roster
    trust = {"ca_file": str(brokers.authority.file)} if tls == "on" else {}
    transport = make_transport(
        brokers.ports["tls" if tls == "on" else "plain"],
        roster=roster,
        framing=framing,
        connections=connections,
        qos=qos,
        protocol=protocol,
        tls=tls,
        topic=f"{root}/{{project_id}}" + ("/{der_id}" if framing == "der" else ""),
        status_topic=f"{root}/{{{'der_id' if connections == 'der' else 'project_id'}}}/status",
        **trust,
    )
    owners = roster.der_id if connections == "der" else roster.project_id
    per_topic = 120 if framing == "der" else 40
    with subscribe(brokers.ports["plain"], "-q", str(qos), topic=f"{root}/#") as subscriber:
        transport.connect()
        subscriber.messages(len(owners))
        assert write(transport, batch).delivered_rows == len(batch)
        found = by_topic(subscriber.messages(len(owners) + 4 * per_topic))
        states = {topic: found.pop(topic) for topic in list(found) if topic.endswith("/status")}
        assert states == {f"{root}/{owner}/status": [ONLINE] for owner in owners}
        assert len(found) == per_topic
        for payloads in found.values():
            times = [payload.split("@")[1].split()[0] for payload in payloads]
            assert times == sorted(times)
            assert len(times) == 4
        transport.close()
        left = subscriber.messages(2 * len(owners) + 4 * per_topic)[-len(owners) :]
        assert set(left) == {(f"{root}/{owner}/status", OFFLINE) for owner in owners}


def states(subscriber: Subscriber, count: int) -> dict[str, list[str]]:
    found = by_topic(subscriber.messages(count))
    return {topic.split("/")[-2]: states for topic, states in found.items()}


def test_a_device_that_goes_offline_is_missed_and_comes_back(
    brokers: Brokers, subscribe: Subscribe, make_transport: MakeTransport
) -> None:
    port = brokers.ports["plain"]
    batch = make_batch()
    transport = make_transport(port, connections="der", topic="b/{der_id}")
    with subscribe(port, topic="b/+/status") as subscriber:
        transport.connect()
        assert states(subscriber, 3) == {f"DER_{i}": [ONLINE] for i in range(3)}
        receipt = write(transport, with_offline(batch, 1))
        assert (receipt.delivered_rows, receipt.dropped_rows) == (2, 1)
        assert receipt.reasons == ["device offline"]
        assert states(subscriber, 4)["DER_1"] == [ONLINE, OFFLINE], "its last will"
        everybody_off = write(transport, with_offline(batch, 0, 1, 2))
        assert everybody_off.dropped_rows == 3
        assert write(transport, batch).delivered_rows == 3, "it waits for those who come back"
        assert states(subscriber, 9)["DER_1"] == [ONLINE, OFFLINE, ONLINE]
    with subscribe(port, topic="b/+/status") as late:
        assert states(late, 3) == {f"DER_{i}": [ONLINE] for i in range(3)}, "retained"


def test_client_ids_and_user_names_by_template(
    commands: dict[str, str], tmp_path: Path, make_transport: MakeTransport
) -> None:
    access = tmp_path / "access"
    access.write_text("pattern write both/%u/%c/#\n")
    access.chmod(0o600)
    listeners = {"plain": f"allow_anonymous true\nacl_file {access}"}
    given = {"protocol": "5", "qos": 1, "connections": "der", "username": "{project_id}"}
    with Mosquitto(commands["mosquitto"], tmp_path, listeners) as mosquitto:
        port = mosquitto.ports["plain"]
        topic = "both/{project_id}/{der_id}"
        named = make_transport(port, client_id="{der_id}", topic=topic, **given)
        named.connect()
        assert write(named, make_batch()).delivered_rows == 3
        others = make_transport(port, topic=topic, **given)
        others.connect()
        receipt = write(others, make_batch())
        assert receipt.reasons == ["refused by broker: Not authorized"]
        assert receipt.dropped_rows == 3


def test_shadow_topics_reach_those_who_name_them(
    brokers: Brokers, subscribe: Subscribe, make_transport: MakeTransport
) -> None:
    port = brokers.ports["plain"]
    given = {"topic": "$aws/things/{der_id}/shadow/update", "allow_dollar_topics": True}
    transport = make_transport(port, qos=1, **given)
    with subscribe(port, topic="$aws/things/+/shadow/update") as subscriber:
        transport.connect()
        assert write(transport, make_batch()).delivered_rows == 3
        topics = [topic for topic, _ in subscriber.messages(3)]
    assert topics == [f"$aws/things/DER_{place}/shadow/update" for place in range(3)]


def test_one_lost_connection_comes_back_while_the_others_go_on(
    brokers: Brokers, subscribe: Subscribe, make_transport: MakeTransport
) -> None:
    port = brokers.ports["plain"]
    batch = make_batch()
    transport = make_transport(port, connections="der", topic="c/{der_id}", client_id="c-{der_id}")
    with subscribe(port, topic="c/+/status") as subscriber:
        transport.connect()
        subscriber.messages(3)
        thief = make_transport(port, client_id="c-DER_1")
        thief.connect()
        idle_until(transport, lambda: len(subscriber.messages(0)) >= 4)
        receipt = write(transport, batch)
        assert receipt.delivered_rows == 2
        # Whether this side knows of the loss already is a matter of time.
        assert receipt.reasons == ["not connected"] or receipt.unconfirmed_rows == 1
        thief.close()
        idle_until(transport, lambda: len(subscriber.messages(0)) >= 5)
        assert write(transport, batch).delivered_rows == 3


@pytest.mark.parametrize("qos", [0, 1])
def test_a_silent_broker_is_given_up_and_every_row_accounted_for(
    brokers: Brokers, make_transport: MakeTransport, qos: int
) -> None:
    batch = make_batch(make_roster([10] * 10), ticks=3)
    with FaultProxy(brokers.ports["plain"]) as proxy:
        transport = make_transport(
            proxy.port,
            roster=batch.roster,
            connections="der",
            qos=qos,
            hasty=True,
            topic="d/{der_id}",
        )
        transport.connect()
        proxy.stall()
        receipt = RecordingReceipt(len(batch))
        with pytest.raises(TransportError, match="stalled"):
            transport.write(batch, receipt)
        assert receipt.delivered_rows == 0
        assert receipt.left == (len(batch) if qos else 0)
        transport.close()
        proxy.recover()
        transport.connect()
        rest = batch.rows(len(batch) - receipt.left)
        assert write(transport, rest).delivered_rows == len(rest)


def test_qos_1_survives_a_restart_of_the_broker(
    commands: dict[str, str], make_transport: MakeTransport, tmp_path: Path
) -> None:
    roster = make_roster([1] * 200)
    policy = DeliveryPolicy(1 << 28, "block", DEADLINE_S, give_up_at_start=False)
    with Mosquitto(commands["mosquitto"], tmp_path, {"plain": "allow_anonymous true"}) as mosquitto:
        transport = make_transport(
            mosquitto.ports["plain"], roster=roster, qos=1, connections="der"
        )
        runner = Runner("mqtt", transport, policy)
        runner.start()
        runner.wait_first_attempt(DEADLINE_S)
        for second in range(6):
            if second == 3:
                mosquitto.stop()
            runner.offer(make_batch(roster, start_ms=1000 * second))
        mosquitto.start()
        runner.close()
        runner.wait(DEADLINE_S)
        runner.settle()
        counters = runner.counters()
    assert counters.accepted == 1200
    assert counters.delivered + sum(counters.dropped.values()) + counters.unconfirmed == 1200
    assert counters.delivered >= 1000, "but for the tick in which they broke, all are held"


def test_what_the_broker_does_not_take(brokers: Brokers, make_transport: MakeTransport) -> None:
    locked = make_transport(
        brokers.ports["locked"], connections="der", username="fleet", password="wrong-password"
    )
    with pytest.raises(TransportError, match="user name and password") as caught:
        locked.connect()
    assert caught.value.permanent
    assert "wrong-password" not in str(caught.value)
    untrusted = make_transport(brokers.ports["tls"], connections="der", tls="on")
    with pytest.raises(TransportError, match="not trusted") as caught:
        untrusted.connect()
    assert caught.value.permanent
    with pytest.raises(TransportError, match="closes the connection without an answer; perhaps"):
        make_transport(brokers.ports["tls"], connections="der", tls="off").connect()


_FEW_DESCRIPTORS = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200))
from gridsim.api import Settings, TransportError
from gridsim.testing import PlainFormat, make_roster, make_run
from gridsim_plugins.mqtt.transport import Mqtt
run = make_run(make_roster([1] * int(sys.argv[2])))
given = {"host": "127.0.0.1", "port": sys.argv[1], "connections": "der", "topic": "e/{der_id}"}
plain = PlainFormat(Settings(), "der", run.roster)
transport = Mqtt(Mqtt.Settings.model_validate(given), plain, run)
try:
    transport.connect()
    print("connected", resource.getrlimit(resource.RLIMIT_NOFILE))
except TransportError as error:
    print(error.permanent, error)
transport.close()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit")
def test_too_few_descriptors(brokers: Brokers) -> None:
    def said(connections: int) -> str:
        port = str(brokers.ports["plain"])
        command = [sys.executable, "-c", _FEW_DESCRIPTORS, port, str(connections)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert said(120) == "connected (184, 200)\n", "the soft limit is raised as far as needed"
    assert said(137).startswith("True 137 connections need")
    assert said(137).endswith("136 connections would fit\n")
