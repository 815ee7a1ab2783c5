"""The presets of `gridsim init --for`, run against a Mosquitto with the rules of their platforms.

Each platform knows a device by its certificate, its token or its user name, and lets it publish to
its own topics only. mosquitto_sub reads the messages on a listener of its own.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from gridsim.api import Command, Target
from gridsim.contracts.instruction_json import read_instruction
from gridsim.templates.presets import write_preset
from tests.fixtures.prepared import gridsim
from tests.integration.certificates import Authority
from tests.integration.conftest import Subscribe
from tests.integration.mosquitto import Mosquitto

HUB = "my-hub.azure-devices.net"
IDS = ("HOME_001_PV", "HOME_001_BAT", "HOME_001_EV")
TYPES = ["battery_storage", "ev_charger", "solar"]
USER, TOKEN = "someone", "gateway-token"
_ACCESS = {
    "thing": "pattern write $aws/things/%u/shadow/update\npattern write things/%u/status",
    "hub": "pattern write devices/%c/messages/events/#",
    "user": f"user {USER}\ntopic write projects/#\ntopic write gridsim/#\ntopic read #",
    "gateway": f"user {TOKEN}\ntopic write v1/gateway/#",
    "devices": "",
}


@dataclass(frozen=True, slots=True)
class Platforms:
    """A broker with a listener for each kind of platform."""

    broker: Mosquitto
    authority: Authority
    folder: Path

    def connected(self) -> set[tuple[str, str]]:
        """Return client id and user name of all connections so far."""
        found = re.findall(
            r" as (\S+) \(p\d, c1, k\d+, u'(.*)'\)\.$",
            (self.folder / "mosquitto.log").read_text(),
            re.MULTILINE,
        )
        return set(found)

    def permit(self, tokens: list[str]) -> None:
        """Let the devices with these access tokens publish, as an import of devices does."""
        rules = "".join(f"user {one}\ntopic write v1/devices/me/#\n" for one in tokens)
        (self.folder / "devices.acl").write_text(rules)
        self.broker.stop()
        self.broker.start()


@pytest.fixture(scope="module")
def platforms(
    commands: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platforms]:
    folder = tmp_path_factory.mktemp("platforms")
    authority = Authority(folder / "authority", commands["openssl"])
    server = authority.issue("server", "IP:127.0.0.1")
    tls = f"certfile {server.file}\nkeyfile {server.key}\ncafile {authority.file}"
    for name, rules in _ACCESS.items():
        (folder / f"{name}.acl").write_text(rules + "\n")
    passwords = folder / "passwords"
    names = [USER, *(f"{HUB}/{one}/?api-version=2021-04-12" for one in IDS)]
    passwords.write_text("".join(f"{one}:secret\n" for one in names))
    command = [commands["mosquitto_passwd"], "-U", str(passwords)]
    subprocess.run(command, check=True, capture_output=True)
    for own in (*folder.glob("*.acl"), passwords):
        own.chmod(0o600)
    known = {
        "thing": "require_certificate true\nuse_identity_as_username true",
        "hub": f"allow_anonymous false\npassword_file {passwords}",
        "user": f"allow_anonymous false\npassword_file {passwords}",
        # An access token is a user name without a password.
        "gateway": "allow_anonymous true",
        "devices": "allow_anonymous true",
    }
    listeners = {name: f"{tls}\n{how}\nacl_file {folder / name}.acl" for name, how in known.items()}
    listeners["reader"] = "allow_anonymous true"
    with Mosquitto(commands["mosquitto"], folder, listeners) as broker:
        yield Platforms(broker, authority, folder)


Run = Callable[..., list[tuple[str, Any]]]


@pytest.fixture
def run(platforms: Platforms, subscribe: Subscribe, tmp_path: Path) -> Run:
    """Run a preset with one home, and return the topics and the JSON of `count` messages."""

    def messages(
        name: str, listener: str, topic: str, count: int, *, prepare: Any = None, **values: str
    ) -> list[tuple[str, Any]]:
        config, *_ = write_preset(name, tmp_path, force=False)
        config.write_text(config.read_text().replace("count = 5", "count = 1"))
        values.setdefault("MQTT_CA_FILE", str(platforms.authority.file))
        own = tmp_path / ".env"
        own.write_text("".join(f"{key}={value}\n" for key, value in values.items()))
        if prepare is not None:
            prepare(tmp_path)
        where = f"mqtts://127.0.0.1:{platforms.broker.ports[listener]}"
        text = config.read_text()
        every = max(map(float, re.findall(r"(?:report_every|tick)_s = ([\d.]+)", text)), default=1)
        table = "defaults.mqtt" if "[defaults.mqtt]" in text else "transports.0"
        with subscribe(platforms.broker.ports["reader"], topic=topic) as subscriber:
            done = gridsim(
                *("--config", config, "--speed", "0", "--duration", f"{every}s"),
                *("--set", f'{table}.host="{where}"', "--set", 'simulation.start="2026-07-01"'),
                cwd=tmp_path,
            )
            assert done.returncode == 0, done.stderr
            found = subscriber.messages(count)
        return [(topic, json.loads(payload)) for topic, payload in found]

    return messages


def test_aws_iot_reports_to_the_shadow_of_the_thing_of_the_certificate(
    run: Run, platforms: Platforms
) -> None:
    def certify(folder: Path) -> None:
        (folder / "certs").mkdir()
        rows = (folder / "credentials.csv").read_text().splitlines()
        (folder / "credentials.csv").write_text("\n".join(rows[: 1 + len(IDS)]))
        for one in IDS:
            own = platforms.authority.issue(one, f"DNS:{one}")
            own.file.rename(folder / f"certs/{one}.pem.crt")
            own.key.rename(folder / f"certs/{one}.pem.key")

    found = run("aws-iot", "thing", "$aws/#", len(IDS), prepare=certify, MQTT_HOST="set below")
    assert {topic for topic, _ in found} == {f"$aws/things/{one}/shadow/update" for one in IDS}
    for _, message in found:
        assert list(message) == ["state"]
        assert list(message["state"]) == ["reported"]
        reported = message["state"]["reported"]
        assert ("soc" in reported) == (reported["type"] == "battery_storage")
        assert None not in reported.values()
    assert {(one, one) for one in IDS} <= platforms.connected()


def test_azure_iot_hub_gets_the_messages_of_each_device(run: Run, platforms: Platforms) -> None:
    found = run(
        "azure-iot-hub",
        "hub",
        "devices/#",
        3 * len(IDS),
        AZURE_IOT_HUB=HUB,
        AZURE_IOT_HUB_TOKEN="secret",
    )
    json_utf8 = "%24.ct=application%2Fjson&%24.ce=utf-8"
    assert {topic for topic, _ in found} == {
        f"devices/{one}/messages/events/{kind}{json_utf8}"
        for one in IDS
        for kind in ("", "kind=status&")
    }
    readings = [message for topic, message in found if "kind=" not in topic]
    assert sorted(one["type"] for one in readings) == TYPES
    assert {(one, f"{HUB}/{one}/?api-version=2021-04-12") for one in IDS} <= platforms.connected()


@pytest.mark.parametrize("name", ["emqx", "hivemq"])
def test_a_cloud_broker_gets_the_record_by_tls_with_a_user_name(
    name: str, run: Run, platforms: Platforms
) -> None:
    found = run(
        name,
        "user",
        "projects/HOME_001/ders/#",
        len(IDS),
        MQTT_HOST="set below",
        MQTT_USERNAME=USER,
        MQTT_PASSWORD="secret",
    )
    assert {topic for topic, _ in found} == {f"projects/HOME_001/ders/{one}" for one in IDS}
    assert all(len(message) == 14 for _, message in found)
    assert any(user == USER for _, user in platforms.connected())


def test_grid_stream_gets_an_array_per_project(run: Run) -> None:
    found = run(
        "grid-stream",
        "user",
        "projects/+",
        2,
        MQTT_HOST="set below",
        MQTT_USERNAME=USER,
        MQTT_PASSWORD="secret",
    )
    assert [topic for topic, _ in found] == ["projects/PRJ_789012", "projects/PRJ_789013"]
    [[*ders], [solar]] = (message for _, message in found)
    assert [one["type"] for one in ders] == ["battery", "solar", "ev", "ev", "ev"]
    assert solar["current_soc"] == 0


def test_thingsboard_gets_the_telemetry_of_a_gateway(run: Run, platforms: Platforms) -> None:
    found = run(
        "thingsboard",
        "gateway",
        "v1/#",
        3 * len(IDS),
        MQTT_HOST="set below",
        THINGSBOARD_TOKEN=TOKEN,
    )
    connected = [message for topic, message in found if topic == "v1/gateway/connect"]
    assert [one["device"] for one in connected] == list(IDS)
    assert sorted(one["type"] for one in connected) == TYPES
    devices: dict[str, list[Any]] = {}
    attributes: dict[str, Any] = {}
    for topic, message in found[len(IDS) :]:
        (devices if topic == "v1/gateway/telemetry" else attributes).update(message)
    assert set(devices) == set(attributes) == set(IDS)
    assert attributes["HOME_001_EV"] == {"site": "HOME_001", "nameplate_kw": 7.2}
    for lists in devices.values():
        assert_telemetry(lists)
    assert any(user == TOKEN for _, user in platforms.connected())


def test_thingsboard_knows_each_device_by_its_access_token(run: Run, platforms: Platforms) -> None:
    tokens: list[str] = []

    def permit(folder: Path) -> None:
        _, *rows = (folder / "credentials.csv").read_text().splitlines()
        tokens.extend(row.split(",")[1] for row in rows)
        platforms.permit(tokens[: len(IDS)])

    found = run(
        "thingsboard-devices",
        "devices",
        "v1/#",
        3 * len(IDS),
        prepare=permit,
        MQTT_HOST="set below",
    )
    assert len(set(tokens)) == 15
    assert all(re.fullmatch("[0-9a-f]{20}", one) for one in tokens)
    telemetry = [one for topic, one in found if topic == "v1/devices/me/telemetry"]
    assert_telemetry(telemetry)
    assert len(telemetry) == len(IDS)
    attributes = [one for topic, one in found if topic == "v1/devices/me/attributes"]
    assert sorted(one["type"] for one in attributes if "type" in one) == TYPES
    assert attributes.count({"is_online": True}) == len(IDS)
    assert set(tokens[:3]) <= {user for _, user in platforms.connected()}


def test_evcc_finds_every_value_that_it_reads_and_sends_commands(run: Run, tmp_path: Path) -> None:
    found = dict(
        run(
            "evcc",
            "user",
            "gridsim/#",
            25,
            MQTT_HOST="set below",
            MQTT_USERNAME=USER,
            MQTT_PASSWORD="secret",
        )
    )
    made = yaml.safe_load((tmp_path / "evcc.yaml").read_text())
    [charger] = made["chargers"]
    state = found["gridsim/HOME_EV/state"]
    # What the expressions of jq in evcc.yaml tell apart.
    assert 101 <= state <= 109
    assert found["gridsim/HOME_EV/limit_kw"] is None
    for device in (*made["meters"], charger):
        for name, entry in device.items():
            for one in entry if isinstance(entry, list) else [entry]:
                if isinstance(one, dict) and "payload" not in one:
                    value = found[one["topic"]]
                    if one.get("jq", "")[:1] == "." and one["jq"] != ". != 0":
                        value = value[one["jq"][1:]]
                    assert isinstance(value, (int, float)) or name == "enabled", (name, value)
    # Rendered as Go's templates are; docs/platforms.md names the run with evcc's own functions.
    target = Target("HOME", "HOME_EV")
    for name, value in (("maxcurrent", "4.14"), ("enable", "connect"), ("enable", "disconnect")):
        text = charger[name]["payload"].replace("{{ uuidv4 }}", "c-1")
        text = text.replace("{{ mulf .maxcurrent 0.69 }}", value)
        text = re.sub(r"\{\{ if .enable \}\}connect.*disconnect\{\{ end \}\}", value, text)
        command = read_instruction(text.encode(), target)
        assert isinstance(command, Command)
        assert (command.action, command.value) == (
            ("limit_import", 4.14) if name == "maxcurrent" else (value, None)
        )


def assert_telemetry(lists: list[Any]) -> None:
    """Check the form of the time series: a time in milliseconds, and flat values."""
    for one in lists:
        assert set(one) == {"ts", "values"}
        assert 1_782_850_000_000 < one["ts"] < 1_783_000_000_000
        assert all(isinstance(value, (bool, int, float, str)) for value in one["values"].values())
