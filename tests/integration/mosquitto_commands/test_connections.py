"""The connection of the source of commands: brokers that go and come, TLS, passwords."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from loguru import logger

from gridsim.api import Target
from gridsim.testing import SourceContract
from gridsim_plugins.mqtt import source
from gridsim_plugins.mqtt.session import dialogue
from gridsim_plugins.mqtt.source import MqttCommands
from tests.integration.conftest import Brokers, Publish, Subscribe
from tests.integration.mosquitto import Mosquitto
from tests.integration.mosquitto_commands.clients import TOPIC, acks, command, stepped


def test_it_comes_back_when_the_broker_does(
    commands: dict[str, str], subscribe: Subscribe, publish: Publish, tmp_path: Path
) -> None:
    with Mosquitto(commands["mosquitto"], tmp_path, {"plain": "allow_anonymous true"}) as broker:
        port = broker.ports["plain"]
        with stepped(tmp_path, f"port = {port}") as run:
            assert run.worker.state == "up"
            broker.stop(kill=True)
            run.step_until(lambda: run.worker.state == "connecting")
            broker.start()
            run.step_until(lambda: run.worker.state == "up")
            with subscribe(port, "-q", "1") as subscriber:
                publish(port, f"{TOPIC}/command", command("c-1"))
                run.step_until(lambda: len(acks(subscriber)) == 1)
                assert acks(subscriber)[0]["status"] == "accepted"


def test_it_waits_for_a_broker_that_is_not_there_yet(
    commands: dict[str, str], tmp_path: Path
) -> None:
    broker = Mosquitto(commands["mosquitto"], tmp_path, {"plain": "allow_anonymous true"})
    with stepped(tmp_path, f"port = {broker.ports['plain']}") as run:
        assert "connection refused" in str(run.worker.error)
        broker.start()
        try:
            run.step_until(lambda: run.worker.state == "up")
        finally:
            broker.stop()


def test_what_was_retained_before_is_ignored(
    brokers: Brokers, subscribe: Subscribe, publish: Publish, tmp_path: Path
) -> None:
    port = brokers.ports["plain"]
    publish(port, f"{TOPIC}/command", command("stale"), "-r")
    try:
        with (
            stepped(tmp_path, f"port = {port}") as run,
            subscribe(port, "-q", "1") as subscriber,
        ):
            publish(port, f"{TOPIC}/command", command("fresh"), "-r")
            run.step_until(lambda: len(acks(subscriber)) == 1)
            assert acks(subscriber)[0]["id"] == "fresh"
    finally:
        publish(port, f"{TOPIC}/command", b"", "-r")


def test_an_end_before_all_was_read_is_in_the_log(
    brokers: Brokers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No time at all to read what the broker has sent.
    monkeypatch.setattr(source, "_UNREAD_S", 0.0)
    # An end in a hurry may end the subscriptions earlier, and have the answer.
    monkeypatch.setattr(dialogue.Dialogue, "hurry", lambda _: None)
    lines: list[str] = []
    sink = logger.add(lines.append, format="{message}")
    try:
        with stepped(tmp_path, f"port = {brokers.ports['plain']}"):
            pass
    finally:
        logger.remove(sink)
    assert lines == [
        "mqtt: commands were still arriving at the end; those still in the broker are not counted\n"
    ]


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
@pytest.mark.parametrize("kind", ["tls", "locked"])
def test_tls_and_passwords(
    brokers: Brokers,
    subscribe: Subscribe,
    publish: Publish,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    protocol: str,
) -> None:
    port = brokers.ports[kind]
    monkeypatch.setenv("BROKER_PASSWORD", "right-password")
    options: tuple[str, ...]
    if kind == "tls":
        options = ("--cafile", str(brokers.authority.file))
        own = f'tls = "on"\nca_file = "{brokers.authority.file}"'
    else:
        options = ("-u", "fleet", "-P", "right-password")
        own = 'username = "fleet"\npassword = "${BROKER_PASSWORD}"'
    with (
        stepped(tmp_path, f'port = {port}\nprotocol = "{protocol}"\n{own}') as run,
        subscribe(port, "-q", "1", *options) as subscriber,
    ):
        publish(port, f"{TOPIC}/command", command("c-1", duration_s=2), *options)
        run.step_until(lambda: len(acks(subscriber)) == 2)
        assert [one["status"] for one in acks(subscriber)] == ["accepted", "completed"]


def test_a_wrong_password_is_said_and_harms_nobody(
    brokers: Brokers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKER_PASSWORD", "wrong-password")
    own = 'username = "fleet"\npassword = "${BROKER_PASSWORD}"'
    with stepped(tmp_path, f"port = {brokers.ports['locked']}\n{own}") as run:
        assert "authorise" in str(run.worker.error) or "password" in str(run.worker.error)
        assert "wrong-password" not in str(run.worker.error)


class TestContract(SourceContract):
    source = MqttCommands
    _number: ClassVar[int] = 0

    @pytest.fixture(autouse=True)
    def _broker(self, brokers: Brokers, publish: Publish, subscribe: Subscribe) -> Iterator[None]:
        self._port, self._publish = brokers.ports["plain"], publish
        with subscribe(self._port, "-q", "1", topic="+/+/ack/#") as subscriber:
            self._subscriber = subscriber
            yield

    def way(self, tmp_path: Path) -> Mapping[str, Any]:
        return {
            "host": "127.0.0.1",
            "port": self._port,
            "topic": f"{tmp_path.name}/{{project_id}}/of-{{der_id}}/do",
            "project_topic": f"{tmp_path.name}/{{project_id}}/do",
            "ack_topic": f"{tmp_path.name}/{{project_id}}/ack/{{der_id}}",
            "project_ack_topic": f"{tmp_path.name}/{{project_id}}/ack",
        }

    def bring(self, tmp_path: Path, target: Target, payload: bytes) -> None:
        der = f"of-{target.der_id}/" if target.der_id else ""
        self._publish(self._port, f"{tmp_path.name}/{target.project_id}/{der}do", payload)

    def answers(self, tmp_path: Path, count: int) -> list[bytes]:
        return [text.encode() for _, text in self._subscriber.messages(count)]
