"""A second broker on the port of the embedded one, as on the machine of many a developer."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures import prepared
from tests.integration.conftest import Brokers, Subscribe

DEADLINE_S = 60.0
CONFIG = """
[[projects]]
id = "P"
[[projects.ders]]
id = "D"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 10.0
[[transports]]
type = "mqtt"
port = "${MQTT_PORT}"
[[sources]]
type = "mqtt"
port = "${MQTT_PORT}"
[ledger]
path = "truth.sqlite"
overwrite = true
"""


class Machine:
    """A folder with a configuration whose port is Mosquitto's, and an environment."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        (folder / "runtime").mkdir(mode=0o700)
        (folder / "c.toml").write_text(CONFIG)
        self.env = {
            **os.environ,
            "MQTT_PORT": str(port),
            "XDG_RUNTIME_DIR": str(folder / "runtime"),
        }

    def start(self, *words: str) -> prepared.Started:
        pipe = subprocess.PIPE
        return prepared.start(*words, cwd=self.folder, env=self.env, stdout=pipe, stderr=pipe)

    def run(self, *words: str) -> tuple[prepared.Started, list[str]]:
        """Start a run, and return it with its log up to the first tick."""
        process = self.start("--config", "c.toml", *words)
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if "watch it" in line:
                break
        return process, lines

    def send(self, *words: str) -> subprocess.CompletedProcess[str]:
        return prepared.gridsim("send", *words, cwd=self.folder, env=self.env)


@pytest.fixture
def machine(tmp_path: Path, brokers: Brokers) -> Machine:
    return Machine(tmp_path, brokers.ports["plain"])


def end(process: prepared.Started) -> None:
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 130


@pytest.fixture
def run(machine: Machine) -> Iterator[tuple[prepared.Started, list[str]]]:
    process, lines = machine.run("--speed", "10")
    try:
        yield process, lines
    finally:
        end(process)
    assert list((machine.folder / "runtime").rglob("*.json")) == []


def test_the_log_says_where_to_listen_and_how_to_use_the_other_broker(
    machine: Machine, run: tuple[prepared.Started, list[str]], subscribe: Subscribe
) -> None:
    [line] = [line for line in run[1] if "is in use" in line]
    found = re.search(r"mosquitto_sub -h 127\.0\.0\.1 -p (\d+) -t 'projects/#' -v", line)
    assert found is not None
    assert int(found[1]) != machine.port
    assert f"port {machine.port} is in use by another program" in line
    assert f"MQTT_HOST=127.0.0.1 MQTT_PORT={machine.port} gridsim ..." in line
    with subscribe(int(found[1])) as subscriber:
        [(topic, _), *_] = subscriber.messages(1)
    assert topic == "projects/P/ders/D"


def test_send_reaches_the_run_and_not_the_other_broker(
    machine: Machine, run: tuple[prepared.Started, list[str]]
) -> None:
    done = machine.send("--config", "c.toml", "D", "set_power", "-1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "accepted" in done.stdout
    named = machine.send("--run", str(run[0].pid), "D", "set_power", "-2")
    assert named.returncode == 0


def test_two_runs_of_one_configuration_are_told_apart_by_name(
    machine: Machine, run: tuple[prepared.Started, list[str]]
) -> None:
    other, lines = machine.run("--set", 'ledger.path="other.sqlite"')
    try:
        [told] = [line for line in lines if "other runs on this machine: " in line]
        assert f"{run[0].pid} (c.toml, " in told
        unclear = machine.send("--config", "c.toml", "D", "set_power", "-1")
        assert unclear.returncode == 3
        assert "choose one with --run" in unclear.stderr
        assert str(other.pid) in unclear.stderr
        named = machine.send("--run", str(other.pid), "D", "set_power", "-1")
        assert (named.returncode, named.stderr) == (0, "")
    finally:
        end(other)


def test_send_says_which_runs_there_are_at_once(
    machine: Machine, run: tuple[prepared.Started, list[str]]
) -> None:
    (machine.folder / "d.toml").write_text(CONFIG)
    done = machine.send("--config", "d.toml", "D", "set_power", "-1")
    assert done.returncode == 3
    assert done.stderr.startswith("no run of d.toml is up on this machine; these are up")
    assert f"{run[0].pid} (c.toml, since " in done.stderr


def test_verify_that_starts_before_the_run_subscribes_at_its_broker(machine: Machine) -> None:
    verify = machine.start("verify", "truth.sqlite", "--subscribe", "--config", "c.toml")
    assert verify.stderr is not None
    said: list[str] = []
    stderr = verify.stderr
    listener = threading.Thread(target=lambda: said.extend(stderr), daemon=True)
    listener.start()
    with verify:
        process, _ = machine.run("--duration", "12s", "--speed", "2")
        process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0
        verify.wait(DEADLINE_S)
        listener.join(DEADLINE_S)
    # 4: the first readings came before the subscription.
    assert verify.returncode in (0, 4)
    assert any(line.startswith("subscribed at 127.0.0.1:") for line in said)
    assert not any(f":{machine.port}," in line for line in said)
