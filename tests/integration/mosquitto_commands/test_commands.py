"""Commands from another client of a real broker, and their acknowledgements."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures import prepared
from tests.integration.conftest import Brokers, Publish, Subscribe
from tests.integration.mosquitto import DEADLINE_S, Subscriber
from tests.integration.mosquitto_commands.clients import FLEET, TOPIC, acks, command, stepped

START = "2026-07-01T12:00:00.000Z"
DER_TOPIC = "projects/+/ders/+"


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
