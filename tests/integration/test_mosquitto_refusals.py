"""A broker that does not want us: one clear sentence, and whether trying again is of use."""

from __future__ import annotations

import socket
from typing import Any

import numpy as np
import pytest

from gridsim.api import Batch, Payloads, TransportError
from gridsim.testing import PlainFormat, RecordingReceipt, make_batch, make_roster
from gridsim_plugins.mqtt.publish.messages import OVERSIZE
from gridsim_plugins.mqtt.transport import Mqtt
from tests.fixtures.ports import free_port
from tests.integration.conftest import Brokers, MakeTransport, Subscribe
from tests.integration.mosquitto import idle_on

LOGIN = {"username": "fleet", "password": "right-password"}


def failure(transport: Mqtt) -> TransportError:
    with pytest.raises(TransportError) as caught:
        transport.connect()
    transport.close()
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
@pytest.mark.parametrize("login", [{}, {"username": "fleet", "password": "wrong-password"}])
def test_wrong_credentials(
    brokers: Brokers, make_transport: MakeTransport, protocol: str, login: dict[str, str]
) -> None:
    error = failure(make_transport(brokers.ports["locked"], protocol=protocol, **login))
    assert "user name and password" in str(error)
    assert "wrong-password" not in str(error)
    assert error.permanent


@pytest.mark.parametrize(
    ("listener", "settings", "says", "permanent"),
    [
        ("tls", {"trust": "own", "tls": "on", "host": "localhost"}, None, False),
        ("tls", {"trust": "stranger", "tls": "on"}, "not trusted", True),
        ("tls", {"tls": "on"}, "not trusted", True),
        ("tls_expired", {"trust": "own", "tls": "on"}, "has expired", True),
        ("tls_elsewhere", {"trust": "own", "tls": "on"}, "for another host", True),
        ("tls_elsewhere", {"tls": "on", "tls_insecure": True}, None, False),
        ("tls_client", {"trust": "own", "tls": "on"}, "asks for a client certificate", True),
        ("plain", {"tls": "on"}, "perhaps this port does not use TLS", False),
        ("tls", {"tls": "off"}, "perhaps the port expects TLS", False),
        ("tls", {"tls": "on", "ca_file": "no/such.pem"}, "ca_file 'no/such.pem'", True),
    ],
)
def test_tls_is_never_weakened(
    brokers: Brokers,
    make_transport: MakeTransport,
    listener: str,
    settings: dict[str, Any],
    says: str | None,
    permanent: bool,
) -> None:
    trusted = {"own": brokers.authority, "stranger": brokers.stranger}
    given = dict(settings)
    if "trust" in given:
        given["ca_file"] = str(trusted[given.pop("trust")].file)
    transport = make_transport(brokers.ports[listener], **given)
    if says is None:
        transport.connect()
        return
    error = failure(transport)
    assert says in str(error)
    assert error.permanent is permanent


@pytest.mark.mosquitto
@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_the_client_id_is_used_twice(
    brokers: Brokers, make_transport: MakeTransport, protocol: str
) -> None:
    port = brokers.ports["plain"]
    ours, theirs = (make_transport(port, client_id="twin", protocol=protocol) for _ in range(2))
    said = ""
    for _ in range(3):
        ours.connect()
        theirs.connect()
        with pytest.raises(TransportError) as caught:
            idle_on(ours)
        said = str(caught.value)
        ours.close()
        theirs.close()
    assert "another client" in said
    assert "'twin'" in said


@pytest.mark.parametrize("qos", [1, 2])
def test_what_the_access_list_refuses_is_counted_in_mqtt_5(
    brokers: Brokers, subscribe: Subscribe, make_transport: MakeTransport, qos: int
) -> None:
    port = brokers.ports["locked"]
    batch = make_batch(make_roster([1, 1, 1]))
    transport = make_transport(port, roster=batch.roster, protocol="5", qos=qos, **LOGIN)
    receipt = RecordingReceipt(len(batch))
    with subscribe(port, "-u", LOGIN["username"], "-P", LOGIN["password"]) as subscriber:
        transport.connect()
        transport.write(batch, receipt)
        assert [topic for topic, _ in subscriber.messages(1)] == ["projects/PRJ_0/ders/DER_0"]
    assert (receipt.delivered_rows, receipt.dropped_rows) == (1, 2)
    # One after the other, or both at once, as they come in.
    assert set(receipt.reasons) == {"refused by broker: Not authorized"}


