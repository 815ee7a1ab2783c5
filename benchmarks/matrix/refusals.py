"""Far ends that refuse a client, or one of its messages."""

from __future__ import annotations

import subprocess
import time

from benchmarks.matrix.accounts import disagreements, printed
from benchmarks.matrix.broker import broker, find, mqtt
from benchmarks.matrix.fleet import FleetRun, fleet
from benchmarks.matrix.logs import errors
from benchmarks.matrix.row import Group, Outcome, Scene
from benchmarks.matrix.sinks import Subscriber
from tests.integration.certificates import Authority, Certificate
from tests.integration.proxy import FaultProxy

GROUP = Group("Refusals and losses")


def _refused(scene: Scene, outcome: Outcome, port: int, says: str, *lines: str) -> None:
    """Run against a broker that refuses the client: one error with a text, exit 3."""
    with FleetRun(scene.folder, fleet(mqtt(port, *lines)), "--duration", "2s") as run:
        status = run.wait()
    found = errors(run.log)
    outcome.note(f"exit {status}: {'; '.join(found)}")
    outcome.check(status == 3, f"{says}: exit {status}, not 3")
    outcome.check(len(found) == 1 and says in found[0], f"{says}: {len(found)} errors")
    outcome.check("Traceback" not in run.log, f"{says}: a traceback")


@GROUP.row("wrong password", "one error that names the cause, exit 3")
def auth(scene: Scene, outcome: Outcome) -> None:
    passwords = scene.folder / "passwords"
    passwords.touch(mode=0o600)
    command = [find("mosquitto_passwd"), "-b", str(passwords), "fleet", "another"]
    subprocess.run(command, check=True, capture_output=True)
    lines = f"allow_anonymous false\npassword_file {passwords}"
    with broker(scene.folder, lines) as mosquitto:
        _refused(scene, outcome, mosquitto.ports["only"], "user name and password")


@GROUP.row(
    "TLS: unknown authority, expired certificate, certificate for another host, no TLS at the port",
    "one error that names the cause, exit 3; never a connection without TLS",
)
def tls(scene: Scene, outcome: Outcome) -> None:
    own = Authority(scene.folder / "own", find("openssl"))
    stranger = Authority(scene.folder / "stranger", find("openssl"))
    cases = {
        "not trusted": (own.issue("good", "IP:127.0.0.1"), stranger),
        "has expired": (own.issue("expired", "IP:127.0.0.1", expired=True), own),
        "for another host": (own.issue("elsewhere", "DNS:broker.example"), own),
    }
    for says, (certificate, authority) in cases.items():
        part = scene.part(says.replace(" ", "-"))
        with broker(part.folder, _listener(certificate, own)) as mosquitto:
            port = mosquitto.ports["only"]
            _refused(part, outcome, port, says, 'tls = "on"', f'ca_file = "{authority.file}"')
    part = scene.part("plain")
    with broker(part.folder) as mosquitto:
        says = "perhaps this port does not use TLS"
        lines = ('tls = "on"', f'ca_file = "{own.file}"')
        _refused(part, outcome, mosquitto.ports["only"], says, *lines)


def _listener(certificate: Certificate, authority: Authority) -> str:
    return (
        f"allow_anonymous true\ncertfile {certificate.file}\nkeyfile {certificate.key}\n"
        f"cafile {authority.file}"
    )


_TWO_SIZES = """
[[projects]]
id = "BIG"
load = { type = "constant", kw = 1.0 }
[[projects.ders]]
id = "B{n}"
count = 60
type = "battery"
nameplate_capacity = 5.0
"""


@GROUP.row(
    "messages larger than the broker accepts (10,000 bytes), among smaller ones",
    "dropped and counted; the others flow; exit 1",
)
def oversize(scene: Scene, outcome: Outcome) -> None:
    for protocol in ("3.1.1", "5"):
        for qos in (0, 1):
            part = scene.part(f"{protocol}-{qos}")
            with broker(part.folder, options="max_packet_size 10000") as mosquitto:
                _oversize(part, outcome, mosquitto.ports["only"], protocol, qos)


def _oversize(scene: Scene, outcome: Outcome, port: int, protocol: str, qos: int) -> None:
    where = f"MQTT {protocol}, QoS {qos}"
    lines = (
        f'protocol = "{protocol}"',
        f"qos = {qos}",
        'framing = "project"',
        'topic = "projects/{project_id}"',
    )
    with Subscriber(port) as far:
        text = fleet(_TWO_SIZES + mqtt(port, *lines), count=5)
        with FleetRun(scene.folder, text, "--duration", "3s") as run:
            status = run.wait()
        received = far.settled()
    account = printed(run.log)["mqtt"]
    small = sum(der.startswith("P") for der, _ in received.copies)
    outcome.note(f"{where}: {account}; {small} of 60 small readings arrived; exit {status}")
    outcome.check(status == 1, f"{where}: exit {status}, not 1")
    outcome.check(small >= (60 if qos or protocol == "5" else 50), f"{where}: small ones lost")
    outcome.check(sum(account.dropped.values()) >= 60, f"{where}: not dropped")
    outcome.extend(disagreements(run, {"mqtt": received}), where)


_LOST = {
    "queue full, `on_full` not in the file": (("queue_mb = 0.05",), 1, True),
    "queue full, `on_full` in the file": (("queue_mb = 0.05", 'on_full = "drop_oldest"'), 0, True),
    "connection reset, QoS 0": ((), 0, False),
    "connection reset, QoS 0, `--strict`": ((), 4, False),
}


@GROUP.row(
    "readings lost: a full queue, a lost connection at QoS 0",
    "the run never ends with 0, unless the file sets `on_full`; QoS 0 warns, and with `--strict` "
    "ends with 4",
)
def lost(scene: Scene, outcome: Outcome) -> None:
    for number, (name, (lines, expected, stalls)) in enumerate(_LOST.items()):
        part = scene.part(f"case-{number}")
        words = ("--strict",) if "strict" in name else ()
        with broker(part.folder) as mosquitto, FaultProxy(mosquitto.ports["only"]) as proxy:
            table = mqtt(proxy.port, f"qos = {int(stalls)}", *lines)
            text = fleet(table, count=100)
            with FleetRun(part.folder, text, "--duration", "5s", *words) as run:
                run.wait_for("watch it")
                time.sleep(0.5)
                proxy.stall()
                time.sleep(2.5)
                proxy.reset()
                proxy.recover()
                status = run.wait()
        account = printed(run.log)["mqtt"]
        outcome.note(f"{name}: exit {status}, {account}")
        outcome.check(status == expected, f"{name}: exit {status}, not {expected}")
        nothing = account.delivered == account.accepted
        outcome.check(not nothing, f"{name}: nothing was lost, so it proves nothing")
        outcome.extend(disagreements(run, {}), name)
