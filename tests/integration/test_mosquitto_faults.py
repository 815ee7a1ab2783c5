"""The network and the broker fail: nothing is lost in silence, nothing is sent torn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from gridsim.api import Batch, TransportError
from gridsim.delivery import DeliveryPolicy, Runner
from gridsim.testing import RecordingReceipt, make_batch, make_roster
from gridsim_plugins.mqtt.transport import Mqtt
from tests.integration.conftest import Brokers, MakeTransport, Subscribe
from tests.integration.mosquitto import DEADLINE_S, Mosquitto, idle_on
from tests.integration.proxy import FaultProxy

POLICY = DeliveryPolicy(
    queue_bytes=1 << 28, on_full="block", stall_timeout_s=DEADLINE_S, give_up_at_start=False
)


@contextmanager
def running(transport: Mqtt) -> Iterator[Runner]:
    runner = Runner("mqtt", transport, POLICY)
    runner.start()
    try:
        yield runner
    finally:
        runner.close()
        runner.wait(DEADLINE_S)
        runner.settle()


def payloads(batch: Batch) -> list[str]:
    ids = batch.roster.der_id
    return [
        f"{ids[device]}@{time}"
        for device, time in zip(batch.device, batch.timestamp_ms, strict=True)
    ]


def assert_complete_and_in_order(received: list[str], wanted: list[str], breaks: int) -> None:
    """All are there; repetitions only where the connection broke, and then in order again."""
    place = {payload: index for index, payload in enumerate(wanted)}
    order = [place[payload] for payload in received]
    assert sorted(set(order)) == list(range(len(wanted)))
    steps = [later - earlier for earlier, later in pairwise(order)]
    back = [step for step in steps if step <= 0]
    assert all(step <= 1 for step in steps), "a message overtook another"
    assert len(back) <= breaks, f"the order went back {len(back)} times"


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_qos_1_survives_resets(
    brokers: Brokers, subscribe: Subscribe, make_transport: MakeTransport, protocol: str
) -> None:
    batch = make_batch(make_roster([10] * 100), ticks=3)
    with (
        FaultProxy(brokers.ports["plain"]) as proxy,
        subscribe(brokers.ports["plain"], "-q", "1") as subscriber,
    ):
        proxy.reset_after(50_000)
        transport = make_transport(proxy.port, roster=batch.roster, qos=1, protocol=protocol)
        with running(transport) as runner:
            runner.offer(batch)
            wanted = payloads(batch)
            received = [payload for _, payload in subscriber.until(wanted[-1])]
        counters = runner.counters()
    assert_complete_and_in_order(received, wanted, breaks=1)
    assert (counters.delivered, counters.reconnects) == (len(batch), 1)
    assert not counters.dropped


def test_qos_1_survives_a_restart_of_the_broker(
    commands: dict[str, str], subscribe: Subscribe, make_transport: MakeTransport, tmp_path: Path
) -> None:
    roster = make_roster([10] * 100)
    batches = [make_batch(roster, start_ms=second * 1000) for second in range(1, 9)]
    wanted = [payload for batch in batches for payload in payloads(batch)]
    # The subscriber's session is stored, for it too is cut off by the restart.
    options = f"persistence true\npersistence_location {tmp_path}/"
    listeners = {"plain": "allow_anonymous true"}
    with Mosquitto(commands["mosquitto"], tmp_path, listeners, options) as mosquitto:
        port = mosquitto.ports["plain"]
        with subscribe(port, "-q", "1", "-c", "-i", "reader") as subscriber:
            with running(make_transport(port, roster=roster, qos=1)) as runner:
                for number, batch in enumerate(batches):
                    runner.offer(batch)
                    if number == 3:
                        subscriber.messages(len(roster))
                        mosquitto.stop()
                        mosquitto.start()
                received = [payload for _, payload in subscriber.until(wanted[-1])]
            counters = runner.counters()
    # The broker, too, repeats to its reader what that had not acknowledged.
    assert_complete_and_in_order(received, wanted, breaks=2)
    assert (counters.delivered, counters.reconnects) == (len(wanted), 1)


def test_qos_0_counts_what_a_killed_broker_may_have_read(
    commands: dict[str, str], subscribe: Subscribe, make_transport: MakeTransport, tmp_path: Path
) -> None:
    roster = make_roster([10] * 100)
    listeners = {"plain": "allow_anonymous true"}
    with Mosquitto(commands["mosquitto"], tmp_path, listeners) as mosquitto:
        port = mosquitto.ports["plain"]
        with FaultProxy(port) as proxy, running(make_transport(proxy.port, roster=roster)) as out:
            proxy.stall()
            out.offer(make_batch(roster))
            mosquitto.stop(kill=True)
            proxy.recover()
            mosquitto.start()
            with subscribe(port) as subscriber:
                second = make_batch(roster, start_ms=5000)
                out.offer(second)
                subscriber.until(payloads(second)[-1])
        counters = out.counters()
    assert counters.accepted == 2 * len(roster)
    assert counters.delivered + counters.unconfirmed == counters.accepted
    assert counters.delivered >= len(roster)


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("fault", ["stall", "swallow"])
def test_a_silent_broker_is_given_up(
    brokers: Brokers, make_transport: MakeTransport, fault: str, qos: int
) -> None:
    batch = make_batch(make_roster([100] * 100), ticks=10 if qos == 0 else 1)
    with FaultProxy(brokers.ports["plain"]) as proxy:
        transport = make_transport(proxy.port, roster=batch.roster, qos=qos, hasty=True)
        transport.connect()
        getattr(proxy, fault)()
        receipt = RecordingReceipt(len(batch))
        with pytest.raises(TransportError, match="stalled") as caught:
            transport.write(batch, receipt)
        assert not caught.value.permanent
        assert receipt.delivered_rows == 0
        if qos == 0:
            assert receipt.unconfirmed_rows > 0, "the kernel took some; nobody knows of them"
        else:
            assert receipt.left == len(batch), "all are written again after the reconnection"
        transport.close()
        proxy.recover()
        transport.connect()
        rest = batch.rows(len(batch) - receipt.left)
        again = RecordingReceipt(len(rest))
        transport.write(rest, again)
        assert again.delivered_rows == len(rest)


def test_a_half_open_connection_is_found_while_idle(
    brokers: Brokers, make_transport: MakeTransport
) -> None:
    with FaultProxy(brokers.ports["plain"]) as proxy:
        transport = make_transport(proxy.port, keepalive_s=1)
        transport.connect()
        proxy.swallow()
        with pytest.raises(TransportError, match="no answer to a ping"):
            idle_on(transport)


def test_pings_keep_an_idle_connection(brokers: Brokers, make_transport: MakeTransport) -> None:
    # Mosquitto hangs up after one and a half times the keepalive without a packet.
    transport = make_transport(brokers.ports["plain"], keepalive_s=1)
    transport.connect()
    idle_on(transport, 2.5)
    receipt = RecordingReceipt(3)
    transport.write(make_batch(), receipt)
    assert receipt.delivered_rows == 3


@pytest.mark.parametrize("tls", ["on", "off"])
@pytest.mark.parametrize("slice_bytes", [1, 1447])
def test_sliced_writes_tear_no_frame(
    brokers: Brokers,
    subscribe: Subscribe,
    make_transport: MakeTransport,
    tls: str,
    slice_bytes: int,
) -> None:
    # More than the kernel's buffers hold, so that writes are cut short on this side too.
    ticks = 1 if slice_bytes == 1 else 12
    batch = make_batch(make_roster([100] * (1 if slice_bytes == 1 else 100)), ticks=ticks)
    listener = brokers.ports["tls" if tls == "on" else "plain"]
    authority = {"ca_file": str(brokers.authority.file)} if tls == "on" else {}
    with (
        FaultProxy(listener, slice_bytes=slice_bytes) as proxy,
        subscribe(brokers.ports["plain"]) as subscriber,
    ):
        transport = make_transport(proxy.port, roster=batch.roster, tls=tls, **authority)
        transport.connect()
        receipt = RecordingReceipt(len(batch))
        transport.write(batch, receipt)
        assert receipt.delivered_rows == len(batch)
        received = [payload for _, payload in subscriber.messages(len(batch))]
    assert received == payloads(batch)


def test_a_reset_within_a_block_leaves_whole_readings(
    brokers: Brokers, subscribe: Subscribe, make_transport: MakeTransport
) -> None:
    batch = make_batch(make_roster([100] * 100), ticks=5)
    with (
        FaultProxy(brokers.ports["plain"]) as proxy,
        subscribe(brokers.ports["plain"]) as subscriber,
    ):
        transport = make_transport(proxy.port, roster=batch.roster)
        transport.connect()
        proxy.reset_after(777_777)
        receipt = RecordingReceipt(len(batch))
        with pytest.raises(TransportError, match="is lost"):
            transport.write(batch, receipt)
        transport.close()
        transport.connect()
        rest = batch.rows(len(batch) - receipt.left)
        marker = make_batch(batch.roster, start_ms=1000).rows(0, 1)
        for more in (rest, marker):
            transport.write(more, RecordingReceipt(len(more)))
        *received, _ = [payload for _, payload in subscriber.until(payloads(marker)[0])]
    wanted = payloads(batch)
    arrived = set(received)
    assert received == [payload for payload in wanted if payload in arrived], "no repetition"
    assert 0 < len(wanted) - len(received) <= receipt.unconfirmed_rows
