"""A real broker that takes less than it is given: the verdict on the run."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gridsim.config.resolve import Flags
from gridsim.contracts.part_status import TransportStatus
from gridsim.running.plan import Options, make_plan
from gridsim.running.run import Run
from gridsim.running.verdict import judge
from gridsim.text.verdict import finding_line
from gridsim_plugins.mqtt.transport import Mqtt
from tests.integration.certificates import Certificate
from tests.integration.conftest import Brokers
from tests.integration.mosquitto import DEADLINE_S, Mosquitto

CONFIG = """
[simulation]
seed = 3
start = 2026-07-14T15:00:00Z
[[projects]]
id = "P{{n}}"
count = 2
[[projects.ders]]
id = "{{project_id}}_B"
type = "battery"
nameplate_capacity = 5.0
[[transports]]
type = "mqtt"
host = "127.0.0.1"
port = {port}
{settings}
"""
LOGIN = 'username = "fleet"\npassword = "${PASSWORD}"'


@pytest.fixture
def stepped_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """A run whose ticks the test advances, with one transport to a port of this host."""
    monkeypatch.setenv("PASSWORD", "right-password")

    def make(port: int, settings: str, *, speed: float | None = None) -> Run:
        path = tmp_path / "run.toml"
        path.write_text(CONFIG.format(port=port, settings=settings))
        plan = make_plan(Options(config=path, flags=Flags(speed=speed)))
        return Run(plan, clock="manual" if speed is None else "real")

    return make


def wait_for(run: Run, reached: Callable[[TransportStatus], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not reached(run.status().transports[0]):
        assert time.monotonic() < deadline, run.status().transports[0]
        time.sleep(0.02)


def lines(run: Run, *, strict: bool = False) -> list[str]:
    return [finding_line(one) for one in judge(run.status(), strict=strict).findings]


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_password_that_is_changed_at_the_broker(
    commands: dict[str, str], tmp_path: Path, stepped_run: Callable[..., Run], qos: int
) -> None:
    passwords = tmp_path / "passwords"
    passwords.touch(mode=0o600)

    def set_password(password: str) -> None:
        words = [commands["mosquitto_passwd"], "-b", str(passwords), "fleet", password]
        subprocess.run(words, check=True, capture_output=True)

    set_password("right-password")
    locked = {"locked": f"allow_anonymous false\npassword_file {passwords}"}
    with Mosquitto(commands["mosquitto"], tmp_path, locked) as broker:
        with stepped_run(broker.ports["locked"], f"{LOGIN}\nqos = {qos}") as run:
            run.advance(3)
            wait_for(run, lambda transport: transport.delivered == 6)
            broker.stop()
            set_password("another")
            broker.start()
            wait_for(run, lambda transport: "user name and password" in transport.error)
            run.advance(4)
        status = run.status()
    assert judge(status).exit_status == 1
    (transport,) = status.transports
    assert transport.accepted == 14
    assert (transport.delivered, transport.dropped) == (6, {"not sent before the end": 8})
    assert lines(run) == [
        "transport mqtt: 8 of 14 readings dropped (8 not sent before the end); its last error: "
        f"the broker at 127.0.0.1:{broker.ports['locked']} does not authorise this client; "
        "check the user name and password"
    ]


def test_an_access_list_that_refuses_everything(
    brokers: Brokers, stepped_run: Callable[..., Run]
) -> None:
    settings = f'{LOGIN}\nqos = 1\nprotocol = "5"'
    with stepped_run(brokers.ports["locked"], settings) as run:
        run.advance(3)
    assert judge(run.status()).exit_status == 1
    assert lines(run) == [
        "transport mqtt: 6 of 6 readings dropped (6 refused by broker: Not authorized)",
        "transport mqtt: none of 6 readings was confirmed",
    ]


@pytest.mark.parametrize("qos", [0, 1])
def test_retained_messages_at_a_broker_that_keeps_none(
    commands: dict[str, str], tmp_path: Path, stepped_run: Callable[..., Run], qos: int
) -> None:
    forgetful = {"plain": "allow_anonymous true"}
    with Mosquitto(commands["mosquitto"], tmp_path, forgetful, "retain_available false") as broker:
        with stepped_run(broker.ports["plain"], f"retain = true\nqos = {qos}") as run:
            run.advance(1)
            wait_for(run, lambda transport: transport.reconnects >= 1)
            run.request_stop(0.5)
        assert judge(run.status()).exit_status == 1
        assert lines(run)[-1] == "transport mqtt: none of 2 readings was confirmed"


def test_a_broker_that_is_gone_before_the_end(
    commands: dict[str, str], tmp_path: Path, stepped_run: Callable[..., Run]
) -> None:
    plain = {"plain": "allow_anonymous true"}
    settings = "qos = 1\nstall_timeout_s = 0.5"
    with (
        Mosquitto(commands["mosquitto"], tmp_path, plain) as broker,
        stepped_run(broker.ports["plain"], settings) as run,
    ):
        run.advance(3)
        wait_for(run, lambda transport: transport.delivered == 6)
        broker.stop(kill=True)
        run.advance(1)
    assert judge(run.status()).exit_status == 1
    assert lines(run)[0].startswith("transport mqtt failed: no progress for 0.5 s (")
    assert lines(run)[1].startswith("transport mqtt: 2 of 8 readings dropped (2 ")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("renewed", ""),
        ("stranger", "the broker's certificate is not trusted (ca_file)"),
        ("expired", "the broker's certificate has expired"),
        ("elsewhere", "the broker's certificate is for another host"),
    ],
)
def test_a_certificate_that_the_broker_replaces(
    commands: dict[str, str],
    tmp_path: Path,
    brokers: Brokers,
    stepped_run: Callable[..., Run],
    kind: str,
    reason: str,
) -> None:
    authority, stranger, host = brokers.authority, brokers.stranger, "IP:127.0.0.1"
    first = authority.issue(f"first-{kind}", host)
    second = {
        "renewed": lambda: authority.issue("renewed", host),
        "stranger": lambda: stranger.issue("stranger", host),
        "expired": lambda: authority.issue("late", host, expired=True),
        "elsewhere": lambda: authority.issue("away", "DNS:broker.example"),
    }[kind]()
    own = tmp_path / "own.crt", tmp_path / "own.key"

    def install(certificate: Certificate) -> None:
        for source, target in zip((certificate.file, certificate.key), own, strict=True):
            target.write_bytes(source.read_bytes())

    install(first)
    tls = {"tls": f"allow_anonymous true\ncertfile {own[0]}\nkeyfile {own[1]}"}
    settings = f'qos = 1\ntls = "on"\nca_file = "{authority.file}"'
    with (
        Mosquitto(commands["mosquitto"], tmp_path, tls) as broker,
        stepped_run(broker.ports["tls"], settings) as run,
    ):
        run.advance(3)
        wait_for(run, lambda transport: transport.delivered == 6)
        install(second)
        broker.stop()
        broker.start()
        if reason:
            wait_for(run, lambda transport: reason in transport.error)
            run.advance(2)
        else:
            wait_for(run, lambda transport: transport.reconnects == 1)
            run.advance(2)
            wait_for(run, lambda transport: transport.delivered == 10)
    (transport,) = run.status().transports
    assert transport.accepted == 10
    assert transport.delivered == (6 if reason else 10)
    assert judge(run.status()).exit_status == (1 if reason else 0)
    if reason:
        assert transport.dropped == {"not sent before the end": 4}
        (line,) = lines(run)
        assert line.startswith("transport mqtt: 4 of 10 readings dropped")
        assert reason in line


@pytest.mark.parametrize("qos", [0, 1])
def test_a_broker_that_stalls_at_speed_0(
    commands: dict[str, str],
    tmp_path: Path,
    stepped_run: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
    qos: int,
) -> None:
    monkeypatch.setattr(Mqtt, "answer_timeout_s", 0.3)
    plain = {"plain": "allow_anonymous true"}
    settings = f"qos = {qos}\nqueue_mb = 0.01\nstall_timeout_s = 0.8"
    with Mosquitto(commands["mosquitto"], tmp_path, plain) as broker:
        run = stepped_run(broker.ports["plain"], settings, speed=0)
        with run:
            wait_for(run, lambda transport: transport.delivered > 0)
            broker.pause()
            try:
                assert run.wait(DEADLINE_S)
            finally:
                broker.resume()
    (transport,) = run.status().transports
    assert transport.state == "failed"
    assert transport.error.startswith("no progress for 0.8 s (")
    assert transport.pending == 0
    settled = transport.delivered + transport.unconfirmed + transport.dropped_total
    assert transport.accepted == settled
    assert transport.dropped.keys() == {"transport failed"}
    assert judge(run.status()).exit_status == 1
    assert lines(run)[0] == f"transport mqtt failed: {transport.error}"


def test_a_restart_of_the_broker_at_qos_1_loses_nothing(
    commands: dict[str, str], tmp_path: Path, stepped_run: Callable[..., Run]
) -> None:
    plain = {"plain": "allow_anonymous true"}
    with (
        Mosquitto(commands["mosquitto"], tmp_path, plain) as broker,
        stepped_run(broker.ports["plain"], "qos = 1") as run,
    ):
        for _ in range(3):
            run.advance(5)
            broker.stop(kill=True)
            run.advance(5)
            broker.start()
        wait_for(run, lambda transport: transport.delivered == 60)
    assert judge(run.status(), strict=True).findings == ()
