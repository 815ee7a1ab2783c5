"""A real Mosquitto for the session: plain, with passwords and access list, and with TLS."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gridsim.api import Format, Framing, Roster, RunContext, Settings
from gridsim.testing import PlainFormat, make_run
from gridsim_plugins.mqtt.transport import Mqtt
from tests.integration.certificates import Authority, Certificate
from tests.integration.mosquitto import Mosquitto, Subscriber

_COMMANDS = ("mosquitto", "mosquitto_sub", "mosquitto_passwd", "openssl", "stdbuf")

Subscribe = Callable[..., Subscriber]
MakeTransport = Callable[..., Mqtt]
Publish = Callable[..., None]


class HastyMqtt(Mqtt):
    """Gives up on a silent broker early."""

    answer_timeout_s = 0.5


@dataclass(frozen=True, slots=True)
class Brokers:
    """One Mosquitto with all its listeners, and what is needed to use them."""

    ports: dict[str, int]
    authority: Authority
    stranger: Authority
    client: Certificate


@pytest.fixture(scope="session")
def commands() -> dict[str, str]:
    """Return the paths of the commands; without them a test skips, or fails if required."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    found = {name: shutil.which(name, path=path) for name in _COMMANDS}
    missing = [name for name, place in found.items() if place is None]
    if missing:
        reason = f"not installed: {', '.join(missing)}"
        if os.environ.get("GRIDSIM_REQUIRE_MOSQUITTO") == "1":
            pytest.fail(f"GRIDSIM_REQUIRE_MOSQUITTO is set, but {reason}")
        pytest.skip(reason)
    return {name: place for name, place in found.items() if place is not None}


@pytest.fixture(scope="session")
def brokers(
    commands: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Brokers]:
    folder = tmp_path_factory.mktemp("mosquitto")
    authority = Authority(folder / "authority", commands["openssl"])
    stranger = Authority(folder / "stranger", commands["openssl"])
    good = authority.issue("good", "IP:127.0.0.1,DNS:localhost")
    expired = authority.issue("expired", "IP:127.0.0.1", expired=True)
    elsewhere = authority.issue("elsewhere", "DNS:broker.example")
    passwords, access = folder / "passwords", folder / "access"
    passwords.touch(mode=0o600)
    subprocess.run(
        [commands["mosquitto_passwd"], "-b", str(passwords), "fleet", "right-password"],
        check=True,
        capture_output=True,
    )
    access.write_text("user fleet\ntopic readwrite projects/PRJ_0/#\n")
    access.chmod(0o600)

    def tls(server: Certificate) -> str:
        files = f"certfile {server.file}\nkeyfile {server.key}\ncafile {authority.file}"
        return f"allow_anonymous true\n{files}"

    locked = f"allow_anonymous false\npassword_file {passwords}\nacl_file {access}"
    listeners = {
        "plain": "allow_anonymous true",
        "locked": locked,
        "tls": tls(good),
        "tls_expired": tls(expired),
        "tls_elsewhere": tls(elsewhere),
        "tls_client": f"{tls(good)}\nrequire_certificate true",
    }
    with Mosquitto(commands["mosquitto"], folder, listeners, "max_packet_size 20000") as mosquitto:
        client = authority.issue("client", "DNS:client.example")
        yield Brokers(mosquitto.ports, authority, stranger, client)


@pytest.fixture
def subscribe(commands: dict[str, str]) -> Subscribe:
    """Starts a `Subscriber`: `with subscribe(port, ...) as subscriber:`."""
    # Into a pipe it would otherwise print in large blocks, late.
    return partial(Subscriber, [commands["stdbuf"], "-oL", commands["mosquitto_sub"]])


@pytest.fixture
def publish(commands: dict[str, str]) -> Publish:
    """mosquitto_pub, the other client that sends commands."""
    program = commands["mosquitto_sub"].removesuffix("sub") + "pub"

    def run(port: int, topic: str, payload: bytes | dict[str, Any], *options: str) -> None:
        text = json.dumps(payload).encode() if isinstance(payload, dict) else payload
        how = "-s" if text else "-n"
        subprocess.run(
            [program, "-h", "127.0.0.1", "-p", str(port), "-t", topic, "-q", "1", how, *options],
            input=text,
            check=True,
            timeout=20,
        )

    return run


@pytest.fixture
def make_transport() -> Iterator[MakeTransport]:
    """Makes transports to 127.0.0.1 that are closed at the end."""
    made: list[Mqtt] = []

    def make(
        port: int,
        *,
        roster: Roster | None = None,
        framing: Framing = "der",
        hasty: bool = False,
        **settings: Any,
    ) -> Mqtt:
        run: RunContext = make_run(roster)
        given = {"host": "127.0.0.1", "port": port, **settings}
        plain: Format = PlainFormat(Settings(), framing, run.roster)
        kind = HastyMqtt if hasty else Mqtt
        made.append(kind(Mqtt.Settings.model_validate(given), plain, run))
        return made[-1]

    yield make
    for transport in made:
        transport.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and "commands" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.mosquitto)
