"""MQTT over WebSockets, to Mosquitto's own listener."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gridsim.api import TransportError
from gridsim.testing import RecordingReceipt, make_batch, make_roster
from tests.integration.conftest import Brokers, MakeTransport, Subscribe
from tests.integration.mosquitto import Mosquitto
from tests.integration.proxy import FaultProxy


@pytest.fixture(scope="module")
def ports(
    commands: dict[str, str], brokers: Brokers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, int]]:
    folder = tmp_path_factory.mktemp("websockets")
    server = brokers.authority.issue("websockets", "IP:127.0.0.1")
    # Without socket_domain it listens on every address.
    websockets = "protocol websockets\nsocket_domain ipv4\nallow_anonymous true"
    listeners = {
        "plain": "allow_anonymous true",
        "ws": websockets,
        "wss": f"{websockets}\ncertfile {server.file}\nkeyfile {server.key}",
    }
    with Mosquitto(commands["mosquitto"], folder, listeners) as mosquitto:
        yield mosquitto.ports


@pytest.mark.parametrize("tls", ["off", "on"])
@pytest.mark.parametrize(("protocol", "qos"), [("3.1.1", 0), ("5", 1), ("3.1.1", 2)])
def test_every_message_arrives_in_order(
    ports: dict[str, int],
    brokers: Brokers,
    subscribe: Subscribe,
    make_transport: MakeTransport,
    tls: str,
    protocol: str,
    qos: int,
) -> None:
    batch = make_batch(make_roster([10] * 100), ticks=2)
    authority = {"ca_file": str(brokers.authority.file)} if tls == "on" else {}
    with (
        FaultProxy(ports["wss" if tls == "on" else "ws"], slice_bytes=1447) as proxy,
        subscribe(ports["plain"], "-q", str(qos)) as subscriber,
    ):
        transport = make_transport(
            proxy.port,
            roster=batch.roster,
            transport="websockets",
            protocol=protocol,
            qos=qos,
            tls=tls,
            **authority,
        )
        transport.connect()
        receipt = RecordingReceipt(len(batch))
        transport.write(batch, receipt)
        transport.idle()
        assert receipt.delivered_rows == len(batch)
        ids = batch.roster.der_id
        wanted = [
            f"{ids[device]}@{time}"
            for device, time in zip(batch.device, batch.timestamp_ms, strict=True)
        ]
        assert [payload for _, payload in subscriber.messages(len(batch))] == wanted


# When the opening fails, paho leaves its socket to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_port_speaks_no_websockets(brokers: Brokers, make_transport: MakeTransport) -> None:
    transport = make_transport(
        brokers.ports["plain"], transport="websockets", websocket_path="/elsewhere"
    )
    with pytest.raises(TransportError, match="WebSocket"):
        transport.connect()
