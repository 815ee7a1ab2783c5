"""Commands over a real broker: taken, answered, obeyed; and whatever goes wrong on the way."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import pytest
from loguru import logger

from gridsim.api import Target
from gridsim.running.inbox import CommandInbox
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.step import Simulation
from gridsim.sources import SourceWorker
from gridsim.testing import SourceContract
from gridsim_plugins.mqtt import source
from gridsim_plugins.mqtt.session import dialogue
from gridsim_plugins.mqtt.source import MqttCommands
from tests.fixtures import prepared
from tests.integration.conftest import Brokers, Publish, Subscribe
from tests.integration.mosquitto import DEADLINE_S, Mosquitto, Subscriber

FLEET = """
[simulation]
tick_s = 1.0
speed = 20
start = "2026-07-01T12:00:00Z"

[[projects]]
id = "PRJ_0"
load = { type = "constant", kw = 1.0 }

[[projects.ders]]
id = "DER_0"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 10.0
strategy = "idle"
losses = "siemens_junelight"

[[sources]]
type = "mqtt"
host = "127.0.0.1"
"""
START = "2026-07-01T12:00:00.000Z"
DER_TOPIC = "projects/+/ders/+"
TOPIC = "projects/PRJ_0/ders/DER_0"


class Stepped:
    """A simulation with its source, stepped by the test."""

    def __init__(self, folder: Path, settings: str) -> None:
        path = folder / "fleet.toml"
        path.write_text(f'{FLEET}{settings}\n[[transports]]\ntype = "stdout"\n')
        plan = make_plan(Options(config=path))
        self._inbox = CommandInbox()
        self._simulation = Simulation(plan.configuration.scenario)
        [inlet] = plan.sources
        self.worker = SourceWorker(
            inlet.name, inlet.source, self._inbox, lambda: (self._simulation.next_tick, 0)
        )

    def step_until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, f"{self.worker.state}: {self.worker.error}"
            outcome = self._simulation.advance(self._inbox.drain())
            self.worker.offer(outcome.acknowledgements)
            time.sleep(0.005)


@contextmanager
def stepped(folder: Path, settings: str) -> Iterator[Stepped]:
    run = Stepped(folder, settings)
    run.worker.start()
    try:
        run.worker.wait_first_attempt(DEADLINE_S)
        yield run
    finally:
        run.worker.close()
        assert run.worker.wait(DEADLINE_S)


def acks(subscriber: Subscriber) -> list[dict[str, Any]]:
    return [json.loads(text) for topic, text in subscriber.messages(0) if topic.endswith("/ack")]


def command(id: str, **more: Any) -> dict[str, Any]:
    return {"id": id, "command": "set_power", "value": -3.0, **more}


def test_a_setpoint_from_another_client_moves_the_device_and_reverts(
    brokers: Brokers, subscribe: Subscribe, publish: Publish, tmp_path: Path
) -> None:
    port = brokers.ports["plain"]
    path = tmp_path / "fleet.toml"
    transport = '\n[[transports]]\ntype = "mqtt"\nhost = "127.0.0.1"\n'
    path.write_text(f"{FLEET}port = {port}\n{transport}port = {port}\n")
    with subscribe(port, "-q", "1") as subscriber:
        run = prepared.start("--config", path, stderr=subprocess.PIPE)
        try:
            subscriber.messages(5)
            wish = command("c-1", ramp_s=6, duration_s=15)
            publish(port, f"{TOPIC}/command", wish)
            _watch(subscriber, lambda told: told["status"] == "completed")
            subscriber.messages(len(subscriber.messages(0)) + 10)
        finally:
            run.send_signal(signal.SIGINT)
            _, log = run.communicate(timeout=DEADLINE_S)
        told = acks(subscriber)
        messages = subscriber.messages(0)
    assert run.returncode == 130, log
    assert [(one["id"], one["status"], one["command"]) for one in told] == [
        ("c-1", "accepted", "set_power"),
        ("c-1", "completed", "set_power"),
    ]
    begin, end = told[0]["tick"], told[1]["tick"]
    assert end == begin + 15
    readings = [json.loads(text) for topic, text in messages if topic == TOPIC]
    power = {one["timestamp"]: one["current_output"] for one in readings}
    output = [power[key] for key in sorted(power)]
    assert sorted(power)[0] == START  # so that the place in the list is the tick
    assert sorted(power)[begin] == told[0]["timestamp"]
    rest = output[0]
    assert -0.02 < rest <= 0.0  # standby
    assert output[: begin + 1] == [rest] * (begin + 1)  # nothing in the dead time of 1.6 s
    ramp = output[begin + 2 : begin + 10]
    assert ramp == sorted(ramp, reverse=True)
    steps = [a - b for a, b in pairwise(ramp[1:5])]
    assert steps == pytest.approx([0.5] * 3, abs=0.05)  # 3 kW in 6 s
    assert output[begin + 11 : end + 1] == [-3.0] * (end - begin - 10)
    assert output[end + 8] == rest


def _watch(subscriber: Subscriber, wanted: Callable[[dict[str, Any]], bool]) -> None:
    """Until an acknowledgement is as wanted; the readings go on coming."""
    seen = 0
    while seen < 5000:
        seen = len(subscriber.messages(seen + 1))
        if any(wanted(one) for one in acks(subscriber)):
            return
    raise AssertionError(f"not among the acknowledgements: {acks(subscriber)}")


def test_what_is_wrong_on_the_wire_is_answered_and_harms_nothing(
    brokers: Brokers, subscribe: Subscribe, publish: Publish, tmp_path: Path
) -> None:
    port = brokers.ports["plain"]
    bad: list[tuple[str, bytes | dict[str, Any], str]] = [
        (TOPIC, b"{", "is not JSON"),
        (TOPIC, b"\xff\xfe\x00", "is not UTF-8"),
        (TOPIC, b"[]", "must be one JSON object"),
        (TOPIC, b"x" * 15_000, "oversize"),
        (TOPIC, {**command("b-1"), "value": -30}, "out of range"),
        (TOPIC, {**command("b-2"), "color": 1}, "'color' is not a key"),
        (TOPIC, command("good"), "used before"),
        ("projects/PRJ_0/ders/NOBODY", command("b-3"), "no such DER"),
        ("projects/NOWHERE", command("b-4"), "no such project"),
    ]
    with (
        stepped(tmp_path, f"port = {port}") as run,
        subscribe(port, "-q", "1", "-t", "projects/+/ack", topic=f"{DER_TOPIC}/ack") as subscriber,
    ):
        publish(port, f"{TOPIC}/command", command("good"))
        run.step_until(lambda: len(acks(subscriber)) == 1)
        publish(port, f"{TOPIC}/command/deeper", command("elsewhere"))
        for number, (topic, payload, _) in enumerate(bad):
            publish(port, f"{topic}/command", payload)
            run.step_until(lambda count=number: len(acks(subscriber)) == count + 2)  # type: ignore[misc]
        told = acks(subscriber)
        topics = [topic for topic, _ in subscriber.messages(0) if topic.endswith("/ack")]
        publish(port, f"{TOPIC}/command", command("next", value=1))
        run.step_until(lambda: len(acks(subscriber)) == len(told) + 2)
        last = acks(subscriber)[-2:]
    assert told[0]["status"] == "accepted"
    for (topic, _, reason), answer, at in zip(bad, told[1:], topics[1:], strict=True):
        assert at == f"{topic}/ack"
        assert answer["status"] == "rejected"
        assert reason in answer["reason"]
    assert [(one["id"], one["status"]) for one in last] == [
        ("next", "accepted"),
        ("good", "superseded"),
    ]


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
    monkeypatch.setattr(dialogue, "_HURRY_S", 0.0)
    lines: list[str] = []
    sink = logger.add(lines.append, format="{message}")
    try:
        with stepped(tmp_path, f"port = {brokers.ports['plain']}"):
            pass
    finally:
        logger.remove(sink)
    assert lines == [
        "mqtt: commands were still arriving at the end; those that are left in the broker are not "
        "counted\n"
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
