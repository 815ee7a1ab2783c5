"""The properties of MQTT 5 of readings and status messages, read by a real broker's client."""

from __future__ import annotations

import pytest

from gridsim.testing import RecordingReceipt, make_batch, make_roster
from tests.integration.conftest import Brokers, MakeTransport, Subscribe

_PROPERTIES = ("-V", "mqttv5", "-F", "\x1f%t\x1f%r\x1f%C|%E|%P")


@pytest.mark.parametrize(
    ("connections", "qos"), [("shared", 0), ("shared", 1), ("der", 0), ("der", 2)]
)
def test_a_subscriber_sees_the_properties_of_each_message(
    brokers: Brokers,
    subscribe: Subscribe,
    make_transport: MakeTransport,
    connections: str,
    qos: int,
) -> None:
    port, roster = brokers.ports["plain"], make_roster([1, 1])
    topic = f"properties/{connections}/{qos}"
    transport = make_transport(
        port,
        roster=roster,
        connections=connections,
        qos=qos,
        protocol="5",
        topic=topic + "/{der_id}",
        message_expiry_s=3600,
        content_type="application/json",
        user_properties={"fw": "1.4", "site": "{project_id}"},
    )
    batch = make_batch(roster, ticks=2)
    own = connections == "der"
    with subscribe(port, *_PROPERTIES, topic=f"{topic}/#") as subscriber:
        transport.connect()
        receipt = RecordingReceipt(len(batch))
        transport.write(batch, receipt)
        transport.close()
        found = subscriber.messages(len(batch) + (4 if own else 0))
    assert receipt.delivered_rows == len(batch)
    for device in range(2):
        user = f"fw:1.4 site:PRJ_{device}"
        readings = [text for name, text in found if name == f"{topic}/DER_{device}"]
        status = [text for name, text in found if name == f"{topic}/DER_{device}/status"]
        assert len(readings) == 2
        for text in readings:
            kind, expiry, properties = text.split("|")
            # The broker subtracts the time that the message has waited.
            assert 3500 < int(expiry) <= 3600
            assert (kind, properties) == ("application/json", user)
        assert status == ([f"||{user}"] * 2 if own else [])
