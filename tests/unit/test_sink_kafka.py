"""The transport `kafka` and librdkafka's mock of Kafka's protocol."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gridsim.api import Batch, Framing, Roster, TransportError
from gridsim.testing import (
    PlainFormat,
    RecordingReceipt,
    TransportContract,
    make_batch,
    make_roster,
    make_run,
)
from gridsim_plugins.sinks.kafka import Kafka
from gridsim_plugins.sinks.kafka.settings import KafkaSettings

pytest.importorskip("confluent_kafka")
from tests.fixtures.kafka_mock import KafkaMock
from tests.fixtures.outages import deliver_through_outage
from tests.fixtures.ports import free_port


@pytest.fixture(scope="module")
def mock() -> Iterator[KafkaMock]:
    started = KafkaMock()
    yield started
    started.close()


@pytest.fixture
def topic(mock: KafkaMock, request: pytest.FixtureRequest) -> str:
    name = f"topic-{abs(hash(request.node.name))}"
    mock.create(name)
    return name


def made(address: str, roster: Roster, framing: Framing = "der", **settings: Any) -> Kafka:
    own = KafkaSettings.model_validate({"brokers": [address]} | settings)
    return Kafka(own, PlainFormat(own, framing, roster), make_run(roster))


def write(transport: Kafka, batch: Batch) -> RecordingReceipt:
    transport.connect()
    receipt = RecordingReceipt(len(batch))
    transport.write(batch, receipt)
    transport.close()
    return receipt


@pytest.mark.parametrize("framing", ["der", "project"])
def test_the_key_is_the_project_and_the_time_that_of_the_reading(
    mock: KafkaMock, topic: str, framing: Framing
) -> None:
    batch = make_batch(ticks=2)
    transport = made(mock.address, batch.roster, framing, topic=topic)
    assert write(transport, batch).delivered_rows == 6
    found = mock.messages(topic)
    keys = [b"PRJ_0", b"PRJ_0", b"PRJ_1"] if framing == "der" else [b"PRJ_0", b"PRJ_1"]
    assert [one.key() for one in found] == keys * 2
    assert [one.value() for one in found] == list(transport.format.encode(batch).bodies)
    assert found[-1].timestamp()[1] == batch.timestamp_ms[-1]


def test_a_message_that_is_too_large_is_dropped_alone(mock: KafkaMock, topic: str) -> None:
    roster = replace(make_roster(), der_id=["DER_0", "D" * 2000, "DER_2"])
    batch = make_batch(roster, ticks=2)
    receipt = write(made(mock.address, roster, topic=topic, max_message_bytes=1000), batch)
    assert (receipt.delivered_rows, receipt.dropped_rows) == (4, 2)
    assert set(receipt.reasons) == {"refused by Kafka: MSG_SIZE_TOO_LARGE"}
    assert len(mock.messages(topic)) == 4


def test_a_broker_that_does_not_answer_is_an_error() -> None:
    transport = made(f"127.0.0.1:{free_port()}", make_roster(), connect_timeout_s=0.3)
    with pytest.raises(TransportError, match=r"transport failure|timed out"):
        transport.connect()
    transport.close()


def test_the_broker_is_stopped_and_comes_back(mock: KafkaMock, topic: str) -> None:
    roster = make_roster([2] * 100)
    transport = made(mock.address, roster, topic=topic)
    counters = deliver_through_outage(
        transport, roster, kill=mock.stop, start=mock.start, fails=False
    )
    assert (counters.accepted, counters.delivered) == (3000, 3000)
    values = [one.value() for one in mock.messages(topic)]
    assert (len(set(values)), len(values)) == (3000, 3000)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"brokers": ["example"]}, "must be an address such as"),
        ({"brokers": ["a:1,b:2"]}, "must be an address such as"),
        ({"password": "secret-1"}, "needs a username"),
        ({"brokers": ["far.example:9092"], "username": "u"}, "would be sent to far.example"),
        ({"topic": "a/b"}, "pattern"),
    ],
)
def test_wrong_settings_are_errors(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        KafkaSettings.model_validate(settings)


def test_a_login_uses_sasl_and_tls() -> None:
    settings = KafkaSettings.model_validate(
        {"brokers": ["far.example:9093"], "username": "u", "password": "secret-1", "tls": True}
    )
    assert settings.options()["security.protocol"] == "SASL_SSL"
    assert settings.options()["sasl.mechanism"] == "SCRAM-SHA-512"


class TestContract(TransportContract):
    transport = Kafka

    @pytest.fixture(autouse=True)
    def _mock(self, mock: KafkaMock, topic: str) -> None:
        self.mock, self.topic = mock, topic

    mock: KafkaMock
    topic: str

    def target(self, tmp_path: Path) -> Mapping[str, Any]:
        return {"brokers": [self.mock.address], "topic": self.topic}

    def received(self, tmp_path: Path) -> list[bytes]:
        return [one.value() for one in self.mock.messages(self.topic)]
