"""The preset home-assistant: its discovery messages by the rules that Home Assistant publishes.

The rules: https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery (topic, device discovery
payload), and the pages of the platforms sensor.mqtt, switch.mqtt and number.mqtt (options).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from gridsim.running.plan import Options, make_plan
from gridsim.simulation.step import Simulation
from gridsim.templates.presets import write_preset
from gridsim_plugins.mqtt.publish.messages import encoded
from gridsim_plugins.mqtt.source import MqttCommands, MqttCommandSettings, command_topics
from gridsim_plugins.mqtt.transport import Mqtt

COMMON = {"platform", "unique_id", "name", "device_class", "state_topic"}
OPTIONS = {
    "sensor": COMMON | {"state_class", "unit_of_measurement", "value_template"},
    "switch": COMMON | {"state_on", "state_off", "command_topic"},
    "number": COMMON
    | {"unit_of_measurement", "min", "max", "step", "command_topic", "payload_reset"},
}
"""The options that are used, all of which the pages of the platforms have."""
UNITS = {"power": "kW", "energy": "kWh", "battery": "%"}


class Run:
    """The messages of the preset, without a broker."""

    def __init__(self, folder: Path) -> None:
        [config, *_] = write_preset("home-assistant", folder, force=False)
        with config.open("a") as file:
            file.write('[weather]\ntype = "clear"\n')
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MQTT_HOST", "broker.example")
            plan = make_plan(Options(config), files="none")
        simulation = Simulation(plan.configuration.scenario)
        # After five ticks, every DER has reported once.
        batches = [simulation.step() for _ in range(5)]
        self.announced: list[tuple[str, dict[str, Any]]] = []
        self.values: dict[str, str] = {}
        self.statuses: set[str] = set()
        for one in plan.transports:
            transport = one.transport
            assert isinstance(transport, Mqtt)
            identities = transport._identities
            assert identities is not None
            self.statuses.update(identities.status_topic)
            assert transport.settings.status_offline == "offline"
            assert transport.settings.status_online == "online"
            for index in range(len(identities)):
                self.announced += packets(identities.announced.packets(index, b""))
            for messages in chain.from_iterable(encoded(one.format, batch) for batch in batches):
                for place, body in zip(messages.topic.tolist(), messages.bodies, strict=True):
                    self.values[transport._topics[place]] = body.decode()
        [inlet] = plan.sources
        assert isinstance(inlet.source, MqttCommands)
        assert isinstance(inlet.source.settings, MqttCommandSettings)
        self.commands = command_topics(inlet.source.settings, batches[0].roster)
        plan.close()


def packets(stream: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield topic and payload of retained PUBLISH packets of QoS 0."""
    while stream:
        assert stream[0] == 0x31
        remaining = shift = 0
        at = 1
        while True:
            remaining |= (stream[at] & 127) << shift
            shift, at = shift + 7, at + 1
            if stream[at - 1] < 128:
                break
        body, stream = stream[at : at + remaining], stream[at + remaining :]
        size = int.from_bytes(body[:2], "big")
        yield body[2 : 2 + size].decode(), json.loads(body[2 + size :])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("preset"))


def components(run: Run) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for _, payload in run.announced:
        for one in payload["components"].values():
            yield payload, one


def test_messages_are_those_of_device_discovery(run: Run) -> None:
    topics = [topic for topic, _ in run.announced]
    assert len(set(topics)) == len(topics) == 2 * (3 + 2 + 3 + 1)
    for topic, payload in run.announced:
        assert re.fullmatch(r"homeassistant/device/[a-zA-Z0-9_-]+/config", topic)
        assert {"device", "origin", "components"} <= set(payload)
        assert payload["device"]["identifiers"]
        assert payload["origin"]["name"] == "gridsim"
        assert payload["availability_topic"] in run.statuses


def test_entities_have_what_their_platform_needs(run: Run) -> None:
    seen = set()
    for payload, one in components(run):
        assert set(one) <= OPTIONS[one["platform"]]
        assert one["unique_id"] not in seen
        seen.add(one["unique_id"])
        assert one["unique_id"].startswith(payload["device"]["identifiers"][0])
        if one["name"] == "State":
            continue  # A text has no unit.
        if one["platform"] != "switch":
            assert one["unit_of_measurement"] == UNITS[one["device_class"]]
        if one["platform"] == "sensor":
            energy = one["device_class"] == "energy"
            assert one["state_class"] == ("total_increasing" if energy else "measurement")
        if one["platform"] == "number":
            assert one["min"] < one["max"]
    assert len(seen) == 2 * (3 * 5 + 2 + 3 + 3)


def test_states_are_published_and_can_be_read(run: Run) -> None:
    for payload, one in components(run):
        state = str(one.get("state_topic", payload.get("state_topic")))
        if one["unique_id"].endswith("charger_soc"):
            assert state not in run.values  # There is no car.
            continue
        text = run.values[state]
        if "value_template" in one:
            [name] = re.findall(r"^\{\{ value_json\.(\w+) \}\}$", one["value_template"])
            text = str(json.loads(text)[name])
        if one["platform"] == "switch":
            assert text == one["state_on"]
        elif one["platform"] == "number":
            assert text == one["payload_reset"]  # Nothing is in force yet.
        elif one["name"] == "State":
            assert re.fullmatch(r"[A-Z]\w+", text)
        else:
            float(text)


def test_switches_and_numbers_have_commands(run: Run) -> None:
    commands = {}
    for payload, one in components(run):
        if "command_topic" in one:
            found = run.commands.value(one["command_topic"])
            assert found is not None
            target, action = found
            assert target.project_id
            assert payload["device"]["name"] == target.der_id
            commands[target.der_id, action] = one["platform"]
    assert len(commands) == 2 * 3 * 2
    assert commands["home_1_battery", "set_power"] == "number"
    assert commands["home_2_charger", "limit_import"] == "number"
    assert commands["home_2_solar", "limit_export"] == "number"
    assert commands["home_2_solar", "connect"] == "switch"
