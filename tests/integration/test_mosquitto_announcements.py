"""Announcements on a real broker: they precede the status, are kept, and come again."""

from __future__ import annotations

import pytest

from gridsim.testing import RecordingReceipt, make_batch, make_roster
from gridsim_plugins.mqtt.transport import Mqtt
from tests.integration.conftest import Brokers, MakeTransport, Subscribe
from tests.integration.test_mosquitto_connections import with_offline

ROSTER = make_roster([1, 1])


def write(transport: Mqtt, *offline: int) -> None:
    receipt = RecordingReceipt(len(ROSTER))
    transport.write(with_offline(make_batch(ROSTER), *offline), receipt)
    assert receipt.left == 0


@pytest.mark.parametrize("connections", ["shared", "project", "der"])
@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_announcements_are_kept_for_later_subscribers(
    brokers: Brokers,
    subscribe: Subscribe,
    make_transport: MakeTransport,
    connections: str,
    protocol: str,
) -> None:
    root, port = f"announced-{connections}-{protocol}", brokers.ports["plain"]
    transport = make_transport(
        port,
        roster=ROSTER,
        topic=f"{root}/{{der_id}}/reading",
        announce=[{"topic": f"{root}/{{der_id}}/config", "payload": {"name": "{der_id}"}}],
        connections=connections,
        protocol=protocol,
    )
    transport.connect()
    write(transport)
    with subscribe(port, topic=f"{root}/+/config") as later:
        assert sorted(later.messages(2)) == [
            (f"{root}/DER_{n}/config", f'{{"name":"DER_{n}"}}') for n in range(2)
        ]


def test_a_device_announces_itself_at_the_start_of_each_connection(
    brokers: Brokers, subscribe: Subscribe, make_transport: MakeTransport
) -> None:
    root, port = "announced-again", brokers.ports["plain"]
    transport = make_transport(
        port,
        roster=ROSTER,
        topic=f"{root}/{{der_id}}",
        announce=[{"topic": f"{root}/{{der_id}}/hello", "payload": "1", "retain": False}],
        connections="der",
        status_online="on",
        status_offline="off",
    )
    with subscribe(port, topic=f"{root}/DER_1/+") as subscriber:
        transport.connect()
        write(transport, 1)
        subscriber.messages(3)
        write(transport)
        transport.idle()
        messages = subscriber.messages(5)
    assert messages == [
        *((f"{root}/DER_1/hello", "1"), (f"{root}/DER_1/status", "on")),
        (f"{root}/DER_1/status", "off"),
        *((f"{root}/DER_1/hello", "1"), (f"{root}/DER_1/status", "on")),
    ]
