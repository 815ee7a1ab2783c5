"""Every way to publish reaches another client, with topic and payload."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gridsim.api import Batch, Framing, Roster
from gridsim.testing import (
    RecordingReceipt,
    TransportContract,
    make_batch,
    make_roster,
    make_run,
)
from gridsim_plugins.formats.json import Json
from gridsim_plugins.mqtt.transport import Mqtt
from tests.integration.conftest import Brokers, MakeTransport, Subscribe
from tests.integration.mosquitto import Subscriber

QOS = (0, 1, 2)
PROTOCOLS = ("3.1.1", "5")


def write(transport: Mqtt, batch: Batch) -> RecordingReceipt:
    receipt = RecordingReceipt(len(batch))
    transport.write(batch, receipt)
    return receipt


def expected(batch: Batch, framing: Framing) -> list[tuple[str, str]]:
    roster: Roster = batch.roster
    rows = [
        (roster.project_id[roster.project[device]], roster.der_id[device], int(time))
        for device, time in zip(batch.device, batch.timestamp_ms, strict=True)
    ]
    if framing == "der":
        return [(f"projects/{prj}/ders/{der}", f"{der}@{time}") for prj, der, time in rows]
    grouped: dict[tuple[str, int], list[str]] = {}
    for prj, der, time in rows:
        grouped.setdefault((prj, time), []).append(f"{der}@{time}")
    return [(f"projects/{prj}", " ".join(all_)) for (prj, _), all_ in grouped.items()]


@pytest.mark.parametrize("framing", ["der", "project"])
@pytest.mark.parametrize("qos", QOS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_message_arrives_in_order(
    brokers: Brokers,
    subscribe: Subscribe,
    make_transport: MakeTransport,
    protocol: str,
    qos: int,
    framing: Framing,
) -> None:
    port = brokers.ports["plain"]
    batch = make_batch(make_roster([2, 3, 1] * 100), ticks=9 if qos == 0 else 2)
    transport = make_transport(
        port, roster=batch.roster, framing=framing, protocol=protocol, qos=qos
    )
    with subscribe(port, "-q", str(qos)) as subscriber:
        transport.connect()
        receipt = write(transport, batch)
        transport.idle()
        wanted = expected(batch, framing)
        assert subscriber.messages(len(wanted)) == wanted
    assert receipt.delivered_rows == len(batch), "every row is confirmed by the broker itself"


@pytest.mark.parametrize("qos", QOS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_tls_with_an_own_authority(
    brokers: Brokers,
    subscribe: Subscribe,
    make_transport: MakeTransport,
    protocol: str,
    qos: int,
) -> None:
    batch = make_batch(make_roster([10] * 50))
    transport = make_transport(
        brokers.ports["tls"],
        roster=batch.roster,
        tls="on",
        ca_file=str(brokers.authority.file),
        protocol=protocol,
        qos=qos,
    )
    with subscribe(brokers.ports["plain"], "-q", str(qos)) as subscriber:
        transport.connect()
        write(transport, batch)
        assert subscriber.messages(len(batch)) == expected(batch, "der")


def test_the_client_certificate_opens_the_door(
    brokers: Brokers, subscribe: Subscribe, make_transport: MakeTransport
) -> None:
    batch = make_batch()
    transport = make_transport(
        brokers.ports["tls_client"],
        tls="on",
        ca_file=str(brokers.authority.file),
        cert_file=str(brokers.client.file),
        key_file=str(brokers.client.key),
    )
    with subscribe(brokers.ports["plain"]) as subscriber:
        transport.connect()
        write(transport, batch)
        assert subscriber.messages(len(batch)) == expected(batch, "der")


@pytest.mark.parametrize("qos", QOS)
def test_the_record_is_what_a_subscriber_reads(
    brokers: Brokers, subscribe: Subscribe, qos: int
) -> None:
    port = brokers.ports["plain"]
    run = make_run()
    settings = Mqtt.Settings.model_validate({"host": "127.0.0.1", "port": port, "qos": qos})
    encoder = Json(Json.Settings(), "der", run.roster)
    transport = Mqtt(settings, encoder, run)
    batch = make_batch(run.roster)
    with subscribe(port) as subscriber:
        transport.connect()
        write(transport, batch)
        messages = subscriber.messages(len(batch))
    transport.close()
    assert [payload.encode() for _, payload in messages] == list(encoder.encode(batch).bodies)
    for topic, payload in messages:
        record = json.loads(payload)
        assert topic == f"projects/{record['project_id']}/ders/{record['der_id']}"


@pytest.mark.parametrize("qos", [0, 1])
def test_the_broker_keeps_retained_readings(
    brokers: Brokers, subscribe: Subscribe, make_transport: MakeTransport, qos: int
) -> None:
    port = brokers.ports["plain"]
    topic = f"kept/{qos}/{{der_id}}"
    transport = make_transport(port, qos=qos, retain=True, topic=topic)
    transport.connect()
    write(transport, make_batch())
    with subscribe(port, topic=f"kept/{qos}/#") as subscriber:
        assert len(subscriber.messages(3)) == 3
        assert subscriber.flags() == ["1", "1", "1"]


def test_the_last_will_is_published_when_the_client_vanishes_only(
    brokers: Brokers, subscribe: Subscribe, make_transport: MakeTransport
) -> None:
    port = brokers.ports["plain"]
    topic = "fleet/state"
    with subscribe(port, topic=topic) as subscriber:
        leaving = make_transport(port, will={"topic": topic, "payload": "left", "qos": 1})
        leaving.connect()
        leaving.close()
        vanishing = make_transport(
            port, client_id="vanishing", will={"topic": topic, "payload": "vanished", "qos": 1}
        )
        vanishing.connect()
        # A second client of the same id makes the broker drop the first.
        make_transport(port, client_id="vanishing").connect()
        assert subscriber.until("vanished") == [(topic, "vanished")]


@pytest.mark.mosquitto
class TestContract(TransportContract):
    transport = Mqtt

    @pytest.fixture(autouse=True)
    def _listening(self, brokers: Brokers, subscribe: Subscribe) -> Any:
        self.listeners = brokers.ports
        self.port = brokers.ports["plain"]
        with subscribe(self.port) as self.subscriber:
            yield

    listeners: dict[str, int]
    port: int
    subscriber: Subscriber

    def target(self, tmp_path: Path) -> Mapping[str, Any]:
        return {"host": "127.0.0.1", "port": self.port, "username": "u", "password": "secret!"}

    def refusing(self, tmp_path: Path) -> Mapping[str, Any]:
        # This user may not publish to the project of the device. MQTT 5 with QoS 1 answers that.
        login = {"username": "fleet", "password": "right-password"}
        port = self.listeners["locked"]
        return {"host": "127.0.0.1", "port": port, "protocol": "5", "qos": 1, **login}

    def received(self, tmp_path: Path) -> list[bytes]:
        end = Mqtt.Settings.model_validate(
            {**self.target(tmp_path), "topic": "projects/end", "qos": 1}
        )
        run = make_run()
        encoder = Json(Json.Settings(), "der", run.roster)
        batch = make_batch(run.roster).rows(0, 1)
        marker = Mqtt(end, encoder, run)
        marker.connect()
        write(marker, batch)
        marker.close()
        *received, _ = self.subscriber.until(encoder.encode(batch).bodies[0].decode())
        return [payload.encode() for _, payload in received]