@pytest.mark.parametrize(("protocol", "qos"), [("3.1.1", 0), ("3.1.1", 1), ("5", 0)])
def test_otherwise_the_access_list_drops_in_silence(
    brokers: Brokers,
    subscribe: Subscribe,
    make_transport: MakeTransport,
    protocol: str,
    qos: int,
) -> None:
    # Nothing on the wire could tell; that is why the setting's description warns of it.
    port = brokers.ports["locked"]
    batch = make_batch(make_roster([1, 1, 1]))
    transport = make_transport(port, roster=batch.roster, protocol=protocol, qos=qos, **LOGIN)
    with subscribe(port, "-u", LOGIN["username"], "-P", LOGIN["password"]) as subscriber:
        transport.connect()
        for _ in range(2):
            receipt = RecordingReceipt(len(batch))
            transport.write(batch, receipt)
            assert receipt.delivered_rows == 3
        topics = [topic for topic, _ in subscriber.messages(2)]
    assert topics == ["projects/PRJ_0/ders/DER_0"] * 2


class Large(PlainFormat):
    """Makes the payloads of the rows `large` larger than the broker accepts."""

    large: tuple[int, ...] = (1,)

    def encode(self, batch: Batch) -> Payloads:
        bodies = list(super().encode(batch).bodies)
        for row in self.large:
            bodies[row] = bytes(30_000)
        return Payloads(bodies, np.arange(len(bodies) + 1))


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_an_oversize_payload_is_dropped_and_the_connection_stays(
    brokers: Brokers, subscribe: Subscribe, make_transport: MakeTransport, qos: int
) -> None:
    port = brokers.ports["plain"]
    batch = make_batch()
    transport = make_transport(port, protocol="5", qos=qos)
    transport.format = Large(transport.format.settings, "der", batch.roster)
    with subscribe(port, "-q", str(qos)) as subscriber:
        transport.connect()
        for _ in range(2):
            receipt = RecordingReceipt(len(batch))
            transport.write(batch, receipt)
            assert (receipt.delivered_rows, receipt.reasons) == (2, [OVERSIZE])
        arrived = [payload.split("@")[0] for _, payload in subscriber.messages(4)]
    assert arrived == ["DER_0", "DER_2"] * 2


@pytest.mark.parametrize("connections", ["shared", "der"])
@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("rows", [(0, 1, 2), (0, 1), (1, 2), (2,)])
def test_no_answer_is_awaited_for_oversize_payloads(
    brokers: Brokers,
    make_transport: MakeTransport,
    qos: int,
    connections: str,
    rows: tuple[int, ...],
) -> None:
    batch = make_batch()
    transport = make_transport(
        brokers.ports["plain"],
        # Retained states of one test are not to be seen by the next.
        topic="oversize/{der_id}",
        protocol="5",
        qos=qos,
        connections=connections,
        hasty=True,
    )
    large = Large(transport.format.settings, "der", batch.roster)
    large.large = rows
    transport.format = large
    transport.connect()
    for _ in range(3):
        receipt = RecordingReceipt(len(batch))
        # The broker has half a second to answer before this raises.
        transport.write(batch, receipt)
        assert (receipt.delivered_rows, receipt.dropped_rows) == (3 - len(rows), len(rows))
        assert set(receipt.reasons) == {OVERSIZE}
    empty = batch.rows(0, 0)
    transport.write(empty, RecordingReceipt(0))


def test_nothing_listens(make_transport: MakeTransport) -> None:
    error = failure(make_transport(free_port()))
    assert "connection refused" in str(error)
    assert not error.permanent


def test_the_name_is_unknown(make_transport: MakeTransport) -> None:
    error = failure(make_transport(1883, host="no-such-host.invalid"))
    assert "cannot resolve the host name" in str(error)
    assert not error.permanent


@pytest.mark.parametrize("tls", ["on", "off"])
def test_the_other_side_says_nothing(make_transport: MakeTransport, tls: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        transport = make_transport(silent.getsockname()[1], tls=tls, connect_timeout_s="0.2")
        error = failure(transport)
    assert "does not answer" in str(error)
    assert not error.permanent
