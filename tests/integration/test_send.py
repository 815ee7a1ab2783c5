"""`gridsim send` from one terminal to the run in another, over the broker that comes along."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures import prepared
from tests.fixtures.ports import free_port

DEADLINE_S = 60


class Terminal:
    """A folder and a port: `gridsim` with the default fleet at this port's broker."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        runtime = folder / "runtime"
        runtime.mkdir(mode=0o700)
        self._environment = {
            **os.environ,
            "MQTT_PORT": str(free_port()),
            # Another terminal's run of the default configuration is not this one's.
            "XDG_RUNTIME_DIR": str(runtime),
            "TMPDIR": str(runtime),
        }

    def start(self, *words: str) -> prepared.Started:
        return prepared.start(
            *words, cwd=self._folder, env=self._environment, stderr=subprocess.PIPE
        )

    def send(self, *words: str) -> subprocess.CompletedProcess[str]:
        done = prepared.gridsim(
            "send", *words, cwd=self._folder, env=self._environment, timeout_s=DEADLINE_S
        )
        assert "Traceback" not in done.stderr
        return done


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """With a run in it."""
    made = Terminal(tmp_path_factory.mktemp("terminal"))
    run = made.start("--speed", "10")
    assert run.stderr is not None
    try:
        for line in run.stderr:
            if "watch it" in line:
                break
        yield made
    finally:
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=DEADLINE_S)
    assert run.returncode == 130


def test_a_command_is_accepted_and_completed(terminal: Terminal) -> None:
    done = terminal.send(
        "DER_123456", "set_power", "-3", "--duration", "2s", "--wait", "30s", "--json"
    )
    assert done.returncode == 0, done.stderr
    accepted, completed = (json.loads(line) for line in done.stdout.splitlines())
    assert (accepted["status"], completed["status"]) == ("accepted", "completed")
    assert accepted["id"] == completed["id"]
    assert completed["tick"] == accepted["tick"] + 2


def test_a_project_is_a_target_too(terminal: Terminal) -> None:
    done = terminal.send("PRJ_789012", "limit_export", "2", "--id", "my own id")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("my own id: accepted at ")


def test_what_is_rejected_says_why(terminal: Terminal) -> None:
    done = terminal.send("DER_123456", "set_power", "150", "--unit", "%")
    assert done.returncode == 4
    assert "out of range" in done.stderr


def test_what_is_superseded_is_not_done(terminal: Terminal) -> None:
    first = terminal.send("DER_123457", "limit_power", "10", "--id", "first")
    assert first.returncode == 0
    waits = terminal.send("DER_123457", "disconnect", "--wait", "1s")
    assert waits.returncode == 4
    assert "neither completed nor superseded" in waits.stderr


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("DER_12345", "connect"), "there is no DER and no project 'DER_12345'"),
        (("PRJ_789013/DER_123456", "connect"), "there is no DER and no project"),
        (("DER_123456", "set_powr", "1"), "did you mean 'set_power'"),
        (("DER_123456", "set_power"), "'value' is missing"),
        (("DER_123456", "set_power", "1", "--duration", "10x"), "--duration"),
        (("DER_123456", "connect", "--wait", "soon"), "--wait"),
        (("DER_123456", "connect", "--start", "noon"), "'start' must be a time"),
        (("--config", "nowhere.toml", "DER_123456", "connect"), "nowhere.toml"),
    ],
)
def test_a_mistake_is_found_before_anything_is_sent(
    terminal: Terminal, words: tuple[str, ...], reason: str
) -> None:
    done = terminal.send(*words)
    assert done.returncode == 2
    assert reason in done.stderr


def test_without_a_run_it_says_so(tmp_path: Path) -> None:
    done = Terminal(tmp_path).send("DER_123456", "connect")
    assert done.returncode == 3
    assert "is up on this machine" in done.stderr


def test_a_configuration_without_sources_says_what_to_add(tmp_path: Path) -> None:
    (tmp_path / "home.toml").write_text(
        '[[projects]]\nid = "HOME"\n[[projects.ders]]\nid = "PV"\ntype = "solar"\n'
        'nameplate_capacity = 5.0\n[[transports]]\ntype = "stdout"\n'
    )
    done = Terminal(tmp_path).send("PV", "disconnect", "--config", "home.toml")
    assert done.returncode == 2
    assert "[[sources]]" in done.stderr


def test_an_event_is_called_and_cancelled(terminal: Terminal) -> None:
    called = terminal.send("*", "call_event", "peak", "--duration", "10h", "--key", "target_kw=0.5")
    assert called.returncode == 0, called.stderr
    assert ": accepted at " in called.stdout
    again = terminal.send("PRJ_*", "call_event", "peak", "--duration", "10h")
    assert again.returncode == 4
    assert "the event id 'peak' is already in use" in again.stderr
    ended = terminal.send("*", "cancel_event", "peak", "--wait", "20s")
    assert ended.returncode == 0, ended.stderr
    assert "completed" in ended.stdout


def test_a_fault_is_injected_and_cleared(terminal: Terminal) -> None:
    injected = terminal.send(
        "DER_123456", "inject_fault", "dark", "--key", 'type="offline"', "--key", "per_day=3"
    )
    assert injected.returncode == 4
    assert "'duration_s' is missing: 'per_day' needs it" in injected.stderr
    injected = terminal.send("DER_123456", "inject_fault", "dark", "--key", 'type="offline"')
    assert injected.returncode == 0, injected.stderr
    cleared = terminal.send("DER_123456", "clear_fault", "dark")
    assert cleared.returncode == 0, cleared.stderr


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("*", "call_event"), "'event' is missing"),
        (("HUT_*", "call_event", "peak"), "no DER and no project that matches 'HUT_*'"),
        (("PRJ_*", "cancel_event", "peak"), "takes an id or *"),
        (("PRJ_*", "set_power", "1"), "set_power takes the id of one DER or project"),
        (("DER_123456", "set_power", "much"), "'much' is not a number"),
        (("DER_123456", "set_power", "1", "--key", "a=1"), "is for events and faults"),
        (("*", "call_event", "p", "--key", "id=1"), "is not a key"),
    ],
)
def test_a_mistake_in_an_event_is_found_before_it_is_sent(
    terminal: Terminal, words: tuple[str, ...], reason: str
) -> None:
    done = terminal.send(*words)
    assert done.returncode == 2, done.stdout
    assert reason in done.stderr
