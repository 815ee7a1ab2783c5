"""Commands as plain values, as switches and sliders of home automation send them."""

from __future__ import annotations

from pathlib import Path

from tests.integration.conftest import Brokers, Publish, Subscribe
from tests.integration.mosquitto_commands.clients import TOPIC, acks, stepped


def test_plain_values_are_commands_and_are_answered(
    brokers: Brokers, subscribe: Subscribe, publish: Publish, tmp_path: Path
) -> None:
    port = brokers.ports["plain"]
    settings = f'port = {port}\nvalue_topic = "values/{{der_id}}/{{command}}"'
    publish(port, "values/DER_0/set_power", b"5", "-r")
    with (
        stepped(tmp_path, settings) as run,
        subscribe(port, "-q", "1", topic=f"{TOPIC}/ack") as subscriber,
    ):
        sent = [
            ("set_power", b"-3"),
            ("connect", b"OFF"),
            ("limit_power", b"much"),
            ("no_command", b"1"),
            ("set_power", b"-2.5"),
        ]
        for command, payload in sent:
            publish(port, f"values/DER_0/{command}", payload)
        run.step_until(lambda: len(acks(subscriber)) == 5)
        told = acks(subscriber)
    publish(port, "values/DER_0/set_power", b"", "-r")
    assert [(one["command"], one["status"]) for one in told] == [
        ("set_power", "accepted"),
        ("disconnect", "accepted"),
        ("limit_power", "rejected"),
        ("set_power", "accepted"),
        ("set_power", "superseded"),
    ]
    assert told[2]["reason"] == "the value must be a number, such as -3.0"
    assert told[4]["id"] == told[0]["id"]
    assert len({one["id"] for one in told}) == 4
