"""The messages of a run to a service manager."""

from __future__ import annotations

import os
import shlex
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gridsim.cli.service import ServiceManager
from gridsim.contracts.status import RunStatus
from tests.fixtures import prepared
from tests.unit.engine.fleets import Hand

EXAMPLE = Path(__file__).parents[2] / "examples/systemd"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sockets of systemd")

STATUS = RunStatus("running", start_ms=0, tick_ms=1000, ticks=None, tick=3, speed=1.0, seed=1)


class Listener:
    """The socket of a service manager."""

    def __init__(self, address: str) -> None:
        self.environment = {"NOTIFY_SOCKET": address}
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address.replace("@", "\0", 1))
        self.socket.setblocking(False)

    def heard(self) -> list[str]:
        """Return the first line of each message since the last call."""
        lines = []
        while True:
            try:
                lines.append(self.socket.recv(4096).decode().splitlines()[0])
            except BlockingIOError:
                return lines


@pytest.fixture(params=["path", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Listener]:
    path = str(tmp_path / "notify")
    made = Listener(path if request.param == "path" else f"@gridsim-test-{os.getpid()}")
    yield made
    made.socket.close()


def test_the_watchdog_hears_of_a_run_twice_in_its_time_while_ticks_go_on(
    listener: Listener,
) -> None:
    hand = Hand()
    manager = ServiceManager({**listener.environment, "WATCHDOG_USEC": "3000000"}, hand)
    manager.ready(STATUS)
    assert listener.heard() == ["READY=1"]
    hand.now += 1.49
    manager.report(lambda: STATUS)
    assert listener.heard() == []
    hand.now += 0.01
    manager.report(lambda: STATUS)
    assert listener.heard() == ["WATCHDOG=1"]
    hand.now += 1.5
    manager.report(lambda: replace(STATUS, ticking=False))
    assert listener.heard() == ["STATUS=tick 3 | 1970-01-01 00:00:03+00:00 | "]
    manager.stopping()
    assert listener.heard() == ["STOPPING=1"]


@pytest.mark.parametrize(
    "watchdog",
    [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "-1"}, {"WATCHDOG_USEC": "x"},
     {"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}],
)  # fmt: skip
def test_without_a_watchdog_for_this_process_the_status_is_told_every_ten_seconds(
    tmp_path: Path, watchdog: dict[str, str]
) -> None:
    listener, hand = Listener(str(tmp_path / "notify")), Hand()
    manager = ServiceManager({**listener.environment, **watchdog}, hand)
    manager.ready(STATUS)
    hand.now += 9.99
    manager.report(lambda: STATUS)
    assert listener.heard() == ["READY=1"]
    hand.now += 0.01
    manager.report(lambda: STATUS)
    assert [line[:11] for line in listener.heard()] == ["STATUS=tick"]
    listener.socket.close()


def test_a_manager_that_is_not_there_or_does_not_read_holds_nothing_up(tmp_path: Path) -> None:
    for environment in ({}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": str(tmp_path / "none")}):
        ServiceManager(environment).ready(STATUS)
    listener, hand = Listener(str(tmp_path / "notify")), Hand()
    manager = ServiceManager(listener.environment, hand)
    for _ in range(1000):
        manager.stopping()
    assert 0 < len(listener.heard()) < 1000
    manager.stopping()
    assert listener.heard() == ["STOPPING=1"]
    listener.socket.close()


def test_the_example_of_a_unit_has_a_command_that_runs() -> None:
    lines = (EXAMPLE / "gridsim.service").read_text().splitlines()
    settings = dict(line.split("=", 1) for line in lines if line and line[0] not in "#[")
    assert settings["Type"] == "notify"
    assert (settings["SuccessExitStatus"], settings["RestartPreventExitStatus"]) == ("143", "2 4")
    words = shlex.split(settings["ExecStart"])[1:]
    words[words.index("/etc/gridsim/fleet.toml")] = str(EXAMPLE / "fleet.toml")
    done = prepared.gridsim(*words, "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
