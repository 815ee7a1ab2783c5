"""The report card of the example's back-end, against real brokers."""

from __future__ import annotations

import os
import re
import shutil
import sys
import threading
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from gridsim.check import CheckOptions, check
from gridsim.text.progress import Progress
from tests.fixtures.ports import free_port
from tests.integration.commands import gridsim
from tests.integration.conftest import Brokers

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "aggregator"
DAYS = ROOT / "configs" / "days"
DAY = """
[simulation]
tick_s = 60
duration_s = 600
speed = 0
start = 2026-07-14T17:00:00Z

[[projects]]
id = "HOME"
load = { type = "constant", kw = 3.0 }

[[projects.ders]]
id = "HOME_BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 13.5
"""


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the example, whose service has a port of its own."""
    folder = tmp_path / "aggregator"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setenv("AGGREGATOR_PORT", str(free_port()))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return folder


def write(folder: Path, *days: str, more: str = "") -> Path:
    """Write the example's file for 40 minutes of shipped days, as fast as possible."""
    for day in days:
        text = (DAYS / f"{day}.toml").read_text()
        text = text.replace("T16:00:00", "T16:50:00").replace("= 3600\n", "= 1200\n")
        (folder / f"{day}.toml").write_text(text.replace("duration_s = 10800", "duration_s = 2400"))
    text = (folder / "my-system.toml").read_text()
    listed = ", ".join(f'"{day}.toml"' for day in days)
    path = folder / "some-days.toml"
    own = f"settle_s = 5\nspeed = 0\ndays = [{listed}]{more}"
    path.write_text(text.replace("settle_s = 3", own))
    return path


@pytest.mark.mosquitto
def test_the_report_card_finds_a_bug_and_passes_without_it(
    example: Path, brokers: Brokers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MQTT_HOST", "127.0.0.1")
    monkeypatch.setenv("MQTT_PORT", str(brokers.ports["plain"]))
    path = write(example, "duplicates-and-disorder", "broker-restart")
    good, skipped = check(CheckOptions(path), Progress(), lambda line: None).results
    assert (good.outcome, good.reasons, skipped.outcome) == ("kept", (), "skipped")
    assert skipped.reasons == (
        "gridsim cannot restart your broker: give 'restart_broker', a command line",
    )

    monkeypatch.setenv("AGGREGATOR", "bugs:CountsRepeats")
    path.write_text(path.read_text().replace("settle_s = 5", "settle_s = 0.5"))
    kept = example / "kept"
    options = CheckOptions(path, only=("duplicates-and-disorder",), keep=kept)
    card = check(options, Progress(), lambda line: None)
    [bad] = card.results
    assert (bad.outcome, card.exit_status) == ("broken", 4)
    assert re.fullmatch(r"\d+ readings stored more than once \(0 allowed\)", bad.reasons[0])
    assert bad.reasons[1].endswith(" kWh settled wrongly in 6 settlements (0 allowed)")
    names = {file.name for file in (kept / "duplicates-and-disorder").iterdir()}
    assert {"ledger.sqlite", "records", "settlement.csv", "events.csv", "verify.html"} <= names


def test_the_command_exits_with_2_for_what_is_wrong_before_anything_runs(tmp_path: Path) -> None:
    nothing = gridsim("check")
    assert (nothing.returncode, nothing.stdout) == (2, "")
    assert "name the file that describes your system" in nothing.stderr
    assert gridsim("check", tmp_path / "none.toml").returncode == 2
    (tmp_path / "system.toml").write_text("[system]\nexport_command = 'true'\n")
    for more in (("--only", "none"), ("--junit", tmp_path)):
        assert gridsim("check", tmp_path / "system.toml", *more).returncode == 2
    listed = gridsim("check", "--list")
    assert (listed.returncode, len(listed.stdout.splitlines())) == (0, 14)


def test_the_command_prints_the_table_and_writes_junit(tmp_path: Path) -> None:
    (tmp_path / "calm.toml").write_text(DAY)
    path = tmp_path / "system.toml"
    path.write_text(
        "[system]\ndays = ['calm.toml']\nsettle_s = 0\n"
        "export_command = 'head -n 8 wire.jsonl > $GRIDSIM_RECORDS'\n"
        "[system.broker]\ntype = 'file'\npath = 'wire.jsonl'\n"
    )
    done = gridsim("check", path, "--junit", tmp_path / "junit.xml")
    assert done.returncode == 4, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "FAIL: 1 broken"
    assert done.stderr.startswith("calm: BROKEN, ")
    [failure] = ElementTree.parse(tmp_path / "junit.xml").getroot().iter("failure")
    assert failure.get("message") == "2 readings lost (0 allowed)"


def test_the_bundled_broker_restarts_and_the_system_connects_again(
    example: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Another program may take the usual port between the end and the start.
    monkeypatch.setenv("MQTT_PORT", str(free_port()))
    path = write(example, "broker-restart", more="\nreconnect_s = 8")
    card = check(CheckOptions(path), Progress(), lambda line: None)
    [result] = card.results
    assert (result.outcome, result.reasons) == ("kept", ())
    assert (result.figures.sent, result.figures.stored) == (480, 480)


@pytest.mark.mosquitto
def test_readings_that_a_system_publishes_are_collected(tmp_path: Path, brokers: Brokers) -> None:
    subscribed = threading.Event()
    lost: list[bytes] = []

    def on_message(client: Client, _: Any, message: Any) -> None:
        if not lost:
            lost.append(message.payload)
            return
        client.publish("stored/check", message.payload, 1)

    client = Client(CallbackAPIVersion.VERSION2)
    client.on_message = on_message
    client.on_subscribe = lambda *_: subscribed.set()
    client.connect("127.0.0.1", brokers.ports["plain"])
    client.subscribe("check/+", 1)
    client.loop_start()
    try:
        assert subscribed.wait(30)
        (tmp_path / "calm.toml").write_text(DAY)
        (tmp_path / "system.toml").write_text(
            '[system]\ndays = ["calm.toml"]\nexport_topic = "stored/#"\nsettle_s = 1\n'
            f'[system.broker]\nhost = "127.0.0.1"\nport = {brokers.ports["plain"]}\nqos = 1\n'
            'topic = "check/{der_id}"\n'
        )
        card = check(CheckOptions(tmp_path / "system.toml"), Progress(), lambda line: None)
    finally:
        client.disconnect()
        client.loop_stop()
    [result] = card.results
    assert result.reasons == ("1 reading lost (0 allowed)",)
    assert (result.figures.sent, result.figures.stored) == (10, 9)
